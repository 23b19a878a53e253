package wsa_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/wsa"
)

func TestSockaddr_Golden(t *testing.T) {
	tests := []struct {
		name   string
		addr   netip.AddrPort
		family int32
		golden string
	}{
		{"IPv4", v4, wsa.AF_INET, v4Hex},
		{"IPv6", v6, wsa.AF_INET6, v6Hex},
		{"IPv6 with a numeric zone", v6z, wsa.AF_INET6, v6zHex},
		{
			"IPv4-mapped stays IPv6", netip.MustParseAddrPort("[::ffff:192.0.2.1]:80"), wsa.AF_INET6,
			"1700 0050 00000000 00000000000000000000ffffc0000201 00000000",
		},
		{"wildcard", netip.MustParseAddrPort("0.0.0.0:0"), wsa.AF_INET, "0200" + zeros(14)},
		{"largest port and scope", netip.MustParseAddrPort("[::%4294967295]:65535"), wsa.AF_INET6, "1700 ffff" + zeros(20) + "ffffffff"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			want := fromHex(t, test.golden)
			assert.Equal(t, test.family, wsa.Family(test.addr.Addr()))
			assert.Equal(t, len(want), wsa.SockaddrLen(test.family))
			require.Equal(t, want, wsa.AppendSockaddr(nil, test.addr))

			storage := wsa.AppendSockaddrStorage([]byte{0xEE}, test.addr)
			require.Equal(t, append(append([]byte{0xEE}, want...), make([]byte, 128-len(want))...), storage)

			for _, b := range [][]byte{want, storage[1:]} {
				got, errno := wsa.ParseSockaddr(b)
				require.Equal(t, wsa.NO_ERROR, errno)
				assert.Equal(t, test.addr, got)
			}
			for n := range want {
				_, errno := wsa.ParseSockaddr(want[:n:n])
				assert.Equal(t, wsa.WSAEFAULT, errno, "parse of %d of %d bytes", n, len(want))
			}
		})
	}
}

func TestSockaddr_ZeroAddress(t *testing.T) {
	assert.Empty(t, wsa.AppendSockaddr(nil, netip.AddrPort{}))
	assert.Equal(t, make([]byte, 128), wsa.AppendSockaddrStorage(nil, netip.AddrPort{}))
	assert.Equal(t, int32(wsa.AF_UNSPEC), wsa.Family(netip.Addr{}))
	assert.Zero(t, wsa.SockaddrLen(wsa.AF_UNSPEC))
}

func TestSockaddr_OtherFamilies(t *testing.T) {
	for _, family := range []string{"0000", "0600", "1a00", "0217", "ffff"} {
		b := fromHex(t, family+zeros(126))
		got, errno := wsa.ParseSockaddr(b)
		assert.Equal(t, wsa.WSAEAFNOSUPPORT, errno, "family % x", b[:2])
		assert.Zero(t, got)
		_, errno = wsa.ParseSockaddrIn(b)
		assert.Equal(t, wsa.WSAEAFNOSUPPORT, errno, "family % x", b[:2])
		_, errno = wsa.ParseSockaddrIn6(b)
		assert.Equal(t, wsa.WSAEAFNOSUPPORT, errno, "family % x", b[:2])
	}
}

func TestScopeID(t *testing.T) {
	tests := []struct {
		addr string
		want uint32
	}{
		{"fe80::1", 0},
		{"fe80::1%7", 7},
		{"fe80::1%4294967295", 4294967295},
		{"fe80::1%4294967296", 0},
		{"fe80::1%eth0", 0},
		{"fe80::1%-1", 0},
		{"192.0.2.1", 0},
	}
	for _, test := range tests {
		assert.Equal(t, test.want, wsa.ScopeID(netip.MustParseAddr(test.addr)), "ScopeID(%s)", test.addr)
	}
}

func FuzzParseSockaddr(f *testing.F) {
	f.Add(wsa.AppendSockaddr(nil, v4))
	f.Add(wsa.AppendSockaddrStorage(nil, v6z))
	f.Add([]byte{23, 0, 1})
	f.Add([]byte{6, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		before := string(b)
		ap, errno := wsa.ParseSockaddr(b)
		if string(b) != before {
			t.Fatalf("ParseSockaddr changed its input % x", before)
		}
		if errno != wsa.NO_ERROR {
			if ap != (netip.AddrPort{}) {
				t.Fatalf("ParseSockaddr(% x) = %v with %v", b, ap, errno)
			}
			return
		}
		again, errno := wsa.ParseSockaddr(wsa.AppendSockaddr(nil, ap))
		if errno != wsa.NO_ERROR || again != ap {
			t.Fatalf("ParseSockaddr(% x) = %v, written and read again %v, %v", b, ap, again, errno)
		}
	})
}

func FuzzParseCSAddrInfo(f *testing.F) {
	f.Add(wsa.CSAddrInfo{Local: v4, Remote: v4, SocketType: 1, Protocol: 6}.Append(nil))
	f.Add(wsa.CSAddrInfo{SocketType: 2}.Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		info, errno := wsa.ParseCSAddrInfo(b)
		if errno != wsa.NO_ERROR {
			return
		}
		again, errno := wsa.ParseCSAddrInfo(info.Append(nil))
		if errno != wsa.NO_ERROR || again != info {
			t.Fatalf("ParseCSAddrInfo(% x) = %v, written and read again %v, %v", b, info, again, errno)
		}
	})
}
