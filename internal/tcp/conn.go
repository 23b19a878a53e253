package tcp

import (
	"time"

	"github.com/wsstack/wsstack/internal/tcp/congestion"
	"github.com/wsstack/wsstack/keepalive"
	"github.com/wsstack/wsstack/nagle"
)

// Config is what a connection is made with. Fields marked live may be changed
// while it lives, by the Set methods.
type Config struct {
	ISS                       Seq // our initial sequence number (RFC 6528)
	MSS                       int // what our SYN announces, bytes: the MTU of the interface without IP and TCP headers
	MinMSS                    int // the least that a peer's SYN may say, bytes; 0: the constant MinMSS
	PathMSS                   int // live: what fits the path to the peer, counted in the same way; 0: MSS
	Quota                     int // live: SO_RCVBUF, bytes; Unset: the window begins at 65,535 and grows
	WithoutScale, WithoutSACK bool

	Timestamps bool // our SYN offers timestamps (RFC 7323), off as documented
	ECN        bool // our SYN offers ECN (RFC 3168)
	Algorithm  congestion.Algorithm
	NoDelay    bool          // live: TCP_NODELAY
	DelayAck   time.Duration // live: an acknowledgement of less than two full segments may wait so long; 0: none does
	Limit      int           // how often a segment is sent without an answer; 0: 16
	Lifetime   time.Duration // live: TCP_MAXRT, so long without an answer once the handshake is complete; 0: Limit counts; negative: no limit

	SynLimit    int           // live: how often our SYN is sent; 0: 7; negative: no limit
	SynLifetime time.Duration // live: so long may our SYN stay without an answer, from the first one on; 0: no limit
	FailOnICMP  bool          // an ICMP error that quotes our SYN ends the attempt

	InitialRTO  time.Duration // the time-out before a round trip was measured; 0: 1 s (RFC 6298 §2.1)
	FinWait     time.Duration // how long FIN-WAIT-2 lasts once the socket is closed; 0: 60 s
	Segmenting  int           // the largest payload that the device cuts up; 0: it doesn't
	Expedited   bool          // live: the urgent pointer is that of RFC 1122: it points to the urgent byte, not behind it
	StampOffset uint32        // the offset of our timestamps from the clock (RFC 7323 §5.4)
}

// Unset is Config.Quota when SO_RCVBUF isn't set.
const Unset = -1

// DefaultMSS is what a peer takes that announces no MSS (RFC 9293 §3.7.1), in
// bytes.
const DefaultMSS = 536

// MinMSS is the least MSS that a peer's SYN may say, unless Config.MinMSS is
// another (48, as Linux has it): with less, a bulk transfer would be all headers.
const MinMSS = 48

func (cfg *Config) minMSS() int {
	if cfg.MinMSS == 0 {
		return MinMSS
	}
	return cfg.MinMSS
}

// The default bounds.
const (
	defaultLimit    = 16
	defaultSynLimit = 7
	defaultFinWait  = 60 * time.Second
)

// A Conn is one connection. It is not safe for concurrent use.
type Conn struct {
	cfg    Config
	state  State
	cause  Cause
	events Events

	snd       sender
	rcv       receiver
	out       outRecovery
	rtt       rtt
	timers    timers
	keepAlive keepalive.Prober
	gate      nagle.Gate

	ack        ackState
	challenges challenges
	reset      Segment // a RST to send; valid with flags
	scaled     bool    // both SYNs have a window scale
	sack       bool    // both SYNs permit SACK
	stamps     bool    // both SYNs have timestamps
	ecn        bool    // both SYNs agree on ECN
	orphan     bool    // nobody reads any more
	deaf       bool    // new data is refused: see Deafen
	garbage    bool    // keep-alive probes carry an octet: see SetGarbage
	blackHole  blackHole
	notices    []Notice      // see TakeNotices
	holdAck    bool          // see HoldAck
	lowWater   int           // see SetLowWater
	since      time.Duration // when the handshake was complete; 0: it isn't
	heard      time.Duration // when the last acceptable segment came; 0: none has
	left       int           // bytes that the end found unacknowledged
	Counters   Counters
}

// ackState says whether an acknowledgement is owed.
type ackState uint8

const (
	ackNone  ackState = iota
	ackSoon           // with the next segment, or when the caller has no more segments
	ackLater          // it is delayed: the timer says when
	ackNow            // it mustn't wait: each of these segments draws one
)

// sender is the send sequence space (RFC 9293 §3.3.1) and what goes into it.
type sender struct {
	queue    sendQueue // SND.UNA to the end of what was accepted
	una      Seq
	next     Seq // SND.NXT: behind the highest number sent
	window   int // SND.WND, bytes
	wl1, wl2 Seq
	largest  int   // the largest window ever offered
	mss      int   // payload of a full segment without options, bytes
	peer     int   // the MSS that the peer announced
	shift    uint8 // the scale of the peer's window

	up     Seq // SND.UP: behind the urgent byte; valid with urgent
	urgent bool
	tell   bool // a segment is to leave that announces it
	fin    bool // a FIN is queued behind the data
	cwr    bool // the next new data carries CWR

	silly          bool          // the override of silly-window avoidance has fired
	windowProbe    bool          // a window probe is due
	sentAt         time.Duration // when data left last
	syn            bool          // our SYN is to leave
	keepAliveProbe bool          // a keep-alive probe is due
	tries          int           // transmissions of the SYN, or of the oldest byte, or probes without an answer
	stuck          time.Duration // since when there was no progress; 0: nothing waits
}

