package wsa_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/wsa"
)

func TestCmsgSpace(t *testing.T) {
	for n, want := range map[int]int{0: 16, 1: 24, 4: 24, 8: 24, 9: 32, 20: 40} {
		assert.Equal(t, want, wsa.CmsgSpace(n), "CmsgSpace(%d)", n)
	}
}

func TestAppendCmsg_Golden(t *testing.T) {
	b := wsa.AppendCmsg(nil, wsa.IPPROTO_IP, wsa.IP_TTL, []byte{64, 0, 0, 0})
	b = wsa.AppendCmsg(b, wsa.IPPROTO_IPV6, wsa.IPV6_PKTINFO, wsa.In6Pktinfo{Addr: in6, Ifindex: 2}.Append(nil))
	b = wsa.AppendCmsg(b, -1, -2, nil)
	require.Equal(t, fromHex(t, `
		1400000000000000 00000000 04000000 40000000 00000000
		2400000000000000 29000000 13000000 20010db8000000000000000000000001 02000000 00000000
		1000000000000000 ffffffff feffffff`), b)
	assert.Len(t, b, wsa.CmsgSpace(4)+wsa.CmsgSpace(20)+wsa.CmsgSpace(0))

	got, errno := wsa.ParseCmsgs(b)
	require.Equal(t, wsa.NO_ERROR, errno)
	require.Len(t, got, 3)
	assert.Equal(t, wsa.Cmsg{Level: wsa.IPPROTO_IP, Type: wsa.IP_TTL, Data: []byte{64, 0, 0, 0}}, got[0])
	assert.Equal(t, int32(wsa.IPV6_PKTINFO), got[1].Type)
	info, errno := wsa.ParseIn6Pktinfo(got[1].Data)
	require.Equal(t, wsa.NO_ERROR, errno)
	assert.Equal(t, wsa.In6Pktinfo{Addr: in6, Ifindex: 2}, info)
	assert.Equal(t, wsa.Cmsg{Level: -1, Type: -2, Data: []byte{}}, got[2])
}

// An application may hand over a buffer without the padding of its last
// message; the next message starts on a boundary all the same.
func TestCmsg_MissingPadding(t *testing.T) {
	b := wsa.AppendCmsg(nil, 0, 4, []byte{64, 0, 0, 0})[:20]
	got, errno := wsa.ParseCmsgs(b)
	require.Equal(t, wsa.NO_ERROR, errno)
	require.Len(t, got, 1)
	assert.Equal(t, []byte{64, 0, 0, 0}, got[0].Data)

	b = wsa.AppendCmsg(b, 0, 3, []byte{1, 0, 0, 0})
	got, errno = wsa.ParseCmsgs(b)
	require.Equal(t, wsa.NO_ERROR, errno)
	require.Len(t, got, 2)
	assert.Equal(t, int32(3), got[1].Type)
}

// Appending to the data of a message must not write into the next one.
func TestCmsg_DataCapacity(t *testing.T) {
	b := wsa.AppendCmsg(nil, 0, 4, []byte{64, 0, 0, 0})
	m, _, ok := wsa.NextCmsg(b)
	require.True(t, ok)
	assert.Equal(t, len(m.Data), cap(m.Data))
}

func TestParseCmsgs_HostileLengths(t *testing.T) {
	const rest = "00000000 04000000 40000000 00000000"
	tests := []struct{ name, golden string }{
		{"length 0", "0000000000000000" + rest},
		{"less than the header", "0f00000000000000" + rest},
		{"one byte too many", "1900000000000000" + rest},
		{"negative", "ffffffffffffffff" + rest},
		{"wraps when aligned", "f9ffffffffffffff" + rest},
		{"largest int64", "ffffffffffffff7f" + rest},
		{"low half fits", "1400000001000000" + rest},
		{"short header", "1000000000000000 00000000 040000"},
		{"rubbish after a message", "1000000000000000 00000000 04000000 00"},
		{"one byte", "10"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, errno := wsa.ParseCmsgs(fromHex(t, test.golden))
			assert.Equal(t, wsa.WSAEINVAL, errno)
			assert.Nil(t, got)
		})
	}
}

func TestParseCmsgs_Empty(t *testing.T) {
	got, errno := wsa.ParseCmsgs(nil)
	assert.Equal(t, wsa.NO_ERROR, errno)
	assert.Empty(t, got)
	_, _, ok := wsa.NextCmsg(nil)
	assert.False(t, ok)
}

func FuzzParseCmsgs(f *testing.F) {
	b := wsa.AppendCmsg(nil, wsa.IPPROTO_IP, wsa.IP_TTL, []byte{64, 0, 0, 0})
	f.Add(b)
	f.Add(wsa.AppendCmsg(b, wsa.IPPROTO_UDP, wsa.UDP_COALESCED_INFO, []byte{1}))
	f.Add(b[:20])
	f.Add([]byte{255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		all, errno := wsa.ParseCmsgs(b)
		if errno != wsa.NO_ERROR {
			if errno != wsa.WSAEINVAL || all != nil {
				t.Fatalf("ParseCmsgs(% x) = %v, %v", b, all, errno)
			}
			return
		}
		var written []byte
		for _, m := range all {
			written = wsa.AppendCmsg(written, m.Level, m.Type, m.Data)
		}
		// All but the padding of the last message must be there.
		if len(written) < len(b) || len(written)-len(b) >= 8 {
			t.Fatalf("ParseCmsgs(% x): written again % x", b, written)
		}
		again, errno := wsa.ParseCmsgs(written)
		if errno != wsa.NO_ERROR || len(again) != len(all) {
			t.Fatalf("ParseCmsgs(% x) = %v, written and read again %v, %v", b, all, again, errno)
		}
	})
}
