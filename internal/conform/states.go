package conform

import (
	"time"

	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/wsa"
)

// A tcpState takes a connection of A from ESTABLISHED to a state.
type tcpState struct {
	name  string
	reset bool // a hard close sends a RST (LG-17)
	enter func(e *Env, s handle, p *simnet.Peer)
}

// finish is SD_SEND, seen by the peer.
func (h handle) finish(p *simnet.Peer) {
	h.shutdown(wsa.SD_SEND)
	p.Expect("[F.] seq 1")
}

// inState makes a connection in a state, with a peer played at a port.
func (e *Env) inState(w *simnet.Wire, port uint16, state tcpState) (handle, *simnet.Peer) {
	s, p := e.connectTo(w, port)
	state.enter(e, s, p)
	e.Net.Sleep(time.Millisecond)
	return s, p
}

// tcpStates are the states in which a socket may be closed.
var tcpStates = []tcpState{
	{"ESTABLISHED", true, func(*Env, handle, *simnet.Peer) {}},
	{"FIN_WAIT_1", true, func(e *Env, s handle, p *simnet.Peer) { s.finish(p) }},
	{"FIN_WAIT_2", true, func(e *Env, s handle, p *simnet.Peer) { s.finish(p); p.Send("[.]") }},
	{"CLOSE_WAIT", true, func(e *Env, _ handle, p *simnet.Peer) { p.Send("[F.]"); p.Expect("[.] seq 1 ack 2") }},
	{"CLOSING", false, func(e *Env, s handle, p *simnet.Peer) {
		s.finish(p)
		p.Send("[F.] seq 1 ack 1")
		p.Expect("[.] seq 2 ack 2")
	}},
	{"LAST_ACK", false, func(e *Env, s handle, p *simnet.Peer) {
		p.Send("[F.]")
		p.Expect("[.] seq 1 ack 2")
		s.finish(p)
	}},
	{"TIME_WAIT", false, func(e *Env, s handle, p *simnet.Peer) {
		s.finish(p)
		p.Send("[F.]")
		p.Expect("[.] seq 2 ack 2")
	}},
}
