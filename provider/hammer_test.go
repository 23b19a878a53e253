package provider_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// hammerCodes are the codes that the documents give each call (the
// pages of the functions), without "WSAE"; NOTSOCK is everybody's.
var hammerCodes = map[string]string{
	"socket":      "",
	"bind":        "INVAL ADDRINUSE ACCES ADDRNOTAVAIL AFNOSUPPORT NOBUFS FAULT",
	"listen":      "INVAL ISCONN OPNOTSUPP ADDRINUSE",
	"accept":      "INVAL OPNOTSUPP WOULDBLOCK CONNRESET INTR",
	"connect":     "INVAL ISCONN ALREADY WOULDBLOCK CONNREFUSED NETUNREACH HOSTUNREACH ADDRNOTAVAIL ADDRINUSE AFNOSUPPORT ACCES NOBUFS TIMEDOUT INTR FAULT",
	"send":        "NOTCONN SHUTDOWN WOULDBLOCK CONNRESET CONNABORTED MSGSIZE INVAL OPNOTSUPP TIMEDOUT INTR",
	"transmit":    "NOTCONN SHUTDOWN CONNRESET CONNABORTED INVAL INTR",
	"packets":     "NOTCONN SHUTDOWN CONNRESET CONNABORTED INVAL ACCES NOBUFS",
	"sendto":      "NOTCONN SHUTDOWN WOULDBLOCK CONNRESET CONNABORTED MSGSIZE INVAL OPNOTSUPP TIMEDOUT INTR DESTADDRREQ ADDRNOTAVAIL AFNOSUPPORT NETUNREACH HOSTUNREACH ACCES NOBUFS",
	"recv":        "NOTCONN SHUTDOWN WOULDBLOCK CONNRESET CONNABORTED MSGSIZE INVAL OPNOTSUPP TIMEDOUT INTR",
	"recvfrom":    "NOTCONN SHUTDOWN WOULDBLOCK CONNRESET CONNABORTED MSGSIZE INVAL OPNOTSUPP TIMEDOUT INTR",
	"shutdown":    "INVAL NOTCONN CONNRESET CONNABORTED",
	"closesocket": "WOULDBLOCK",
	"setsockopt":  "FAULT INVAL NOPROTOOPT NOTCONN ADDRNOTAVAIL NOBUFS",
	"getsockopt":  "FAULT INVAL NOPROTOOPT NOTCONN",
	"ioctl":       "FAULT INVAL NOPROTOOPT NOTCONN OPNOTSUPP",
	"getsockname": "INVAL",
	"getpeername": "NOTCONN",
	"select":      "INVAL",
}

// A hammer makes random calls on the handles in its slots, from many
// goroutines.
type hammer struct {
	*lab
	slots [32]atomic.Uintptr
	peers [2]netip.AddrPort // of listeners on stack b
	table []options.Info
	seen  sync.Map // "call code": how often

	calls  atomic.Int64
	many   int64         // that many calls have returned:
	enough chan struct{} // closed
}

func (h *hammer) handle(r *rand.Rand) wsa.SOCKET {
	return wsa.SOCKET(h.slots[r.IntN(len(h.slots))].Load())
}

// put replaces a handle, and closes the old one.
func (h *hammer) put(r *rand.Rand, s wsa.SOCKET) error {
	return h.a.CloseSocket(wsa.SOCKET(h.slots[r.IntN(len(h.slots))].Swap(uintptr(s))))
}

// address is one to bind to, connect to or send to; some of them are wrong.
func (h *hammer) address(r *rand.Rand) netip.AddrPort {
	af := []int32{wsa.AF_INET, wsa.AF_INET6}[r.IntN(2)]
	port := uint16(r.IntN(4) * (20000 + r.IntN(8)))
	switch r.IntN(9) {
	case 0:
		return netip.AddrPort{}
	case 1:
		return wildcard(af, port)
	case 2:
		return addrA(af, port)
	case 3:
		return addrB(af, closedPort)
	case 4:
		return nobody(af, port)
	case 5:
		return h.peers[r.IntN(2)]
	case 6:
		name, _ := h.a.GetSockName(h.handle(r))
		return name
	}
	return loopback(af, port)
}

