package compat

import (
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/stack"
)

// serveNATS runs a NATS server behind the server's port 4222: it lives in the bubble, as it has no
// listener of its own.
func serveNATS(t *testing.T, w *world) {
	s, err := server.NewServer(&server.Options{DontListen: true, NoLog: true, NoSigs: true})
	require.NoError(t, err)
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	require.True(t, s.ReadyForConnections(patience))
	forward(t, listen(t, w.server.Stack, ":4222"), s.InProcessConn)
}

// The client's pings find out that the cable is cut. It dials until the cable is mended, and then
// sends what was published meanwhile.
//
// A client that dials holds its mutex. Whoever publishes just then waits for the mutex, which stops
// the time of the bubble, so that the dial never ends. So this publisher publishes in the pauses
// between two dials.
func TestBubble_NATSReconnect(t *testing.T) {
	const (
		ping    = 10 * time.Second
		pause   = 2 * time.Second
		timeout = 3 * time.Second
	)
	inWorld(t, 2, func(t *testing.T, w *world) {
		serveNATS(t, w)
		published := 0
		publish := func(c *nats.Conn) {
			require.NoError(t, c.Publish("news", []byte(strconv.Itoa(published))))
			published++
		}
		var c *nats.Conn
		var err error
		disconnected, reconnected := make(chan time.Time, 1), make(chan time.Time, 1)
		d := &stack.Dialer{Stack: w.client.Stack, Timeout: timeout} // nats.Timeout is for dialers of its own
		c, err = nats.Connect("nats://"+serverIP, nats.SetCustomDialer(d), nats.Timeout(patience),
			nats.PingInterval(ping), nats.MaxPingsOutstanding(2), nats.MaxReconnects(-1),
			nats.DisconnectErrHandler(func(*nats.Conn, error) { disconnected <- time.Now() }),
			nats.ReconnectHandler(func(*nats.Conn) { reconnected <- time.Now() }),
			nats.CustomReconnectDelay(func(int) time.Duration {
				publish(c)
				return pause
			}))
		require.NoError(t, err)
		connected := time.Now()
		t.Cleanup(c.Close)
		news, err := c.SubscribeSync("news")
		require.NoError(t, err)
		require.NoError(t, c.Flush())
		for range 100 {
			publish(c)
		}
		require.NoError(t, c.Flush())

		w.link.Partition()
		time.AfterFunc(time.Minute, w.link.Heal)
		require.Equal(t, (3 * ping).String(), (<-disconnected).Sub(connected).String())
		// The seventh dial is the first one after the cable is mended: a handshake of TCP, the server's
		// greeting, a ping.
		const until = 3*ping + pause + 6*(timeout+pause) + 3*rtt
		require.Equal(t, until.String(), (<-reconnected).Sub(connected).String())
		require.NoError(t, c.Flush())
		for i := range published {
			m, err := news.NextMsg(time.Second)
			require.NoError(t, err)
			require.Equal(t, strconv.Itoa(i), string(m.Data))
		}
		require.Equal(t, 107, published)
	})
}
