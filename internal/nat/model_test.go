package nat_test

import (
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wsstack/wsstack/internal/nat"
)

// A model says what a Table may do, in another way: it has no tables, but the list of everything
// that has passed, and looks through it for each packet.
type model struct {
	config nat.Config
	now    time.Duration
	sent   []event                           // what has passed, the oldest first
	toward map[netip.AddrPort]netip.AddrPort // for which remote endpoint an outside one was chosen last
}

// An event is a packet of an inside endpoint that left, or one for it that came.
type event struct {
	at             time.Duration
	protocol       byte
	inside, remote netip.AddrPort
	outside        netip.AddrPort // the endpoint that the inside one had
	flags          byte           // of TCP
	out            bool
}

// ends are the times at which the sessions end that the events have made; those that have ended
// before a packet came are gone, and a packet begins another one.
func (m *model) ends() map[[2]netip.AddrPort]time.Duration { // by outside and remote endpoint
	type state struct {
		until  time.Duration
		saw    [2]bool // SYN, out and in
		closed [2]bool
		reset  bool
	}
	states := map[[2]netip.AddrPort]*state{}
	for _, e := range m.sent {
		key := [2]netip.AddrPort{e.outside, e.remote}
		s := states[key]
		if s == nil || s.until <= e.at {
			s = &state{}
			if !e.out && e.protocol != protocolTCP { // only what leaves begins a session
				continue
			}
			states[key] = s
		}
		if e.protocol != protocolTCP {
			if e.out {
				s.until = e.at + map[byte]time.Duration{protocolUDP: 5 * time.Minute, protocolICMP: time.Minute}[e.protocol]
			}
			continue
		}
		i := map[bool]int{true: 0, false: 1}[e.out]
		if e.flags&syn != 0 && (s.reset || s.closed == [2]bool{true, true}) {
			*s = state{}
		}
		s.saw[i] = s.saw[i] || e.flags&syn != 0
		s.closed[i] = s.closed[i] || e.flags&fin != 0
		s.reset = e.flags&rst != 0
		s.until = e.at + 4*time.Minute
		if s.saw == [2]bool{true, true} && s.closed != [2]bool{true, true} && !s.reset {
			s.until = e.at + 124*time.Minute
		}
	}
	alive := map[[2]netip.AddrPort]time.Duration{}
	for key, s := range states {
		if s.until > m.now {
			alive[key] = s.until
		}
	}
	return alive
}

// counts is what of a remote endpoint counts for a behaviour.
func counts(b nat.Behaviour, remote netip.AddrPort) netip.AddrPort {
	switch b {
	case nat.EndpointIndependent:
		return netip.AddrPort{}
	case nat.AddressDependent:
		return netip.AddrPortFrom(remote.Addr(), 0)
	}
	return remote
}

// remotesOf are the remote endpoints that an outside endpoint has sessions with.
func remotesOf(alive map[[2]netip.AddrPort]time.Duration, outside netip.AddrPort) (list []netip.AddrPort) {
	for key := range maps.Keys(alive) {
		if key[0] == outside {
			list = append(list, key[1])
		}
	}
	return list
}

// insideOf is who has an outside endpoint.
func (m *model) insideOf(outside netip.AddrPort) netip.AddrPort {
	for _, e := range slices.Backward(m.sent) {
		if e.outside == outside {
			return e.inside
		}
	}
	return netip.AddrPort{}
}

// outsideOf is the endpoint that an inside one has for what goes to a remote one.
func (m *model) outsideOf(alive map[[2]netip.AddrPort]time.Duration, inside, remote netip.AddrPort) (netip.AddrPort, bool) {
	for key := range alive {
		if m.insideOf(key[0]) == inside && counts(m.config.Mapping, m.toward[key[0]]) == counts(m.config.Mapping, remote) {
			return key[0], true
		}
	}
	for key := range alive { // the answers to a connection from outside
		if m.insideOf(key[0]) == inside && key[1] == remote {
			return key[0], true
		}
	}
	return netip.AddrPort{}, false
}

// packet makes a packet of a protocol; of an echo the identifier is the port of the inside end.
func packet(protocol byte, from, to netip.AddrPort, flags byte, out bool) []byte {
	switch {
	case protocol == protocolUDP:
		return udp(from, to, 1, 2, 3)
	case protocol == protocolTCP:
		return tcp(from, to, flags)
	case out:
		return echo(8, from.Addr(), to.Addr(), from.Port(), 1)
	}
	return echo(0, from.Addr(), to.Addr(), to.Port(), 1)
}

