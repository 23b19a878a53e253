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
	ISS             Seq  // our initial sequence number (RFC 6528)
	MSS             int  // what our SYN announces, bytes: the MTU of the interface without IP and TCP headers
	Path            int  // live: what fits the path to the peer, counted in the same way; 0: MSS
	Quota           int  // live: SO_RCVBUF, bytes; Unset: the window begins at 65,535 and grows
	NoScale, NoSACK bool // our SYN doesn't offer window scaling, SACK

	Timestamps bool // our SYN offers timestamps (RFC 7323), off as documented
	ECN        bool // our SYN offers ECN (RFC 3168)
	Algorithm  congestion.Algorithm
	NoDelay    bool          // live: TCP_NODELAY
	DelayAck   time.Duration // live: an acknowledgement of less than two full segments may wait so long; 0: none does
	Limit      int           // how often a segment is sent without an answer; 0: 15
	Lifetime   time.Duration // live: TCP_MAXRT, so long without an answer; 0: Limit counts; negative: no limit
	SynLimit   int           // how often our SYN is sent; 0: 7
	InitialRTO time.Duration // the time-out before a round trip was measured; 0: 1 s (RFC 6298 §2.1)
	FinWait    time.Duration // how long FIN-WAIT-2 lasts once the socket is closed; 0: 60 s
	Segmenting int           // the largest payload that the device cuts up; 0: it doesn't
	Expedited  bool          // the urgent pointer is that of RFC 1122: it points to the urgent byte, not behind it
	Stamp      uint32        // the offset of our timestamps from the clock (RFC 7323 §5.4)
}

// Unset is Config.Quota when SO_RCVBUF isn't set.
const Unset = -1

// DefaultMSS is what a peer takes that announces no MSS (RFC 9293 §3.7.1), in
// bytes.
const DefaultMSS = 536

// MinMSS is the least MSS that a peer's SYN may say (C: 48, as Linux has it): with
// less, a bulk transfer would be all headers.
const MinMSS = 48

// minPath is the least that fits a path: 68 bytes of IPv4 (RFC 791) without
// headers. An error that says less is wrong, or worse.
const minPath = 28

// The default bounds.
const (
	defaultLimit    = 15
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
	hole       blackHole
	Counters   Counters
}

// Counters are what SIO_TCP_INFO tells.
type Counters struct {
	BytesIn, BytesOut       uint64 // in order; without what was sent again
	BytesResent             uint64
	SegmentsIn, SegmentsOut uint64
	Reordered, Timeouts     uint64
	Fast                    uint64 // recoveries that no time-out began
	DupAcksIn               uint64
	SynResent               uint8
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

	up      Seq // SND.UP: behind the urgent byte; valid with urgent
	urgent  bool
	tell    bool // a segment is to leave that announces it
	fin     bool // a FIN is queued behind the data
	partial bool // a segment shorter than mss was sent since everything was acknowledged
	cwr     bool // the next new data carries CWR

	silly  bool          // the override of silly-window avoidance has fired
	probe  bool          // a window probe is due
	sentAt time.Duration // when data left last
	syn    bool          // our SYN is to leave
	alive  bool          // a keep-alive probe is due
	tries  int           // transmissions of the SYN, or of the oldest byte, or probes without an answer
	stuck  time.Duration // since when there was no progress; 0: nothing waits
}

