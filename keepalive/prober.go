// Package keepalive decides when an idle TCP connection is probed and when it is given up, and what
// calls on a connection that has ended return. The package is pure: it holds no clock, no timer and
// no lock.
package keepalive

import "time"

// A Config has the keep-alive parameters of one connection.
type Config struct {
	Idle     time.Duration // how long the connection is idle before the first probe; positive
	Interval time.Duration // how long a probe waits for its answer; positive
	Count    int           // how many probes in a row are unanswered before the drop; 0: no probes, no drop (C-36)
}

// An Action is what the caller of Poll does.
type Action uint8

// The actions.
const (
	None  Action = iota // nothing
	Probe               // send a probe: an ACK with SEG.SEQ = SND.NXT − 1 (KA-7)
	Drop                // reset the connection, which is dead
)

// A state is where a Prober is: see there.
type state uint8

const (
	off     state = iota // not enabled, or inert: next is zero
	idle                 // waiting for the idle time to pass
	probing              // at least one probe is unanswered
	parked               // data is outstanding: retransmission owns the connection (KA-6)
	dead                 // Count probes were not answered
)

// String is the name of the state.
func (s state) String() string {
	return [...]string{"off", "idle", "probing", "parked", "dead"}[s]
}

// A Prober decides when an idle connection sends keep-alive probes and when the connection is
// aborted (RFC 9293 §3.8.4, RFC 1122 §4.2.3.6).
//
//	      Start                 Idle elapsed            Count unanswered,
//	off ─────────▶ idle ───────────────────▶ probing ────────────────────▶ dead
//	  ◀───────── ▲ │  ▲                       │   │     and one Interval
//	      Stop   │ │  └──────── Segment ──────┘   │
//	             │ └── data outstanding ─▶ parked ◀
//	             └───────── Segment ─────────┘
//
// The caller passes the time in and calls Poll again at Next. A Prober is not
// safe for concurrent use. The zero Prober is off.
type Prober struct {
	cfg        Config // of the last Start
	state      state
	unanswered int       // how many probes there were since the last segment
	next       time.Time // when Poll has something to do; zero: never
}

// Start begins a full idle period at now with these parameters, whatever the Prober was doing, be
// it in the middle of probing: SO_KEEPALIVE was set to TRUE (KA-13), or parameters have changed
// (KA-14).
func (p *Prober) Start(now time.Time, cfg Config) {
	if p.state == dead {
		return
	}
	p.cfg = cfg
	if cfg.Count == 0 {
		p.becomeOff()
		return
	}
	p.becomeIdle(now)
}

// Stop ends probing: SO_KEEPALIVE was set to FALSE (KA-13).
func (p *Prober) Stop() {
	if p.state != dead {
		p.becomeOff()
	}
}

// Segment says that an acceptable segment of the peer has come, with data or without, in order or
// not (KA-9).
func (p *Prober) Segment(now time.Time) {
	if p.state != off && p.state != dead {
		p.becomeIdle(now)
	}
}

// Poll says what is due at now. With busy data isn't acknowledged or wasn't sent: no probe is due
// then until a segment arrives, as the acknowledgement of the data is.
func (p *Prober) Poll(now time.Time, busy bool) Action {
	if p.next.IsZero() || now.Before(p.next) {
		return None
	}
	switch {
	case busy:
		p.becomeParked()
		return None
	case p.unanswered == p.cfg.Count:
		p.becomeDead()
		return Drop
	}
	p.becomeProbing()
	return Probe
}

// Next is when Poll has something to do. It is zero where Poll has nothing to do before another
// call.
func (p *Prober) Next() time.Time { return p.next }

func (p *Prober) becomeOff() { p.state, p.unanswered, p.next = off, 0, time.Time{} }

func (p *Prober) becomeIdle(now time.Time) {
	p.state, p.unanswered, p.next = idle, 0, now.Add(p.cfg.Idle)
}

// becomeProbing counts from when the probe was due, not from when Poll was
// called, so that delays don't add up.
func (p *Prober) becomeProbing() {
	p.state, p.unanswered, p.next = probing, p.unanswered+1, p.next.Add(p.cfg.Interval)
}

func (p *Prober) becomeParked() { p.state, p.unanswered, p.next = parked, 0, time.Time{} }

func (p *Prober) becomeDead() { p.state, p.next = dead, time.Time{} }