func (h *hammer) create(r *rand.Rand) (string, error) {
	s, err := h.a.Socket([]int32{wsa.AF_INET, wsa.AF_INET6}[r.IntN(2)], []int32{wsa.SOCK_STREAM, wsa.SOCK_STREAM, wsa.SOCK_DGRAM}[r.IntN(3)], 0)
	if err != nil {
		return "socket", err
	}
	switch r.IntN(4) {
	case 0:
		h.a.Bind(s, loopback(wsa.AF_INET, uint16(20000+r.IntN(2))))
		h.a.Listen(s, 5)
	case 1:
		h.a.Connect(s, loopback(wsa.AF_INET, uint16(20000+r.IntN(2))))
	case 2:
		h.a.Connect(s, h.peers[r.IntN(2)])
	}
	h.a.Ioctl(s, wsa.FIONBIO, []byte{byte(r.IntN(4)), 0, 0, 0}, nil)
	return "closesocket", h.put(r, s)
}

// option is a random row of the table with a random value.
func (h *hammer) option(r *rand.Rand) (level, name int32, optval []byte, optlen int32) {
	if r.IntN(4) == 0 {
		value := wsa.Linger{OnOff: uint16(r.IntN(2)), Linger: uint16(r.IntN(2))}.Append(nil)
		return wsa.SOL_SOCKET, wsa.SO_LINGER, value, 4
	}
	o := h.table[r.IntN(len(h.table))]
	return o.Level, o.Number, []byte{byte(r.IntN(3)), byte(r.IntN(2)), 0, 0, 0, 0, 0, 0}, int32(r.IntN(9) - 1)
}

// call makes one random call.
func (h *hammer) call(r *rand.Rand) (name string, err error) {
	s := h.handle(r)
	switch r.IntN(20) {
	case 0:
		return h.create(r)
	case 1:
		return "bind", h.a.Bind(s, h.address(r))
	case 2:
		return "listen", h.a.Listen(s, int32(r.IntN(9)-1))
	case 3:
		n, _, err := h.a.Accept(s)
		if err != nil {
			return "accept", err
		}
		h.count("accept", nil)
		return "closesocket", h.put(r, n)
	case 4, 5:
		return "connect", h.a.Connect(s, h.address(r))
	case 6:
		_, err = h.a.Send(s, make([]byte, r.IntN(1<<r.IntN(18))), []int32{0, 0, 0, wsa.MSG_OOB}[r.IntN(4)])
		return "send", err
	case 18:
		_, err := h.a.TransmitFile(s, strings.NewReader(strings.Repeat("x", 1<<r.IntN(18))), 0, uint32(r.IntN(9000)), nil, uint32(r.IntN(8)))
		return "transmit", err
	case 19:
		file := wsa.TransmitPacketsElement{File: strings.NewReader(strings.Repeat("x", 1<<r.IntN(18)))}
		o, err := h.a.TransmitPacketsAsync(s, []wsa.TransmitPacketsElement{file, file}, 0, uint32(r.IntN(4)))
		if err == nil && r.IntN(4) == 0 {
			o.Cancel()
		}
		return "packets", err
	case 7:
		_, err = h.a.SendTo(s, make([]byte, r.IntN(1<<r.IntN(18))), 0, h.address(r))
		return "sendto", err
	case 8:
		_, err = h.a.Recv(s, make([]byte, r.IntN(9000)), []int32{0, 0, wsa.MSG_PEEK, wsa.MSG_WAITALL}[r.IntN(4)])
		return "recv", err
	case 9:
		_, _, err = h.a.RecvFrom(s, make([]byte, r.IntN(9000)), 0)
		return "recvfrom", err
	case 10:
		return "shutdown", h.a.Shutdown(s, int32(r.IntN(4)))
	case 11:
		if r.IntN(4) > 0 {
			return h.create(r)
		}
		return "closesocket", h.a.CloseSocket(s)
	case 12:
		level, name, optval, optlen := h.option(r)
		return "setsockopt", h.a.SetSockOpt(s, level, name, optval, optlen)
	case 13:
		level, name, _, optlen := h.option(r)
		return "getsockopt", h.a.GetSockOpt(s, level, name, make([]byte, 8), &optlen)
	case 14:
		codes := []uint32{wsa.FIONBIO, wsa.FIONREAD, wsa.SIOCATMARK, wsa.SIO_KEEPALIVE_VALS, wsa.SIO_FLUSH}
		_, err = h.a.Ioctl(s, codes[r.IntN(len(codes))], []byte{1, 0, 0, 0, 9, 9, 0, 0, 9, 0, 0, 0}, make([]byte, 4))
		return "ioctl", err
	case 15:
		_, err = h.a.GetSockName(s)
		return "getsockname", err
	case 16:
		_, err = h.a.GetPeerName(s)
		return "getpeername", err
	}
	_, _, _, err = h.a.Select([]wsa.SOCKET{s, h.handle(r)}, []wsa.SOCKET{h.handle(r)}, []wsa.SOCKET{s}, time.Duration(r.IntN(1e7)-1))
	return "select", err
}

