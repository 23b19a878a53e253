package stack_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
)

// An upstream is what a session's datagrams are written to in tests.
type upstream struct {
	session *stack.UDPSession
	got     []string
	closed  int
	write   func(payload []byte) error // called by Write; nil: the datagram is kept
}

func (u *upstream) Write(b []byte) (int, error) {
	if u.write != nil {
		if err := u.write(b); err != nil {
			return 0, err
		}
	}
	u.got = append(u.got, string(b))
	return len(b), nil
}

func (u *upstream) Close() error { u.closed++; return nil }

// A udpGateway is a wireGateway that keeps what its sessions are given.
type udpGateway struct {
	*wireGateway
	sessions []*upstream
	open     func(context.Context, *upstream) error // called for each session; nil: they all open
}

func newUDPGateway(t *testing.T, cfg stack.ForwarderConfig) *udpGateway {
	g := &udpGateway{}
	cfg.UDP = func(ctx context.Context, s *stack.UDPSession) (io.WriteCloser, error) {
		u := &upstream{session: s}
		g.sessions = append(g.sessions, u)
		if g.open != nil {
			if err := g.open(ctx, u); err != nil {
				return nil, err
			}
		}
		return u, nil
	}
	g.wireGateway = newAsked(t, cfg)
	return g
}

// send sends a datagram, and lets the network do what follows at once.
func (g *udpGateway) send(t *testing.T, from, to, payload string) []byte {
	t.Helper()
	b := simnet.EncodeUDP(netip.MustParseAddrPort(from), netip.MustParseAddrPort(to), []byte(payload))
	g.near.Inject(b)
	require.NoError(t, g.n.Advance(0))
	return b
}

// datagramOf reads a datagram that has come back.
func datagramOf(t *testing.T, b []byte) (from, to, payload string) {
	t.Helper()
	require.True(t, sound(b), "checksums")
	source, destination, protocol, u := split(b)
	require.EqualValues(t, 17, protocol)
	require.EqualValues(t, len(u), binary.BigEndian.Uint16(u[4:]))
	return netip.AddrPortFrom(source, binary.BigEndian.Uint16(u)).String(), netip.AddrPortFrom(destination, binary.BigEndian.Uint16(u[2:])).String(), string(u[8:])
}

// Datagrams of a flow go to one session, in order; what comes back is from the address that was
// asked for.
func TestForwarderUDP(t *testing.T) {
	for name, ends := range flows {
		t.Run(name, func(t *testing.T) {
			g := newUDPGateway(t, stack.ForwarderConfig{})
			g.send(t, ends[0], ends[1], "one")
			g.send(t, ends[0], ends[1], "")
			g.send(t, ends[0], ends[1], "three")
			require.Len(t, g.sessions, 1)
			u := g.sessions[0]
			require.Equal(t, []string{"one", "", "three"}, u.got)
			require.Equal(t, ends, [2]string{u.session.Source().String(), u.session.Destination().String()})
			n, err := u.session.Write([]byte("answer"))
			require.NoError(t, err)
			require.Equal(t, 6, n)
			from, to, payload := datagramOf(t, g.receive(t))
			require.Equal(t, [3]string{ends[1], ends[0], "answer"}, [3]string{from, to, payload})
			// Another flow is another session.
			g.send(t, ends[0], netip.AddrPortFrom(netip.MustParseAddrPort(ends[1]).Addr(), 9).String(), "x")
			require.Len(t, g.sessions, 2)
			require.Equal(t, []string{"x"}, g.sessions[1].got)
			require.Empty(t, foreign(g.wireGateway))
			require.NoError(t, u.session.Close())
			require.NoError(t, u.session.Close())
			require.Equal(t, 1, u.closed)
			_, err = u.session.Write([]byte("late"))
			require.ErrorIs(t, err, net.ErrClosed)
			require.NoError(t, g.f.Close())
			require.Equal(t, 1, g.sessions[1].closed)
			require.Zero(t, g.router.Stats().Dropped)
		})
	}
}

