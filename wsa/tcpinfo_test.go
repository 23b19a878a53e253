package wsa_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/wsa"
)

// tcpInfo has a different value in every field.
var tcpInfo = wsa.TCPInfo{
	State: wsa.TCPSTATE_ESTABLISHED, Mss: 0x02, ConnectionTimeMs: 0x0807060504030201, TimestampsEnabled: 1,
	RttUs: 0x10, MinRttUs: 0x11, BytesInFlight: 0x12, Cwnd: 0x13, SndWnd: 0x14, RcvWnd: 0x15, RcvBuf: 0x16,
	BytesOut: 0x17, BytesIn: 0x18, BytesReordered: 0x19, BytesRetrans: 0x1a, FastRetrans: 0x1b, DupAcksIn: 0x1c,
	TimeoutEpisodes: 0x1d, SynRetrans: 0x1e,

	SndLimTransRwin: 0x21, SndLimTimeRwin: 0x22, SndLimBytesRwin: 0x23,
	SndLimTransCwnd: 0x24, SndLimTimeCwnd: 0x25, SndLimBytesCwnd: 0x26,
	SndLimTransSnd: 0x27, SndLimTimeSnd: 0x28, SndLimBytesSnd: 0x29,

	OutOfOrderPktsIn: 0x31, EcnNegotiated: 1, EceAcksIn: 0x32, PtoEpisodes: 0x33,
}

// tcpInfoHex is what each version adds; comments give the offset.
var tcpInfoHex = [...]string{
	`04000000 02000000 0102030405060708` + // 0 State, 4 Mss, 8 ConnectionTimeMs
		`01 000000 10000000 11000000 12000000` + // 16 TimestampsEnabled, 20 RttUs, 24 MinRttUs, 28 BytesInFlight
		`13000000 14000000 15000000 16000000` + // 32 Cwnd, 36 SndWnd, 40 RcvWnd, 44 RcvBuf
		`1700000000000000 1800000000000000` + // 48 BytesOut, 56 BytesIn
		`19000000 1a000000 1b000000 1c000000` + // 64 BytesReordered, 68 BytesRetrans, 72 FastRetrans, 76 DupAcksIn
		`1d000000 1e 000000`, // 80 TimeoutEpisodes, 84 SynRetrans
	`21000000 22000000 2300000000000000` + // 88 Rwin
		`24000000 25000000 2600000000000000` + // 104 Cwnd
		`27000000 28000000 2900000000000000`, // 120 Snd
	`31000000 01 000000 32000000 33000000`, // 136 OutOfOrderPktsIn, 140 EcnNegotiated, 144 EceAcksIn, 148 PtoEpisodes
}

func TestTCPInfo_Golden(t *testing.T) {
	golden := ""
	for version, size := range []int{88, 136, 152} {
		golden += tcpInfoHex[version]
		want := fromHex(t, golden)
		v := uint32(version)
		require.Len(t, want, size)
		require.Equal(t, size, wsa.TCPInfoSize(v))
		require.Equal(t, want, tcpInfo.Append(nil, v), "version %d", v)
		require.Equal(t, append([]byte{0xEE}, want...), tcpInfo.Append([]byte{0xEE}, v))

		got, errno := wsa.ParseTCPInfo(append(want, 0xEE), v)
		require.Equal(t, wsa.NO_ERROR, errno)
		require.Equal(t, want, got.Append(nil, v))
		_, errno = wsa.ParseTCPInfo(want[:size-1], v)
		assert.Equal(t, wsa.WSAEFAULT, errno)
	}
	got, errno := wsa.ParseTCPInfo(fromHex(t, golden), 2)
	require.Equal(t, wsa.NO_ERROR, errno)
	assert.Equal(t, tcpInfo, got)
}

func TestTCPInfo_UnknownVersion(t *testing.T) {
	assert.Zero(t, wsa.TCPInfoSize(3))
	assert.Equal(t, []byte{1}, tcpInfo.Append([]byte{1}, 3))
	_, errno := wsa.ParseTCPInfo(make([]byte, 1000), 3)
	assert.Equal(t, wsa.WSAEINVAL, errno)
}
