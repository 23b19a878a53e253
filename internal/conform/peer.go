package conform

import (
	"fmt"
	"strings"
	"time"

	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// client is a peer of the port 80 of A that is played by hand.
func (e *Env) client(w *simnet.Wire) *simnet.Peer { return w.Connect(e.Addr(1, 80).String()) }

// handshake connects a peer, inside Do.
func (e *Env) handshake(p *simnet.Peer) {
	p.Send("[S] <mss 1000>")
	p.Expect("[S.] seq 0")
	e.arrive(p, "[.]")
}

// playedAs is played with options of the peer's SYN and a socket that was
// prepared before it connects.
func (e *Env) playedAs(syn string, prepare func(s handle), fn func(s handle, p *simnet.Peer)) {
	p := e.Wire().Listen(80)
	e.Do(func() {
		s := e.Stream()
		if prepare != nil {
			prepare(s)
		}
		done := e.Go("connect", func() { s.connect(e.Addr(9, 80)) })
		p.Accept(syn)
		done.Wait()
		fn(s, p)
	})
}

// peerAcks acknowledges the stream of A up to a sequence number.
func (e *Env) peerAcks(p *simnet.Peer, ack int) {
	e.arrive(p, fmt.Sprintf("[.] ack %d", ack))
}

// stuck connects, inside Do, to a peer played by hand whose window is closed,
// with data queued behind it.
func (e *Env) stuck(fn func(s handle, p *simnet.Peer)) {
	p := e.Wire().Listen(80)
	e.Do(func() {
		s := e.Stream()
		done := e.Go("connect", func() { s.connect(e.Addr(9, 80)) })
		p.Expect("[S]")
		p.Send("[S.] win 1000 <mss 1000>")
		p.Expect("[.] seq 1 ack 1")
		done.Wait()
		s.send(3000)
		p.Expect("[.] seq 1:1001")
		e.arrive(p, "[.] ack 1001 win 0")
		fn(s, p)
	})
}

// connectTo connects a socket of A to a peer played at a port.
func (e *Env) connectTo(w *simnet.Wire, port uint16) (handle, *simnet.Peer) {
	p, s := w.Listen(port), e.Stream()
	done := e.Go("connect", func() { s.connect(e.Addr(9, port)) })
	p.Accept("mss 1000")
	done.Wait()
	return s, p
}

// stuckAt is connectTo with 3000 bytes sent, of which the peer takes 1000 and
// closes its window.
func (e *Env) stuckAt(w *simnet.Wire, port uint16) (handle, *simnet.Peer) {
	p, s := w.Listen(port), e.Stream()
	done := e.Go("connect", func() { s.connect(e.Addr(9, port)) })
	p.Expect("[S]")
	p.Send("[S.] win 1000 <mss 1000>")
	p.Expect("[.] seq 1 ack 1")
	done.Wait()
	s.send(3000)
	p.Expect("[.] seq 1:1001")
	e.arrive(p, "[.] ack 1001 win 0")
	return s, p
}

// closesIn closes a socket of A and ends the scenario unless it takes that
// long and succeeds.
func (s handle) closesIn(what string, d time.Duration) {
	e := s.e
	start := e.Start()
	s.as("CloseSocket " + what).close()
	e.took("time of CloseSocket "+what, start, d)
}

// played connects a stream socket of A, inside Do, to a peer played by hand
// that offered an MSS of 1000 and nothing else.
func (e *Env) played(fn func(s handle, p *simnet.Peer)) { e.playedAs("mss 1000", nil, fn) }

// hand is the wire of Wire, made once.
func (e *Env) hand() *simnet.Wire {
	if e.wire == nil {
		return e.Wire()
	}
	return e.wire
}

// urgent plays a peer by hand, against a non-blocking socket of A.
func (e *Env) urgent(fn func(s handle, p *simnet.Peer)) {
	e.played(func(s handle, p *simnet.Peer) {
		s.nonblocking(true)
		fn(s, p)
	})
}

// arrive is a segment of the peer, and the time in which it comes.
func (e *Env) arrive(p *simnet.Peer, segment string, text ...string) {
	p.Send(segment, []byte(strings.Join(text, ""))...)
	e.Net.Sleep(time.Millisecond)
}

// withBuffer is urgent with an SO_RCVBUF that was set before connect.
func (e *Env) withBuffer(size uint32, fn func(s handle, p *simnet.Peer)) {
	p := e.Wire().Listen(80)
	e.Do(func() {
		s := e.Stream()
		s.set(wsa.SOL_SOCKET, wsa.SO_RCVBUF, size)
		done := e.Go("connect", func() { s.connect(e.Addr(9, 80)) })
		p.Accept("mss 1000")
		done.Wait()
		s.nonblocking(true)
		fn(s, p)
	})
}

// peerSends sends n bytes to A in segments of 1000, and lets them arrive.
func (e *Env) peerSends(p *simnet.Peer, n int) {
	for ; n > 0; n -= 1000 {
		p.Send(fmt.Sprintf("[.] len %d", min(n, 1000)))
	}
	e.Net.Sleep(time.Millisecond)
}
