package simnet_test

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/simnet"
)

// The same seed gives the same ports, and so the same packets.
func TestNAT_Deterministic(t *testing.T) {
	run := func(seed uint64) (uint64, uint16) {
		n := simnet.New(t, simnet.Seed(seed))
		s := n.Host("s", "198.51.100.9/24")
		answers(t, n, s)
		h := newHome(n, s, "198.51.100", simnet.NATConfig{RandomPorts: true}, simnet.Loss(0.1), simnet.Delay(time.Millisecond))
		n.Do("client", func() {
			c, _ := dial(t, h.a, 5000, "198.51.100.9:7")
			require.NoError(t, echoes(c, make([]byte, 100_000)))
		})
		_, digest := n.Digest()
		return digest, h.translator().Mappings()[0].Outside.Port()
	}
	digest, port := run(1)
	again, _ := run(1)
	require.Equal(t, digest, again)
	_, other := run(2)
	require.NotEqual(t, port, other)
}

func TestNAT_RealTime(t *testing.T) { natWithGoroutines(t, simnet.New(t, simnet.RealTime())) }

func TestNAT_Bubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { natWithGoroutines(t, simnet.New(t, simnet.Bubble())) })
}

// natWithGoroutines is a NAT in a network that has goroutines of its own.
func natWithGoroutines(t *testing.T, n *simnet.Network) {
	h := forwardingHome(t, n, 80)
	n.Do("client", func() {
		c, from := dial(t, h.a, 5000, "198.51.100.9:7")
		require.Equal(t, "198.51.100.1:5000", from.String())
		require.NoError(t, echoes(c, make([]byte, 100_000)))
		c, from = dial(t, h.a, 5001, "198.51.100.1:80")
		require.Equal(t, "198.51.100.1:5001", from.String())
		require.NoError(t, echoes(c, make([]byte, 100_000)))
	})
}

// Options that make no sense say what is wrong.
func TestNAT_Options(t *testing.T) {
	n := simnet.New(nil)
	defer n.Close()
	s := n.Host("s", "198.51.100.9/24")
	router := n.HostConfig("router", routerConfig(0, "198.51.100.1/24"))
	l := n.Link(router, s)
	for want, option := range map[string]simnet.LinkOption{
		"NAT: s is no router":                      simnet.NAT(s, simnet.NATConfig{}),
		"NoNAT: x is not on the link":              simnet.NoNAT(n.Host("x", "10.0.0.1/8")),
		"NAT: Outside: 198.51.100.2 is no address": simnet.NAT(router, simnet.NATConfig{Outside: netip.MustParseAddr("198.51.100.2")}),
		"NAT of router: nat: Sessions: -1":         simnet.NAT(router, simnet.NATConfig{Sessions: -1}),
	} {
		require.True(t, panics(func() { l.Set(option) }, want), want)
	}
	require.Nil(t, l.Translator(s))
	require.Nil(t, l.Translator(router))
	l.Set(simnet.NAT(router, simnet.NATConfig{}))
	require.ErrorContains(t, l.Translator(router).Forward(simnet.NATForward{}), "no ports to forward")
}
