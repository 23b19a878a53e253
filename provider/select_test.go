package provider_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip/faketime"

	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/wsa"
)

// ready polls a socket of stack a: the letters of the sets it is in.
func (l *lab) ready(s wsa.SOCKET) (sets string) {
	l.Helper()
	set := []wsa.SOCKET{s}
	r, w, e, err := l.a.Select(set, set, set, 0)
	require.NoError(l, err)
	for i, found := range [][]wsa.SOCKET{r, w, e} {
		if len(found) > 0 {
			require.Equal(l, set, found)
			sets += "rwe"[i : i+1]
		}
	}
	return sets
}

// EV-9, state by state. RS-4: after a reset, readable and writable, not
// exceptional.
func TestSelectStates(t *testing.T) {
	families(t, func(t *testing.T, af int32) {
		l := newLab(t)
		for state, want := range map[string]string{
			"fresh": "", "bound": "", "listening": "", "connecting": "", "connected": "w",
			"sendShut": "w", "recvShut": "rw", "atEnd": "rw", "reset": "rw", "failed": "e",
		} {
			require.Equal(t, want, l.ready(streamStates[state](l, af)), "stream %s", state)
		}
		for state, want := range map[string]string{
			"fresh": "w", "bound": "w", "connected": "w", "sendShut": "w", "recvShut": "rw", "unreachable": "rw",
		} {
			require.Equal(t, want, l.ready(datagramStates[state](l, af)), "datagram %s", state)
		}
	})
}

func TestSelectErrors(t *testing.T) {
	l := newLab(t)
	open, closed := []wsa.SOCKET{l.stream(wsa.AF_INET)}, []wsa.SOCKET{l.closed(wsa.AF_INET, wsa.SOCK_STREAM)}
	for _, timeout := range []time.Duration{-1, 0, time.Hour} {
		for _, c := range []struct {
			r, w, e []wsa.SOCKET
			want    wsa.Errno
		}{
			{nil, nil, nil, wsa.WSAEINVAL},
			{[]wsa.SOCKET{}, nil, []wsa.SOCKET{}, wsa.WSAEINVAL},
			{closed, nil, nil, wsa.WSAENOTSOCK},
			{open, closed, nil, wsa.WSAENOTSOCK},
			{open, open, closed, wsa.WSAENOTSOCK},
			{nil, nil, []wsa.SOCKET{wsa.INVALID_SOCKET}, wsa.WSAENOTSOCK},
		} {
			r, w, e, err := l.a.Select(c.r, c.w, c.e, timeout)
			require.Equal(t, c.want, err, "%+v", c)
			require.Nil(t, append(append(r, w...), e...))
		}
	}
}

// The results are the ready ones in the order given, each once, and the sets
// passed stay.
func TestSelectSeveral(t *testing.T) {
	families(t, func(t *testing.T, af int32) {
		l := newLab(t)
		idle, end, listener, dgram := l.connected(af), l.atEnd(af), l.listening(af), l.datagram(af)
		read := []wsa.SOCKET{listener, end, idle, dgram, end}
		r, w, e, err := l.a.Select(read, []wsa.SOCKET{dgram, listener, idle}, read, -1)
		require.NoError(t, err)
		require.Equal(t, []wsa.SOCKET{end}, r)
		require.Equal(t, []wsa.SOCKET{dgram, idle}, w)
		require.Empty(t, e)
		require.Equal(t, []wsa.SOCKET{listener, end, idle, dgram, end}, read)
	})
}

// Each event wakes a select without a time-out, of which the socket is one
// member of several.
func TestSelectWakes(t *testing.T) {
	families(t, func(t *testing.T, af int32) {
		l := newLab(t)
		s, peer := l.pair(af)
		listener, dgram := l.listening(af), l.bind(l.datagram(af), addrA(af, 0))
		members := []wsa.SOCKET{l.connected(af), s, listener, dgram}
		var got []wsa.SOCKET
		read := func() error {
			r, w, e, err := l.a.Select(members, nil, members, -1)
			assert.Empty(t, append(w, e...))
			got = r
			return err
		}
		client, from := l.socket(l.b, af, wsa.SOCK_STREAM), l.socket(l.b, af, wsa.SOCK_DGRAM)
		for _, c := range []struct {
			name  string
			event func() error
			want  wsa.SOCKET
			after func() error
		}{
			{
				"data", func() error { _, err := l.b.Send(peer, []byte{1}, 0); return err },
				s, func() error { _, err := l.a.Recv(s, make([]byte, 9), 0); return err },
			}, {
				"connection", func() error { at, _ := l.a.GetSockName(listener); return l.b.Connect(client, at) },
				listener, func() error { _, _, err := l.a.Accept(listener); return err },
			}, {
				"datagram", func() error {
					at, _ := l.a.GetSockName(dgram)
					_, err := l.b.SendTo(from, nil, 0, at) // an empty one is one, too
					return err
				},
				dgram, func() error { _, err := l.a.Recv(dgram, nil, 0); return err },
			}, {
				"end", func() error { return l.b.Shutdown(peer, wsa.SD_SEND) },
				s, func() error { members = append(members[:1], members[2:]...); return nil },
			},
		} {
			err := l.blocked(read, func() { require.NoError(t, c.event(), c.name) })
			require.NoError(t, err, c.name)
			require.Equal(t, []wsa.SOCKET{c.want}, got, c.name)
			require.NoError(t, c.after(), c.name)
		}
		members = []wsa.SOCKET{s, listener}
		s, peer = l.pair(af)
		members[0] = s
		require.NoError(t, l.blocked(read, func() { l.hardClose(l.b, peer) }))
		require.Equal(t, []wsa.SOCKET{s}, got, "reset")
	})
}

