package socket_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wsstack/wsstack/provider"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// hostileLimit is how many bytes the hostile peer's stream has: each has a value
// of its own, so that it can be found again.
const hostileLimit = 200

// A hostile is a socket and a peer that sends segments of one stream in any
// order, with any urgent pointer, while the application reads.
type hostile struct {
	n    *simnet.Network
	p    *provider.Provider
	s    wsa.SOCKET
	peer *simnet.Peer

	come      [hostileLimit]bool // a segment with the byte was sent
	announced [hostileLimit]bool // some pointer has named it, in either reading
	stream    [hostileLimit]int  // how often recv has returned it
	urgent    [hostileLimit]int  // how often recv(MSG_OOB) has
	last      int                // what recv has returned last
	inline    bool               // SO_OOBINLINE was set, now or before
}

// playHostile interprets bytes as what the peer and the application do. What the
// peer has sent comes at most once, in order unless SO_OOBINLINE put an urgent
// byte back; nothing but announced bytes is missing from the stream; FIONREAD
// counts what recv returns, and nothing is left.
func playHostile(script []byte) (failure any) {
	h := &hostile{n: simnet.New(nil, simnet.TraceLimit(200)), last: -1}
	defer h.n.Close()
	a := h.n.Host("a", "10.0.0.1/24")
	w := h.n.Wire(a, "w", "10.0.0.9")
	var err error
	if h.p, err = provider.Startup(a.Stack, 0x0202); err != nil {
		return err
	}
	h.peer = w.Listen(80)
	h.n.Do("hostile", func() {
		defer func() {
			if r := recover(); r != nil {
				failure = fmt.Sprint(r, "\n", h.n.TraceText())
			}
		}()
		h.s, _ = h.p.Socket(wsa.AF_INET, wsa.SOCK_STREAM, 0)
		h.n.Go("connect", func() { h.p.Connect(h.s, netip.MustParseAddrPort("10.0.0.9:80")) })
		h.peer.Accept("mss 1000")
		h.n.Sleep(time.Millisecond)
		h.p.Ioctl(h.s, wsa.FIONBIO, []byte{1, 0, 0, 0}, nil)
		for len(script) >= 4 {
			h.step(script[0], script[1], script[2], script[3])
			script = script[4:]
		}
		h.end()
	})
	return failure
}

// FuzzUrgentPointers and TestUrgentPointers play with segments of the URGENT/11
// class: pointers past the segment, of 0, repeated, overlapping, out of order.
func FuzzUrgentPointers(f *testing.F) {
	f.Add([]byte{0x80, 0, 3, 2, 5, 0, 0, 0, 4, 9, 0, 0})
	f.Add([]byte{0x80, 5, 3, 2, 0x80, 0, 9, 7, 4, 9, 1, 0, 5, 0, 1, 0, 6, 1, 0, 0, 4, 19, 0, 0})
	f.Add([]byte{0xC0, 0, 3, 255, 0x80, 3, 0, 1, 0x80, 3, 1, 1, 4, 9, 0, 0, 7, 1, 0, 0, 0x80, 4, 5, 0})
	f.Fuzz(func(t *testing.T, script []byte) {
		if failure := playHostile(script[:min(len(script), 400)]); failure != nil {
			t.Fatal(failure)
		}
	})
}

func TestUrgentPointers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		script := rapid.SliceOfN(rapid.Byte(), 0, 240).Draw(t, "script")
		// Within a few bytes of each other segments meet.
		for i := 1; i < len(script); i += 4 {
			script[i] %= 40
		}
		if failure := playHostile(script); failure != nil {
			t.Fatal(failure)
		}
	})
}

