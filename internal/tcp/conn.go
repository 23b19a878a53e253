package tcp

import (
	"time"

	"github.com/wsstack/wsstack/internal/tcp/congestion"
	"github.com/wsstack/wsstack/keepalive"
	"github.com/wsstack/wsstack/nagle"
)

// A Config is what a connection is made with. The fields that are called live may be changed
// later, by the Set methods.
type Config struct {
	ISS     Seq // our initial sequence number (RFC 6528)
	MSS     int // the MSS that our SYN announces: the MTU of the interface without IP and TCP headers
	MinMSS  int // the least MSS that a peer's SYN may say; 0: the constant MinMSS
	PathMSS int // live: the payload that fits the path to the peer, counted as MSS is; 0: MSS
	Quota   int // live: SO_RCVBUF; Unset: the window begins at 65,535 and grows

	Scale        uint8 // the window scale of our SYN while Quota is Unset; 0: as large as a window may grow
	WholeWindows bool  // the window of our SYN, where it isn't scaled later, is one of whole segments while Quota is Unset
	WithoutScale bool  // our SYN doesn't offer window scaling
	WithoutSACK  bool  // our SYN doesn't offer SACK
	Timestamps   bool  // our SYN offers timestamps (RFC 7323), which the documents have off
	ECN          bool  // our SYN offers ECN (RFC 3168)

	Algorithm congestion.Algorithm // live: the congestion control
	NoDelay   bool                 // live: TCP_NODELAY

	// DelayAck is how long the acknowledgement of a segment may wait for others; 0: none waits.
	DelayAck time.Duration

	// AckEvery, which is live, says which segment doesn't let the acknowledgement wait any longer,
	// counted from the last acknowledgement; 0: the second one.
	AckEvery int

	// Limit is how often a segment is sent without an answer; 0: 16.
	Limit int

	// Lifetime, which is live, is TCP_MAXRT: how long something may be without an answer once
	// the handshake is complete. 0: Limit counts; negative: there is no limit.
	Lifetime time.Duration

	// SynLimit, which is live, is how often our SYN is sent; 0: 7; negative: there is no limit.
	SynLimit int

	// SynLifetime, which is live, is how long our SYN may stay without an answer, from the
	// first one on; 0: there is no limit.
	SynLifetime time.Duration

	// RefusedTries is how often our SYN is sent where a RST answers it, each time RefusedPause
	// after the RST, but not more often than SynLimit and SynLifetime allow; 0: once.
	RefusedTries int
	RefusedPause time.Duration

	// FailOnICMP says that an ICMP error which quotes our SYN ends the attempt to connect.
	FailOnICMP bool

	InitialRTO time.Duration // the time-out before a round trip was measured; 0: 1 s (RFC 6298 §2.1)
	FinWait    time.Duration // how long FIN-WAIT-2 lasts once the socket is closed; 0: 60 s
	Segmenting int           // the largest payload that the device cuts up; 0: it cuts up none
	Overhead   int           // live: the IP options or extension headers of each packet, in bytes; they come off the payload

	// Expedited, which is live, says that the urgent pointer is that of RFC 1122: it points to
	// the urgent byte, not behind it.
	Expedited bool

	// StampOffset is the offset of our timestamps from the clock (RFC 7323 §5.4).
	StampOffset uint32

	// Memory counts what the connection holds; nil: nobody does.
	Memory *Memory
}

// Unset is the Config.Quota of a connection whose SO_RCVBUF isn't set.
const Unset = -1

// DefaultMSS is the MSS of a peer that announces none (RFC 9293 §3.7.1), in bytes.
const DefaultMSS = 536

// MinMSS is the least MSS that a peer's SYN may say, in bytes, unless Config.MinMSS is
// another (48, as Linux has it): with less, a bulk transfer would be all headers.
const MinMSS = 48

func (cfg *Config) minMSS() int {
	if cfg.MinMSS == 0 {
		return MinMSS
	}
	return cfg.MinMSS
}

