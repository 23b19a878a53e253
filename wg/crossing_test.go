package wg

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.zx2c4.com/wireguard/conn"
	"golang.zx2c4.com/wireguard/device"
)

// message is one of a handshake as far as a Bind looks at it.
func message(kind uint32) []byte {
	size := device.MessageInitiationSize
	if kind == device.MessageResponseType {
		size = device.MessageResponseSize
	}
	b := make([]byte, size)
	binary.LittleEndian.PutUint32(b, kind)
	return b
}

// An initiation and a response of a peer get to the engine 20 ms apart, once for each initiation
// that was sent there, in whatever form the address of the peer is.
func TestCrossings(t *testing.T) {
	peer := &conn.StdNetEndpoint{AddrPort: netip.MustParseAddrPort("192.0.2.1:51820")}
	mapped := &conn.StdNetEndpoint{AddrPort: netip.MustParseAddrPort("[::ffff:192.0.2.1]:51820")}
	other := &conn.StdNetEndpoint{AddrPort: netip.MustParseAddrPort("192.0.2.2:51820")}
	initiation, response := message(device.MessageInitiationType), message(device.MessageResponseType)
	begin := time.Unix(1, 0)
	for name, pair := range map[string][2][]byte{"response last": {initiation, response}, "initiation last": {response, initiation}} {
		t.Run(name, func(t *testing.T) {
			var c crossings
			require.Zero(t, c.came(pair[0], peer, begin))
			require.Zero(t, c.came(pair[1], peer, begin), "this end has begun nothing")

			c.sent([][]byte{initiation}, peer)
			require.Zero(t, c.came(pair[0], mapped, begin))
			require.Zero(t, c.came(pair[0], peer, begin.Add(time.Millisecond)), "one of the same kind")
			require.Zero(t, c.came(pair[1], other, begin.Add(2*time.Millisecond)))
			require.Equal(t, 15*time.Millisecond, c.came(pair[1], peer, begin.Add(6*time.Millisecond)))
			require.Zero(t, c.came(pair[0], peer, begin.Add(6*time.Millisecond)), "once")

			c.sent([][]byte{initiation}, peer)
			require.Zero(t, c.came(pair[0], peer, begin))
			require.Zero(t, c.came(pair[1], peer, begin.Add(apart)))
		})
	}
	var c crossings
	c.sent([][]byte{response}, peer)
	require.Empty(t, c.begun)
	for port := range 3 * maxCrossings {
		c.sent([][]byte{initiation}, &conn.StdNetEndpoint{AddrPort: netip.AddrPortFrom(other.Addr(), uint16(port))})
		require.LessOrEqual(t, len(c.begun), maxCrossings)
	}
}

// Of two messages in one batch the later one comes by itself, later, with its bytes and its sender.
func TestBind_ReceivesApart(t *testing.T) {
	u := newTUN(1420)
	defer u.Stack().Close()
	peer := &conn.StdNetEndpoint{AddrPort: netip.MustParseAddrPort("192.0.2.1:51820")}
	initiation, response := message(device.MessageInitiationType), message(device.MessageResponseType)
	b := u.Bind(&fakeBind{receive: func(packets [][]byte, sizes []int, from []conn.Endpoint) (int, error) {
		for i, m := range [][]byte{initiation, response} {
			sizes[i], from[i] = copy(packets[i], m), peer
		}
		return 2, nil
	}})
	b.(*bind).crossings.sent([][]byte{initiation}, peer)
	receivers, _, err := b.Open(0)
	require.NoError(t, err)
	packets, sizes, from := engineBuffers(4), make([]int, 4), make([]conn.Endpoint, 4)
	begin := time.Now()
	n, err := receivers[0](packets, sizes, from)
	require.NoError(t, err)
	require.Equal(t, []int{len(initiation), 0}, sizes[:n])
	packets, from = engineBuffers(4), make([]conn.Endpoint, 4)
	n, err = receivers[0](packets, sizes, from)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.GreaterOrEqual(t, time.Since(begin), apart)
	require.Equal(t, response, packets[0][:sizes[0]])
	require.Equal(t, peer, from[0])
	n, err = receivers[0](packets, sizes, from)
	require.NoError(t, err)
	require.Equal(t, []int{len(initiation), len(response)}, sizes[:n])
	require.NoError(t, b.Close())
}
