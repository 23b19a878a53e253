package stack_test

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wsstack/wsstack/internal/socket"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
	"github.com/wsstack/wsstack/wsa"
)

// A runningTimers is the real clock, and knows which timers run.
type runningTimers struct {
	tcpip.Clock
	running atomic.Int64
}

type runningTimer struct {
	tcpip.Timer
	clock *runningTimers
	on    atomic.Bool
}

// AfterFunc implements tcpip.Clock.
func (c *runningTimers) AfterFunc(d time.Duration, f func()) tcpip.Timer {
	t := &runningTimer{clock: c}
	t.set(true)
	t.Timer = c.Clock.AfterFunc(d, func() { t.set(false); f() })
	return t
}

func (t *runningTimer) set(on bool) {
	if t.on.Swap(on) != on {
		t.clock.running.Add(map[bool]int64{true: 1, false: -1}[on])
	}
}

func (t *runningTimer) Stop() bool {
	t.set(false)
	return t.Timer.Stop()
}

func (t *runningTimer) Reset(d time.Duration) {
	t.set(true)
	t.Timer.Reset(d)
}

// The ports of the listeners, by how they accept.
const (
	plainPort = 80 + iota
	conditionalPort
	overlappedPort
	pausedPort
	hammerPorts = iota
)

// callers is how many talks there are at once.
const callers = 12

// urgent is the byte that is sent with MSG_OOB. No other is like it, so that it may
// come in line, out of line, or not at all.
const urgent = 0xff

// A streamHammer has clients on one stack talk to servers on another, in every way
// that the calls have. What comes is what was sent.
type streamHammer struct {
	t     *testing.T
	a, b  *stack.Stack
	clock *runningTimers
	talks sync.Map // by number
	dying atomic.Bool
	open  sync.WaitGroup // the sockets of conversations
	begun atomic.Int64

	pollers []*endpoint.Poller
	mu      sync.Mutex
	all     []*socket.Socket
}

// A talk is one conversation. Its number decides how it goes.
type talk struct {
	number uint32
	size   int  // bytes each way
	rough  bool // it ends before its time
	done   sync.WaitGroup
}

func newTalk(number uint32) *talk {
	r := rand.New(rand.NewPCG(uint64(number), 7))
	k := &talk{number: number, size: 1 + r.IntN(20_000), rough: r.IntN(3) == 0}
	k.done.Add(2)
	return k
}

// at is the byte of a talk at an offset; dir tells the two ways apart.
func (k *talk) at(dir, offset int) byte { return byte((offset*31 + int(k.number)*7 + dir*101) % 251) }

func newStreamHammer(t *testing.T) *streamHammer {
	h := &streamHammer{t: t, clock: &runningTimers{Clock: tcpip.NewStdClock()}}
	da, db := tun.Pipe(1500)
	var err error
	h.a, err = stack.New(stack.Config{Device: da, Addresses: prefixes("10.0.0.1/24"), Clock: h.clock})
	require.NoError(t, err)
	h.b, err = stack.New(stack.Config{Device: db, Addresses: prefixes("10.0.0.2/24"), Clock: h.clock})
	require.NoError(t, err)
	h.pollers = []*endpoint.Poller{h.a.NewPoller(), h.b.NewPoller()}
	return h
}

// fail reports what a healthy stack doesn't do, from any goroutine.
func (h *streamHammer) fail(format string, args ...any) {
	if !h.dying.Load() {
		h.t.Errorf(format, args...)
	}
}

// socket makes one that the pollers look at.
func (h *streamHammer) socket(s *stack.Stack) *socket.Socket {
	sock, errno := socket.New(socket.HostOf(s), wsa.AF_INET, wsa.SOCK_STREAM, 0, "")
	if errno != 0 {
		if errno != wsa.WSAENETDOWN {
			h.fail("socket: %v", errno)
		}
		return nil
	}
	h.watch(s, sock)
	return sock
}

func (h *streamHammer) watch(s *stack.Stack, sock *socket.Socket) {
	p := h.pollers[0]
	if s == h.b {
		p = h.pollers[1]
	}
	_, _ = p.Add(endpoint.NewListener(sock, "tcp"), endpoint.ReadyRead|endpoint.ReadyExcept, nil)
	h.mu.Lock()
	h.all = append(h.all, sock)
	h.mu.Unlock()
}

func dword(n uint32) []byte { return binary.LittleEndian.AppendUint32(nil, n) }

func server(port int) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr("10.0.0.2"), uint16(port))
}