// A connect that succeeds wakes the writers, one that fails exceptfds.
func TestSelectConnect(t *testing.T) {
	families(t, func(t *testing.T, af int32) {
		l, link := newGatedLab(t)
		_, at := l.server(af)
		for _, refused := range []bool{false, true} {
			link.close() // the answer comes while select waits
			s := l.stream(af)
			set := []wsa.SOCKET{s}
			l.nonblocking(l.a, s, true)
			to := at
			if refused {
				to = addrB(af, closedPort)
			}
			require.Equal(t, wsa.WSAEWOULDBLOCK, l.a.Connect(s, to))
			var w, e []wsa.SOCKET
			err := l.blocked(func() (err error) { _, w, e, err = l.a.Select(nil, set, set, -1); return err }, link.open)
			require.NoError(t, err)
			if refused {
				require.Empty(t, w)
				require.Equal(t, set, e)
			} else {
				require.Equal(t, set, w)
				require.Empty(t, e)
			}
		}
	})
}

// A full send buffer isn't writable, until the peer has read.
func TestSelectWritable(t *testing.T) {
	l := newLab(t)
	s, peer := l.pair(wsa.AF_INET)
	l.nonblocking(l.a, s, true)
	chunk, total := make([]byte, 1<<20), 0
	for l.settle(); l.ready(s) == "w"; l.settle() {
		n, err := l.a.Send(s, chunk, 0)
		require.NoError(t, err)
		total += n
	}
	_, err := l.a.Send(s, chunk, 0)
	require.Equal(t, wsa.WSAEWOULDBLOCK, err)
	err = l.blocked(func() error { _, _, _, err := l.a.Select(nil, []wsa.SOCKET{s}, nil, -1); return err }, func() {
		for total > 0 {
			n, err := l.b.Recv(peer, chunk, 0)
			require.NoError(t, err)
			total -= n
		}
	})
	require.NoError(t, err)
	require.Equal(t, "w", l.ready(s))
}

// A member that is closed while select waits makes it fail.
func TestSelectClosed(t *testing.T) {
	families(t, func(t *testing.T, af int32) {
		for _, timeout := range []time.Duration{-1, time.Hour} {
			l := newLab(t)
			idle, s := l.connected(af), l.connected(af)
			err := l.blocked(func() error {
				r, w, e, err := l.a.Select([]wsa.SOCKET{idle}, nil, []wsa.SOCKET{s}, timeout)
				assert.Nil(t, append(append(r, w...), e...))
				return err
			}, func() { require.NoError(t, l.a.CloseSocket(s)) })
			require.Equal(t, wsa.WSAENOTSOCK, err)
		}
	})
}

// The time-out is exact on the stack's clock, and leaves nothing in the sets.
func TestSelectTimeout(t *testing.T) {
	clock := faketime.NewManualClock()
	clock.Advance(time.Hour) // netstack takes time zero for "unset"
	l := &lab{T: t, waiting: make(chan string, 1)}
	l.sa = newStack(t, stack.Config{Clock: clock, NewWaiter: l.newWaiter})
	l.a = startup(t, l.sa)
	set := []wsa.SOCKET{l.stream(wsa.AF_INET), l.bind(l.datagram(wsa.AF_INET6), loopback(wsa.AF_INET6, 0))}
	for _, timeout := range []time.Duration{time.Millisecond, 10 * time.Second, 24 * time.Hour} {
		done := make(chan struct{})
		err := l.blocked(func() error {
			defer close(done)
			r, w, e, err := l.a.Select(set, set[:1], set, timeout)
			assert.Nil(t, append(append(r, w...), e...))
			return err
		}, func() {
			clock.Advance(timeout - 1)
			l.sa.Settle()
			select {
			case <-done:
				t.Errorf("Select returned before %v", timeout)
			default:
			}
			clock.Advance(1)
		})
		require.NoError(t, err)
	}
}