func (s *sender) release() {
	s.queue.release()
	s.fin, s.urgent, s.tell, s.probe, s.syn, s.alive = false, false, false, false, false, false
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
	if r.quota = cfg.Quota; r.quota == Unset {
		r.quota, r.grows = autoStart, true
	}
	switch {
	case cfg.NoScale:
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
	c.busy(now)
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
func (c *Conn) Send(now time.Duration, p []byte) (ok bool) {
	switch c.state {
	case SynSent, SynReceived, Established, CloseWait:
	default:
		return false
	}
	if c.snd.fin { // Close was called in SYN-RECEIVED
		return false
	}
	c.snd.queue.add(p)
	c.busy(now)
	return true
}

// SendUrgent is Send; the last byte is urgent (RFC 6093: SND.UP is behind it).
func (c *Conn) SendUrgent(now time.Duration, p []byte) (ok bool) {
	if !c.Send(now, p) {
		return false
	}
	c.snd.urgent, c.snd.up, c.snd.tell = true, c.snd.queue.end, true
	return true
}

// Close queues our FIN behind the data: nothing more is sent.
func (c *Conn) Close(now time.Duration) {
	switch c.state {
	case SynSent:
		c.becomeClosed(None)
	case SynReceived, Established, CloseWait:
		c.snd.fin = true
		if c.state != SynReceived { // there the FIN waits for the handshake (RFC 9293 §3.10.4)
			c.becomeClosing()
		}
		c.busy(now)
	}
}

// Orphan says that nobody reads any more: data that comes resets the connection
// (RFC 1122 §4.2.2.13), and FIN-WAIT-2 is bounded.
func (c *Conn) Orphan(now time.Duration) {
	c.orphan = true
	if c.state == FinWait2 {
		c.timers.linger = now + or(c.cfg.FinWait, defaultFinWait)
	}
}

// Abort ends the connection with a RST where RFC 9293 §3.10.5 has one. SEQ is
// SND.NXT, or the right edge of the peer's window when that has shrunk below.
func (c *Conn) Abort() { c.abort(Aborted) }

func (c *Conn) abort(why Cause) {
	switch c.state {
	case SynReceived, Established, FinWait1, FinWait2, CloseWait:
		c.reset = c.rst()
	}
	c.becomeClosed(why)
}

// rst is a RST of our own.
func (c *Conn) rst() Segment {
	seq := c.snd.next
	if edge := c.snd.una.Add(c.snd.window); edge.Before(seq) && c.state != SynReceived {
		seq = edge
	}
	return Segment{Seq: seq, Ack: c.rcv.next, Flags: RST | ACK}
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

// RecvUrgent is where the urgent data ends that the peer has announced: so many
// bytes of what Read returns from now on, whether they have come or not, the last of
// them urgent. ok is false when none was announced, or all was read.
func (c *Conn) RecvUrgent() (ahead int, ok bool) {
	r := &c.rcv
	ahead = r.up.From(r.read)
	return ahead, r.urgent && ahead > 0
}

// SetQuota is SO_RCVBUF. What was promised stays promised.
func (c *Conn) SetQuota(bytes int) {
	c.rcv.quota, c.rcv.grows = bytes, false
	if c.state.Synchronized() && c.rcv.opens(0) {
		c.owe(ackNow)
	}
}

// SetNoDelay is TCP_NODELAY. What was held back may leave with the next Output.
func (c *Conn) SetNoDelay(on bool) { c.gate.NoDelay = on }

// SetLifetime is TCP_MAXRT, from now on where data waits.
func (c *Conn) SetLifetime(now, d time.Duration) {
	c.cfg.Lifetime = d
	if c.snd.stuck != 0 {
		c.snd.stuck = now
	}
	c.armLifetime()
}

// SetKeepAlive begins an idle period, or ends probing.
func (c *Conn) SetKeepAlive(now time.Duration, on bool, cfg keepalive.Config) {
	if !on || !c.state.Synchronized() {
		c.keepAlive.Stop()
		return
	}
	c.keepAlive.Start(instant(now), cfg)
}

// instant is the form of a time that package keepalive takes.
func instant(t time.Duration) time.Time { return time.Unix(0, int64(t)) }

func or(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}

// owe says that an acknowledgement is to leave. The most urgent reason counts.
func (c *Conn) owe(a ackState) { c.ack = max(c.ack, a) }

// Prompt reports that a segment is due that mustn't wait until the caller has no
// more segments to give.
func (c *Conn) Prompt() bool { return c.ack == ackNow || c.reset.Flags != 0 }

// fit computes the segment size from what both sides announced and the path.
func (c *Conn) fit() {
	room := c.cfg.MSS
	if c.cfg.Path != 0 {
		room = min(room, c.cfg.Path)
	}
	mss := min(room, c.snd.peer)
	if c.stamps {
		mss -= 12 // RFC 6691: options come off what is sent
	}
	if mss = max(mss, 1); mss == c.snd.mss {
		return
	}
	c.snd.mss = mss
	if c.out.control != nil {
		c.out.control.SetMSS(mss)
	}
}

// Unreachable takes an ICMP error that says that the peer can't be reached. It
// ends a handshake when it quotes our SYN; of a connection that was established it
// is no more than a hint, and changes nothing (RFC 5461 §4, RFC 5927 §4). It
// reports whether it did.
func (c *Conn) Unreachable(quoted Seq) bool {
	if c.state != SynSent && c.state != SynReceived || quoted != c.cfg.ISS {
		return false
	}
	c.becomeClosed(PeerUnreachable)
	return true
}

// PathMTU takes an ICMP error that says how much fits the path, counted as in
// Config.MSS. It counts only if it quotes what is in flight (RFC 5927 §7).
// It reports whether it did.
func (c *Conn) PathMTU(room int, quoted Seq) bool {
	switch {
	case !c.state.Synchronized() || !quoted.In(c.snd.una, c.InFlight()):
		return false
	case room < minPath || room >= c.snd.mss:
		return false
	}
	c.timers.path, c.hole = 0, blackHole{} // this is no guess
	c.shrink(room)
	return true
}

// shrink makes segments smaller, and sends what was too large again.
func (c *Conn) shrink(room int) {
	c.cfg.Path = room
	c.fit()
	c.out.board.split(c.snd.mss)
}
