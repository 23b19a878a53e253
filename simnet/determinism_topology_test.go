package simnet_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/tun"
)

// everyTopology is four hosts on two switches, three routers in a circle, a middlebox and a server,
// on links that have every impairment between them; one link is cut and healed while data pass.
func everyTopology(seed uint64) (trace string, packets, digest uint64) {
	n := simnet.New(nil, simnet.Seed(seed))
	speed, err := tun.ParseRateTrace("link.trace", strings.NewReader("1\n1\n2\n4\n7\n"))
	if err != nil {
		panic(err)
	}
	left, right := n.Switch("left"), n.Switch("right")
	n.Link(left, right, simnet.Delay(time.Millisecond), simnet.Duplicate(0.02), simnet.DuplicateCorrelation(0.2))
	var hosts []*simnet.Host
	for i := range 4 {
		h := n.Host(fmt.Sprint("h", i), fmt.Sprintf("10.0.0.%d/24", 10+i), fmt.Sprintf("fd00::%d/64", 10+i))
		n.Link(h, []*simnet.Switch{left, right}[i%2], simnet.Jitter(time.Millisecond), simnet.Loss(0.005), simnet.LossCorrelation(0.1))
		hosts = append(hosts, h)
	}
	at := func(h *simnet.Host, link, host int) simnet.LinkOption {
		return simnet.Addresses(h, fmt.Sprintf("10.0.%d.%d/24", link, host), fmt.Sprintf("fd00:0:0:%d::%d/64", link, host))
	}
	r1, r2, r3 := n.Router("r1"), n.Router("r2"), n.Router("r3")
	n.Link(right, r1, at(r1, 0, 1))
	short := n.Link(r1, r3, at(r1, 1, 1), at(r3, 1, 3), simnet.Delay(5*time.Millisecond), simnet.From(r1, simnet.Rate(8_000_000, 0),
		simnet.CoDel(0, 0), simnet.ECN(true)), simnet.From(r3, simnet.RateTrace(speed), simnet.Queue(0, 50)), simnet.MTU(1300))
	n.Link(r1, r2, at(r1, 2, 1), at(r2, 2, 2), simnet.Delay(20*time.Millisecond), simnet.Jitter(3*time.Millisecond), simnet.JitterReorders(true),
		simnet.JitterDistribution(tun.ParetoNormal), simnet.Reorder(0.02, 0), simnet.ReorderCorrelation(0.1))
	n.Link(r2, r3, at(r2, 3, 2), at(r3, 3, 3), simnet.BurstLoss(tun.Burst{Enter: 0.005, Leave: 0.3}), simnet.Corrupt(0.01), simnet.CorruptCorrelation(0.1))
	seen := 0
	box := n.Middlebox("box", func(p simnet.Passing) simnet.Verdict {
		if seen++; seen%97 == 0 {
			return simnet.Verdict{Drop: true}
		}
		return simnet.Verdict{}
	})
	server := n.Host("server", "10.0.9.2/24", "fd00:0:0:9::2/64")
	n.Link(r3, box, at(r3, 9, 1), simnet.LossPackets(7, 20, 21))
	n.Link(box, server, simnet.Inspect(func(p simnet.Passing) simnet.Verdict { return simnet.Verdict{Drop: seen%89 == 0} }))
	n.AutoRoutes()

	n.Background("server", func() { echoAll(n, server) })
	for i, h := range hosts {
		n.Go(fmt.Sprint("client ", i), func() {
			address := []string{"10.0.9.2:80", "[fd00:0:0:9::2]:80"}[i/2]
			data := bytes.Repeat([]byte{byte(i)}, 30_000)
			c, err := h.Dial("tcp", address)
			if err != nil {
				panic(err)
			}
			n.Go("writer", func() { c.Write(data) })
			got := make([]byte, len(data))
			if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, data) {
				panic(fmt.Sprint("echo of ", address, ": ", err))
			}
			c.Close()
			h.Ping(context.Background(), netip.MustParseAddr("10.0.9.2"))
			h.Ping(context.Background(), netip.MustParseAddr("10.0.0.255"))
		})
	}
	n.Go("failures", func() {
		n.Sleep(60 * time.Millisecond)
		short.Partition()
		n.Sleep(300 * time.Millisecond)
		n.AutoRoutes()
		n.Sleep(time.Second)
		short.Heal()
		n.AutoRoutes()
		r2.Partition()
	})
	if err := n.Run(); err != nil {
		panic(err)
	}
	n.Advance(time.Minute)
	packets, digest = n.Digest()
	trace = n.TraceText()
	if err := n.Close(); err != nil {
		panic(err)
	}
	return trace, packets, digest
}

// echoAll sends back what connections to port 80 get.
func echoAll(n *simnet.Network, h *simnet.Host) {
	l, err := h.Listen("tcp", ":80")
	if err != nil {
		panic(err)
	}
	for {
		c, err := l.Accept()
		if err != nil {
			panic(err)
		}
		n.Background("echo", func() {
			io.Copy(c, c)
			c.Close()
		})
	}
}

func TestDeterminism_Topology(t *testing.T) {
	want, packets, digest := everyTopology(5)
	require.Greater(t, packets, uint64(2000))
	for _, hop := range []string{"h0>left", "left>right", "right>r1", "r1>r3", "r3>box", "box>server", "r1>r2", "r2>r3"} {
		require.Contains(t, want, hop)
	}
	before := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(before)
	for i := range max(3, runs(t)/10) {
		runtime.GOMAXPROCS(1 + i%4)
		got, p, d := everyTopology(5)
		if p != packets || d != digest || got != want {
			t.Fatalf("run %d with GOMAXPROCS %d: %d packets, digest %x; want %d, %x; %s",
				i, 1+i%4, p, d, packets, digest, firstDifference(want, got))
		}
	}
	_, _, other := everyTopology(6)
	require.NotEqual(t, digest, other)
}
