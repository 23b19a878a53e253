package simnet_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/simnet"
)

func prefixes(s ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, p := range s {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

// wired returns a host, and a wire to it.
func wired(t simnet.TB) (*simnet.Network, *simnet.Host, *simnet.Wire) {
	n := simnet.New(t)
	a := n.Host("a", "10.0.0.1/24", "fd00::1/64")
	return n, a, n.Wire(a, "w", "10.0.0.9", "fd00::9")
}

func TestPeer_Server(t *testing.T) {
	for _, address := range []string{"10.0.0.9:80", "[fd00::9]:80"} {
		t.Run(address, func(t *testing.T) {
			n, a, w := wired(t)
			p := w.Listen(80)
			n.Go("client", func() {
				c, err := a.Dial("tcp", address)
				require.NoError(t, err)
				_, err = c.Write([]byte("hello"))
				require.NoError(t, err)
				buf := make([]byte, 10)
				k, err := c.Read(buf)
				require.NoError(t, err)
				require.Equal(t, "hi", string(buf[:k]))
				require.NoError(t, c.Close())
			})
			p.Accept("mss 1220,sackOK,ts 1 1,wscale 3")
			got, _ := p.Expect("0.000s [P.] seq 1:6 ack 1 len 5")
			require.Equal(t, "hello", string(got.Payload))
			require.Equal(t, address, p.Local().String())
			p.Expect("0.200s [P.] seq 1:6 ack 1") // it was not acknowledged: once more
			p.Send("[P.]", []byte("hi")...)
			p.Expect("[.] seq 6 ack 3")
			p.Expect("[F.] seq 6 ack 3")
			p.Send("[F.]")
			p.Expect("[.] seq 7 ack 4 len 0")
			p.ExpectSilence(10 * time.Minute)
			n.Run()
		})
	}
}

func TestPeer_Client(t *testing.T) {
	n, a, w := wired(t)
	received := ""
	n.Background("server", func() {
		l, err := a.Listen("tcp", ":80")
		require.NoError(t, err)
		c, err := l.Accept()
		require.NoError(t, err)
		buf := make([]byte, 100)
		for {
			k, err := c.Read(buf)
			if err != nil {
				return
			}
			received += string(buf[:k])
		}
	})
	n.Idle()
	p := w.Connect("10.0.0.1:80")
	p.Handshake("mss 1460,wscale 0")
	p.Send("[.] seq 4", []byte("def")...) // out of order
	a1, _ := p.Expect("[.] ack 1")
	require.Equal(t, 0, a1.Options.Blocks, "SACK was not offered")
	p.Send("[P.] seq 1", []byte("abc")...)
	p.Expect("[.] ack 7")
	p.Send("[P.] len 10")
	p.Expect("[.] ack 17")
	n.Idle()
	require.Equal(t, "abcdefxxxxxxxxxx", received)
	p.Send("[R] seq 17")
	p.ExpectSilence(time.Second)
}

func TestPeer_TimeFromBothSides(t *testing.T) {
	n, a, w := wired(t)
	n.Background("client", func() { a.Dial("tcp", "10.0.0.9:80") })
	p := w.Listen(80)
	p.Expect("0.000s [S] seq 0")
	p.ExpectSilence(999 * time.Millisecond)
	p.Expect("1.000s [S] seq 0")
	p.Expect("3.000s [S] seq 0")
	require.Equal(t, 3*time.Second, n.Now())
}

func TestPeer_Mismatches(t *testing.T) {
	start := func(tb simnet.TB) *simnet.Peer {
		n, a, w := wired(tb)
		n.Background("client", func() { a.Dial("tcp", "10.0.0.9:80") })
		return w.Listen(80)
	}
	for want, script := range map[string]func(p *simnet.Peer){
		"the flags differs:\n  want: [S.]\n  got:  0.000s a>w [S] seq 0 win": func(p *simnet.Peer) { p.Expect("[S.]") },
		"the seq differs":                     func(p *simnet.Peer) { p.Expect("[S] seq 1") },
		"the win differs":                     func(p *simnet.Peer) { p.Expect("[S] win 1") },
		"the options differs":                 func(p *simnet.Peer) { p.Expect("[S] <>") },
		"the ack differs":                     func(p *simnet.Peer) { p.Expect("[S] ack 1") },
		"the urg differs":                     func(p *simnet.Peer) { p.Expect("[S] urg 1") },
		"the len differs":                     func(p *simnet.Peer) { p.Expect("[S] len 1") },
		"the time differs":                    func(p *simnet.Peer) { p.Expect("1.000s [S]") },
		"got:  nothing arrived":               func(p *simnet.Peer) { p.Expect("[S]"); p.Expect("0.999s [S]") },
		"last packets:\n  0.000s a>w [S]":     func(p *simnet.Peer) { p.Expect("[R]") },
		"no segment within 500ms":             func(p *simnet.Peer) { p.Expect("[S]"); p.Receive(500 * time.Millisecond) },
		"want silence for 2s, got:\n  1.000s": func(p *simnet.Peer) { p.Expect("[S]"); p.ExpectSilence(2 * time.Second) },
		"Expect comes first":                  func(p *simnet.Peer) { p.Send("[S.]") },
		`there is no field "sec"`:             func(p *simnet.Peer) { p.Expect("[S] sec 1") },
		"a field has no number":               func(p *simnet.Peer) { p.Expect("[S] seq") },
		"there are no flags":                  func(p *simnet.Peer) { p.Expect("S seq 1") },
		"flags are not of":                    func(p *simnet.Peer) { p.Expect("[Q]") },
		"don't end with >":                    func(p *simnet.Peer) { p.Expect("[S] <mss 1") },
		`option "foo 1" is not`:               func(p *simnet.Peer) { p.Expect("[S] <foo 1>") },
		`"x" is not a number`:                 func(p *simnet.Peer) { p.Expect("[S] <mss x>") },
		"seq x is not a number":               func(p *simnet.Peer) { p.Expect("[S] seq x") },
		"there are 2 bytes of payload":        func(p *simnet.Peer) { p.Expect("[S]"); p.Send("[P.] len 1", 1, 2) },
		"Send sends now":                      func(p *simnet.Peer) { p.Expect("[S]"); p.Send("1.000s [P.]") },
		"win is not one of 16 bits":           func(p *simnet.Peer) { p.Expect("[S]"); p.Send("[.] win 65536") },
	} {
		require.Contains(t, failure(func(tb simnet.TB) { script(start(tb)) }), want)
	}
}

// The wire may be played on a goroutine of the network as well.
func TestPeer_OnAGoroutine(t *testing.T) {
	n, a, w := wired(t)
	n.Go("client", func() {
		c, err := a.Dial("tcp", "10.0.0.9:80")
		require.NoError(t, err)
		require.NoError(t, c.Close())
	})
	n.Go("peer", func() {
		p := w.Listen(80)
		require.NoError(t, p.Accept("mss 1460"))
		p.Expect("[F.] seq 1 ack 1")
		require.NoError(t, p.ExpectSilence(100*time.Millisecond))
		p.Send("[R.]")
	})
	n.Run()
}

func TestWire_Datagrams(t *testing.T) {
	n, a, w := wired(t)
	here, there := netip.MustParseAddrPort("10.0.0.9:5000"), netip.MustParseAddrPort("10.0.0.1:9")
	w.Inject(simnet.EncodeUDP(here, there, []byte("x")))
	p, _ := w.Receive(time.Second)
	require.Equal(t, byte(1), p.Data[9], "port unreachable")
	n.Do("server", func() {
		c, err := a.ListenPacket("udp", "10.0.0.1:9")
		require.NoError(t, err)
		defer c.Close()
		w.Inject(simnet.EncodeUDP(here, there, []byte("hello")))
		w.Inject(simnet.EncodeIP(netip.MustParseAddr("10.0.0.9"), netip.MustParseAddr("10.0.0.1"), 1, []byte{8, 0, 0, 0, 0, 1, 0, 2}))
		buf := make([]byte, 10)
		k, from, err := c.ReadFrom(buf)
		require.NoError(t, err)
		require.Equal(t, "hello", string(buf[:k]))
		require.Equal(t, here.String(), from.String())
		_, err = c.WriteTo([]byte("back"), from)
		require.NoError(t, err)
	})
	require.Contains(t, n.TraceText(), "icmp echo reply id 1 seq 2 len 0")
	require.Contains(t, n.TraceText(), "a>w udp 9>5000 len 4")
	n.Idle()
	require.Equal(t, 2, w.Discard())
	w.Set(simnet.Delay(time.Second))
	w.Inject(simnet.EncodeUDP(netip.MustParseAddrPort("[fd00::9]:5000"), netip.MustParseAddrPort("[fd00::1]:9"), nil))
	p, _ = w.Receive(time.Minute)
	require.Equal(t, 2*time.Second, p.At)
	require.Contains(t, failure(func(tb simnet.TB) {
		n, a, w := wired(tb)
		n.Link(w, a)
	}), "has its link already")
}

// Garbage from the wire harms nobody.
func TestWire_TakeDoesNotWait(t *testing.T) {
	n, a, w := wired(t)
	n.Go("client", func() {
		c, err := a.Dial("udp", "10.0.0.9:53")
		require.NoError(t, err)
		for _, text := range []string{"one", "two"} {
			_, err := c.Write([]byte(text))
			require.NoError(t, err)
		}
	})
	_, ok := w.Take()
	require.False(t, ok, "the network hasn't run yet")
	n.Idle()
	for _, text := range []string{"one", "two"} {
		p, ok := w.Take()
		require.True(t, ok)
		require.Contains(t, string(p.Data), text)
	}
	_, ok = w.Take()
	require.False(t, ok)
}

func TestWire_Garbage(t *testing.T) {
	n, _, w := wired(t)
	for _, b := range [][]byte{{}, {0}, {0x45}, {0x60, 1, 2}, make([]byte, 65535)} {
		w.Inject(b)
	}
	n.Advance(time.Second)
	w.ExpectSilence(time.Second)
}

// What a Wire sends may be larger than the MTU of the host's interface: a card that has put segments
// together gives them to a host so.
func TestWire_MergedSegments(t *testing.T) {
	n, a, w := wired(t)
	l, err := a.Listen("tcp", ":80")
	require.NoError(t, err)
	p := w.Connect("10.0.0.1:80")
	n.Do("peer", func() {
		p.Send("[S] <mss 1000>")
		p.Expect("[S.]")
		p.Send("[.]")
		p.Send("[P.]", make([]byte, 10_000)...)
		p.Expect("[.] seq 1 ack 10001")
		require.NoError(t, l.Close())
	})
}
