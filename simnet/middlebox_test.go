package simnet_test

import (
	"fmt"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/simnet"
)

// protocol is the protocol of a packet, without extension headers.
func protocol(b []byte) byte {
	if b[0]>>4 == 4 {
		return b[9]
	}
	return b[6]
}

// refusal is a reset for a SYN over IPv4.
func refusal(syn []byte) []byte {
	reset := make([]byte, 20)
	copy(reset, syn[22:24]) // the ports
	copy(reset[2:], syn[20:22])
	for i, b := range syn[24:28] {
		reset[8+i] = b
	}
	for i := 11; ; i-- { // the SYN has a number
		if reset[i]++; reset[i] != 0 {
			break
		}
	}
	reset[12], reset[13] = 5<<4, 0x14
	return simnet.EncodeIP(netip.AddrFrom4([4]byte(syn[16:])), netip.AddrFrom4([4]byte(syn[12:])), 6, reset)
}

// A firewall lets pings and one port through, and resets what wants another.
func TestMiddlebox_Firewall(t *testing.T) {
	inEachMode(t, func(t *testing.T, n *simnet.Network) {
		a, b := n.Host("a", "10.0.0.1/24"), n.Host("b", "10.0.0.2/24")
		var seen atomic.Int64
		firewall := n.Middlebox("firewall", func(p simnet.Passing) simnet.Verdict {
			seen.Add(1)
			if p.From == "a" && p.To == "b" && protocol(p.Data) == 6 && p.Data[23] != 80 {
				return simnet.Reject(refusal(p.Data))
			}
			return simnet.Verdict{}
		})
		n.Link(a, firewall, simnet.Delay(time.Millisecond))
		n.Link(firewall, b, simnet.Delay(time.Millisecond))
		_, err := ping(t, n, a, "10.0.0.2")
		require.NoError(t, err)
		require.EqualValues(t, 2, seen.Load())
		echo(t, n, a, b, "10.0.0.2:80", 50_000)
		n.Do("refused", func() {
			_, err := a.Dial("tcp", "10.0.0.2:81")
			require.ErrorContains(t, err, "WSAECONNREFUSED")
		})
		n.Idle()
		for _, l := range n.Trace() {
			require.False(t, l.To == "b" && l.Dest.Port() == 81, "the firewall has let it pass: %s", l.Text)
		}

		firewall.Inspect(func(simnet.Passing) simnet.Verdict { return simnet.Verdict{Drop: true} })
		require.Empty(t, datagrams(t, n, a, b, "hello"))
		firewall.Inspect(nil)
		require.Equal(t, []string{"hello"}, datagrams(t, n, a, b, "hello"))
	})
}

// datagrams sends lines from a to b, and returns what b got.
func datagrams(t *testing.T, n *simnet.Network, a, b *simnet.Host, lines ...string) (got []string) {
	t.Helper()
	n.Do("datagrams", func() {
		in, err := b.ListenPacket("udp4", ":9")
		require.NoError(t, err)
		defer in.Close()
		out, err := a.Dial("udp4", b.Addresses(nil)[0].Addr().String()+":9")
		require.NoError(t, err)
		defer out.Close()
		for _, l := range lines {
			_, err := out.Write([]byte(l))
			require.NoError(t, err)
		}
		in.SetReadDeadline(n.Time().Add(100 * time.Millisecond))
		for buf := make([]byte, 100); ; {
			k, _, err := in.ReadFrom(buf)
			if err != nil {
				return
			}
			got = append(got, string(buf[:k]))
		}
	})
	return got
}

// An Inspector replaces a packet, adds one, and sees only the direction that it was given.
func TestInspect(t *testing.T) {
	inEachMode(t, func(t *testing.T, n *simnet.Network) {
		a, b := n.Host("a", "10.0.0.1/24"), n.Host("b", "10.0.0.2/24")
		change := func(p simnet.Passing) simnet.Verdict {
			text := string(p.Data[28:])
			p.Data[28] = '?' // a copy: nobody sees it
			other := func(text string) []byte {
				return simnet.EncodeUDP(netip.MustParseAddrPort("10.0.0.1:7"), netip.MustParseAddrPort("10.0.0.2:9"), []byte(text))
			}
			switch text {
			case "replace":
				return simnet.Replace(other("replaced"))
			case "twice":
				return simnet.Verdict{Forward: [][]byte{other("and again"), nil}}
			case "drop":
				return simnet.Verdict{Drop: true}
			}
			return simnet.Verdict{}
		}
		l := n.Link(a, b, simnet.Delay(time.Millisecond), simnet.From(a, simnet.Inspect(change)))
		require.Equal(t, []string{"one", "replaced", "twice", "and again", "two"}, datagrams(t, n, a, b, "one", "replace", "twice", "drop", "two"))
		require.Equal(t, []string{"drop"}, datagrams(t, n, b, a, "drop"))
		l.Set(simnet.Inspect(nil))
		require.Equal(t, []string{"drop"}, datagrams(t, n, a, b, "drop"))
	})
}

