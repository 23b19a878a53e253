package kernel

import (
	"net/netip"
	"testing"
)

// What a kernel says for itself isn't of the script.
func TestOfScript(t *testing.T) {
	local4, local6 := netip.MustParseAddr("192.168.0.1"), netip.MustParseAddr("fd3d:fa7b:d17d::1")
	v4 := func(protocol byte, from netip.Addr) []byte {
		b := make([]byte, 28)
		b[0], b[9] = 0x45, protocol
		copy(b[12:], from.AsSlice())
		return b
	}
	v6 := func(next, typ byte, from netip.Addr) []byte {
		b := make([]byte, 48)
		b[0], b[6], b[40] = 0x60, next, typ
		copy(b[8:], from.AsSlice())
		return b
	}
	for name, test := range map[string]struct {
		packet []byte
		local  netip.Addr
		want   bool
	}{
		"TCP":                 {v4(6, local4), local4, true},
		"ICMP":                {v4(1, local4), local4, true},
		"IGMP":                {v4(2, local4), local4, false},
		"another host":        {v4(6, netip.MustParseAddr("192.168.0.2")), local4, false},
		"UDP over IPv6":       {v6(17, 0, local6), local6, true},
		"port unreachable":    {v6(58, 1, local6), local6, true},
		"neighbour discovery": {v6(58, 135, local6), local6, false},
		"listener report":     {v6(58, 143, local6), local6, false},
		"link-local":          {v6(58, 1, netip.MustParseAddr("fe80::1")), local6, false},
		"too short":           {[]byte{0x45}, local4, false},
		"nothing":             {nil, local4, false},
	} {
		if got := ofScript(test.packet, test.local); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}
