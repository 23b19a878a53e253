package endpoint_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// TCP_MAXSEG is the payload of a full segment on this connection, whatever was
// negotiated, on both sides (GS-12).
func TestMaxSegIsWhatLeaves(t *testing.T) {
	for _, tt := range []struct {
		name, peerSYN string
		want          int
	}{
		{"nothing", "mss 1000", 1000},
		{"no MSS option", "", 536},
		{"timestamps", "mss 1000,ts 1 0", 988},
		{"SACK", "mss 1000,sackOK", 964},
		{"both", "mss 1000,sackOK,ts 1 0", 960},
		{"a peer larger than the link", "mss 9000", 1460},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := simnet.New(t)
			a := n.Host("a", "10.0.0.1/24")
			p := n.Wire(a, "w", "10.0.0.9").Listen(80)
			n.Go("client", func() {
				c, err := a.Dial("tcp", "10.0.0.9:80")
				require.NoError(t, err)
				v, err := get32(t, c.(*endpoint.Conn), wsa.IPPROTO_TCP, wsa.TCP_MAXSEG)
				require.NoError(t, err)
				require.EqualValues(t, tt.want, v)
				_, err = c.Write(make([]byte, 20000))
				require.NoError(t, err)
				c.Close()
			})
			p.Accept(tt.peerSYN)
			got, err := p.Receive(time.Second)
			require.NoError(t, err)
			require.Equal(t, tt.want, got.Len)
		})
	}
}
