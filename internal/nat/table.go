package nat

import (
	"fmt"
	"net/netip"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/checksum"

	"github.com/wsstack/wsstack/internal/agenda"
)

// A Verdict says what becomes of a packet.
type Verdict uint8

// The verdicts.
const (
	Pass   Verdict = iota // The packet goes on, translated or as it was.
	Drop                  // The packet is dropped.
	Keep                  // The Table keeps a copy of the packet, a fragment, until the first fragment comes.
	Return                // The packet goes back to the inside, translated: it was for another inside host.
)

// A Table translates packets. It is made by New and not safe for concurrent use. Times are spans
// since an origin that the caller chooses; a time before the latest one counts as that one.
type Table struct {
	cfg      Config
	now      time.Duration
	inside   map[insideKey]*mapping
	ports    map[portKey]*mapping    // each port has one mapping at most (RFC 4787 REQ-3)
	answers  map[insideKey]*session  // connections that began outside and whose answers no mapping is for
	used     map[Protocol]int        // how many ports have mappings
	sessions agenda.Agenda[*session] // all sessions, in the order of their ends
	order    uint64                  // of the latest session
	outbound fragments               // what leaves
	inbound  fragments               // what comes from outside
	hairpin  fragments               // what inside hosts send to the outside address
	stats    Stats
}

// Stats count what a Table has done since it was made, in packets unless said otherwise.
type Stats struct {
	Outbound, Inbound, Returned uint64 // what was translated, by direction; of fragments the first ones

	Unsolicited uint64 // dropped: from outside, and nobody inside has asked for it
	NoSession   uint64 // dropped: a TCP segment or an ICMP error of a connection that there isn't
	NoPort      uint64 // dropped: no port was free for a new mapping
	Full        uint64 // dropped: there was no room for what begins outside
	Malformed   uint64 // dropped: a header that makes no sense
	Unsupported uint64 // dropped: a protocol that isn't translated
	Fragments   uint64 // dropped: fragments whose first one didn't come in time, or was dropped itself
	Expired     uint64 // dropped: no hops were left on the way back to the inside

	TimedOut uint64 // how many sessions ended because nothing came
	Evicted  uint64 // how many sessions ended because there was no room for them

	Mappings, Sessions int // how many there are now
}

