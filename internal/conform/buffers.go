package conform

import (
	"fmt"
	"time"

	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// accepts sends n bytes on a non-blocking socket and wants so many accepted; 0
// means WSAEWOULDBLOCK.
func (h handle) accepts(n, want int) {
	e := h.e
	got, err := h.p.Send(h.s, make([]byte, n), 0)
	if want == 0 {
		e.Code(fmt.Sprintf("Send of %d bytes", n), err, wsa.WSAEWOULDBLOCK)
		return
	}
	e.Code(fmt.Sprintf("Send of %d bytes", n), err, 0)
	Equal(e, fmt.Sprintf("accepted of %d bytes", n), got, want)
}

// fits sends n bytes on a non-blocking socket, for which there is room, and none for another one.
func (h handle) fits(n int) {
	h.accepts(n, n)
	h.accepts(1, 0)
}

// filled sends on a non-blocking socket until there is no room.
func (h handle) filled() {
	e := h.e
	for range 1000 {
		if _, err := h.p.Send(h.s, make([]byte, 64<<10), 0); err != nil {
			e.Code("Send", err, wsa.WSAEWOULDBLOCK)
			return
		}
	}
	e.Fatalf("64 MB were accepted")
}

// clogged sends on a non-blocking socket until neither it nor its peer has room.
func (h handle) clogged() {
	e := h.e
	for range 100 {
		if _, err := h.p.Send(h.s, make([]byte, 64<<10), 0); err != nil {
			e.Code("Send", err, wsa.WSAEWOULDBLOCK)
			e.Net.Sleep(5 * time.Second)
			if _, err := h.p.Send(h.s, make([]byte, 64<<10), 0); err != nil {
				return
			}
		}
	}
	e.Fatalf("6 MB were accepted")
}

// recvAll reads n bytes on A, in one piece.
func (h handle) recvAll(n int) []byte {
	e := h.e
	b := make([]byte, n)
	Equal(e, "bytes read", h.as(fmt.Sprintf("Recv of %d bytes", n)).recvInto(b, wsa.MSG_WAITALL), n)
	return b
}

// buffersScenarios are BF-1 to BF-11: sizes, and the quota of sends.
var buffersScenarios = []Scenario{
	{ID: "BF-1", Title: "never more than was asked for", Source: "S-SET", Once: true, Run: func(e *Env) {
		e.Pair()
		for _, s := range []handle{e.stream(), e.datagram()} {
			for _, opt := range []int32{wsa.SO_SNDBUF, wsa.SO_RCVBUF} {
				for _, n := range []uint32{0, 1, 1000, 65535, 65536, 4 << 20, 4<<20 + 1, 100 << 20} {
					s.set(wsa.SOL_SOCKET, opt, n)
					Equal(e, wsa.OptionName(wsa.SOL_SOCKET, opt), s.get(wsa.SOL_SOCKET, opt), min(n, 4<<20))
				}
			}
		}
		e.Notef("as asked for up to 4 MiB, then 4 MiB")
	}},
	{ID: "BF-2", Title: "the size provided is the size asked for", Source: "OBS", Run: func(e *Env) {
		e.Pair()
		for _, s := range []handle{e.stream(), e.datagram()} {
			for _, opt := range []int32{wsa.SO_SNDBUF, wsa.SO_RCVBUF} {
				for _, n := range []uint32{4096, 1, 0, 65537} {
					s.set(wsa.SOL_SOCKET, opt, n)
					Equal(e, wsa.OptionName(wsa.SOL_SOCKET, opt), s.get(wsa.SOL_SOCKET, opt), n)
				}
			}
		}
		e.Do(func() { // and it is in force: one byte of quota is one byte
			c, _ := e.connection()
			c.nonblocking(true)
			c.sndbuf(2)
			c.accepts(1, 1)
			c.fits(1)
		})
		e.Notef("4096, 1, 0 and 65537 read back; with 2 bytes, two are accepted")
	}},
	{ID: "BF-3", Title: "too large is cut to the cap", Source: "S-SET", Once: true, Run: func(e *Env) {
		e.Pair()
		for _, s := range []handle{e.stream(), e.datagram()} {
			for _, opt := range []int32{wsa.SO_SNDBUF, wsa.SO_RCVBUF} {
				s.set(wsa.SOL_SOCKET, opt, 0x7FFFFFFF)
				Equal(e, wsa.OptionName(wsa.SOL_SOCKET, opt), s.get(wsa.SOL_SOCKET, opt), 4<<20)
			}
		}
		e.Notef("INT_MAX becomes 4 MiB")
	}},
	{ID: "BF-4", Title: "a negative size", Source: "C-32", Once: true, Run: func(e *Env) {
		e.Pair()
		s := e.stream()
		for _, opt := range []int32{wsa.SO_SNDBUF, wsa.SO_RCVBUF} {
			s.set(wsa.SOL_SOCKET, opt, 5000)
			err := s.trySet(wsa.SOL_SOCKET, opt, 0xffffffff)
			if e.Profile != options.Documented { // as measured, it is 4 GiB
				e.Code("set -1", err, 0)
				Equal(e, "value", s.get(wsa.SOL_SOCKET, opt), 4<<20)
				continue
			}
			e.Code("set -1", err, wsa.WSAEINVAL)
			Equal(e, "value", s.get(wsa.SOL_SOCKET, opt), 5000)
		}
		e.Notef("WSAEINVAL, and the old size; as measured, the cap")
	}},
	{ID: "BF-5", Title: "SO_MAX_MSG_SIZE stays", Source: "S-GET", Run: func(e *Env) {
		e.Pair()
		s := e.datagram()
		before := s.get(wsa.SOL_SOCKET, wsa.SO_MAX_MSG_SIZE)
		for _, n := range []uint32{0, 100, 4 << 20} {
			s.sndbuf(n)
			s.rcvbuf(n)
			s.reads(wsa.SOL_SOCKET, wsa.SO_MAX_MSG_SIZE, before)
		}
		e.Notef("%d with every size of the buffers", before)
	}},
	{ID: "BF-6", Title: "shrinking below what is queued", Source: "API-set", Run: func(e *Env) {
		e.played(func(s handle, p *simnet.Peer) {
			s.nonblocking(true)
			s.sndbuf(10000)
			s.accepts(10000, 10000)
			s.sndbuf(1000)
			s.reads(wsa.SOL_SOCKET, wsa.SO_SNDBUF, 1000)
			s.accepts(100, 0)
			e.peerAcks(p, 8001)
			s.accepts(100, 0) // 2000 are left
			e.peerAcks(p, 9501)
			s.fits(500)
			e.peerAcks(p, 10001)
		})
		Equal(e, "bytes that left", e.bytesFrom("a"), 10500)
		e.Notef("all 10,000 bytes leave; sends wait until fewer than 1,000 are queued")
	}},
	{ID: "BF-7", Title: "bytes count until they are acknowledged", Source: "API-send", Run: func(e *Env) {
		e.played(func(s handle, p *simnet.Peer) {
			s.nonblocking(true)
			s.sndbuf(4000)
			s.accepts(4000, 4000)
			e.Net.Sleep(100 * time.Millisecond)
			Equal(e, "bytes that left", e.bytesFrom("a"), 4000) // all of them, and still they count
			s.accepts(1, 0)
			e.peerAcks(p, 1001)
			s.fits(1000)
		})
		e.Notef("transmitted bytes still count; 1,000 acknowledged make room for 1,000")
	}},
	{ID: "BF-8", Title: "non-blocking sends are partial", Source: "API-send, C-07", Run: func(e *Env) {
		e.played(func(s handle, p *simnet.Peer) {
			s.nonblocking(true)
			s.sndbuf(4000)
			s.accepts(5000, 5000) // an empty queue takes one send whole
			s.accepts(1, 0)
			e.peerAcks(p, 4001)
			part := 3000
			if e.Profile != options.Documented {
				part = 9000 // whole, as the queue is below the quota
			}
			s.accepts(9000, part)
			s.accepts(1, 0)
		})
		e.Notef("5,000 into an empty queue of 4,000, then what there is room for; as measured, all of it")
	}},
	{ID: "BF-8", Title: "a blocking send returns when all is accepted", Source: "API-send", Profiles: documentedOnly,
		Why: "C-07: Windows accepts whole sends while less than SO_SNDBUF is queued (BF-8, WC-1)", Run: func(e *Env) {
			e.played(func(s handle, p *simnet.Peer) {
				s.sndbuf(2000)
				s.send(1000)
				start := e.Start()
				done := e.Go("send", func() { s.send(4000) })
				e.Net.Sleep(time.Second)
				e.peerAcks(p, 1001) // 1,000 queued, then 2,000: 2,000 of 4,000 are in
				e.peerAcks(p, 2001)
				e.Check(!done.Done(), "returned with 1,000 bytes not accepted")
				e.peerAcks(p, 3001)
				done.Wait()
				e.took("time", start, 1003*time.Millisecond)
				e.peerAcks(p, 5001)
			})
			e.Notef("the last byte is accepted when 3,000 of 5,000 are acknowledged")
		}},
	{ID: "BF-9", Title: "an overlapped send with SO_SNDBUF 0", Source: "W-SOL", Run: func(e *Env) {
		e.plainPeer()
		e.connected(func(c, _ handle) {
			c.set(wsa.SOL_SOCKET, wsa.SO_SNDBUF, 0)
			start := e.Start()
			first, second := c.sendAsync(make([]byte, 10)), c.sendAsync(make([]byte, 20))
			e.Net.Sleep(2*Delay - time.Millisecond)
			e.pending("1 ms before the ACK", first)
			Equal(e, "first", e.outcome(first), "10 success")
			e.took("first, time", start, 2*Delay)
			Equal(e, "second", e.outcome(second), "20 success")
			e.took("second, time", start, 4*Delay)
			c.set(wsa.SOL_SOCKET, wsa.SO_SNDBUF, 4096)
			e.Check(c.sendAsync(make([]byte, 10)).Status() == 0, "with a buffer it isn't done at once")
		})
		e.Notef("completes on the ACK, one round trip each")
	}},
	{ID: "BF-9", Title: "SO_SNDBUF 0", Source: "W-SOL", Run: func(e *Env) {
		e.played(func(s handle, p *simnet.Peer) {
			s.sndbuf(0)
			start := e.Start()
			done := e.Go("send", func() { s.send(3500) })
			e.Net.Sleep(50 * time.Millisecond)
			e.peerAcks(p, 3001) // the rest of 500 follows
			e.Check(!done.Done(), "returned before the last byte was acknowledged")
			e.Net.Sleep(49 * time.Millisecond)
			e.peerAcks(p, 3501)
			done.Wait()
			e.took("time", start, 101*time.Millisecond)

			s.nonblocking(true)
			s.accepts(700, 700)
			s.accepts(1, 0)
			Equal(e, "writable with one outstanding", s.ready("w", 0), "")
			e.peerAcks(p, 4201)
			s.accepts(1, 1)
		})
		e.Notef("a blocking send ends with the acknowledgement of its last byte; non-blocking, one is outstanding")
	}},
	{ID: "BF-9", Title: "SO_SNDBUF 0 and SO_SNDTIMEO", Source: "W-SOL", Run: func(e *Env) {
		e.played(func(s handle, p *simnet.Peer) {
			s.sndbuf(0)
			s.set(wsa.SOL_SOCKET, wsa.SO_SNDTIMEO, 300)
			start := e.Start()
			s.send(10, wsa.WSAETIMEDOUT)
			Equal(e, "time", e.Net.Now()-start, 300*time.Millisecond)
			e.peerAcks(p, 11) // the bytes were sent all the same (TO-3)
			e.Go("ack", func() { e.Net.Sleep(10 * time.Millisecond); p.Send("[.] ack 12") })
			s.send(1)
		})
		e.Notef("WSAETIMEDOUT at 0.300 s")
	}},
	{ID: "BF-10", Title: "writable", Source: "API-select", Run: func(e *Env) {
		e.played(func(s handle, p *simnet.Peer) {
			s.nonblocking(true)
			s.sndbuf(1000)
			Equal(e, "writable", s.ready("w", 0), "w")
			s.accepts(999, 999)
			Equal(e, "writable", s.ready("w", 0), "w")
			s.accepts(1, 1)
			Equal(e, "writable", s.ready("w", 0), "")
			start := e.Start()
			e.Go("ack", func() { e.Net.Sleep(time.Second); p.Send("[.] ack 2") })
			Equal(e, "writable after the ACK", s.ready("w", -1), "w")
			e.took("time", start, time.Second)
		})
		e.Notef("with 999 of 1,000 bytes queued, not with 1,000, again when one is acknowledged")
	}},
	{ID: "BF-11", Title: "an explicit size doesn't grow", Source: "W-SOL", Run: func(e *Env) {
		e.Pair()
		most := 0
		e.Do(func() {
			l := e.peerStream()
			l.set(wsa.SOL_SOCKET, wsa.SO_RCVBUF, 8192)
			l.bind(e.Any(80))
			l.listen(5)
			c := e.stream()
			c.connect(e.Addr(2, 80))
			s := l.accept()
			c.sndbuf(4096)
			done := e.Go("send", func() { c.send(400_000) })
			for got := 0; got < 400_000; {
				n := len(s.recv(10_000))
				got += n
			}
			done.Wait()
			c.nonblocking(true)
			e.Net.Sleep(time.Second)
			c.accepts(1, 1)
			c.fits(4095)
		})
		for _, l := range e.Segments("b") {
			most = max(most, l.Window)
		}
		Equal(e, "largest window of b", most, 8192)
		e.Notef("after 400,000 bytes the window is at most 8,192 and the quota 4,096")
	}},
}