// Datagrams that are larger than a packet come and go in fragments, in any order.
func TestForwarderUDP_Large(t *testing.T) {
	for name, ends := range flows {
		t.Run(name, func(t *testing.T) {
			g := newUDPGateway(t, stack.ForwarderConfig{})
			large := string(bytes.Repeat([]byte("0123456789abcdef"), 4000))
			whole := simnet.EncodeUDP(netip.MustParseAddrPort(ends[0]), netip.MustParseAddrPort(ends[1]), []byte(large))
			cut := cut4
			if name == "IPv6" {
				cut = func(b []byte, size int) [][]byte { return cut6(b, size, 7) }
			}
			fragments := cut(whole, 1400)
			slices.Reverse(fragments[5:20])
			for i, f := range fragments {
				g.near.Inject(f)
				if i%7 == 0 {
					g.near.Inject(f) // a copy
				}
			}
			require.NoError(t, g.n.Advance(0))
			require.Len(t, g.sessions, 1)
			require.Equal(t, large, g.sessions[0].got[0])

			_, err := g.sessions[0].session.Write([]byte(large))
			require.NoError(t, err)
			require.NoError(t, g.n.Advance(0))
			got := reassemble(t, g)
			from, to, payload := datagramOf(t, got)
			require.Equal(t, [3]string{ends[1], ends[0], large}, [3]string{from, to, payload})

			most := 65507
			if name == "IPv6" {
				most = 65527
			}
			_, err = g.sessions[0].session.Write(make([]byte, most))
			require.NoError(t, err)
			_, err = g.sessions[0].session.Write(make([]byte, most+1))
			require.ErrorContains(t, err, "WSAEMSGSIZE")
		})
	}
}

// reassemble puts together the fragments that the client has received, which are in order.
func reassemble(t *testing.T, g *udpGateway) []byte {
	t.Helper()
	var whole []byte
	for {
		p, err := g.near.Receive(0)
		if err != nil {
			break
		}
		require.LessOrEqual(t, len(p.Data), 1500)
		at, offset := 20, int(binary.BigEndian.Uint16(p.Data[6:])&0x1fff)*8
		more := p.Data[6]&0x20 != 0
		if p.Data[0]>>4 == 6 {
			at, offset, more = 48, int(binary.BigEndian.Uint16(p.Data[42:])&^7), p.Data[43]&1 != 0
		}
		if whole == nil {
			whole = p.Data[:at:at]
			if at == 48 {
				whole = slices.Clone(p.Data[:40])
				whole[6] = p.Data[40]
			} else {
				whole = slices.Clone(whole)
			}
		}
		head := 20
		if at == 48 {
			head = 40
		}
		require.Equal(t, len(whole)-head, offset, "in order, without a hole")
		whole = append(whole, p.Data[at:]...)
		if !more {
			break
		}
	}
	if whole[0]>>4 == 4 {
		binary.BigEndian.PutUint16(whole[2:], uint16(len(whole)))
		copy(whole[:12], again(whole)[:12])
	} else {
		binary.BigEndian.PutUint16(whole[4:], uint16(len(whole)-40))
	}
	return whole
}