// run makes calls until one fails with the code of the end. Every tenth
// goroutine only opens and closes, so that calls that wait come to an end.
func (h *hammer) run(seed uint64, end error) {
	r := rand.New(rand.NewPCG(seed, 1))
	act := h.call
	if seed%10 == 0 {
		act = h.create
	}
	for {
		name, err := act(r)
		if err == end {
			return
		}
		h.count(name, err)
	}
}

func (h *hammer) count(name string, err error) {
	n, _ := h.seen.LoadOrStore(name+" "+codeName(err), new(atomic.Int64))
	n.(*atomic.Int64).Add(1)
	if h.calls.Add(1) == h.many {
		close(h.enough)
	}
}

// serve accepts connections on stack b until it ends, and lets them end in
// various ways.
func (h *hammer) serve(server wsa.SOCKET) {
	for i := 0; ; i++ {
		s, _, err := h.b.Accept(server)
		if err != nil && err != wsa.WSAECONNRESET {
			return
		}
		h.b.Send(s, make([]byte, 100*(i%3)), 0)
		if i%2 == 0 {
			h.b.SetSockOpt(s, wsa.SOL_SOCKET, wsa.SO_LINGER, []byte{1, 0, 0, 0}, 4)
		}
		h.b.CloseSocket(s)
	}
}

func (h *hammer) check() {
	total := int64(0)
	var report []string
	h.seen.Range(func(key, n any) bool {
		name, code, _ := strings.Cut(key.(string), " ")
		total += n.(*atomic.Int64).Load()
		if allowed := append(strings.Fields(hammerCodes[name]), "ok", "NOTSOCK"); !slices.Contains(allowed, code) {
			h.Errorf("%s returned %s, which the documents don't give it", name, code)
		}
		report = append(report, fmt.Sprintf("%7d %v", n.(*atomic.Int64).Load(), key))
		return true
	})
	slices.Sort(report)
	h.Logf("%d calls\n%s", total, strings.Join(report, "\n"))
}

// AV-18 and the promise of concurrency: 100 goroutines make every call on
// shared handles, closes included. Nothing hangs, and every code is one that
// the documents give the call. At the end Cleanup, or the stack, is closed
// under them.
func TestHammer(t *testing.T) {
	for name, end := range map[string]wsa.Errno{"Cleanup": wsa.WSANOTINITIALISED, "stack closed": wsa.WSAENETDOWN} {
		t.Run(name, func(t *testing.T) {
			h := &hammer{lab: newLab(t), table: options.Table(), many: 100_000, enough: make(chan struct{})}
			if raceEnabled { // where they take twenty times as long
				h.many = 10_000
			}
			var wg sync.WaitGroup
			for i, af := range []int32{wsa.AF_INET, wsa.AF_INET6} {
				server, at := h.server(af)
				h.peers[i] = at
				wg.Go(func() { h.serve(server) })
			}
			for seed := range uint64(100) {
				wg.Go(func() { h.run(seed, end) })
			}
			<-h.enough
			if end == wsa.WSAENETDOWN {
				require.NoError(t, h.sa.Close())
			} else {
				require.NoError(t, h.a.Cleanup())
			}
			require.NoError(t, h.b.Cleanup())
			done := make(chan struct{})
			go func() { wg.Wait(); close(done) }()
			select {
			case <-done:
			case <-time.After(2 * time.Minute):
				var stacks bytes.Buffer
				pprof.Lookup("goroutine").WriteTo(&stacks, 1)
				t.Fatalf("calls hang:\n%s", &stacks)
			}
			h.check()
			require.Zero(t, h.sa.Stats().Sockets)
		})
	}
}
