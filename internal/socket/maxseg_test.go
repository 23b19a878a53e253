package socket_test

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/wsstack/wsstack/internal/socket"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// TCP_MAXSEG is the payload of a full segment on this connection, whatever was
// negotiated, on both sides.
func TestMaxSegIsWhatLeaves(t *testing.T) {
	for _, tt := range []struct {
		name, peerSYN string
		timestamps    bool
		want          int
	}{
		{"nothing", "mss 1000", true, 1000},
		{"no MSS option", "", true, 536},
		{"timestamps", "mss 1000,ts 1 0", true, 988},
		{"SACK", "mss 1000,sackOK", true, 1000},
		{"both", "mss 1000,sackOK,ts 1 0", true, 988},
		{"a peer larger than the link", "mss 9000", true, 1460},
		{"timestamps that weren't offered", "mss 1000,sackOK,ts 1 0", false, 1000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := simnet.New(t)
			a := n.Host("a", "10.0.0.1/24")
			p := n.Wire(a, "w", "10.0.0.9").Listen(80)
			n.Go("client", func() {
				s, errno := socket.New(socket.HostOf(a.Stack), wsa.AF_INET, wsa.SOCK_STREAM, 0, "")
				require.Zero(t, errno)
				if tt.timestamps {
					require.Zero(t, s.SetSockOpt(wsa.IPPROTO_TCP, wsa.TCP_TIMESTAMPS, []byte{1, 0, 0, 0}))
				}
				require.Zero(t, s.Connect(netip.MustParseAddrPort("10.0.0.9:80")))
				b := make([]byte, 4)
				_, errno = s.GetSockOpt(wsa.IPPROTO_TCP, wsa.TCP_MAXSEG, b)
				require.Zero(t, errno)
				require.EqualValues(t, tt.want, binary.LittleEndian.Uint32(b))
				_, errno = s.Send(make([]byte, 20000), 0)
				require.Zero(t, errno)
				require.Zero(t, s.Close())
			})
			p.Accept(tt.peerSYN)
			got, err := p.Receive(time.Second)
			require.NoError(t, err)
			require.Equal(t, tt.want, got.Len)
		})
	}
}