// A session lasts for as long as its times say (RFC 4787 REQ-5, REQ-6), whichever direction the
// last datagram had.
func TestForwarderUDP_Times(t *testing.T) {
	const s = time.Second
	for _, tt := range []struct {
		name          string
		idle          time.Duration
		to            string
		asks, answers []time.Duration // when, besides the datagram at 0
		want          time.Duration
	}{
		{"unanswered", 0, "8.8.8.8:5000", nil, nil, 30 * s},
		{"asked again", 0, "8.8.8.8:5000", []time.Duration{20 * s}, nil, 50 * s},
		{"answered", 0, "8.8.8.8:5000", nil, []time.Duration{s}, 121 * s},
		{"answered late", 0, "8.8.8.8:5000", nil, []time.Duration{29 * s}, 149 * s},
		{"kept by the source", 0, "8.8.8.8:5000", []time.Duration{100 * s, 200 * s}, []time.Duration{s}, 320 * s},
		{"kept by the destination", 0, "8.8.8.8:5000", nil, []time.Duration{s, 100 * s, 200 * s}, 320 * s},
		{"names, unanswered", 0, "8.8.8.8:53", nil, nil, 30 * s},
		{"names", 0, "8.8.8.8:53", nil, []time.Duration{s}, 11 * s},
		{"names, again", 0, "8.8.8.8:53", []time.Duration{9 * s}, []time.Duration{s}, 19 * s},
		{"shorter", 5 * s, "8.8.8.8:5000", nil, []time.Duration{s}, 6 * s},
		{"shorter, unanswered", 5 * s, "8.8.8.8:5000", nil, nil, 5 * s},
		{"longer", 5 * time.Minute, "8.8.8.8:5000", nil, []time.Duration{s}, 301 * s},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newUDPGateway(t, stack.ForwarderConfig{UDPIdle: tt.idle})
			g.send(t, "10.1.0.9:1000", tt.to, "x")
			for _, at := range tt.asks {
				g.n.Background("client", func() {
					g.n.Sleep(at)
					g.near.Inject(simnet.EncodeUDP(netip.MustParseAddrPort("10.1.0.9:1000"), netip.MustParseAddrPort(tt.to), []byte("y")))
				})
			}
			for _, at := range tt.answers {
				g.n.Background("server", func() {
					g.n.Sleep(at)
					_, err := g.sessions[0].session.Write([]byte("z"))
					require.NoError(t, err)
				})
			}
			require.NoError(t, g.n.AdvanceTo(tt.want-time.Millisecond))
			require.Zero(t, g.sessions[0].closed)
			require.NoError(t, g.n.AdvanceTo(tt.want))
			require.Equal(t, 1, g.sessions[0].closed)
			require.Len(t, g.sessions, 1)
		})
	}
}

// What the way on says of a datagram is told to its source: at the first datagram, at a later one,
// and when it is known without one.
func TestForwarderUDP_Refusals(t *testing.T) {
	port := &answer{typ: 3, code: 3, typ6: 1, cod6: 4}
	refused := os.NewSyscallError("write", syscall.ECONNREFUSED)
	for _, tt := range []struct {
		name string
		err  error
		want *answer
		from bool // the error is from the destination
	}{
		{"refused", refused, port, true},
		{"network", stack.NetworkUnreachable, &answer{typ: 3, code: 0, typ6: 1, cod6: 0}, false},
		{"host", errors.New("no way"), &answer{typ: 3, code: 1, typ6: 1, cod6: 3}, false},
		{"prohibited", os.ErrPermission, &answer{typ: 3, code: 13, typ6: 1, cod6: 1}, false},
		{"ignored", os.ErrDeadlineExceeded, nil, false},
	} {
		for name, ends := range flows {
			t.Run(tt.name+", "+name, func(t *testing.T) {
				want := tt.want
				if want != nil && tt.from {
					w := *want
					w.from = netip.MustParseAddrPort(ends[1]).Addr().String()
					want = &w
				}
				check := func(g *udpGateway, about []byte) {
					t.Helper()
					require.NoError(t, g.n.Advance(0))
					if want == nil {
						require.Zero(t, g.near.Discard())
						return
					}
					want.check(t, g.receive(t), about)
				}
				// The session doesn't open.
				g := newUDPGateway(t, stack.ForwarderConfig{})
				g.open = func(context.Context, *upstream) error { return tt.err }
				check(g, g.send(t, ends[0], ends[1], "one"))
				require.EqualValues(t, 1, g.router.Stats().Dropped)
				g.open = nil
				g.send(t, ends[0], ends[1], "two")
				require.Len(t, g.sessions, 2)
				require.Equal(t, []string{"two"}, g.sessions[1].got)
				// A later datagram fails, and the session goes on.
				g.sessions[1].write = func(b []byte) error {
					if string(b) == "three" {
						return tt.err
					}
					return nil
				}
				check(g, g.send(t, ends[0], ends[1], "three"))
				g.send(t, ends[0], ends[1], "four")
				require.Equal(t, []string{"two", "four"}, g.sessions[1].got)
				// The host has heard of the last one.
				about := g.send(t, ends[0], ends[1], "five")
				g.sessions[1].session.Refuse(tt.err)
				check(g, about[:len(about)-4])
			})
		}
	}
}