// The defaults of Config.Limit, SynLimit and FinWait.
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
	events Events // since TakeEvents was last called

	snd       sender           // what is sent
	rcv       receiver         // what is received
	out       outRecovery      // what is in flight, and what became of it
	rtt       rtt              // the round trip and the time-out
	timers    timers           // the deadlines
	keepAlive keepalive.Prober // the deadline of keep-alive
	gate      nagle.Gate       // Nagle's algorithm

	ack        ackState      // whether an acknowledgement is owed
	challenges challenges    // answers to segments that aren't acceptable
	reset      Segment       // a RST that is to leave; valid with flags
	scaled     bool          // both SYNs have a window scale
	sack       bool          // both SYNs permit SACK
	stamps     bool          // both SYNs have timestamps
	ecn        bool          // both SYNs agree on ECN
	orphan     bool          // nobody reads any more: see Orphan
	deaf       bool          // new data is refused: see Deafen
	garbage    bool          // keep-alive probes carry an octet: see SetGarbage
	blackHole  blackHole     // what is suspected of the path
	notices    []Notice      // see TakeNotices
	holdAck    bool          // see HoldAck
	told       int32         // how many bytes the Memory has been told of
	lowWater   int           // see SetLowWater
	since      time.Duration // when the handshake was complete; 0: it isn't yet
	heard      time.Duration // when the last acceptable segment came; 0: none has come
	left       int           // how many bytes weren't acknowledged when the connection ended

	// Counters count what the connection has sent and received.
	Counters Counters
}

// An ackState says whether an acknowledgement is owed.
type ackState uint8

const (
	ackNone  ackState = iota // none is owed
	ackLater                 // it is delayed: a timer says when it leaves
	ackSoon                  // it leaves with the next segment, or when the caller has no more segments
	ackNow                   // it mustn't wait: each of these segments draws one
)

// A sender is the send sequence space (RFC 9293 §3.3.1) and what goes into it.
type sender struct {
	queue    sendQueue // from SND.UNA to the end of what was accepted
	una      Seq       // SND.UNA
	next     Seq       // SND.NXT: behind the highest number that was sent
	window   int       // SND.WND, scaled
	wl1, wl2 Seq       // SND.WL1 and SND.WL2: the numbers of the segment that the window is from
	largest  int       // the largest window that the peer has ever offered
	mss      int       // the payload of a full segment without SACK blocks
	peer     int       // the MSS that the peer announced
	shift    uint8     // the scale of the peer's window

	up     Seq  // SND.UP: behind the urgent byte; valid with urgent
	urgent bool // urgent data was accepted, and isn't acknowledged
	tell   bool // a segment is to leave that announces the urgent data
	fin    bool // a FIN is queued behind the data
	cwr    bool // the next new data carries CWR

	silly          bool          // the override of silly-window avoidance has fired
	windowProbe    bool          // a probe of the peer's closed window is due
	syn            bool          // our SYN is to leave
	keepAliveProbe bool          // a keep-alive probe is due
	sentAt         time.Duration // when data left last, or the SYN; 0: neither has
	stuck          time.Duration // since when there was no progress; 0: nothing waits

	// tries is how often the SYN, the oldest byte or a probe was sent without an answer.
	tries int

	tuner tuner // the limit of the queue while SO_SNDBUF isn't set; see SendQuota

	refusals int32 // how many of our SYNs a RST has answered
	refused  bool  // a RST has answered our last SYN, which is to leave again
	slow     bool  // the limit of the queue has fallen, and not grown since
}

// release gives back the queue; nothing is due any more.
func (s *sender) release() {
	s.queue.release()
	s.fin, s.urgent, s.tell, s.windowProbe, s.syn, s.keepAliveProbe = false, false, false, false, false, false
	s.stuck = 0
}

// finSent reports whether our FIN has left.
func (s *sender) finSent() bool { return s.fin && s.next.After(s.queue.end) }

// unsent is how many bytes wait to be sent for the first time; the FIN doesn't count.
func (s *sender) unsent() int { return max(0, s.queue.end.From(s.next)) }

// usable is how many bytes the peer's window leaves. It is negative where the window has
// shrunk below what is in flight.
func (s *sender) usable() int { return s.una.Add(s.window).From(s.next) }

// New returns a connection that is Closed.
func New(cfg Config) *Conn {
	c := &Conn{cfg: cfg}
	c.gate.NoDelay = cfg.NoDelay
	c.rtt.base = cfg.InitialRTO
	c.snd.una, c.snd.next, c.out.rack.fack = cfg.ISS, cfg.ISS, cfg.ISS
	c.snd.queue.start, c.snd.queue.end = cfg.ISS+1, cfg.ISS+1
	c.snd.peer = DefaultMSS
	c.fit()
	r := &c.rcv
	r.least = max(cfg.MSS, 1)
	r.memory = cfg.Memory
	r.read = r.irs + 1
	if r.quota = int32(cfg.Quota); r.quota == Unset {
		r.quota, r.grows = autoStart, true
	}
	switch {
	case cfg.WithoutScale:
	case r.grows && cfg.Scale != 0:
		r.shift = min(cfg.Scale, MaxScale)
	case r.grows:
		r.shift = scaleFor(autoLimit)
	default:
		r.shift = scaleFor(cfg.Quota)
	}
	if cfg.WholeWindows && r.grows {
		r.whole = cfg.MSS
	}
	return c
}

