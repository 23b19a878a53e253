package stack_test

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
)

// echoRequest is an echo request of IPv4 or IPv6 with a payload.
func echoRequest(source, destination string, code byte, payload string) []byte {
	protocol, b := uint8(1), []byte{8, code, 0, 0, 0x12, 0x34, 0, 7}
	if netip.MustParseAddr(source).Is6() {
		protocol, b[0] = 58, 128
	}
	return simnet.EncodeIP(netip.MustParseAddr(source), netip.MustParseAddr(destination), protocol, append(b, payload...))
}

var echoes = map[string][2]string{"IPv4": {"10.1.0.9", "93.184.216.34"}, "IPv6": {"fd01::9", "2001:db8::1"}}

// A request is answered when the function says so, at any time, by the address that was asked.
func TestForwarderEcho(t *testing.T) {
	for name, ends := range echoes {
		t.Run(name, func(t *testing.T) {
			var got []*stack.EchoRequest
			g := newAsked(t, stack.ForwarderConfig{Echo: func(_ context.Context, r *stack.EchoRequest) { got = append(got, r) }})
			large := string(make([]byte, 4000))
			for _, payload := range []string{"payload", "", large} {
				whole := echoRequest(ends[0], ends[1], 0, payload)
				packets := [][]byte{whole}
				if payload == large && name == "IPv4" {
					packets = cut4(whole, 1480)
				} else if payload == large {
					packets = cut6(whole, 1400, 9)
				}
				for _, b := range packets {
					g.near.Inject(b)
				}
				require.NoError(t, g.n.Advance(time.Minute))
				require.Zero(t, g.near.Discard())
				r := got[len(got)-1]
				require.Equal(t, ends, [2]string{r.Source.String(), r.Destination.String()})
				require.Equal(t, [2]uint16{0x1234, 7}, [2]uint16{r.ID, r.Sequence})
				require.EqualValues(t, 64, r.TTL)
				require.Equal(t, payload, string(r.Payload))
				r.Reply()
				require.NoError(t, g.n.Advance(0))
				b := g.receive(t)
				if payload == large {
					require.Equal(t, 2, g.near.Discard(), "in three fragments")
					continue
				}
				require.True(t, sound(b))
				source, destination, _, message := split(b)
				require.Equal(t, ends, [2]string{destination.String(), source.String()})
				require.Equal(t, map[string]byte{"IPv4": 0, "IPv6": 129}[name], message[0])
				require.Equal(t, append([]byte{0x12, 0x34, 0, 7}, payload...), message[4:])
			}
			require.Zero(t, g.router.Stats().Dropped)
			require.Empty(t, foreign(g))
			require.NoError(t, g.f.Close())
			got[0].Reply()
			got[0].Refuse(stack.Refused)
			require.NoError(t, g.n.Advance(0))
			require.Zero(t, g.near.Discard(), "after the end")
		})
	}
}

// What keeps a request from its destination is told to its source, that of routers on the way among
// it, as traceroute wants it.
func TestForwarderEcho_Refuse(t *testing.T) {
	for name, ends := range echoes {
		router, expired := stack.ICMPError{From: netip.MustParseAddr("203.0.113.7"), Type: 11}, &answer{typ: 11, from: "203.0.113.7"}
		if name == "IPv6" {
			router, expired = stack.ICMPError{From: netip.MustParseAddr("2001:db8:5::7"), Type: 3}, &answer{typ6: 3, from: "2001:db8:5::7"}
		}
		for _, tt := range []struct {
			name string
			err  error
			want *answer
		}{
			{"host", stack.HostUnreachable, &answer{typ: 3, code: 1, typ6: 1, cod6: 3}},
			{"prohibited", stack.Prohibited, &answer{typ: 3, code: 13, typ6: 1, cod6: 1}},
			{"a router", &router, expired},
			{"ignored", stack.Ignored, nil},
		} {
			t.Run(tt.name+", "+name, func(t *testing.T) {
				g := newAsked(t, stack.ForwarderConfig{Echo: func(_ context.Context, r *stack.EchoRequest) { r.Refuse(tt.err) }})
				b := echoRequest(ends[0], ends[1], 3, "payload")
				g.near.Inject(b)
				require.NoError(t, g.n.Advance(0))
				if tt.want == nil {
					require.Zero(t, g.near.Discard())
					return
				}
				tt.want.check(t, g.receive(t), b)
			})
		}
	}
}

// As many calls of Echo run as may be in flight, and the rest is dropped and counted; what is no
// request isn't anybody's.
func TestForwarderEcho_Bound(t *testing.T) {
	var g *wireGateway
	calls, running, most := 0, 0, 0
	g = newAsked(t, stack.ForwarderConfig{InFlight: 10, Echo: func(ctx context.Context, r *stack.EchoRequest) {
		calls++
		running++
		most = max(most, running)
		g.n.Sleep(time.Second)
		running--
	}})
	for i := range 500 {
		g.near.Inject(echoRequest(fmt.Sprintf("30.0.%d.%d", i>>8, i&255), "8.8.8.8", 0, ""))
	}
	require.NoError(t, g.n.Advance(0))
	require.Equal(t, 10, most)
	require.EqualValues(t, 490, g.router.Stats().Dropped)
	require.NoError(t, g.n.Advance(time.Second))
	spoiled := slices.Clone(echoRequest("10.1.0.9", "8.8.8.8", 0, "x"))
	spoiled[len(spoiled)-1]++
	reply := echoRequest("10.1.0.9", "8.8.8.8", 0, "x")
	reply[20] = 0
	for _, b := range [][]byte{spoiled, again(reply), simnet.EncodeIP(netip.MustParseAddr("10.1.0.9"), netip.MustParseAddr("8.8.8.8"), 1, []byte{8, 0, 0, 0, 1})} {
		g.near.Inject(b)
	}
	require.NoError(t, g.n.Advance(time.Second))
	require.Equal(t, 10, calls)
}
