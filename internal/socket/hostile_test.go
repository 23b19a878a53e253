package socket_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/wsstack/wsstack/internal/socket"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// played is a host that serves one connection after the other, and a client of
// it that is played by hand.
func played(t *testing.T, serve func(n *simnet.Network, c *endpoint.Conn)) (*simnet.Network, *simnet.Peer) {
	n := simnet.New(t)
	h := n.Host("h", "10.0.0.1/24")
	p := n.Wire(h, "w", "10.0.0.2").Connect("10.0.0.1:80")
	n.Background("server", func() {
		l, err := h.Listen("tcp", "10.0.0.1:80")
		if !assert.NoError(t, err) {
			return
		}
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			n.Background("connection", func() { serve(n, c.(*endpoint.Conn)) })
		}
	})
	require.NoError(t, n.Idle())
	return n, p
}

// A SYN on an established connection changes nothing, whoever sent it. It once
// made segments smaller than the tail, and the next write panicked.
func TestForgedSYN(t *testing.T) {
	n, p := played(t, func(n *simnet.Network, c *endpoint.Conn) {
		c.Write(make([]byte, 10))
		c.Write(make([]byte, 1000)) // held
		n.Sleep(time.Second)
		c.Write(make([]byte, 5))
		mss := make([]byte, 4)
		_, err := c.GetSockOpt(wsa.IPPROTO_TCP, wsa.TCP_MAXSEG, mss)
		assert.NoError(t, err)
		assert.EqualValues(t, 1460, binary.LittleEndian.Uint32(mss))
	})
	require.NoError(t, p.Handshake("mss 1460"))
	_, err := p.Expect("[P.] seq 1:11 ack 1")
	require.NoError(t, err)
	p.Send("[S] seq 77777 win 1 <mss 700>")
	_, err = p.Expect("[.] seq 11 ack 1") // a challenge
	require.NoError(t, err)
	require.NoError(t, n.Advance(1100*time.Millisecond))
	p.Send("[.] seq 1 ack 11")
	for {
		a, err := p.Receive(time.Second)
		require.NoError(t, err)
		if a.Segment.Seq == 11 && a.Segment.Len == 1005 {
			return
		}
	}
}

// A connection that begins with a SYN to a TIME-WAIT leaves no record: its SYN
// doesn't pass the demultiplexer. The Gate must open all the same.
func TestTimeWaitReuse(t *testing.T) {
	connections := 0
	_, p := played(t, func(n *simnet.Network, c *endpoint.Conn) {
		connections++
		if connections == 1 {
			c.Close()
			return
		}
		c.Write([]byte("banner"))
		n.Sleep(time.Second)
		c.Write([]byte("second"))
	})
	require.NoError(t, p.Handshake("mss 1460"))
	_, err := p.Expect("[F.] seq 1 ack 1")
	require.NoError(t, err)
	p.Send("[F.] seq 1 ack 2")
	_, err = p.Expect("[.] seq 2 ack 2")
	require.NoError(t, err)
	p.Send("[S] seq 100000 <mss 1460>")
	synAck, err := p.Expect("[S.]")
	require.NoError(t, err)
	iss := synAck.Seq
	p.Send(fmt.Sprintf("[.] seq 100001 ack %d", iss+1))
	_, err = p.Expect("[P.] len 6")
	require.NoError(t, err)
	p.Send(fmt.Sprintf("[.] seq 100001 ack %d", iss+7))
	_, err = p.Expect("[P.] len 6")
	require.NoError(t, err)
}

// A RST that netstack drops doesn't turn a graceful end into a reset.
func TestForgedRST(t *testing.T) {
	var data []byte
	var result error
	n, p := played(t, func(n *simnet.Network, c *endpoint.Conn) {
		n.Sleep(time.Second)
		c.CloseWrite()
		n.Sleep(10 * time.Second)
		data, result = io.ReadAll(c)
	})
	require.NoError(t, p.Handshake("mss 1460"))
	p.Send("[R] seq 500000000")
	p.Send("[P.] seq 1 ack 1", []byte("hello")...)
	p.Send("[F.] seq 6 ack 1")
	require.NoError(t, n.Advance(1100*time.Millisecond))
	p.Send("[.] seq 7 ack 2")
	require.NoError(t, n.Advance(20*time.Second))
	require.NoError(t, result)
	require.Equal(t, "hello", string(data))
}

// An acknowledgement that netstack drops, as it is outside of the window, opens
// nothing.
func TestForgedACK(t *testing.T) {
	n, p := played(t, func(n *simnet.Network, c *endpoint.Conn) {
		c.Write(make([]byte, 10))
		c.Write(make([]byte, 20)) // held
	})
	require.NoError(t, p.Handshake("mss 1460"))
	_, err := p.Expect("[P.] seq 1:11 ack 1")
	require.NoError(t, err)
	p.Send("[.] seq 500000000 ack 11")
	require.NoError(t, n.Advance(100*time.Millisecond))
	for {
		a, err := p.Receive(10 * time.Second)
		require.NoError(t, err)
		if a.Segment.Len > 0 {
			require.EqualValues(t, 1, a.Segment.Seq, "a retransmission; the tail stays")
			break
		}
	}
}

// The tail leaves before the FIN even if netstack holds more than SO_SNDBUF
// allows now. It once was lost, and the pump tried for ever.
func TestTailAndLoweredSendBuffer(t *testing.T) {
	n := simnet.New(t)
	a, b := n.Host("a", "10.0.0.1/24"), n.Host("b", "10.0.0.2/24")
	n.Link(a, b, simnet.Delay(20*time.Millisecond))
	var got int64
	n.Go("server", func() {
		l, err := b.Listen("tcp", ":80")
		if !assert.NoError(t, err) {
			return
		}
		defer l.Close()
		c, err := l.Accept()
		if assert.NoError(t, err) {
			got, err = io.Copy(io.Discard, c)
			assert.NoError(t, err)
			c.Close()
		}
	})
	require.NoError(t, n.Do("client", func() {
		s, errno := socket.New(socket.HostOf(a), wsa.AF_INET, wsa.SOCK_STREAM, 0, "")
		assert.Zero(t, errno)
		assert.Zero(t, s.Connect(addrPort("10.0.0.2:80")))
		for _, size := range []int{100_000, 700} {
			_, errno = s.Send(make([]byte, size), 0)
			assert.Zero(t, errno)
		}
		assert.Zero(t, s.SetSockOpt(wsa.SOL_SOCKET, wsa.SO_SNDBUF, binary.LittleEndian.AppendUint32(nil, 4096)))
		assert.Zero(t, s.Close())
	}))
	require.NoError(t, n.Run())
	require.EqualValues(t, 100_700, got)
}