// An upstream that is closed ends its session; the next datagram begins another.
func TestForwarderUDP_Closed(t *testing.T) {
	g := newUDPGateway(t, stack.ForwarderConfig{})
	g.open = func(_ context.Context, u *upstream) error {
		u.write = func([]byte) error { return net.ErrClosed }
		return nil
	}
	g.send(t, "10.1.0.9:1000", "8.8.8.8:5000", "x")
	require.Equal(t, 1, g.sessions[0].closed)
	g.send(t, "10.1.0.9:1000", "8.8.8.8:5000", "y")
	require.Len(t, g.sessions, 2)
	require.Zero(t, g.near.Discard())
}

// A source that says there is nobody ends its session, if what it quotes is of it.
func TestForwarderUDP_SourceIsGone(t *testing.T) {
	for name, ends := range flows {
		t.Run(name, func(t *testing.T) {
			g := newUDPGateway(t, stack.ForwarderConfig{})
			g.send(t, ends[0], ends[1], "x")
			_, err := g.sessions[0].session.Write([]byte("answer"))
			require.NoError(t, err)
			answer := g.receive(t)
			client, server := netip.MustParseAddrPort(ends[0]).Addr(), netip.MustParseAddrPort(ends[1]).Addr()
			report := func(code byte, quoted []byte) []byte {
				if client.Is4() {
					return simnet.EncodeIP(client, server, 1, append([]byte{3, code, 0, 0, 0, 0, 0, 0}, quoted...))
				}
				return simnet.EncodeIP(client, server, 58, append([]byte{1, code, 0, 0, 0, 0, 0, 0}, quoted...))
			}
			other := slices.Clone(answer)
			other[len(other)-6-8]++ // a port
			spoiled := report(3, answer)
			spoiled[len(spoiled)-1]++
			expired, tooBig := slices.Clone(report(3, answer)), report(4, answer)
			if client.Is4() {
				expired[20] = 11
			} else {
				expired[40], tooBig[40] = 3, 2
			}
			for _, b := range [][]byte{report(3, other), spoiled, report(3, answer[:20]), again(expired), again(tooBig)} {
				g.near.Inject(b)
				require.NoError(t, g.n.Advance(0))
				require.Zero(t, g.sessions[0].closed)
			}
			g.near.Inject(report(3, answer))
			require.NoError(t, g.n.Advance(0))
			require.Equal(t, 1, g.sessions[0].closed)
			require.Zero(t, g.near.Discard())
		})
	}
}

// What comes while the session opens waits for it, within bounds, and so do datagrams that Write is
// slow with.
func TestForwarderUDP_Queue(t *testing.T) {
	g := newUDPGateway(t, stack.ForwarderConfig{})
	g.open = func(context.Context, *upstream) error { g.n.Sleep(time.Second); return nil }
	for i := range 1000 {
		g.send(t, "10.1.0.9:1000", "8.8.8.8:5000", fmt.Sprint(i))
	}
	require.EqualValues(t, 1000-128, g.router.Stats().Dropped)
	require.NoError(t, g.n.Advance(time.Second))
	require.Len(t, g.sessions[0].got, 128)
	for i, s := range g.sessions[0].got {
		require.Equal(t, fmt.Sprint(i), s)
	}
	g.sessions[0].write = func([]byte) error { g.n.Sleep(time.Second); return nil }
	for i := range 1000 {
		g.send(t, "10.1.0.9:1000", "8.8.8.8:5000", fmt.Sprint(i))
	}
	require.NoError(t, g.n.Advance(1000*time.Second))
	require.Len(t, g.sessions[0].got, 128+129)
	// The bytes are bounded, too, those of what is written among them.
	g.open = func(_ context.Context, u *upstream) error {
		u.write = func([]byte) error { g.n.Sleep(time.Hour); return nil }
		return nil
	}
	before := g.router.Stats().Dropped
	large := make([]byte, 65000)
	send := func(port uint16) {
		from := netip.AddrPortFrom(netip.MustParseAddr("10.1.0.9"), port)
		for _, f := range cut4(simnet.EncodeUDP(from, netip.MustParseAddrPort("8.8.8.8:5001"), large), 1480) {
			g.near.Inject(f)
		}
		require.NoError(t, g.n.Advance(0))
	}
	for i := range 300 {
		send(uint16(i/4 + 1))
	}
	require.EqualValues(t, 300-(16<<20)/65008, g.router.Stats().Dropped-before)
	require.NoError(t, g.n.Advance(5*time.Hour))
	g.open = nil
	send(1)
	require.Equal(t, []string{string(large)}, g.sessions[len(g.sessions)-1].got, "all room has been given back")
}