// Open begins the handshake: the next Output is our SYN.
func (c *Conn) Open(now time.Duration) {
	c.becomeSynSent()
	c.snd.syn = true
	c.awaitAnswer(now) // Config.SynLifetime begins
}

// State is the state of the connection.
func (c *Conn) State() State { return c.state }

// ISS is our initial sequence number.
func (c *Conn) ISS() Seq { return c.cfg.ISS }

// Cause is why the connection is Closed.
func (c *Conn) Cause() Cause { return c.cause }

// TakeEvents returns the events since the last call of TakeEvents.
func (c *Conn) TakeEvents() Events {
	e := c.events
	c.events = 0
	return e
}

// Readable is how many bytes Read would return.
func (c *Conn) Readable() int { return c.rcv.queue.size }

// PeerClosed reports whether the peer's FIN has come, and everything before it.
func (c *Conn) PeerClosed() bool { return c.rcv.ended }

// Queued is how many bytes were accepted and aren't acknowledged.
func (c *Conn) Queued() int { return c.snd.queue.len() }

// InFlight is SND.NXT − SND.UNA: how many sequence numbers were sent and aren't acknowledged.
func (c *Conn) InFlight() int { return c.snd.next.From(c.snd.una) }

// MSS is the payload of a full segment without SACK blocks, in bytes.
func (c *Conn) MSS() int { return c.snd.mss }

// Send accepts all of p, after Open or the handshake. ok is false where nothing can be sent
// any more. The caller bounds how much is accepted.
func (c *Conn) Send(_ time.Duration, p []byte) (ok bool) {
	if ok = c.sends(); ok {
		c.snd.queue.add(p)
	}
	return ok
}

// Fill is Send of the bytes that f writes into the room that it gets, and of which it returns the
// number: at most limit, and no more than leave in one packet, as a small one behind it would cost as
// much. f isn't called where nothing can be sent any more.
func (c *Conn) Fill(limit int, f func(room []byte) int) (n int, ok bool) {
	if ok = c.sends(); ok {
		if whole := c.cfg.Segmenting - c.cfg.Segmenting%c.snd.mss; whole > 0 {
			limit = min(limit, whole)
		}
		n = c.snd.queue.fill(limit, f)
	}
	return n, ok
}

// sends reports whether bytes may be accepted.
func (c *Conn) sends() bool {
	switch c.state {
	case SynSent, SynReceived, Established, CloseWait:
		return !c.snd.fin // Close was called in SYN-RECEIVED
	}
	return false
}

// Read copies data that has come in order, from the offset skip on, and returns how many
// bytes. Unless peek is true, as many bytes are taken off the front.
func (c *Conn) Read(now time.Duration, p []byte, skip int, peek bool) int {
	n := c.rcv.queue.read(p, skip)
	if !peek && n > 0 {
		c.Discard(now, n)
	}
	return n
}

// Lend calls f with the data that has come in order, at most limit bytes, in pieces that are f's
// during the call only: as many as list has room for. As many bytes as f returns are taken off the
// front, as by Read.
func (c *Conn) Lend(now time.Duration, limit int, list [][]byte, f func(pieces [][]byte) int) int {
	n := f(c.rcv.queue.pieces(list[:0], limit))
	if n > 0 {
		c.Discard(now, n)
	}
	return n
}

// Discard takes n bytes off the front of the data that has come in order.
func (c *Conn) Discard(now time.Duration, n int) {
	if c.rcv.consumed(now, n, c.rtt.smoothed) && c.state.Synchronized() && c.state != TimeWait {
		c.owe(ackNow)
	}
}

// Restore puts bytes that Read or Discard has taken off back in front of those that wait to
// be read. The peer's window doesn't shrink for that (RFC 9293 §3.8.6). After an end that
// wasn't graceful nothing is readable, and nothing is put back.
func (c *Conn) Restore(p []byte) {
	if c.cause == None {
		c.rcv.restore(p)
	}
}

// keepAliveTime is the form of a time that package keepalive takes.
func keepAliveTime(t time.Duration) time.Time { return time.Unix(0, int64(t)) }

// owe notes that an acknowledgement is to leave. The most urgent reason counts.
func (c *Conn) owe(a ackState) { c.ack = max(c.ack, a) }

// Prompt reports whether a segment is due that mustn't wait until the caller has no more
// segments to give to the connection.
func (c *Conn) Prompt() bool { return c.ack == ackNow || c.reset.Flags != 0 }
