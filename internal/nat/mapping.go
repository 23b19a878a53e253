package nat

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/wsstack/wsstack/internal/agenda"
)

// A portKey is a port of the outside address.
type portKey struct {
	protocol Protocol
	port     uint16
}

// An insideKey finds a mapping for what leaves.
type insideKey struct {
	protocol Protocol
	inside   netip.AddrPort
	toward   netip.AddrPort // see mapping
}

// A mapping gives an inside endpoint a port of the outside address.
type mapping struct {
	protocol Protocol
	inside   netip.AddrPort
	toward   netip.AddrPort // the endpoints outside that it is for: all, those of an address (port 0), or one
	port     uint16         // of the outside address
	forward  bool           // a static one
	sessions map[netip.AddrPort]*session
	peers    map[netip.Addr]int // how many sessions there are with an address
}

// A session is what a mapping has with an endpoint outside. Those of the router itself have none:
// a mapping of the router has one session with all, so that outsiders can't make it have more.
type session struct {
	agenda.Slot
	m      *mapping
	remote netip.AddrPort
	tcp    progress
}

// own reports a mapping of the router itself: nobody is filtered there.
func (m *mapping) own(t *Table) bool { return m.inside.Addr() == t.cfg.Outside }

// key is where the session with an endpoint is.
func (m *mapping) key(remote netip.AddrPort) netip.AddrPort {
	if m.toward == theRouter {
		return theRouter
	}
	return remote
}

// theRouter stands for the endpoint outside in sessions of the router's own mappings: no packet has
// it.
var theRouter = netip.AddrPortFrom(netip.IPv6Unspecified(), 0)

// allows says whether an endpoint outside may send to a mapping (RFC 4787 §5).
func (m *mapping) allows(b Behaviour, from netip.AddrPort) bool {
	switch {
	case m.forward || b == EndpointIndependent:
		return true
	case b == AddressDependent:
		return m.peers[from.Addr()] > 0
	}
	return m.sessions[from] != nil
}

// toward is what of an endpoint outside counts for mappings (RFC 4787 §4.1).
func (t *Table) toward(inside netip.Addr, remote netip.AddrPort) netip.AddrPort {
	switch {
	case inside == t.cfg.Outside:
		return theRouter
	case t.cfg.Mapping == EndpointIndependent:
		return netip.AddrPort{}
	case t.cfg.Mapping == AddressDependent:
		return netip.AddrPortFrom(remote.Addr(), 0)
	}
	return remote
}

// find finds the mapping of an inside endpoint for what goes to an endpoint outside. A Forward comes
// first, and what answers a connection from outside leaves by the mapping that the connection came
// by, unless there is another one for that endpoint.
func (t *Table) find(p Protocol, inside, remote netip.AddrPort) *mapping {
	if m := t.inside[insideKey{p, inside, netip.AddrPort{}}]; m != nil {
		return m
	}
	if m := t.inside[insideKey{p, inside, t.toward(inside.Addr(), remote)}]; m != nil {
		return m
	}
	if s := t.answers[insideKey{p, inside, remote}]; s != nil {
		return s.m
	}
	return nil
}

// answer is where the session is in Table.answers, if it is there.
func (s *session) answer() insideKey { return insideKey{s.m.protocol, s.m.inside, s.remote} }

// newMapping makes a mapping, which isn't in the tables yet.
func (t *Table) newMapping(p Protocol, inside, toward netip.AddrPort, port uint16) *mapping {
	return &mapping{
		protocol: p, inside: inside, toward: toward, port: port,
		sessions: map[netip.AddrPort]*session{}, peers: map[netip.Addr]int{},
	}
}

// assign makes a mapping with a free port; nil: there is none.
func (t *Table) assign(p Protocol, inside, remote netip.AddrPort) *mapping {
	port, ok := t.choose(p, inside)
	if !ok {
		return nil
	}
	m := t.newMapping(p, inside, t.toward(inside.Addr(), remote), port)
	t.add(m)
	return m
}

// add puts a mapping into the tables.
func (t *Table) add(m *mapping) {
	t.inside[insideKey{m.protocol, m.inside, m.toward}] = m
	t.ports[portKey{m.protocol, m.port}] = m
	t.used[m.protocol]++
}

// remove takes a mapping out of the tables.
func (t *Table) remove(m *mapping) {
	delete(t.inside, insideKey{m.protocol, m.inside, m.toward})
	delete(t.ports, portKey{m.protocol, m.port})
	t.used[m.protocol]--
}

// open begins a session. Where there is no room, the session ends that would end first.
func (t *Table) open(m *mapping, remote netip.AddrPort) *session {
	s := &session{m: m, remote: m.key(remote)}
	m.sessions[s.remote] = s // before another one ends, which may be the last one of this mapping
	m.peers[s.remote.Addr()]++
	if t.sessions.Len() >= t.cfg.Sessions {
		t.stats.Evicted++
		t.end(t.sessions.First())
	}
	t.order++
	s.At, s.Order = t.now, t.order
	t.sessions.Add(s)
	return s
}

// prolong has a session end so long from now as its protocol and state want.
func (t *Table) prolong(s *session) {
	s.At = t.now + t.lifetime(s)
	t.sessions.Fix(s)
}

// lifetime is how long a session lasts without a packet.
func (t *Table) lifetime(s *session) time.Duration {
	switch {
	case s.m.protocol == ICMP:
		return t.cfg.Timeouts.ICMP
	case s.m.protocol == UDP:
		return t.cfg.Timeouts.UDP
	case s.tcp.established():
		return t.cfg.Timeouts.Established
	}
	return t.cfg.Timeouts.Transitory
}

// end ends a session, and its mapping with the last one.
func (t *Table) end(s *session) {
	t.sessions.Remove(s)
	m := s.m
	delete(m.sessions, s.remote)
	if t.answers[s.answer()] == s {
		delete(t.answers, s.answer())
	}
	if m.peers[s.remote.Addr()]--; m.peers[s.remote.Addr()] == 0 {
		delete(m.peers, s.remote.Addr())
	}
	if len(m.sessions) == 0 && !m.forward {
		t.remove(m)
	}
}

// A Mapping is a mapping as it is seen from outside of the Table.
type Mapping struct {
	Protocol Protocol
	Inside   netip.AddrPort // the inside endpoint, or one of the router itself; the port of ICMP is an identifier
	Outside  netip.AddrPort // the endpoint that it has outside
	Toward   netip.AddrPort // for which endpoint outside; port 0: of that address; the zero AddrPort: for all
	Forward  bool           // whether it is a static one
	Sessions int            // how many endpoints outside it has a session with
	Expires  time.Duration  // when the last session ends, unless a packet comes; 0: it has none
}

// Mappings returns the mappings that there are at a time, by protocol and port.
func (t *Table) Mappings(now time.Duration) []Mapping {
	t.begin(now)
	list := make([]Mapping, 0, len(t.ports))
	for _, m := range t.ports {
		x := Mapping{
			Protocol: m.protocol, Inside: m.inside, Outside: netip.AddrPortFrom(t.cfg.Outside, m.port),
			Forward: m.forward, Sessions: len(m.sessions),
		}
		if m.toward != theRouter {
			x.Toward = m.toward
		}
		for _, s := range m.sessions {
			x.Expires = max(x.Expires, s.At)
		}
		list = append(list, x)
	}
	slices.SortFunc(list, func(a, b Mapping) int {
		return cmp.Or(cmp.Compare(a.Protocol, b.Protocol), a.Outside.Compare(b.Outside))
	})
	return list
}
