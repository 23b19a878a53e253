package link

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/buffer"

	"github.com/wsstack/wsstack/tun"
)

// A packet counts as what a wire would carry, also where its metadata makes no sense.
func TestOnWire(t *testing.T) {
	for _, c := range []struct {
		what string
		size int
		gso  tun.GSO
		want Traffic
	}{
		{"plain", 100, tun.GSO{}, Traffic{1, 100}},
		{"checksum only", 100, tun.GSO{NeedsCsum: true}, Traffic{1, 100}},
		{"three segments", 40 + 250, tun.GSO{Type: tun.GSOTCPv4, MSS: 100, HdrLen: 40}, Traffic{3, 40*3 + 250}},
		{"two whole segments", 40 + 200, tun.GSO{Type: tun.GSOTCPv6, MSS: 100, HdrLen: 40}, Traffic{2, 40*2 + 200}},
		{"one segment", 40 + 100, tun.GSO{Type: tun.GSOTCPv4, MSS: 100, HdrLen: 40}, Traffic{1, 140}},
		{"no MSS", 140, tun.GSO{Type: tun.GSOTCPv4, HdrLen: 40}, Traffic{1, 140}},
		{"headers longer than the packet", 20, tun.GSO{Type: tun.GSOUDP, MSS: 1, HdrLen: 65535}, Traffic{1, 20}},
	} {
		p := tun.Packet{Data: buffer.MakeWithData(make([]byte, c.size)), GSO: c.gso}
		require.Equal(t, c.want, onWire(&p), c.what)
		p.Data.Release()
	}
}
