package conform

import (
	"fmt"
	"strings"
	"time"

	"github.com/wsstack/wsstack/simnet"
)

// client is a peer of the port 80 of A that is played by hand.
func (e *Env) client(w *simnet.Wire) *simnet.Peer { return w.Connect(e.Addr(1, 80).String()) }

// handshake connects a peer, inside Do.
func (e *Env) handshake(p *simnet.Peer) {
	p.Send("[S] <mss 1000>")
	p.Expect("[S.] seq 0")
	e.arrive(p, "[.]")
}

// meets connects to a peer that answers with a SYN of these options.
func (h handle) meets(p *simnet.Peer, syn string) {
	done := h.e.Go("connect", func() { h.connect(h.e.Addr(9, p.Local().Port())) })
	p.Accept(syn)
	done.Wait()
}

// meetsWith connects to a peer that answers with this SYN.
func (h handle) meetsWith(p *simnet.Peer, syn string) {
	done := h.e.Go("connect", func() { h.connect(h.e.Addr(9, p.Local().Port())) })
	talk(p, "< [S]", "> "+syn, "< [.] seq 1 ack 1")
	done.Wait()
}

// playedAs is played with options of the peer's SYN and a socket that was prepared before it
// connects.
func (e *Env) playedAs(syn string, prepare func(s handle), fn func(s handle, p *simnet.Peer)) {
	p := e.Wire().Listen(80)
	e.Do(func() {
		s := e.stream()
		if prepare != nil {
			prepare(s)
		}
		s.meets(p, syn)
		fn(s, p)
	})
}

// peerAcks acknowledges the stream of A up to a sequence number.
func (e *Env) peerAcks(p *simnet.Peer, ack int) {
	e.arrive(p, fmt.Sprintf("[.] ack %d", ack))
}

// stuck is stuckAt, inside Do, on a wire of its own.
func (e *Env) stuck(fn func(s handle, p *simnet.Peer)) {
	e.wired(func(w *simnet.Wire) { fn(e.stuckAt(w, 80)) })
}

// connectTo connects a socket of A to a peer played at a port.
func (e *Env) connectTo(w *simnet.Wire, port uint16) (handle, *simnet.Peer) {
	p, s := w.Listen(port), e.stream()
	s.meets(p, "mss 1000")
	return s, p
}

// stuckAt is connectTo with 3000 bytes sent, of which the peer takes 1000 and closes its window.
func (e *Env) stuckAt(w *simnet.Wire, port uint16) (handle, *simnet.Peer) {
	p, s := w.Listen(port), e.stream()
	s.meetsWith(p, "[S.] win 1000 <mss 1000>")
	s.send(3000)
	p.Expect("[.] seq 1:1001")
	e.arrive(p, "[.] ack 1001 win 0")
	return s, p
}

// closesIn closes a socket of A and ends the scenario unless it takes that
// long and succeeds.
func (h handle) closesIn(what string, d time.Duration) {
	e := h.e
	start := e.Start()
	h.as("CloseSocket " + what).close()
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

// talk is a conversation on the wire, a step a line: "> [.] ack 1" is what the peer sends, and
// "< [.] ack 1" what it expects from A.
func talk(p *simnet.Peer, steps ...string) {
	for _, step := range steps {
		switch segment := step[2:]; step[0] {
		case '>':
			p.Send(segment)
		case '<':
			p.Expect(segment)
		default:
			panic("no step of a conversation: " + step)
		}
	}
}

// arrive is a segment of the peer, and the time in which it comes.
func (e *Env) arrive(p *simnet.Peer, segment string, text ...string) {
	p.Send(segment, []byte(strings.Join(text, ""))...)
	e.Net.Sleep(time.Millisecond)
}

// withBuffer is urgent with an SO_RCVBUF that was set before connect.
func (e *Env) withBuffer(size uint32, fn func(s handle, p *simnet.Peer)) {
	e.playedAs("mss 1000", func(s handle) { s.rcvbuf(size) }, func(s handle, p *simnet.Peer) {
		s.nonblocking(true)
		fn(s, p)
	})
}

// peerSends sends n bytes to A in segments of 1000, lets them arrive, and A acknowledge them.
func (e *Env) peerSends(p *simnet.Peer, n int) {
	for ; n > 0; n -= 1000 {
		p.Send(fmt.Sprintf("[.] len %d", min(n, 1000)))
	}
	e.Net.Sleep(time.Millisecond + e.ackDelay())
}