// Where there is no room for a session, the one that nothing came back for, and that has been
// silent for the longest, makes room; those that are answered stay.
func TestForwarderUDP_Bound(t *testing.T) {
	g := newUDPGateway(t, stack.ForwarderConfig{UDPSessions: 3})
	to := func(i int) string { return fmt.Sprintf("8.8.8.8:%d", 5000+i) }
	for i := range 3 {
		g.send(t, "10.1.0.9:1000", to(i), "x")
	}
	_, err := g.sessions[0].session.Write([]byte("answer"))
	require.NoError(t, err)
	g.send(t, "10.1.0.9:1000", to(1), "again") // later than the third
	g.send(t, "10.1.0.9:1000", to(3), "x")
	require.Equal(t, []int{0, 0, 1, 0}, closedOf(g))
	for i := 1; i < 4; i++ {
		if i != 2 {
			_, err := g.sessions[i].session.Write([]byte("answer"))
			require.NoError(t, err)
		}
	}
	before := g.router.Stats().Dropped
	g.send(t, "10.1.0.9:1000", to(4), "x")
	require.Equal(t, []int{0, 0, 1, 0}, closedOf(g))
	require.EqualValues(t, 1, g.router.Stats().Dropped-before)
	require.NoError(t, g.n.Advance(2*time.Minute))
	require.Equal(t, []int{1, 1, 1, 1}, closedOf(g))
}

func closedOf(g *udpGateway) (list []int) {
	for _, u := range g.sessions {
		list = append(list, u.closed)
	}
	return list
}

// Spoofed sources have as many sessions as there may be, and as many calls of UDP as may be in
// flight; those that are answered go on.
func TestForwarderUDP_Flood(t *testing.T) {
	g := newUDPGateway(t, stack.ForwarderConfig{InFlight: 20, UDPSessions: 100})
	g.send(t, "10.1.0.9:1000", "8.8.8.8:5000", "x")
	_, err := g.sessions[0].session.Write([]byte("answer"))
	require.NoError(t, err)
	running, most := 0, 0
	g.open = func(ctx context.Context, _ *upstream) error {
		running++
		most = max(most, running)
		g.n.Sleep(time.Second)
		running--
		return nil
	}
	for i := range 5000 {
		g.near.Inject(simnet.EncodeUDP(netip.MustParseAddrPort(fmt.Sprintf("30.0.%d.%d:7", i>>8, i&255)), netip.MustParseAddrPort("8.8.8.8:9"), []byte("x")))
		if i%500 == 0 {
			require.NoError(t, g.n.Advance(time.Second))
		}
	}
	require.NoError(t, g.n.Advance(time.Second))
	require.Equal(t, 20, most)
	open := 0
	for _, u := range g.sessions {
		open += 1 - u.closed
	}
	require.Equal(t, 100, open)
	require.Zero(t, g.sessions[0].closed)
	require.Empty(t, foreign(g.wireGateway))
}
