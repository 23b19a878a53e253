package wsa_test

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/wsa"
)

// protocolInfo has a different value in every field.
var protocolInfo = wsa.ProtocolInfo{
	ServiceFlags1: 1, ServiceFlags2: 2, ServiceFlags3: 3, ServiceFlags4: 4, ProviderFlags: 5,
	ProviderID:     wsa.GUID{0xE70F1AA0, 0xAB8B, 0x11CF, [8]byte{0x8C, 0xA3, 0x00, 0x80, 0x5F, 0x48, 0xA1, 0x92}},
	CatalogEntryID: 1001, ChainLen: 7, ChainEntries: [7]uint32{0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17},
	Version: 2, AddressFamily: 23, MaxSockAddr: 28, MinSockAddr: 16, SocketType: 3, Protocol: -6, ProtocolMaxOffset: 255,
	NetworkByteOrder: 1, SecurityScheme: 0x18, MessageSize: 0xFFFFFFFF, ProviderReserved: 0x19,
	ProtocolName: "TCP/IP",
}

const protocolInfoHead = `
	01000000 02000000 03000000 04000000 05000000
	a01a0fe7 8bab cf11 8ca300805f48a192
	e9030000
	07000000 11000000 12000000 13000000 14000000 15000000 16000000 17000000
	02000000 17000000 1c000000 10000000 03000000 faffffff ff000000 01000000 18000000
	ffffffff 19000000`

func TestProtocolInfo_Golden(t *testing.T) {
	a := fromHex(t, protocolInfoHead+"5443502f4950"+zeros(250))
	w := fromHex(t, protocolInfoHead+"540043005000 2f0049005000"+zeros(500))
	require.Len(t, a, 372)
	require.Len(t, w, 628)
	require.Equal(t, append([]byte{0xEE}, a...), protocolInfo.AppendA([]byte{0xEE}))
	require.Equal(t, append([]byte{0xEE}, w...), protocolInfo.AppendW([]byte{0xEE}))

	got, errno := wsa.ParseProtocolInfoA(append(a, 0xEE))
	require.Equal(t, wsa.NO_ERROR, errno)
	assert.Equal(t, protocolInfo, got)
	got, errno = wsa.ParseProtocolInfoW(append(w, 0xEE))
	require.Equal(t, wsa.NO_ERROR, errno)
	assert.Equal(t, protocolInfo, got)

	_, errno = wsa.ParseProtocolInfoA(a[:371])
	assert.Equal(t, wsa.WSAEFAULT, errno)
	_, errno = wsa.ParseProtocolInfoW(w[:627])
	assert.Equal(t, wsa.WSAEFAULT, errno)
}

func TestProtocolInfo_Names(t *testing.T) {
	tests := []struct{ name, text, wantA, wantW string }{
		{"fits", strings.Repeat("x", 255), strings.Repeat("x", 255), strings.Repeat("x", 255)},
		{"cut to leave the NUL", strings.Repeat("x", 256), strings.Repeat("x", 255), strings.Repeat("x", 255)},
		{"outside ASCII", "é€", "??", "é€"},
		{"surrogate pair not cut", strings.Repeat("x", 254) + "😀", strings.Repeat("x", 254) + "?", strings.Repeat("x", 254)},
		{"surrogate pair fits", strings.Repeat("x", 253) + "😀", strings.Repeat("x", 253) + "?", strings.Repeat("x", 253) + "😀"},
		{"invalid UTF-8", "a\xffb", "a?b", "a\uFFFDb"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := wsa.ProtocolInfo{ProtocolName: test.text}
			a, w := p.AppendA(nil), p.AppendW(nil)
			require.Len(t, a, 372)
			require.Len(t, w, 628)
			assert.Zero(t, a[371])
			got, _ := wsa.ParseProtocolInfoA(a)
			assert.Equal(t, test.wantA, got.ProtocolName)
			got, _ = wsa.ParseProtocolInfoW(w)
			assert.Equal(t, test.wantW, got.ProtocolName)
		})
	}
}