// listeners open the four doors and accept until they are closed.
func (h *streamHammer) listeners(wg *sync.WaitGroup) (doors []*socket.Socket) {
	for port := plainPort; port < plainPort+hammerPorts; port++ {
		l := h.socket(h.b)
		if port == conditionalPort {
			l.SetSockOpt(wsa.SOL_SOCKET, wsa.SO_CONDITIONAL_ACCEPT, dword(1))
		}
		if port == plainPort {
			l.SetSockOpt(wsa.SOL_SOCKET, wsa.SO_EXCLUSIVEADDRUSE, dword(1))
		}
		require.Zero(h.t, l.Bind(server(port)))
		require.Zero(h.t, l.Listen(callers)) // nobody is reset because it is full
		doors = append(doors, l)
		for range 2 {
			wg.Go(func() { h.accept(l, port) })
		}
		if port == pausedPort {
			wg.Go(func() {
				for i := range uint32(10_001) { // an even one is the last
					l.SetSockOpt(wsa.SOL_SOCKET, wsa.SO_PAUSE_ACCEPT, dword(i%2))
					runtime.Gosched()
				}
			})
		}
	}
	return doors
}

// accept accepts until the listener is closed.
func (h *streamHammer) accept(l *socket.Socket, port int) {
	for {
		var s *socket.Socket
		var errno wsa.Errno
		var head []byte
		switch port {
		case conditionalPort:
			s, _, errno = l.AcceptOn(nil, func(_, _ netip.AddrPort) int32 {
				return []int32{wsa.CF_ACCEPT, wsa.CF_ACCEPT, wsa.CF_ACCEPT, wsa.CF_REJECT, wsa.CF_DEFER}[rand.IntN(5)]
			})
		case overlappedPort:
			s, head, errno = h.acceptEx(l)
		default:
			s, _, errno = l.Accept()
		}
		switch errno {
		case 0:
			if port != overlappedPort {
				h.watch(h.b, s)
			}
			h.open.Add(1)
			go func() { defer h.open.Done(); h.serve(s, head) }()
		case wsa.WSAECONNRESET, wsa.WSAECONNREFUSED, wsa.WSATRY_AGAIN:
		case wsa.WSAEINTR, wsa.WSAENOTSOCK, wsa.WSAENETDOWN, wsa.WSA_OPERATION_ABORTED:
			return
		default:
			h.fail("accept: %v", errno)
			return
		}
	}
}

// acceptEx accepts into a socket of its own, sometimes with the first bytes, and
// sometimes cancels at first.
func (h *streamHammer) acceptEx(l *socket.Socket) (*socket.Socket, []byte, wsa.Errno) {
	into := h.socket(h.b)
	if into == nil {
		return nil, nil, wsa.WSAENETDOWN
	}
	buf := make([]byte, 4*rand.IntN(2))
	op, errno := l.AcceptEx(into, buf)
	if errno != 0 {
		into.Close()
		if errno == wsa.WSAEINVAL { // the listener was closed, or into was
			errno = wsa.WSAENOTSOCK
		}
		return nil, nil, errno
	}
	if len(buf) == 0 && rand.IntN(8) == 0 { // with a buffer it may have a connection already
		op.Cancel()
	}
	op.Wait()
	n, _, errno := op.Result()
	if errno == 0 {
		into.SetSockOpt(wsa.SOL_SOCKET, wsa.SO_UPDATE_ACCEPT_CONTEXT, binary.LittleEndian.AppendUint64(nil, l.ID()))
		return into, buf[:n], 0
	}
	into.Close()
	if _, lerrno := l.LocalAddr(); errno == wsa.WSA_OPERATION_ABORTED && lerrno == 0 {
		return nil, nil, wsa.WSATRY_AGAIN // it was cancelled
	}
	return nil, nil, errno
}

// serve is the server's side of a talk.
func (h *streamHammer) serve(s *socket.Socket, head []byte) {
	defer h.close(s)
	rest := make([]byte, 4-len(head))
	if n, errno := s.Recv(rest, wsa.MSG_WAITALL); errno != 0 || n < len(rest) {
		return // the client was told to go, or has
	}
	number := binary.LittleEndian.Uint32(append(head, rest...))
	k, ok := h.talks.Load(number)
	if !ok {
		h.fail("a talk %d that nobody has begun", number)
		return
	}
	h.converse(s, k.(*talk), 1)
}

// call is the client's side of a talk.
func (h *streamHammer) call(number uint32) {
	k := newTalk(number)
	h.talks.Store(number, k)
	for range 300 { // a door may be closed for the moment
		s := h.socket(h.a)
		if s == nil {
			return
		}
		errno := h.connect(s, int(number), dword(number))
		if errno == 0 {
			h.begun.Add(1)
			h.converse(s, k, 0)
			h.close(s)
			return
		}
		s.Close()
		switch errno {
		case wsa.WSAECONNREFUSED, wsa.WSAECONNRESET, wsa.WSAECONNABORTED:
			runtime.Gosched()
		default:
			h.fail("connect: %v", errno)
			return
		}
	}
}

