package nat_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/internal/nat"
)

// A session of UDP lasts from the last packet that left, or also from the last that came.
func TestUDPTimeout(t *testing.T) {
	for _, inbound := range []bool{false, true} {
		n := newBox(t, nat.Config{InboundRefresh: inbound})
		n.out(udp(a, x))
		n.now = 5*time.Minute - 1
		n.out(udp(a, x))
		n.now = 10*time.Minute - 2
		n.in(udp(x, at(5000)))
		n.now = 10*time.Minute - 1
		require.Len(t, n.Mappings(n.now), map[bool]int{false: 0, true: 1}[inbound])
		require.EqualValues(t, map[bool]int{false: 1, true: 0}[inbound], n.Stats().TimedOut)
		if !inbound {
			n.untouched(n.Inbound, udp(x, at(5000))) // it is for the router now
		}
	}
}

// With the filter open to all, refreshing by strangers takes a session for each.
func TestInboundRefreshByStrangers(t *testing.T) {
	n := newBox(t, nat.Config{InboundRefresh: true, Sessions: 2})
	n.out(udp(a, x))
	n.now = 4 * time.Minute
	n.in(udp(y, at(5000)))
	n.dropped(n.Inbound, udp(otherPortX, at(5000)))
	require.EqualValues(t, 1, n.Stats().Full)
	n.now = 8 * time.Minute
	require.Equal(t, 1, n.Mappings(n.now)[0].Sessions)
	require.Equal(t, 9*time.Minute, n.Mappings(n.now)[0].Expires)
}

// A connection has short time-outs while it opens and closes, and a long one between (RFC 5382
// REQ-5).
func TestTCPTimeouts(t *testing.T) {
	const transitory, established = 4 * time.Minute, 2*time.Hour + 4*time.Minute
	n := newBox(t, nat.Config{})
	lasts := func(want time.Duration) {
		t.Helper()
		require.Equal(t, n.now+want, n.Mappings(n.now)[0].Expires)
	}
	n.out(tcp(a, x, syn))
	lasts(transitory)
	n.now++
	n.in(tcp(x, at(5000), syn|ack))
	lasts(established)
	n.now += established - 1
	n.in(tcp(x, at(5000), ack)) // either direction keeps it
	lasts(established)
	n.out(tcp(a, x, fin|ack))
	lasts(established) // the other direction is open
	n.in(tcp(x, at(5000), fin|ack))
	lasts(transitory)
	n.now += transitory - 1
	n.out(tcp(a, x, ack))
	lasts(transitory)
	n.out(tcp(a, x, syn)) // the ports are used again
	lasts(transitory)
	n.in(tcp(x, at(5000), syn|ack))
	lasts(established)
	n.in(tcp(x, at(5000), rst))
	lasts(transitory)
	n.out(tcp(a, x, ack)) // it was a forged one
	lasts(established)
	n.now += established
	require.Empty(t, n.Mappings(n.now))
	n.dropped(n.Outbound, tcp(a, x, ack))
	require.EqualValues(t, 1, n.Stats().NoSession)
}

// Both ends may begin at once: what comes before a mapping lets it in is dropped in silence (RFC
// 5382 REQ-2).
func TestTCPSimultaneousOpen(t *testing.T) {
	n := newBox(t, nat.Config{Filtering: nat.AddressAndPortDependent})
	n.open(a, x)
	n.dropped(n.Inbound, tcp(y, at(5000), syn))
	n.out(tcp(a, y, syn))
	n.in(tcp(y, at(5000), syn))
	require.Len(t, n.Mappings(0), 1)
	require.Equal(t, 2*time.Hour+4*time.Minute, n.Mappings(0)[0].Expires)
}

// A connection from outside is answered by the mapping that it came by, whatever that is for.
func TestTCPAnswersStrangers(t *testing.T) {
	n := newBox(t, nat.Config{Mapping: nat.AddressAndPortDependent})
	n.open(a, x)
	n.in(tcp(y, at(5000), syn))
	from, _ := n.out(tcp(a, y, syn|ack))
	require.Equal(t, at(5000), from)
	n.now = 3 * time.Hour
	n.open(a, y)
	require.Len(t, n.Mappings(n.now), 1)
}

// Time doesn't go back.
func TestTime(t *testing.T) {
	n := newBox(t, nat.Config{})
	n.now = time.Hour
	n.out(udp(a, x))
	n.now = 0
	n.out(udp(a, x))
	require.Equal(t, time.Hour+5*time.Minute, n.Mappings(0)[0].Expires)
}

// Only a SYN begins a connection, from either side.
func TestTCPBegins(t *testing.T) {
	n := newBox(t, nat.Config{Forwards: []nat.Forward{{Protocol: nat.TCP, Port: 80, To: ap("10.0.0.2:8080")}}})
	for _, flags := range []byte{ack, syn | ack, fin | ack, rst, syn | rst, syn | fin, 0} {
		n.dropped(n.Outbound, tcp(a, x, flags))
		n.dropped(n.Inbound, tcp(x, at(80), flags))
	}
	require.Len(t, n.Mappings(0), 1)
}