// A name that fills its field has no NUL to stop at.
func TestParseProtocolInfo_NameWithoutNUL(t *testing.T) {
	full := strings.Repeat("x", 256)
	a := append(wsa.ProtocolInfo{}.AppendA(nil)[:116], full...)
	got, errno := wsa.ParseProtocolInfoA(a)
	require.Equal(t, wsa.NO_ERROR, errno)
	assert.Equal(t, full, got.ProtocolName)

	w := wsa.ProtocolInfo{}.AppendW(nil)[:116]
	for range 256 {
		w = append(w, 'x', 0)
	}
	got, errno = wsa.ParseProtocolInfoW(w)
	require.Equal(t, wsa.NO_ERROR, errno)
	assert.Equal(t, full, got.ProtocolName)
}

// The layout and the values of Windows: offset, then one column per catalogue entry.
func TestCatalog_Fields(t *testing.T) {
	columns := []struct{ family, typ int32 }{
		{wsa.AF_INET, wsa.SOCK_STREAM},
		{wsa.AF_INET, wsa.SOCK_DGRAM},
		{wsa.AF_INET6, wsa.SOCK_STREAM},
		{wsa.AF_INET6, wsa.SOCK_DGRAM},
		{wsa.AF_INET, wsa.SOCK_RAW},
	}
	rows := []struct {
		offset int
		field  string
		want   [5]uint32
	}{
		{0, "dwServiceFlags1", [5]uint32{0x20066, 0x20609, 0x20066, 0x20609, 0x20609}},
		{4, "dwServiceFlags2", [5]uint32{}},
		{8, "dwServiceFlags3", [5]uint32{}},
		{12, "dwServiceFlags4", [5]uint32{}},
		{16, "dwProviderFlags", [5]uint32{0x8, 0x8, 0x8, 0x8, 0xC}},
		{36, "dwCatalogEntryId", [5]uint32{1001, 1002, 1004, 1005, 1003}},
		{40, "ChainLen", [5]uint32{1, 1, 1, 1, 1}},
		{72, "iVersion", [5]uint32{2, 2, 2, 2, 2}},
		{76, "iAddressFamily", [5]uint32{2, 2, 23, 23, 2}},
		{80, "iMaxSockAddr", [5]uint32{16, 16, 28, 28, 16}},
		{84, "iMinSockAddr", [5]uint32{16, 16, 28, 28, 16}},
		{88, "iSocketType", [5]uint32{1, 2, 1, 2, 3}},
		{92, "iProtocol", [5]uint32{6, 17, 6, 17, 0}},
		{96, "iProtocolMaxOffset", [5]uint32{0, 0, 0, 0, 255}},
		{100, "iNetworkByteOrder", [5]uint32{}},
		{104, "iSecurityScheme", [5]uint32{}},
		{108, "dwMessageSize", [5]uint32{0, 0xFFBB, 0, 0xFFBB, 0x8000}},
		{112, "dwProviderReserved", [5]uint32{}},
	}
	for i, column := range columns {
		entry, ok := wsa.CatalogEntry(column.family, column.typ)
		require.True(t, ok)
		a, w := entry.AppendA(nil), entry.AppendW(nil)
		for _, row := range rows {
			got := binary.LittleEndian.Uint32(a[row.offset:])
			assert.Equal(t, row.want[i], got, "%s of %s", row.field, entry.ProtocolName)
		}
		assert.Equal(t, a[:116], w[:116], "A and W of %s", entry.ProtocolName)
		fromA, _ := wsa.ParseProtocolInfoA(a)
		fromW, _ := wsa.ParseProtocolInfoW(w)
		assert.Equal(t, fromA, fromW)
		assert.NotEmpty(t, fromA.ProtocolName)
	}
}

func TestCatalogEntry(t *testing.T) {
	ids := make(map[uint32]bool)
	for _, p := range wsa.Catalog() {
		ids[p.CatalogEntryID] = true
		got, ok := wsa.CatalogEntry(p.AddressFamily, p.SocketType)
		assert.True(t, ok)
		assert.Equal(t, p, got)
	}
	assert.Len(t, ids, 6)
	assert.NotEqual(t, wsa.ProviderIPv4, wsa.ProviderIPv6)
	for _, missing := range [][2]int32{{wsa.AF_INET, wsa.SOCK_RDM}, {wsa.AF_IPX, wsa.SOCK_DGRAM}, {wsa.AF_UNSPEC, wsa.SOCK_STREAM}} {
		_, ok := wsa.CatalogEntry(missing[0], missing[1])
		assert.False(t, ok, "CatalogEntry(%d, %d)", missing[0], missing[1])
	}
}
