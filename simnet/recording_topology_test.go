package simnet_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/simnet"
)

// Through a switch, a middlebox and a router with a NAT each hop has its arrival, in every mode.
func TestRecording_Topology(t *testing.T) {
	inEachMode(t, func(t *testing.T, n *simnet.Network) {
		r := n.Record()
		a, s := n.Host("a", "10.0.0.2/24"), n.Host("s", "198.51.100.9/24")
		sw, m, nat := n.Switch("sw"), n.Middlebox("m", nil), n.Router("nat")
		delay := simnet.Delay(10 * time.Millisecond)
		n.Link(a, sw, delay)
		n.Link(sw, m, delay)
		n.Link(m, nat, delay, simnet.Addresses(nat, "10.0.0.1/24"))
		n.Link(nat, s, delay, simnet.Addresses(nat, "198.51.100.1/24"), simnet.NAT(nat, simnet.NATConfig{}))
		_, err := ping(t, n, a, "198.51.100.9")
		require.NoError(t, err)
		n.Idle()
		hops, at := []string{}, time.Duration(0)
		for _, p := range r.Packets() {
			hops = append(hops, fmt.Sprint(p.From, ">", p.To))
			require.GreaterOrEqual(t, p.At, at, "a hop begins when the one before has ended")
			require.GreaterOrEqual(t, p.Arrived, p.At+10*time.Millisecond)
			at = p.Arrived
		}
		require.Equal(t, []string{"a>sw", "sw>m", "m>nat", "nat>s", "s>nat", "nat>m", "m>sw", "sw>a"}, hops)
	})
}
