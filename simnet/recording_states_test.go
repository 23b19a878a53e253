package simnet_test

import (
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
)

// states are the states of an end, each with the time at which it began.
func states(c simnet.Connection) (list []string) {
	for i, s := range c.Samples {
		if i == 0 || s.State != c.Samples[i-1].State {
			list = append(list, fmt.Sprintf("%v %s", s.At, s.State))
		}
	}
	return list
}

// slow is a network of two hosts that are 10 ms apart, and its recording.
func slow(t *testing.T) (n *simnet.Network, a, b *simnet.Host, l *simnet.Link, r *simnet.Recording) {
	n = simnet.New(t)
	a, b = n.Host("a", "10.0.0.1/24"), n.Host("b", "10.0.0.2/24")
	l = n.Link(a, b, simnet.Delay(10*time.Millisecond))
	return n, a, b, l, n.Record()
}

// The end that closes first is in TIME-WAIT for a minute; the other one is closed at once.
func TestRecording_ActiveAndPassiveClose(t *testing.T) {
	n, a, b, _, r := slow(t)
	client, server := connected(t, n, a, b)
	begin := n.Now()
	n.Do("close", func() { require.NoError(t, client.Close()) })
	n.Advance(time.Second)
	n.Do("close", func() { require.NoError(t, server.Close()) })
	n.Advance(2 * time.Minute)
	require.Equal(t, 30*time.Millisecond, begin)
	require.Equal(t, []string{
		"0s SYN-SENT", "20ms ESTABLISHED", "30ms FIN-WAIT-1", "50ms FIN-WAIT-2", "1.04s TIME-WAIT", "1m1.04s CLOSED",
	}, states(end(t, r, "a")))
	require.Equal(t, []string{
		"10ms SYN-RECEIVED", "30ms ESTABLISHED", "40ms CLOSE-WAIT", "1.03s LAST-ACK", "1.05s CLOSED",
	}, states(end(t, r, "b")))
	require.Equal(t, end(t, r, "a").Local, end(t, r, "b").Remote)
	require.Equal(t, 10*time.Millisecond, end(t, r, "b").Opened)
	last := end(t, r, "b").Samples
	require.EqualValues(t, 2, last[len(last)-1].SndUna, "the FIN is acknowledged")
	require.NotZero(t, last[len(last)-1].CongestionWindow, "a closed connection has what it had last")
}

// Both ends close before they hear of each other.
func TestRecording_SimultaneousClose(t *testing.T) {
	n, a, b, _, r := slow(t)
	client, server := connected(t, n, a, b)
	n.Do("close", func() {
		require.NoError(t, client.Close())
		require.NoError(t, server.Close())
	})
	n.Advance(2 * time.Minute)
	require.Equal(t, []string{
		"0s SYN-SENT", "20ms ESTABLISHED", "30ms FIN-WAIT-1", "40ms CLOSING", "50ms TIME-WAIT", "1m0.05s CLOSED",
	}, states(end(t, r, "a")))
	require.Equal(t, []string{
		"10ms SYN-RECEIVED", "30ms ESTABLISHED", "30ms FIN-WAIT-1", "40ms CLOSING", "50ms TIME-WAIT", "1m0.05s CLOSED",
	}, states(end(t, r, "b")))
}

// Two SYNs cross; a RST ends the connection.
func TestRecording_SimultaneousOpen(t *testing.T) {
	n, a, w := wired(t)
	r := n.Record()
	p := w.Listen(80)
	n.Go("client", func() {
		c, err := a.Dial("tcp", "10.0.0.9:80")
		require.NoError(t, err)
		_, err = c.Read(make([]byte, 1))
		require.Error(t, err)
	})
	p.Expect("[S] seq 0")
	p.Send("[S] seq 0")
	p.Expect("[S.] seq 0 ack 1")
	p.Send("[S.] seq 0 ack 1")
	n.Advance(time.Second)
	p.Send("[R.] seq 1 ack 1")
	require.NoError(t, n.Run())
	require.Equal(t, []string{"0s SYN-SENT", "0s SYN-RECEIVED", "0s ESTABLISHED", "1s CLOSED"}, states(end(t, r, "a")))
}

// A handshake whose SYN-ACKs are lost is there: the listener's end while it waits, the client's
// until it gives up. So is one that a RST answers.
func TestRecording_Handshakes(t *testing.T) {
	n, a, b, l, r := slow(t)
	l.Set(simnet.From(b, simnet.Loss(1)))
	n.Do("client", func() {
		ln, err := b.Listen("tcp4", ":80")
		require.NoError(t, err)
		defer ln.Close()
		_, err = a.Dial("tcp4", "10.0.0.2:80")
		require.Error(t, err)
		n.Sleep(30 * time.Second)
	})
	require.Equal(t, []string{"0s SYN-SENT", "21s CLOSED"}, states(end(t, r, "a")))
	client := end(t, r, "a").Samples
	require.Equal(t, len(packetsFrom(r, "a"))-1, int(client[len(client)-1].Retransmissions))
	served := end(t, r, "b")
	require.Equal(t, []string{"10ms SYN-RECEIVED", "21.01s CLOSED"}, states(served))
	require.Equal(t, len(packetsFrom(r, "b"))-1, int(served.Samples[len(served.Samples)-1].Retransmissions))

	l.Set(simnet.Loss(0))
	refused := n.Record()
	n.Do("refused", func() {
		_, err := a.Dial("tcp4", "10.0.0.2:81")
		require.Error(t, err)
	})
	require.Len(t, refused.Connections(), 1)
	require.Len(t, r.Connections(), 3)
	require.Equal(t, "CLOSED", refused.Connections()[0].Samples[1].State)
}

// packetsFrom are the packets that a node has sent.
func packetsFrom(r *simnet.Recording, node string) (list []simnet.RecordedPacket) {
	for _, p := range r.Packets() {
		if p.From == node {
			list = append(list, p)
		}
	}
	return list
}

// A port that is used again is another connection.
func TestRecording_SameTupleAgain(t *testing.T) {
	n, a, b, _, r := slow(t)
	n.Background("server", func() {
		l, err := b.Listen("tcp4", ":80")
		require.NoError(t, err)
		for {
			c, err := l.Accept()
			require.NoError(t, err)
			n.Sleep(time.Second)
			require.NoError(t, c.(interface{ SetLinger(int) error }).SetLinger(0))
			require.NoError(t, c.Close())
		}
	})
	dialer := stack.Dialer{Stack: a.Stack, LocalAddr: &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 5000}}
	for range 2 {
		n.Do("client", func() {
			c, err := dialer.Dial("tcp4", "10.0.0.2:80")
			require.NoError(t, err)
			_, err = c.Read(make([]byte, 1))
			require.Error(t, err)
			require.NoError(t, c.Close())
		})
	}
	ends := r.Connections()
	require.Len(t, ends, 4)
	require.Equal(t, ends[0].Local, ends[2].Local)
	require.Equal(t, ends[0].Remote, ends[2].Remote)
	require.Equal(t, []string{"0s SYN-SENT", "20ms ESTABLISHED", "1.04s CLOSED"}, states(ends[0]))
	require.Equal(t, []string{"1.04s SYN-SENT", "1.06s ESTABLISHED", "2.08s CLOSED"}, states(ends[2]))
}