func (h *hostile) step(what, x, y, z byte) {
	switch what % 8 {
	case 0, 1, 2, 3:
		h.segment(int(x)%hostileLimit, int(y)%12, int(z), what&0x40 != 0, what&0x80 != 0)
	case 4:
		h.recv(1+int(x)%20, wsa.MSG_PEEK*int32(y&1))
	case 5:
		h.recvUrgent(wsa.MSG_PEEK * int32(y&1))
	case 6:
		on := x & 1
		h.inline = h.inline || on == 1
		h.p.SetSockOpt(h.s, wsa.SOL_SOCKET, wsa.SO_OOBINLINE, []byte{on, 0, 0, 0}, 4)
	case 7:
		name := int32(wsa.TCP_STDURG)
		if x&2 != 0 {
			name = wsa.TCP_NOURG
		}
		h.p.SetSockOpt(h.s, wsa.IPPROTO_TCP, name, []byte{x & 1, 0, 0, 0}, 4)
	}
}

// segment sends part of the stream; far pointers name what never comes.
func (h *hostile) segment(first, length, pointer int, far, urg bool) {
	length = min(length, hostileLimit-first)
	b := make([]byte, length)
	for i := range b {
		b[i] = byte(first + i)
		h.come[first+i] = true
	}
	flags := "[P.]"
	if urg {
		flags = "[P.U]"
		if far {
			pointer *= 257
		}
		for _, at := range []int{first + pointer - 1, first + pointer} {
			if at >= 0 && at < hostileLimit {
				h.announced[at] = true
			}
		}
	}
	h.peer.Send(fmt.Sprintf("%s seq %d urg %d", flags, 1+first, pointer), b...)
	h.n.Sleep(time.Millisecond)
}

func (h *hostile) recv(n int, flags int32) int {
	b := make([]byte, n)
	n, err := h.p.Recv(h.s, b, flags)
	if err != nil && err != wsa.WSAEWOULDBLOCK {
		panic(fmt.Sprintf("Recv: %v", err))
	}
	if flags&wsa.MSG_PEEK != 0 {
		return n
	}
	for _, v := range b[:n] {
		if h.stream[v]++; h.stream[v] > 1 {
			panic(fmt.Sprintf("byte %d comes twice", v))
		}
		if int(v) <= h.last && !h.inline {
			panic(fmt.Sprintf("byte %d comes after %d", v, h.last))
		}
		h.last = int(v)
	}
	return n
}

func (h *hostile) recvUrgent(flags int32) {
	b := make([]byte, 2)
	n, err := h.p.Recv(h.s, b, wsa.MSG_OOB|flags)
	switch {
	case err == wsa.WSAEWOULDBLOCK, err == wsa.WSAEINVAL:
		return
	case err != nil || n != 1:
		panic(fmt.Sprintf("Recv(MSG_OOB): %d, %v", n, err))
	case !h.announced[b[0]]:
		panic(fmt.Sprintf("byte %d is urgent, and nobody said so", b[0]))
	}
	if flags&wsa.MSG_PEEK == 0 {
		h.urgent[b[0]]++
	}
}

// end fills the gaps, reads what there is and adds up.
func (h *hostile) end() {
	for first := 0; first < hostileLimit; first += 10 {
		h.segment(first, 10, 0, false, false)
	}
	b := make([]byte, 4)
	if _, err := h.p.Ioctl(h.s, wsa.FIONREAD, nil, b); err != nil {
		panic(fmt.Sprintf("FIONREAD: %v", err))
	}
	want, got := int(b[0])|int(b[1])<<8, 0
	for n := -1; n != 0; got += n {
		n = h.recv(7, 0)
	}
	if got != want {
		panic(fmt.Sprintf("FIONREAD %d, and recv returned %d", want, got))
	}
	h.recvUrgent(0)
	for i := range hostileLimit {
		switch seen := h.stream[i] + h.urgent[i]; {
		case seen > 1:
			panic(fmt.Sprintf("byte %d: %d times in the stream and %d out of it", i, h.stream[i], h.urgent[i]))
		case seen == 0 && !h.announced[i]:
			panic(fmt.Sprintf("byte %d is lost", i))
		}
	}
}
