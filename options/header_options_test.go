package options

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/wsstack/wsstack/wsa"
)

// Options of headers are stored when they are well formed, and read back as they are sent.
func TestHeaderOptions(t *testing.T) {
	header := func(b ...byte) []byte { return append(b, make([]byte, max(0, 8-len(b)))...) }
	for _, tc := range []struct {
		name       string
		level, opt int32
		in, want   []byte
		err        wsa.Errno
	}{
		{name: "record route", level: ip, opt: wsa.IP_OPTIONS, in: []byte{7, 7, 4, 0, 0, 0, 0, 0}, want: []byte{7, 7, 4, 0, 0, 0, 0, 0}},
		{name: "padded", level: ip, opt: wsa.IP_OPTIONS, in: []byte{1, 1, 1, 148, 2}, want: []byte{1, 1, 1, 148, 2, 0, 0, 0}},
		{name: "anything behind the end", level: ip, opt: wsa.IP_OPTIONS, in: []byte{0, 7, 9, 9}, want: []byte{0, 7, 9, 9}},
		{name: "40 bytes", level: ip, opt: wsa.IP_OPTIONS, in: bytes.Repeat([]byte{1}, 40), want: bytes.Repeat([]byte{1}, 40)},
		{name: "41 bytes", level: ip, opt: wsa.IP_OPTIONS, in: bytes.Repeat([]byte{1}, 41), err: wsa.WSAEINVAL},
		{name: "an option without a length", level: ip, opt: wsa.IP_OPTIONS, in: []byte{1, 7}, err: wsa.WSAEINVAL},
		{name: "a length below 2", level: ip, opt: wsa.IP_OPTIONS, in: []byte{7, 1, 0, 0}, err: wsa.WSAEINVAL},
		{name: "a length beyond the end", level: ip, opt: wsa.IP_OPTIONS, in: []byte{7, 5, 0, 0}, err: wsa.WSAEINVAL},

		{name: "a source route", level: ip, opt: wsa.IP_OPTIONS, in: []byte{131, 7, 4, 10, 0, 0, 9, 0}, want: []byte{131, 7, 4, 10, 0, 0, 9, 0}},
		{name: "a source route without hops", level: ip, opt: wsa.IP_OPTIONS, in: []byte{131, 3, 4, 0}, err: wsa.WSAEINVAL},
		{name: "a part of a hop", level: ip, opt: wsa.IP_OPTIONS, in: []byte{137, 6, 4, 10, 0, 0}, err: wsa.WSAEINVAL},
		{name: "a hop behind", level: ip, opt: wsa.IP_OPTIONS, in: []byte{131, 7, 8, 10, 0, 0, 9, 0}, err: wsa.WSAEINVAL},
		{name: "two source routes", level: ip, opt: wsa.IP_OPTIONS, in: []byte{131, 7, 4, 10, 0, 0, 9, 137, 7, 4, 10, 0, 0, 9, 0, 0}, err: wsa.WSAEINVAL},

		{name: "router alert", level: ipv6, opt: wsa.IPV6_HOPOPTS, in: header(0, 0, 5, 2, 0, 0, 1, 0), want: header(0, 0, 5, 2, 0, 0, 1, 0)},
		{name: "filler", level: ipv6, opt: wsa.IPV6_DSTOPTS, in: header(), want: header()},
		{name: "an option beyond the end", level: ipv6, opt: wsa.IPV6_HOPOPTS, in: header(0, 0, 5, 5), err: wsa.WSAEINVAL},
		{name: "an option without a length", level: ipv6, opt: wsa.IPV6_DSTOPTS, in: header(0, 0, 1, 3, 0, 0, 0, 5), err: wsa.WSAEINVAL},
		{name: "shorter than it says", level: ipv6, opt: wsa.IPV6_HOPOPTS, in: header(0, 1), err: wsa.WSAEINVAL},
		{name: "longer than it says", level: ipv6, opt: wsa.IPV6_HOPOPTS, in: make([]byte, 16), err: wsa.WSAEINVAL},
		{name: "no multiple of 8", level: ipv6, opt: wsa.IPV6_HOPOPTS, in: make([]byte, 9), err: wsa.WSAEINVAL},
		{name: "too short for a header", level: ipv6, opt: wsa.IPV6_RTHDR, in: []byte{0, 0}, err: wsa.WSAEINVAL},
		{name: "the longest", level: ipv6, opt: wsa.IPV6_DSTOPTS, in: append([]byte{0, 31}, make([]byte, 254)...), want: append([]byte{0, 31}, make([]byte, 254)...)},
		{name: "too long", level: ipv6, opt: wsa.IPV6_DSTOPTS, in: append([]byte{0, 32}, make([]byte, 262)...), err: wsa.WSAEINVAL},
		{name: "type 2", level: ipv6, opt: wsa.IPV6_RTHDR, in: header(0, 0, 2, 0), want: header(0, 0, 2, 0)},
		{name: "type 2, with an address", level: ipv6, opt: wsa.IPV6_RTHDR, in: append([]byte{0, 2, 2, 1}, make([]byte, 20)...), want: append([]byte{0, 2, 2, 1}, make([]byte, 20)...)},
		{name: "type 2, without", level: ipv6, opt: wsa.IPV6_RTHDR, in: header(0, 0, 2, 1), err: wsa.WSAEINVAL},
		{name: "type 4", level: ipv6, opt: wsa.IPV6_RTHDR, in: append([]byte{0, 4, 4, 1, 1}, make([]byte, 35)...), want: append([]byte{0, 4, 4, 1, 1}, make([]byte, 35)...)},
		{name: "type 4, more segments than there are", level: ipv6, opt: wsa.IPV6_RTHDR, in: append([]byte{0, 2, 4, 1, 1}, make([]byte, 19)...), err: wsa.WSAEINVAL},
		{name: "another type, with a segment left", level: ipv6, opt: wsa.IPV6_RTHDR, in: header(0, 0, 253, 1), want: header(0, 0, 253, 1)},
		{name: "type 0 (RFC 5095)", level: ipv6, opt: wsa.IPV6_RTHDR, in: header(0, 0, 0, 0), err: wsa.WSAEINVAL},
	} {
		t.Run(wsa.OptionName(tc.level, tc.opt)+" "+tc.name, func(t *testing.T) {
			for _, kind := range allKinds {
				ep := newFake(kind)
				ep.family = wsa.AF_INET6
				v := ep.values()
				before := *v
				assert.Equal(t, tc.err, Set(v, ep, tc.level, tc.opt, tc.in))
				if tc.err != 0 {
					assert.Equal(t, before, *v)
					continue
				}
				b := filled(300)
				n, err := Get(v, ep, tc.level, tc.opt, b)
				assert.Zero(t, err)
				assert.Equal(t, tc.want, b[:n])
				assert.Equal(t, filled(300-n), b[n:])
				_, err = Get(v, ep, tc.level, tc.opt, make([]byte, n-1))
				assert.Equal(t, wsa.WSAEFAULT, err, "a shorter buffer")
				assert.Zero(t, Set(v, ep, tc.level, tc.opt, []byte{}), "no bytes are no options")
				assert.Equal(t, before, *v)
			}
		})
	}
}