// New makes a Table. It fails where a Config is impossible, and says which field.
func New(c Config) (*Table, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	t := &Table{cfg: c}
	t.clear()
	for _, f := range c.Forwards {
		if err := t.Forward(f); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// clear makes all tables empty.
func (t *Table) clear() {
	t.inside, t.ports, t.used = map[insideKey]*mapping{}, map[portKey]*mapping{}, map[Protocol]int{}
	t.answers = map[insideKey]*session{}
	t.sessions = agenda.Agenda[*session]{}
	t.outbound, t.inbound, t.hairpin = fragments{}, fragments{}, fragments{}
}

// Flush forgets everything but the Forwards, as a reboot does.
func (t *Table) Flush() {
	before := t.ports
	t.clear()
	for _, m := range before {
		if m.forward {
			m.sessions, m.peers = map[netip.AddrPort]*session{}, map[netip.Addr]int{}
			t.add(m)
		}
	}
}

// Forward adds a static mapping. It fails where the port has a mapping, or the inside endpoint has
// a Forward of the same protocol.
func (t *Table) Forward(f Forward) error {
	switch {
	case f.Protocol != TCP && f.Protocol != UDP:
		return fmt.Errorf("nat: Forwards: %v has no ports to forward", f.Protocol)
	case f.Port == 0 || f.To.Port() == 0:
		return fmt.Errorf("nat: Forwards: port 0 is nobody's")
	case !f.To.Addr().Is4() || !f.To.Addr().IsGlobalUnicast():
		return fmt.Errorf("nat: Forwards: %v is no IPv4 address of a host", f.To.Addr())
	case f.To.Addr() != t.cfg.Outside && !t.isInside(f.To.Addr()):
		return fmt.Errorf("nat: Forwards: %v is not an inside address", f.To.Addr())
	case t.ports[portKey{f.Protocol, f.Port}] != nil:
		return fmt.Errorf("nat: Forwards: %v port %d has a mapping already", f.Protocol, f.Port)
	case t.inside[insideKey{f.Protocol, f.To, netip.AddrPort{}}] != nil:
		return fmt.Errorf("nat: Forwards: %v %v has a mapping already", f.Protocol, f.To)
	}
	m := t.newMapping(f.Protocol, f.To, netip.AddrPort{}, f.Port)
	m.forward = true
	t.add(m)
	return nil
}

// Stats returns the counters as of the latest packet.
func (t *Table) Stats() Stats {
	s := t.stats
	s.Mappings, s.Sessions = len(t.ports), t.sessions.Len()
	return s
}

// begin sets the time, and ends what has lasted long enough.
func (t *Table) begin(now time.Duration) {
	t.now = max(t.now, now)
	for t.sessions.Len() > 0 && t.sessions.First().At <= t.now {
		t.stats.TimedOut++
		t.end(t.sessions.First())
	}
}

// drop counts a packet that is dropped.
func drop(counter *uint64) Verdict {
	*counter++
	return Drop
}

// isInside reports an address that is translated.
func (t *Table) isInside(a netip.Addr) bool {
	if a == t.cfg.Outside || !a.IsGlobalUnicast() {
		return false
	}
	for _, p := range t.cfg.Inside {
		if p.Contains(a) {
			return true
		}
	}
	return len(t.cfg.Inside) == 0
}

// isSix reports a packet of IPv6, which is none of the Table's business.
func isSix(b []byte) bool { return len(b) > 0 && b[0]>>4 == 6 }

// Outbound translates a packet that leaves for the outside. The packets of the router itself, whose
// source is the outside address, are as those of an inside host, so that nobody else gets a port
// that the router uses.
func (t *Table) Outbound(now time.Duration, b []byte) Verdict {
	t.begin(now)
	if isSix(b) {
		return Pass
	}
	v, ok := parse(b)
	if !ok {
		return drop(&t.stats.Malformed)
	}
	if from := v.address(source); from != t.cfg.Outside && !t.isInside(from) {
		return Pass
	}
	return t.outbound.pass(t, &v, b, t.leave)
}

// leave is Outbound for a packet or a first fragment.
func (t *Table) leave(v *view) Verdict {
	own := v.address(source) == t.cfg.Outside
	switch {
	case !v.wellFormed():
		return drop(&t.stats.Malformed)
	case v.protocol == ICMP && v.isError():
		return t.leaveError(v, own)
	case own && !(v.hasPorts() && t.begins(v)):
		return Pass // nobody will answer
	case !v.hasPorts() || v.protocol == ICMP && v.transport[0] == echoReply:
		return drop(&t.stats.Unsupported)
	}
	m, verdict := t.outwards(v, own)
	if m != nil && verdict == Pass {
		v.set(source, netip.AddrPortFrom(t.cfg.Outside, m.port), true)
		t.stats.Outbound++
	}
	return verdict
}

// begins reports whether a packet of the router itself may have a mapping: an echo reply and a reset
// need none.
func (t *Table) begins(v *view) bool {
	switch v.protocol {
	case ICMP:
		return v.transport[0] == echoRequest
	case TCP:
		return v.transport[tcpFlags]&flagRST == 0 || t.find(TCP, v.endpoint(source), v.remote(destination)) != nil
	}
	return true
}

// outwards finds or makes the mapping and the session of a packet that leaves.
func (t *Table) outwards(v *view, own bool) (*mapping, Verdict) {
	from, to := v.endpoint(source), v.remote(destination)
	m := t.find(v.protocol, from, to)
	var s *session
	if m != nil {
		s = m.sessions[m.key(to)]
	}
	if s == nil && v.protocol == TCP && !own && v.transport[tcpFlags]&(flagSYN|flagACK|flagRST|flagFIN) != flagSYN {
		return nil, drop(&t.stats.NoSession)
	}
	if m == nil {
		if m = t.assign(v.protocol, from, to); m == nil {
			return nil, drop(&t.stats.NoPort)
		}
	}
	if s == nil {
		s = t.open(m, to)
	}
	s.see(v, true)
	t.prolong(s)
	return m, Pass
}

// Inbound translates a packet that comes from outside. What is for the outside address and for no
// mapping passes as it is: it is for the router itself, which may have a socket for it.
func (t *Table) Inbound(now time.Duration, b []byte) Verdict {
	t.begin(now)
	if isSix(b) {
		return Pass
	}
	v, ok := parse(b)
	switch {
	case !ok, v.address(source) == t.cfg.Outside:
		return Pass // for the router to drop and count
	case v.address(destination) == t.cfg.Outside:
		return t.inbound.pass(t, &v, b, t.come)
	case t.isInside(v.address(destination)):
		return drop(&t.stats.Unsolicited)
	}
	return Pass
}

// come is Inbound for a packet or a first fragment to the outside address.
func (t *Table) come(v *view) Verdict {
	switch {
	case !v.wellFormed():
		return drop(&t.stats.Malformed)
	case v.protocol == ICMP && v.isError():
		return t.comeError(v)
	case !v.hasPorts() || v.protocol == ICMP && v.transport[0] == echoRequest:
		return Pass
	}
	m := t.ports[portKey{v.protocol, v.endpoint(destination).Port()}]
	if m == nil {
		return Pass
	}
	if verdict := t.inwards(v, m); verdict != Pass {
		return verdict
	}
	v.set(destination, m.inside, true)
	t.stats.Inbound++
	return Pass
}

// inwards filters a packet to a mapping, and finds or makes its session.
func (t *Table) inwards(v *view, m *mapping) Verdict {
	if m.own(t) {
		return Pass
	}
	from := v.remote(source)
	if !m.allows(t.cfg.Filtering, from) {
		return drop(&t.stats.Unsolicited)
	}
	s := m.sessions[from]
	if s == nil && v.protocol == TCP && v.transport[tcpFlags]&(flagSYN|flagACK|flagRST|flagFIN) != flagSYN {
		return drop(&t.stats.NoSession)
	}
	if s == nil && (v.protocol == TCP || v.protocol == UDP && t.cfg.InboundRefresh) {
		if t.sessions.Len() >= t.cfg.Sessions {
			return drop(&t.stats.Full)
		}
		s = t.open(m, from)
		if t.find(v.protocol, m.inside, from) == nil {
			t.answers[s.answer()] = s
		}
		s.see(v, false)
		t.prolong(s)
		return Pass
	}
	if s != nil && (v.protocol == TCP || v.protocol == UDP && t.cfg.InboundRefresh) {
		s.see(v, false)
		t.prolong(s)
	}
	return Pass
}

// Inside translates a packet that comes from inside, before the router sees it. What is for a
// mapping of the outside address gets the verdict Return, and a source that is outside, too (RFC
// 4787 REQ-9); everything else passes as it is.
func (t *Table) Inside(now time.Duration, b []byte) Verdict {
	t.begin(now)
	if isSix(b) {
		return Pass
	}
	v, ok := parse(b)
	if !ok || v.address(destination) != t.cfg.Outside || !t.isInside(v.address(source)) {
		return Pass
	}
	return t.hairpin.pass(t, &v, b, t.goBack)
}

// goBack is Inside for a packet or a first fragment to the outside address.
func (t *Table) goBack(v *view) Verdict {
	if v.protocol == ICMP && v.wellFormed() && v.isError() {
		return t.returnError(v)
	}
	if v.protocol == ICMP || !v.hasPorts() {
		return Pass // for the router, which answers pings
	}
	back := t.ports[portKey{v.protocol, v.endpoint(destination).Port()}]
	switch {
	case back == nil || back.own(t):
		return Pass
	case !v.wellFormed():
		return drop(&t.stats.Malformed)
	case t.cfg.NoHairpinning:
		return drop(&t.stats.Unsolicited)
	case !v.hop():
		return drop(&t.stats.Expired)
	}
	m, verdict := t.outwards(v, false)
	if verdict != Pass {
		return verdict
	}
	v.set(source, netip.AddrPortFrom(t.cfg.Outside, m.port), true)
	if t.ports[portKey{v.protocol, back.port}] != back { // ended, to make room for the new session
		return drop(&t.stats.Unsolicited)
	}
	if verdict := t.inwards(v, back); verdict != Pass {
		return verdict
	}
	v.set(destination, back.inside, true)
	t.stats.Returned++
	return Return
}

// intact reports an ICMP error whose checksum is right (RFC 5508 REQ-3 (a)), and which isn't cut
// up.
func intact(v *view) bool { return v.whole() && checksum.Checksum(v.transport, 0) == 0xffff }
