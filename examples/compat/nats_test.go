package compat

import (
	"strconv"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
)

// The server has no listener of its own: each connection of the stack's listener
// is joined to one in its process.
func TestNATS(t *testing.T) {
	serverStack, client := newNetwork(t)
	s, err := server.NewServer(&server.Options{DontListen: true, NoLog: true, NoSigs: true})
	require.NoError(t, err)
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	require.True(t, s.ReadyForConnections(patience))
	forward(t, listen(t, serverStack, ":4222"), s.InProcessConn)

	connect := func() (*nats.Conn, *dialer) {
		d := &dialer{stack: client}
		c, err := nats.Connect("nats://"+serverIP, nats.SetCustomDialer(d), nats.Timeout(patience), nats.NoReconnect())
		require.NoError(t, err)
		t.Cleanup(c.Close)
		return c, d
	}
	worker, _ := connect()
	_, err = worker.QueueSubscribe("square", "workers", func(m *nats.Msg) {
		n, _ := strconv.Atoi(string(m.Data))
		m.Respond([]byte(strconv.Itoa(n * n)))
	})
	require.NoError(t, err)
	require.NoError(t, worker.FlushWithContext(soon(t)))

	asker, d := connect()
	for i := range 200 {
		m, err := asker.RequestWithContext(soon(t), "square", []byte(strconv.Itoa(i)))
		require.NoError(t, err)
		require.Equal(t, strconv.Itoa(i*i), string(m.Data))
	}
	require.EqualValues(t, 1, d.calls.Load(), "dials for 200 requests")

	// A burst without answers: nothing is lost, order stays.
	sub, err := worker.SubscribeSync("burst")
	require.NoError(t, err)
	require.NoError(t, worker.FlushWithContext(soon(t)))
	for i := range 10000 {
		require.NoError(t, asker.Publish("burst", []byte(strconv.Itoa(i))))
	}
	for i := range 10000 {
		m, err := sub.NextMsgWithContext(soon(t))
		require.NoError(t, err)
		require.Equal(t, strconv.Itoa(i), string(m.Data))
	}
}

var _ nats.CustomDialer = (*dialer)(nil)
