package provider_test

import (
	"bytes"
	"math"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// optvalOf is an optval of n bytes that starts with the DWORD 1.
func optvalOf(n int) []byte {
	b := bytes.Repeat([]byte{0xAA}, max(n, 4))
	copy(b, []byte{1, 0, 0, 0})
	return b[:n:n]
}

// state is what a failed call must not change.
func (l *lab) state(s wsa.SOCKET) options.Values {
	for _, info := range l.sa.Sockets() {
		if info.State != "LISTEN" {
			return info.Options
		}
	}
	l.Fatalf("no socket %v", s)
	return options.Values{}
}

// AV-1: with several faults the first of the order wins. Each case has the
// faults of the ones below it, too. A failed call changes nothing.
func TestSetSockOptOrder(t *testing.T) {
	families(t, func(t *testing.T, af int32) {
		l := newLab(t)
		s := l.datagram(af)
		before := l.state(s)
		for _, c := range []struct {
			name       string
			level, opt int32
			optval     []byte
			optlen     int32
			want       wsa.Errno
		}{
			{"NULL before level", 0x1234, 0x777, nil, 0, wsa.WSAEFAULT},
			{"NULL before negative length", wsa.SOL_SOCKET, wsa.SO_DEBUG, nil, -1, wsa.WSAEFAULT},
			{"foreign memory before level", 0x1234, 0x777, optvalOf(4), 5, wsa.WSAEFAULT},
			{"foreign memory before option", wsa.SOL_SOCKET, 0x777, optvalOf(0), 4, wsa.WSAEFAULT},
			{"level before option", 0x1234, 0x777, optvalOf(4), 0, wsa.WSAEINVAL},
			{"level before negative length", 0x1234, wsa.SO_DEBUG, optvalOf(4), -1, wsa.WSAEINVAL},
			{"option before length", wsa.SOL_SOCKET, 0x777, optvalOf(4), 0, wsa.WSAENOPROTOOPT},
			{"option before negative length", wsa.SOL_SOCKET, 0x777, optvalOf(4), -1, wsa.WSAENOPROTOOPT},
			{"kind before length", wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, optvalOf(4), 1, wsa.WSAENOPROTOOPT},
			{"direction before length", wsa.SOL_SOCKET, wsa.SO_ERROR, optvalOf(4), 1, wsa.WSAENOPROTOOPT},
			{"length before value", wsa.SOL_SOCKET, wsa.SO_SNDBUF, []byte{0xFF, 0xFF, 0xFF}, 3, wsa.WSAEFAULT},
			{"value", wsa.SOL_SOCKET, wsa.SO_SNDBUF, []byte{0xFF, 0xFF, 0xFF, 0xFF}, 4, wsa.WSAEINVAL}, // AV-8
		} {
			require.Equal(t, c.want, l.a.SetSockOpt(s, c.level, c.opt, c.optval, c.optlen), c.name)
			require.Equal(t, before, l.state(s), c.name)
		}
	})
}

func TestGetSockOptOrder(t *testing.T) {
	families(t, func(t *testing.T, af int32) {
		l := newLab(t)
		s := l.datagram(af)
		for _, c := range []struct {
			name       string
			level, opt int32
			optval     []byte
			optlen     int32
			want       wsa.Errno
		}{
			{"NULL before level", 0x1234, 0x777, nil, 4, wsa.WSAEFAULT},
			{"foreign memory before level", 0x1234, 0x777, optvalOf(4), 5, wsa.WSAEFAULT},
			{"level before option", 0x1234, 0x777, optvalOf(4), 0, wsa.WSAEINVAL},
			{"option before length", wsa.SOL_SOCKET, 0x777, optvalOf(4), 0, wsa.WSAENOPROTOOPT},
			{"kind before length", wsa.SOL_SOCKET, wsa.SO_LINGER, optvalOf(4), 1, wsa.WSAENOPROTOOPT},
			{"direction before length", wsa.SOL_SOCKET, wsa.SO_RCVTIMEO, optvalOf(4), 1, wsa.WSAENOPROTOOPT},
			{"length", wsa.SOL_SOCKET, wsa.SO_TYPE, optvalOf(4), 3, wsa.WSAEFAULT},
		} {
			optlen, untouched := c.optlen, bytes.Clone(c.optval)
			require.Equal(t, c.want, l.a.GetSockOpt(s, c.level, c.opt, c.optval, &optlen), c.name)
			require.Equal(t, c.optlen, optlen, c.name)
			require.Equal(t, untouched, c.optval, c.name)
		}
		require.Equal(t, wsa.WSAEFAULT, l.a.GetSockOpt(s, 0x1234, 0x777, optvalOf(4), nil), "NULL optlen before level")
	})
}

// AV-3: a closed or foreign descriptor with a NULL optval is WSAENOTSOCK.
// AV-4: a socket with a NULL optval is WSAEFAULT, also with optlen 0, but for
// SO_UPDATE_CONNECT_CONTEXT.
func TestNullOptval(t *testing.T) {
	families(t, func(t *testing.T, af int32) {
		l := newLab(t)
		closed := l.closed(af, wsa.SOCK_STREAM)
		for _, s := range []wsa.SOCKET{closed, 0, wsa.INVALID_SOCKET} {
			require.Equal(t, wsa.WSAENOTSOCK, l.a.SetSockOpt(s, wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, nil, 4))
			require.Equal(t, wsa.WSAENOTSOCK, l.a.GetSockOpt(s, wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, nil, nil))
		}
		for _, typ := range []int32{wsa.SOCK_STREAM, wsa.SOCK_DGRAM} {
			s := l.socket(l.a, af, typ)
			for _, o := range options.Table() {
				for _, optlen := range []int32{0, 4, -1, math.MaxInt32, math.MinInt32} {
					want := wsa.WSAEFAULT
					if o.Number == wsa.SO_UPDATE_CONNECT_CONTEXT { // has no value
						want = map[int32]wsa.Errno{wsa.SOCK_STREAM: wsa.WSAENOTCONN, wsa.SOCK_DGRAM: wsa.WSAENOPROTOOPT}[typ]
					}
					require.Equal(t, want, l.a.SetSockOpt(s, o.Level, o.Number, nil, optlen), o.Symbol)
					in := optlen
					require.Equal(t, wsa.WSAEFAULT, l.a.GetSockOpt(s, o.Level, o.Number, nil, &in), o.Symbol)
					require.Equal(t, optlen, in, o.Symbol)
				}
				require.Equal(t, wsa.WSAEFAULT, l.a.GetSockOpt(s, o.Level, o.Number, optvalOf(4), nil), o.Symbol)
			}
		}
	})
}

// AV-5: an unknown level with the number of a socket option is WSAEINVAL; all
// bits of the level count. TV-19 adds the levels of other protocols, and the
// TCP level on a datagram socket.
func TestLevels(t *testing.T) {
	families(t, func(t *testing.T, af int32) {
		l := newLab(t)
		s, dgram := l.stream(af), l.datagram(af)
		for _, level := range []uint32{
			0xFFFFFFFF, 0x8000, 0x800, 0x1234FFFF, 0x8000FFFF, 1, 58, 0xFFFB, 0xFFFA, // AV-5 and levels of other protocols
			1000, 255, 16000, 113, 1256, 1257, // TV-19
		} {
			for _, opt := range []int32{wsa.SO_RCVTIMEO, wsa.SO_TYPE, wsa.SO_DONTLINGER, 1} {
				for _, s := range []wsa.SOCKET{s, dgram} {
					require.Equal(t, wsa.WSAEINVAL, setInt(l.a, s, int32(level), opt, 1), "%#x %#x", level, opt)
					_, err := getInt(l.a, s, int32(level), opt)
					require.Equal(t, wsa.WSAEINVAL, err, "%#x %#x", level, opt)
				}
			}
		}
		require.Equal(t, wsa.WSAENOPROTOOPT, setInt(l.a, dgram, wsa.IPPROTO_TCP, wsa.TCP_NODELAY, 1)) // TV-19
		_, err := getInt(l.a, dgram, wsa.IPPROTO_TCP, wsa.TCP_NODELAY)
		require.Equal(t, wsa.WSAENOPROTOOPT, err)
	})
}

// AV-6: a known level with an unknown option is WSAENOPROTOOPT, whatever the
// length; the number of another level counts as unknown.
func TestUnknownOptions(t *testing.T) {
	l := newLab(t)
	s := l.stream(wsa.AF_INET)
	for _, o := range []struct{ level, opt int32 }{
		{wsa.SOL_SOCKET, 0x777}, {wsa.IPPROTO_TCP, 0x777}, {wsa.IPPROTO_IP, 0x777},
		{wsa.IPPROTO_TCP, wsa.SO_RCVTIMEO}, {wsa.IPPROTO_TCP, wsa.SO_BROADCAST},
	} {
		for _, optlen := range []int32{-1, 0, 1, 3, 4, 8} {
			require.Equal(t, wsa.WSAENOPROTOOPT, l.a.SetSockOpt(s, o.level, o.opt, optvalOf(8), optlen), "%+v %d", o, optlen)
			out := optlen
			require.Equal(t, wsa.WSAENOPROTOOPT, l.a.GetSockOpt(s, o.level, o.opt, optvalOf(8), &out), "%+v %d", o, optlen)
			require.Equal(t, optlen, out)
		}
	}
}

// AV-15: get and set return at once, with the same codes, in every state and
// in both modes.
func TestOptionsNeverWait(t *testing.T) {
	families(t, func(t *testing.T, af int32) {
		l := newLab(t)
		for name, make := range streamStates {
			codes := map[bool][]string{}
			for _, nonblocking := range []bool{true, false} {
				s := make(l, af)
				if name != "closed" {
					l.nonblocking(l.a, s, nonblocking)
				}
				for _, o := range options.Table() {
					optval, optlen := optvalOf(700), int32(700)
					in := optvalOf(8)
					if o.Symbol == "TCP_MAXRT" || o.Symbol == "TCP_MAXRTMS" {
						copy(in, []byte{0xFF, 0xFF, 0xFF, 0xFF}) // a millisecond would end the attempt to connect
					}
					codes[nonblocking] = append(codes[nonblocking],
						name+" "+o.Symbol,
						codeName(l.a.GetSockOpt(s, o.Level, o.Number, optval, &optlen)),
						codeName(l.a.SetSockOpt(s, o.Level, o.Number, in, 8)))
				}
				l.a.CloseSocket(s)
			}
			require.Equal(t, codes[true], codes[false])
		}
	})
}

// AV-18: gets and sets are atomic with each other and with transfers. Two
// writers set a linger record whose halves belong together.
func TestOptionsAtomic(t *testing.T) {
	l := newLab(t)
	s, peer := l.pair(wsa.AF_INET)
	var wg sync.WaitGroup
	defer wg.Wait()
	stop := make(chan struct{})
	defer close(stop)
	for _, seconds := range []uint16{11, 22} {
		value := wsa.Linger{OnOff: 1, Linger: seconds}.Append(nil)
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					assert.NoError(t, l.a.SetSockOpt(s, wsa.SOL_SOCKET, wsa.SO_LINGER, value, 4))
				}
			}
		})
	}
	buf := make([]byte, 4096)
	for range 300 {
		_, err := l.a.Send(s, buf, 0)
		require.NoError(t, err)
		optval, optlen := make([]byte, 4), int32(4)
		require.NoError(t, l.a.GetSockOpt(s, wsa.SOL_SOCKET, wsa.SO_LINGER, optval, &optlen))
		got, errno := wsa.ParseLinger(optval)
		require.Zero(t, errno)
		require.Contains(t, []wsa.Linger{{}, {OnOff: 1, Linger: 11}, {OnOff: 1, Linger: 22}}, got)
		n, err := l.b.Recv(peer, buf, wsa.MSG_WAITALL)
		require.NoError(t, err)
		require.Equal(t, len(buf), n)
	}
}

// AV-19 as Go has it: success is a nil error, failure a wsa.Errno, and what
// would be SOCKET_ERROR's place holds nothing.
func TestResults(t *testing.T) {
	l := newLab(t)
	s := l.stream(wsa.AF_INET)
	for call, err := range everyCall(l.a, s) {
		if err != nil {
			require.IsType(t, wsa.Errno(0), err, call)
			require.NotZero(t, err, call)
		}
	}
	err := setInt(l.a, l.stream(wsa.AF_INET), wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, 1)
	require.True(t, err == nil, "a zero Errno in an error is not nil")
	n, _, accepted := l.a.Accept(l.stream(wsa.AF_INET))
	require.Equal(t, wsa.INVALID_SOCKET, n)
	require.Equal(t, wsa.WSAEINVAL, accepted)
}
