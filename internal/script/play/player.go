package play

import (
	"time"

	"github.com/wsstack/wsstack/internal/mistake"
	"github.com/wsstack/wsstack/internal/script/segment"
	"github.com/wsstack/wsstack/internal/script/syntax"
	"github.com/wsstack/wsstack/internal/trace"
)

// Bounds of a script, so that a hostile one neither hangs nor eats memory.
const (
	// MaxTime is how long a script may take, in its own time.
	MaxTime = 366 * 24 * time.Hour

	// MaxPackets is how many packets of the stack may wait for an event that expects them.
	MaxPackets = 20_000

	// MaxPending is how many calls may be blocked at once.
	MaxPending = 1000
)

// anyTimeWait is how long an event at "*" waits.
const anyTimeWait = 24 * time.Hour

// lookAhead is how long the player looks for a packet that hasn't come in time, to say when it has
// come. It is that of packetdrill.
const lookAhead = 2 * time.Second

// A player plays one script: the events in order, each at its time.
//
//	Packet "<", Call, Assert, Link, Nothing: time passes until the event, then it happens
//	Packet ">": the next packet of the stack is looked at, which may be there already
//
// Whenever time passes, packets and the ends of calls are collected. A call whose time is over, and
// that hasn't returned, ends the script there.
type player struct {
	script *syntax.Script
	config Config
	result *Result
	setup  *Setup

	ground Ground
	peer   *segment.Peer
	tracer trace.Tracer // has seen the packets of both directions

	waiting []packet // what the stack has sent and no event has taken, oldest first
	pending []*pending

	last     time.Duration // when the event before was due; it has happened then
	lastSent bool          // the event before was an inbound packet
}

// A packet is one of the stack.
type packet struct {
	at   time.Duration
	data []byte
}

func newPlayer(s *syntax.Script, c Config, r *Result) *player {
	return &player{script: s, config: c, result: r, setup: &r.Setup, peer: segment.New(segment.Config{
		Local:          r.Setup.Local.Addr(),
		Remote:         r.Setup.Remote,
		BindPort:       r.Setup.BindPort,
		ConnectPort:    r.Setup.ConnectPort,
		StrictSegments: r.Setup.StrictSegments,
		StrictOptions:  r.Setup.StrictOptions,
		Tick:           r.Setup.Tick,
		Tolerance:      r.Setup.Tolerance,
		ScaledEcho:     r.Setup.ScaledEcho,
	})}
}

// run plays the script from the beginning to the end.
func (p *player) run() {
	var err error
	if p.ground, err = p.open(); err != nil {
		p.result.Failure = failureOf(syntax.Pos{}, "", err)
		return
	}
	p.result.Failure = p.play()
	p.result.trim()
	p.result.Took = p.now()
	if f := p.result.Failure; f != nil {
		if f.At == 0 {
			f.At = p.result.Took
		}
		p.result.Took = f.At
	}
	if v, ok := p.ground.(*virtual); ok {
		p.result.Recording = v.record()
	}
	err = p.ground.Close()
	switch {
	case err == nil:
	case p.config.Capture != nil:
		p.result.CaptureErr = err
	case p.result.Failure == nil:
		p.result.Failure = failureOf(syntax.Pos{}, "", err)
	}
}

func (p *player) open() (Ground, error) {
	if p.config.Ground != nil {
		return p.config.Ground(*p.setup)
	}
	return newVirtual(*p.setup, p.config)
}

// play plays the events, and waits for the calls that are left.
func (p *player) play() *Failure {
	p.tracer.Ports = namesPorts(p.script)
	for _, e := range p.script.Events {
		p.result.Events++
		if f := p.event(e); f != nil {
			return f
		}
	}
	return p.finish()
}

// event plays one event.
func (p *player) event(e *syntax.Event) *Failure {
	w := p.windowOf(e)
	if f := p.checkTime(e, w); f != nil {
		return f
	}
	var f *Failure
	switch a := e.Action.(type) {
	case *syntax.Packet:
		if a.Inbound {
			f = p.at(e, w, func() *Failure { return p.inbound(e, a) })
		} else {
			f = p.outbound(e, a, w)
		}
	case *syntax.Call:
		f = p.at(e, w, func() *Failure { return p.call(e, a, w) })
	case *syntax.Assert:
		f = p.at(e, w, func() *Failure { return p.assert(e, a) })
	case *syntax.Link:
		f = p.at(e, w, func() *Failure { return p.link(e, a) })
	case *syntax.Nothing:
		f = p.nothing(e, w)
	default: // a Profile, which holds from the beginning, and what is Ignored
		f = p.at(e, w, func() *Failure { return nil })
	}
	p.last, p.lastSent = p.now(), false
	if a, ok := e.Action.(*syntax.Packet); ok && a.Inbound && !w.any {
		p.last, p.lastSent = w.from, true
	}
	return f
}

// at lets time pass until an event and does it then.
func (p *player) at(e *syntax.Event, w window, do func() *Failure) *Failure {
	if f := p.advance(e, w.from); f != nil {
		return f
	}
	if now := p.now(); !w.any && now > w.to+w.tolerance {
		return p.late(e, w, now)
	}
	return do()
}

// settle lets happen what can happen now.
func (p *player) settle(e *syntax.Event) *Failure { return p.advance(e, p.ground.Now()) }

// inbound sends a packet of the peer.
func (p *player) inbound(e *syntax.Event, a *syntax.Packet) *Failure {
	data, err := p.peer.Inbound(a)
	if err != nil {
		return failureOf(e.Pos, e.Text, err)
	}
	p.packetLine(p.now(), true, data)
	if err := p.ground.Send(data); err != nil {
		return failureOf(e.Pos, e.Text, err)
	}
	return p.settle(e)
}

// assert evaluates a condition.
func (p *player) assert(e *syntax.Event, a *syntax.Assert) *Failure {
	v, err := p.config.Evaluator.Assert(a, p.ground.Sockets())
	switch {
	case err != nil:
		return failureOf(e.Pos, e.Text, err)
	case !v.Holds:
		return assertFailure(e, v)
	}
	return nil
}

// link changes the link.
func (p *player) link(e *syntax.Event, a *syntax.Link) *Failure {
	if err := p.ground.Link(a); err != nil {
		return failureOf(e.Pos, e.Text, err)
	}
	return nil
}

// nothing waits until a time, and fails when a packet is there that no event has expected: it came
// by then, at that very time included.
func (p *player) nothing(e *syntax.Event, w window) *Failure {
	for {
		if len(p.waiting) > 0 {
			first := p.waiting[0]
			return &Failure{
				Pos: e.Pos, Event: e.Text, What: "a packet was sent that no event expects",
				Expected: []string{"nothing until " + seconds(w.to)},
				Actual:   []string{seconds(first.at) + " > " + p.peer.Text(first.data)},
				Hint:     "write the packet as an event of its own, if it is right that it was sent",
			}
		}
		if p.now() >= w.to {
			return nil
		}
		if f := p.await(e, w.to); f != nil {
			return f
		}
	}
}

// collect takes what the Ground has for the player.
func (p *player) collect() error {
	for {
		at, data, ok := p.ground.Received()
		if !ok {
			return nil
		}
		p.packetLine(at, false, data)
		p.peer.Sent(data)
		p.waiting = append(p.waiting, packet{at, data})
		if len(p.waiting) > MaxPackets {
			return mistake.Errorf("expect packets as they come", "more than %d packets were sent that no event has expected", MaxPackets)
		}
	}
}
