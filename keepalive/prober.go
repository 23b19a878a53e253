// Package keepalive decides when an idle TCP connection is probed and when it
// is given up, and what calls on a connection that has ended return. It is
// pure: it holds no clock, no timer and no lock.
package keepalive

import "time"

// Config are the parameters of one connection. Idle and Interval are positive;
// Count is the number of unanswered probes before the drop, and 0 means no
// probes and no drop (C-36).
type Config struct {
	Idle     time.Duration
	Interval time.Duration
	Count    int
}

// An Action is what the caller of Poll does.
type Action uint8

// The actions.
const (
	None  Action = iota
	Probe        // send a probe: an ACK with SEG.SEQ = SND.NXT − 1 (KA-7)
	Drop         // the connection is dead: reset it
)

// state is where a Prober is.
type state uint8

const (
	off     state = iota // not enabled, or inert: next is zero
	idle                 // waiting for the idle time to pass
	probing              // at least one probe is unanswered
	parked               // data is outstanding: retransmission owns the connection (KA-6)
	dead                 // Count probes were not answered
)

func (s state) String() string {
	return [...]string{"off", "idle", "probing", "parked", "dead"}[s]
}

// Prober decides when an idle connection sends keep-alive probes and when it
// is aborted (RFC 9293 §3.8.4, RFC 1122 §4.2.3.6).
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
	cfg        Config
	state      state
	unanswered int       // probes since the last segment
	next       time.Time // when Poll acts; zero: never
}

// Start begins a full idle period from now with these parameters, whatever the
// Prober was doing: SO_KEEPALIVE TRUE (KA-13) or a change of the parameters
// (KA-14), also in the middle of probing.
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

// Stop cancels everything: SO_KEEPALIVE FALSE (KA-13).
func (p *Prober) Stop() {
	if p.state != dead {
		p.becomeOff()
	}
}

// Segment tells of an acceptable segment from the peer, with data or without,
// in order or not (KA-9).
func (p *Prober) Segment(now time.Time) {
	if p.state != off && p.state != dead {
		p.becomeIdle(now)
	}
}

// Poll says what is due at now. busy: data is unacknowledged or unsent; then
// nothing is probed until a segment arrives, as its acknowledgement does.
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

// Next is when Poll has something to do; zero: not before another call.
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