// TestAgainstModel has hosts inside and outside send to each other, and time pass.
func TestAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		behaviours := rapid.SampledFrom([]nat.Behaviour{nat.EndpointIndependent, nat.AddressDependent, nat.AddressAndPortDependent})
		config := nat.Config{Outside: outside, Mapping: behaviours.Draw(t, "mapping"), Filtering: behaviours.Draw(t, "filtering")}
		table, err := nat.New(config)
		require.NoError(t, err)
		protocol := rapid.SampledFrom([]byte{protocolUDP, protocolTCP, protocolICMP}).Draw(t, "protocol")
		insides := []netip.AddrPort{ap("10.0.0.2:5000"), ap("10.0.0.3:5000"), ap("10.0.0.3:5001")}
		remotes := []netip.AddrPort{x, otherPortX, y}
		if protocol == protocolICMP {
			remotes = []netip.AddrPort{ap("203.0.113.9:0"), ap("203.0.113.10:0")}
		}
		m := &model{config: config, toward: map[netip.AddrPort]netip.AddrPort{}}
		t.Repeat(map[string]func(*rapid.T){
			"time": func(t *rapid.T) {
				m.now += rapid.SampledFrom([]time.Duration{1, 30 * time.Second, time.Minute, 4 * time.Minute, 2 * time.Hour}).Draw(t, "time")
			},
			"out": func(t *rapid.T) {
				m.leave(t, table, event{
					at: m.now, protocol: protocol, out: true, inside: rapid.SampledFrom(insides).Draw(t, "from"),
					remote: rapid.SampledFrom(remotes).Draw(t, "to"), flags: flags.Draw(t, "flags"),
				})
			},
			"in": func(t *rapid.T) {
				ports := []uint16{5000, 5001}
				for _, e := range m.sent {
					ports = append(ports, e.outside.Port())
				}
				m.come(t, table, event{
					at: m.now, protocol: protocol, remote: rapid.SampledFrom(remotes).Draw(t, "from"),
					outside: at(rapid.SampledFrom(ports).Draw(t, "to")), flags: flags.Draw(t, "flags"),
				})
			},
			"": func(t *rapid.T) { m.compare(t, table) },
		})
	})
}

var flags = rapid.SampledFrom([]byte{syn, syn, syn, ack, syn | ack, syn | ack, fin | ack, rst})

// leave compares what becomes of a packet of an inside host.
func (m *model) leave(t *rapid.T, table *nat.Table, e event) {
	alive := m.ends()
	known, mapped := m.outsideOf(alive, e.inside, e.remote)
	_, session := alive[[2]netip.AddrPort{known, e.remote}]
	p := packet(e.protocol, e.inside, e.remote, e.flags, true)
	if e.protocol == protocolTCP && !session && e.flags != syn {
		require.Equal(t, nat.Drop, table.Outbound(m.now, p))
		return
	}
	require.Equal(t, nat.Pass, table.Outbound(m.now, p))
	require.True(t, right(p))
	from, to := ends(p)
	require.Equal(t, outside, from.Addr())
	require.Equal(t, e.remote.Addr(), to.Addr())
	if mapped {
		require.Equal(t, known, from)
	} else {
		require.Empty(t, remotesOf(alive, from), "a port that is taken")
		m.toward[from] = e.remote
	}
	e.outside = from
	m.sent = append(m.sent, e)
}

// come compares what becomes of a packet from outside.
func (m *model) come(t *rapid.T, table *nat.Table, e event) {
	alive := m.ends()
	with := remotesOf(alive, e.outside)
	e.inside = m.insideOf(e.outside)
	p := packet(e.protocol, e.remote, e.outside, e.flags, false)
	before := slices.Clone(p)
	verdict := table.Inbound(m.now, p)
	require.True(t, right(p))
	may := slices.ContainsFunc(with, func(r netip.AddrPort) bool {
		return counts(m.config.Filtering, r) == counts(m.config.Filtering, e.remote)
	})
	switch {
	case len(with) == 0:
		require.Equal(t, nat.Pass, verdict)
		require.Equal(t, before, p, "for the router")
	case !may, e.protocol == protocolTCP && !slices.Contains(with, e.remote) && e.flags != syn:
		require.Equal(t, nat.Drop, verdict)
	default:
		require.Equal(t, nat.Pass, verdict)
		_, to := ends(p)
		require.Equal(t, e.inside, to)
		m.sent = append(m.sent, e)
	}
}

// compare compares the mappings and the ends of their sessions.
func (m *model) compare(t *rapid.T, table *nat.Table) {
	alive := m.ends()
	last := map[netip.AddrPort]time.Duration{}
	for key, until := range alive {
		last[key[0]] = max(last[key[0]], until)
	}
	list := table.Mappings(m.now)
	require.Len(t, list, len(last))
	sessions := 0
	for _, x := range list {
		require.Equal(t, last[x.Outside], x.Expires)
		require.Equal(t, m.insideOf(x.Outside), x.Inside)
		sessions += x.Sessions
	}
	require.Equal(t, len(alive), sessions)
	require.Equal(t, sessions, table.Stats().Sessions)
}