func (s *sender) release() {
	s.queue.release()
	s.fin, s.urgent, s.tell, s.windowProbe, s.syn, s.keepAliveProbe = false, false, false, false, false, false
	s.stuck = 0
}

// finSent reports that our FIN has left.
func (s *sender) finSent() bool { return s.fin && s.next.After(s.queue.end) }

// unsent is what waits to be sent for the first time, in bytes without the FIN.
func (s *sender) unsent() int { return max(0, s.queue.end.From(s.next)) }

// usable is what the peer's window leaves, in bytes.
func (s *sender) usable() int { return s.una.Add(s.window).From(s.next) }

// New returns a connection that is Closed.
func New(cfg Config) *Conn {
	c := &Conn{cfg: cfg}
	c.gate.NoDelay = cfg.NoDelay
	c.rtt.base = cfg.InitialRTO
	c.snd.una, c.snd.next = cfg.ISS, cfg.ISS
	c.snd.queue.start, c.snd.queue.end = cfg.ISS+1, cfg.ISS+1
	c.snd.peer = DefaultMSS
	c.fit()
	r := &c.rcv
	r.least = max(cfg.MSS, 1)
	r.read = r.irs + 1
	if r.quota = cfg.Quota; r.quota == Unset {
		r.quota, r.grows = autoStart, true
	}
	switch {
	case cfg.WithoutScale:
	case r.grows:
		r.shift = scaleFor(autoLimit)
	default:
		r.shift = scaleFor(r.quota)
	}
	return c
}

// Open begins the handshake: the next Output is our SYN.
func (c *Conn) Open(now time.Duration) {
	c.becomeSynSent()
	c.snd.syn = true
	c.awaitAnswer(now) // Config.SynLifetime begins
}

// State, Cause and the other getters say how the connection is.
func (c *Conn) State() State { return c.state }

// ISS is our initial sequence number.
func (c *Conn) ISS() Seq { return c.cfg.ISS }

// Cause is why the connection is Closed.
func (c *Conn) Cause() Cause { return c.cause }

// TakeEvents returns the events since the last call.
func (c *Conn) TakeEvents() Events {
	e := c.events
	c.events = 0
	return e
}

// Readable is how many bytes Read would return.
func (c *Conn) Readable() int { return c.rcv.queue.size }

// PeerClosed reports that the peer's FIN has come, and everything before it.
func (c *Conn) PeerClosed() bool { return c.rcv.ended }

// Queued is what was accepted and isn't acknowledged, in bytes.
func (c *Conn) Queued() int { return c.snd.queue.len() }

// InFlight is SND.NXT − SND.UNA.
func (c *Conn) InFlight() int { return c.snd.next.From(c.snd.una) }

// MSS is the payload of a full segment without SACK blocks, in bytes.
func (c *Conn) MSS() int { return c.snd.mss }

// Send accepts all of p, after Open or the handshake. ok is false when nothing
// can be sent any more. How much may be accepted is up to the caller.
func (c *Conn) Send(_ time.Duration, p []byte) (ok bool) {
	switch c.state {
	case SynSent, SynReceived, Established, CloseWait:
	default:
		return false
	}
	if c.snd.fin { // Close was called in SYN-RECEIVED
		return false
	}
	c.snd.queue.add(p)
	return true
}

// Read copies what has come in order from the offset skip on, and takes it off
// unless peek.
func (c *Conn) Read(now time.Duration, p []byte, skip int, peek bool) int {
	n := c.rcv.queue.read(p, skip)
	if !peek && n > 0 {
		c.Discard(now, n)
	}
	return n
}

// Discard takes n bytes off that Read has shown.
func (c *Conn) Discard(now time.Duration, n int) {
	if c.rcv.consumed(now, n, c.rtt.smoothed) && c.state.Synchronized() && c.state != TimeWait {
		c.owe(ackNow)
	}
}

// Restore puts bytes that Read or Discard has taken back in front of those that wait
// to be read. The peer's window doesn't shrink by it (RFC 9293 §3.8.6). After an end
// that wasn't graceful nothing is readable, and nothing is put back.
func (c *Conn) Restore(p []byte) {
	if c.cause == None {
		c.rcv.restore(p)
	}
}

// keepAliveTime is the form of a time that package keepalive takes.
func keepAliveTime(t time.Duration) time.Time { return time.Unix(0, int64(t)) }

// owe says that an acknowledgement is to leave. The most urgent reason counts.
func (c *Conn) owe(a ackState) { c.ack = max(c.ack, a) }

// Prompt reports that a segment is due that mustn't wait until the caller has no
// more segments to give.
func (c *Conn) Prompt() bool { return c.ack == ackNow || c.reset.Flags != 0 }