// Calls of an Inspector don't overlap, whichever way the packets go.
func TestInspect_OneAtATime(t *testing.T) {
	n := simnet.New(t, simnet.RealTime())
	a, b := n.Host("a", "10.0.0.1/24"), n.Host("b", "10.0.0.2/24")
	inside, most, calls := atomic.Int32{}, 0, 0
	look := func(simnet.Passing) simnet.Verdict {
		most = max(most, int(inside.Add(1)))
		calls++
		inside.Add(-1)
		return simnet.Verdict{}
	}
	n.Link(a, b, simnet.Inspect(look))
	echo(t, n, a, b, "10.0.0.2:80", 500_000)
	n.Close()
	require.Equal(t, 1, most)
	require.Greater(t, calls, 100)
}

// Inspectors that answer everything don't answer each other for ever.
func TestInspect_AnswersEverything(t *testing.T) {
	inEachMode(t, func(t *testing.T, n *simnet.Network) {
		var calls atomic.Int64
		reject := func(p simnet.Passing) simnet.Verdict {
			calls.Add(1)
			return simnet.Reject(refusal(p.Data))
		}
		a, b, c := n.Host("a", "10.0.0.1/24"), n.Host("b", "10.0.0.2/24"), n.Host("c", "10.0.0.3/24")
		n.Link(a, b, simnet.Inspect(reject))
		refused := func() {
			n.Do("connect", func() {
				_, err := a.Dial("tcp", "10.0.0.2:80")
				require.ErrorContains(t, err, "WSAECONNREFUSED")
			})
		}
		refused()
		require.EqualValues(t, 1, calls.Load(), "it doesn't see its own answer")
		d := n.Host("d", "10.0.0.4/24")
		one, two := n.Middlebox("one", nil), n.Middlebox("two", nil)
		n.Link(c, one)
		n.Link(one, two)
		n.Link(two, d)
		two.Inspect(reject)
		one.Inspect(func(p simnet.Passing) simnet.Verdict {
			if p.From == "c" {
				return simnet.Verdict{}
			}
			return reject(p)
		})
		calls.Store(0)
		require.Empty(t, datagrams(t, n, c, d, "a datagram that is long enough for this"))
		require.EqualValues(t, 9, calls.Load())

		// With a router in between it is the same.
		r := n.Router("r")
		left, right := n.Host("left", "10.1.0.2/24"), n.Host("right", "10.2.0.2/24")
		n.Link(left, r, simnet.Addresses(r, "10.1.0.1/24"), simnet.From(r, simnet.Inspect(reject)))
		n.Link(r, right, simnet.Addresses(r, "10.2.0.1/24"), simnet.From(r, simnet.Inspect(reject)))
		calls.Store(0)
		require.Empty(t, datagrams(t, n, left, right, "a datagram that is long enough for this"))
		require.EqualValues(t, 9, calls.Load())
	})
}

// A middlebox may cut its own links, and change others, while packets pass.
func TestMiddlebox_ChangesTheNetwork(t *testing.T) {
	inEachMode(t, func(t *testing.T, n *simnet.Network) {
		a, b := n.Host("a", "10.0.0.1/24"), n.Host("b", "10.0.0.2/24")
		m := n.Middlebox("m", nil)
		n.Link(a, m)
		far := n.Link(m, b)
		m.Inspect(func(p simnet.Passing) simnet.Verdict {
			if string(p.Data[28:]) == "cut" {
				far.Partition()
			}
			return simnet.Verdict{}
		})
		require.Equal(t, []string{"one"}, datagrams(t, n, a, b, "one", "cut", "two"))
		far.Heal()
		require.Equal(t, []string{"two"}, datagrams(t, n, a, b, "two"))
		require.Equal(t, fmt.Sprint([]*simnet.Link{far}), fmt.Sprint(m.Links()[1:]))
	})
}

// A packet that gets another destination between two switches goes to that one.
func TestMiddlebox_BetweenSwitches(t *testing.T) {
	n := simnet.New(t)
	left, right := n.Switch("left"), n.Switch("right")
	a, b, c := n.Host("a", "10.0.0.1/24"), n.Host("b", "10.0.0.2/24"), n.Host("c", "10.0.0.3/24")
	n.Link(a, left)
	n.Link(b, right)
	n.Link(c, right)
	m := n.Middlebox("m", func(p simnet.Passing) simnet.Verdict {
		return simnet.Replace(simnet.EncodeUDP(netip.MustParseAddrPort("10.0.0.1:7"), netip.MustParseAddrPort("10.0.0.3:9"), p.Data[28:]))
	})
	n.Link(left, m)
	n.Link(m, right)
	require.Empty(t, datagrams(t, n, a, b, "hello"))
	lines := n.Trace()
	require.Equal(t, "right>c", lines[3].From+">"+lines[3].To)
}