// connect connects in one of the ways there are, and sends the first bytes.
func (h *streamHammer) connect(s *socket.Socket, number int, head []byte) (errno wsa.Errno) {
	to := server(plainPort + number%hammerPorts)
	switch number / hammerPorts % 3 {
	case 0:
		errno = s.Connect(to)
	case 1:
		if errno = s.Bind(netip.AddrPortFrom(netip.IPv4Unspecified(), 0)); errno != 0 {
			return errno
		}
		op, errno := s.ConnectEx(to, head)
		if errno != 0 {
			return errno
		}
		op.Wait()
		if _, _, errno = op.Result(); errno == 0 {
			errno = s.SetSockOpt(wsa.SOL_SOCKET, wsa.SO_UPDATE_CONNECT_CONTEXT, nil)
		}
		return errno
	case 2:
		s.SetNonblocking(true)
		if errno = s.Connect(to); errno == wsa.WSAEWOULDBLOCK {
			m := []socket.Member{{Socket: s, Want: socket.ReadyWrite | socket.ReadyExcept}}
			socket.Await(socket.HostOf(h.a), m, -1)
			b := make([]byte, 4)
			s.GetSockOpt(wsa.SOL_SOCKET, wsa.SO_ERROR, b)
			errno = wsa.Errno(binary.LittleEndian.Uint32(b))
		}
		s.SetNonblocking(false)
	}
	if errno == 0 {
		_, errno = s.Send(head, 0)
	}
	return errno
}

// close closes, now and then with patience.
func (h *streamHammer) close(s *socket.Socket) {
	if rand.IntN(2) == 0 {
		s.SetSockOpt(wsa.SOL_SOCKET, wsa.SO_LINGER, []byte{1, 0, 30, 0})
	}
	switch errno := s.Close(); errno {
	case 0, wsa.WSAENOTSOCK:
	default:
		h.fail("close: %v", errno)
	}
}

// onlookers look at everything for a while.
func (h *streamHammer) onlookers(wg *sync.WaitGroup) {
	for _, p := range h.pollers {
		wg.Go(func() {
			notices := make([]endpoint.Notice, 8)
			for range 2000 {
				if _, err := p.Wait(notices, -1); err != nil {
					return
				}
				runtime.Gosched()
			}
		})
	}
	wg.Go(func() {
		for range 500 {
			h.a.Sockets()
			h.b.Sockets()
			h.b.Stats()
			runtime.Gosched()
		}
	})
}

// run has n talks, as many at once as there are callers; when the half has begun,
// middle is called.
func (h *streamHammer) run(n int, middle func()) {
	var doors, calling, onlookers sync.WaitGroup
	h.onlookers(&onlookers)
	listening := h.listeners(&doors)
	var next atomic.Uint32
	for range callers {
		calling.Go(func() {
			for i := next.Add(1); int(i) <= n; i = next.Add(1) {
				if int(i) == n/2 {
					middle()
				}
				h.call(i)
			}
		})
	}
	calling.Wait()
	for _, l := range listening {
		l.Close()
	}
	doors.Wait()
	h.open.Wait()
	for _, s := range h.all {
		s.Close()
	}
	for _, p := range h.pollers {
		p.Close()
	}
	onlookers.Wait()
}

// empty checks that nothing is left when the connections have ended.
func (h *streamHammer) empty(s *stack.Stack) {
	s.SetTimeWaitLimit(1)
	stats := s.Stats()
	require.Zero(h.t, stats.Sockets)
	require.Zero(h.t, stats.Bindings)
	require.Zero(h.t, s.PortsInUse())
	require.Zero(h.t, s.TCP().HalfOpen())
	require.Zero(h.t, s.TCP().Connections())
	require.LessOrEqual(h.t, s.Occupied(), s.TCP().TimeWaits())
}

// Everything at once, and everything arrives; then nothing is left.
func TestStreamHammer(t *testing.T) {
	h := newStreamHammer(t)
	h.run(80, func() {})
	for h.a.TCP().Connections()+h.b.TCP().Connections() > 0 && !t.Failed() {
		stack.Settle(h.a, h.b) // the last FINs
	}
	require.NotZero(t, h.begun.Load())
	h.empty(h.a)
	h.empty(h.b)
	require.NoError(t, h.a.Close())
	require.NoError(t, h.b.Close())
	require.Zero(t, h.clock.running.Load())
}

// The stacks are closed under all of it: every call returns.
func TestStreamHammerAndClose(t *testing.T) {
	h := newStreamHammer(t)
	h.run(60, func() {
		h.dying.Store(true)
		require.NoError(t, h.a.Close())
		require.NoError(t, h.b.Close())
	})
	for _, s := range []*stack.Stack{h.a, h.b} {
		require.Zero(t, s.TCP().Connections())
		require.Zero(t, s.TCP().HalfOpen())
		require.Zero(t, s.TCP().TimeWaits())
		require.Zero(t, s.Occupied())
		require.Zero(t, s.PortsInUse())
		require.Zero(t, s.Stats().Sockets)
	}
	require.Zero(t, h.clock.running.Load())
}
