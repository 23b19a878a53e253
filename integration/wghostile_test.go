//go:build linux

package integration

import (
	"encoding/binary"
	"math/rand/v2"
	"net"
	"net/netip"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.zx2c4.com/wireguard/device"
	"gvisor.dev/gvisor/pkg/buffer"

	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
	"github.com/wsstack/wsstack/wg"
)

// hostileHeap is what strangers, or a peer, may make a tunnel keep, in bytes. The engine has queues
// of 1,024 packets in buffers of 64 KiB: for handshakes and, by the limits of package wg, for
// packets on their way in and out, at each of two ends.
const hostileHeap = 512 << 20

// keptHeap is what is kept of strangers and peers that have gone, or have said enough, in bytes.
const keptHeap = 64 << 20

// A tap keeps the messages of WireGuard that go to the right.
type tap struct {
	mu       sync.Mutex
	messages [][]byte
}

func newTap(t testing.TB, p *path) *tap {
	t.Helper()
	w := &tap{}
	require.NoError(t, p.link.SetIn(tun.Impairment{Filter: func(packet []byte) []byte {
		if message, _ := wireGuard(packet); message != nil {
			w.mu.Lock()
			defer w.mu.Unlock()
			if len(w.messages) < 1000 {
				w.messages = append(w.messages, slices.Clone(message))
			}
		}
		return packet
	}}))
	return w
}

// seen are the messages so far.
func (w *tap) seen() [][]byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.messages)
}

// A stranger sends datagrams to the right end of a tunnel from a machine that isn't its peer, and
// keeps what is answered.
type stranger struct {
	*net.UDPConn
	to      *net.UDPAddr
	answers atomic.Int64
	kinds   [5]atomic.Int64 // by the type of the message; 0: others
}

func newStranger(t testing.TB, tu *tunnel) *stranger {
	t.Helper()
	s := &stranger{UDPConn: tu.router.listenUDP(t, tu.v6), to: net.UDPAddrFromAddrPort(tu.outer(tu.b))}
	var wg sync.WaitGroup
	wg.Go(func() { // ends when the socket is closed
		buf := make([]byte, 1<<16)
		for {
			n, _, err := s.ReadFrom(buf)
			if err != nil {
				return
			}
			kind := uint32(0)
			if n >= 4 {
				if k := binary.LittleEndian.Uint32(buf); k < 5 {
					kind = k
				}
			}
			s.kinds[kind].Add(1)
			s.answers.Add(1)
		}
	})
	t.Cleanup(func() {
		s.Close()
		wg.Wait()
	})
	return s
}

func (s *stranger) send(t testing.TB, message []byte) {
	if _, err := s.WriteTo(message, s.to); err != nil {
		t.Errorf("send %d bytes: %v", len(message), err)
	}
}

// Strangers flood the UDP port with all that a stranger can have during a transfer: the transfer is
// complete, what is kept is bounded, and all that is answered is what WireGuard answers, a cookie.
func TestTunnelUnderAttack(t *testing.T) {
	eachOuter(t, func(t *testing.T, v6 bool) {
		p := newPath(t)
		w := newTap(t, p)
		tu := newTunnel(t, p, v6)
		a, b := tu.connect(t, v6)
		bytes := size(4<<20, 512<<10)
		exchange(t, a, b, bytes/16)
		a, b = tu.connect(t, v6)

		live := liveHeap()
		peak := watchHeap(t)
		var wg sync.WaitGroup
		datagrams := size(3000, 1000)
		silent, noisy := newStranger(t, tu), newStranger(t, tu)
		for kind, message := range strangeMessages(t, tu, w.seen()) {
			s := silent
			if kind == "initiations" || kind == "replays" { // whose first MAC is right
				s = noisy
			}
			wg.Go(func() {
				rng := rand.New(rand.NewPCG(1, uint64(len(kind))))
				for range datagrams {
					s.send(t, message(rng))
				}
			})
		}
		exchange(t, a, b, bytes)
		wg.Wait()
		tu.works(t)
		require.Zero(t, silent.answers.Load(), "answers to what is not WireGuard's")
		require.Equal(t, noisy.kinds[device.MessageCookieReplyType].Load(), noisy.answers.Load(), "answers that are cookies")
		grown := liveHeap() - live
		t.Logf("%d cookies; the heap grew by %d MiB at most, and by %d KiB in the end", noisy.answers.Load(), peak()>>20, grown>>10)
		require.Less(t, peak(), int64(hostileHeap))
		require.Less(t, grown, int64(keptHeap))
	})
}

// strangeMessages are functions that make messages, by what they are.
func strangeMessages(t testing.TB, tu *tunnel, recorded [][]byte) map[string]func(*rand.Rand) []byte {
	t.Helper()
	require.NotEmpty(t, recorded)
	var macs device.CookieGenerator
	macs.Init(device.NoisePublicKey(tu.b.key.PublicKey()))
	var session []byte // type and receiver of packets that go to the right
	for _, m := range recorded {
		if m[0] == device.MessageTransportType {
			session = m[:8]
		}
	}
	require.NotNil(t, session)
	typed := func(rng *rand.Rand, kind uint32, size int) []byte {
		m := random(rng, size)
		binary.LittleEndian.PutUint32(m, kind)
		return m
	}
	return map[string]func(*rand.Rand) []byte{
		"noise": func(rng *rand.Rand) []byte { return random(rng, rng.IntN(1472)) },
		"types": func(rng *rand.Rand) []byte { return typed(rng, uint32(rng.IntN(6)), 4+rng.IntN(1400)) },
		"initiations with wrong MACs": func(rng *rand.Rand) []byte {
			return typed(rng, device.MessageInitiationType, device.MessageInitiationSize)
		},
		"responses": func(rng *rand.Rand) []byte {
			return typed(rng, device.MessageResponseType, device.MessageResponseSize)
		},
		"cookies": func(rng *rand.Rand) []byte {
			return typed(rng, device.MessageCookieReplyType, device.MessageCookieReplySize)
		},
		"packets of the session": func(rng *rand.Rand) []byte {
			m := random(rng, device.MessageTransportSize+rng.IntN(1400))
			copy(m, session)
			return m
		},
		"packets of no session": func(rng *rand.Rand) []byte {
			return typed(rng, device.MessageTransportType, device.MessageTransportSize+rng.IntN(1400))
		},
		"replays": func(rng *rand.Rand) []byte { return recorded[rng.IntN(len(recorded))] },
		"truncated": func(rng *rand.Rand) []byte {
			m := recorded[rng.IntN(len(recorded))]
			return m[:rng.IntN(len(m))]
		},
		// Who knows the public key can make these. The handshake is wrong all the same.
		"initiations": func(rng *rand.Rand) []byte {
			m := typed(rng, device.MessageInitiationType, device.MessageInitiationSize)
			macs.AddMacs(m)
			return m
		},
	}
}

func random(rng *rand.Rand, size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

// works wants connections with both versions of IP to work.
func (tu *tunnel) works(t testing.TB) {
	t.Helper()
	for _, v6 := range []bool{false, true} {
		a, b := tu.connect(t, v6)
		exchange(t, a, b, 50_000)
	}
}

// watchHeap measures the heap until the end of the test. peak is by how much it has grown at most,
// in bytes, with what is garbage at that moment.
func watchHeap(t testing.TB) (peak func() int64) {
	t.Helper()
	before := liveHeap()
	var most atomic.Int64
	stop := make(chan struct{})
	var wg sync.WaitGroup
	sample := func() {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		most.Store(max(most.Load(), int64(m.HeapAlloc)-before))
	}
	wg.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				sample()
			}
		}
	})
	var once sync.Once
	end := func() {
		once.Do(func() {
			close(stop)
			wg.Wait()
			sample()
		})
	}
	t.Cleanup(end)
	return func() int64 {
		end()
		return most.Load()
	}
}

// liveHeap is the size of what is in use, in bytes.
func liveHeap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what pools have let go of
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// What was recorded and is sent again from elsewhere is dropped, and doesn't move the peer there.
// That a packet which comes from there for the first time does, shows that the test would see it.
func TestTunnelReplay(t *testing.T) {
	p := newPath(t)
	w := newTap(t, p)
	tu := newTunnel(t, p, false)
	server := tu.datagramSocket(t, tu.b)
	client := tu.datagramSocket(t, tu.a)
	to := server.LocalAddr()
	buf := make([]byte, 100)
	// Each of these is answered, so that the right end has had each message that is recorded.
	for i := range 20 {
		_, err := client.WriteTo([]byte{byte(i)}, to)
		require.NoError(t, err)
		_, from, err := server.ReadFrom(buf)
		require.NoError(t, err)
		_, err = server.WriteTo(buf[:1], from)
		require.NoError(t, err)
		_, _, err = client.ReadFrom(buf)
		require.NoError(t, err)
	}
	recorded := w.seen()
	require.GreaterOrEqual(t, len(recorded), 21) // with the handshake

	thief := newStranger(t, tu)
	at := tu.b.at()
	require.Equal(t, tu.outer(tu.a), at)
	for i := range 20 {
		for _, m := range recorded {
			thief.send(t, m)
		}
		// Behind the replays, as they are in one queue.
		_, err := client.WriteTo([]byte{byte(i)}, to)
		require.NoError(t, err)
		n, _, err := server.ReadFrom(buf)
		require.NoError(t, err)
		require.Equal(t, []byte{byte(i)}, buf[:n], "a replay was taken")
		_, err = server.WriteTo(buf[:n], client.LocalAddr())
		require.NoError(t, err)
		_, _, err = client.ReadFrom(buf)
		require.NoError(t, err)
	}
	require.Equal(t, at, tu.b.at())
	require.Zero(t, thief.answers.Load(), "what the thief has got")

	// A packet is stolen on its way, and comes from the thief.
	var stolen atomic.Pointer[[]byte]
	require.NoError(t, p.link.SetIn(tun.Impairment{Filter: func(packet []byte) []byte {
		m, kind := wireGuard(packet)
		if kind != device.MessageTransportType || len(m) == device.MessageKeepaliveSize || stolen.Load() != nil {
			return packet
		}
		m = slices.Clone(m)
		stolen.Store(&m)
		return nil
	}}))
	_, err := client.WriteTo([]byte("stolen"), to)
	require.NoError(t, err)
	soon(t, func() bool { return stolen.Load() != nil }, "the packet is stolen")
	thief.send(t, *stolen.Load())
	n, _, err := server.ReadFrom(buf)
	require.NoError(t, err)
	require.Equal(t, "stolen", string(buf[:n]))
	soon(t, func() bool { return tu.b.at() != at }, "the peer is where the thief is")
}

// datagramSocket opens one at an IPv4 address inside of the tunnel.
func (tu *tunnel) datagramSocket(t testing.TB, e *tunnelEnd) net.PacketConn {
	t.Helper()
	c, err := e.side.listenPacket("udp", netip.AddrPortFrom(e.side.addr(false), 0).String())
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	return c
}

// A peer that has a key sends what it mustn't: sources that it may not have, or nobody; pieces of
// packets; garbage. Nothing of that is received by a socket, and the tunnel goes on.
func TestTunnelHostilePeer(t *testing.T) {
	anywhere := func(e *tunnelEnd, c *wg.Config, _ *stack.Config) {
		if e.name == "right" {
			c.Peers[0].AllowedIPs = prefixes("0.0.0.0/0", "::/0")
		}
	}
	outside := []string{"10.99.9.9", "fd99::9"} // of the allowed IPs, where these are few
	martians := []string{"127.0.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255", "10.90.0.2", "::1", "::", "ff02::1", "fd90::2"}
	for name, tt := range map[string]struct {
		options  []tunnelOption
		received []string
	}{
		"its own addresses are allowed": {nil, nil},
		"all addresses are allowed":     {[]tunnelOption{anywhere}, outside},
	} {
		t.Run(name, func(t *testing.T) {
			tu := newTunnel(t, newPath(t), false, tt.options...)
			c, err := tu.b.stack.ListenPacket("udp", ":0")
			require.NoError(t, err)
			defer c.Close()
			port := uint16(c.LocalAddr().(*net.UDPAddr).Port)
			for _, source := range append(outside, martians...) {
				tu.inject(t, tu.datagram(netip.MustParseAddr(source), port, []byte(source)))
			}
			require.ElementsMatch(t, tt.received, tu.untilMarker(t, c, port))
		})
	}
	t.Run("pieces and garbage", func(t *testing.T) {
		tu := newTunnel(t, newPath(t), false)
		c, err := tu.b.stack.ListenPacket("udp", ":0")
		require.NoError(t, err)
		defer c.Close()
		port := uint16(c.LocalAddr().(*net.UDPAddr).Port)
		tu.works(t)
		before := liveHeap()
		rng := rand.New(rand.NewPCG(1, 2))
		for range size(3000, 500) {
			tu.inject(t, tu.fragment(rng, port), tu.garbage(rng))
		}
		require.Empty(t, tu.untilMarker(t, c, port))
		grown := liveHeap() - before
		t.Logf("%d KiB more are in use", grown>>10)
		require.Less(t, grown, int64(keptHeap))
		tu.works(t)
	})
}

// A peer opens 10,000 flows of one packet each. What is kept of them is bounded, and the tunnel
// goes on.
func TestTunnelManySmallFlows(t *testing.T) {
	tu := newTunnel(t, newPath(t), false)
	tu.works(t)
	l, err := tu.b.stack.Listen("tcp", ":0") // nobody accepts
	require.NoError(t, err)
	defer l.Close()
	c, err := tu.b.stack.ListenPacket("udp", ":0")
	require.NoError(t, err)
	defer c.Close()
	open, port := uint16(l.Addr().(*net.TCPAddr).Port), uint16(c.LocalAddr().(*net.UDPAddr).Port)
	before := liveHeap()
	flows := size(10_000, 1000)
	in := tu.b.stack.Stats().SegmentsIn
	for i := range flows {
		source := uint16(1024 + i)
		tu.inject(t,
			tu.syn(source, open),
			tu.syn(source, open+1), // which is closed
			tu.fromPort(source, tu.b.side.addr(false), 9, []byte("discarded")))
		if i%100 == 99 { // else most would be dropped on the way
			tu.untilMarker(t, c, port)
		}
	}
	grown := liveHeap() - before
	come := tu.b.stack.Stats().SegmentsIn - in
	t.Logf("%d SYNs sent, %d segments have come; %d KiB more are in use", 2*flows, come, grown>>10)
	require.Greater(t, int(come), flows)
	require.Less(t, grown, int64(keptHeap))
	tu.works(t)
}

// inject sends packets into the tunnel at the left end, past its stack.
func (tu *tunnel) inject(t testing.TB, packets ...[]byte) {
	t.Helper()
	list := make([]tun.Packet, len(packets))
	for i, p := range packets {
		list[i].Data = buffer.MakeWithData(p)
	}
	require.NoError(t, tu.a.device.Send(list))
	for i := range list {
		list[i].Data.Release()
	}
}

// untilMarker sends a datagram that is allowed behind all others, until it comes, as packets may be
// dropped where there are too many. It returns what came before.
func (tu *tunnel) untilMarker(t testing.TB, c net.PacketConn, port uint16) (before []string) {
	t.Helper()
	const prefix = "marker "
	marker := prefix + strconv.FormatInt(markers.Add(1), 10)
	buf := make([]byte, 1<<16)
	for end := time.Now().Add(patience); time.Now().Before(end); {
		tu.inject(t, tu.fromPort(5001, tu.b.side.addr(false), port, []byte(marker)))
		require.NoError(t, c.SetReadDeadline(time.Now().Add(100*time.Millisecond)))
		for {
			n, _, err := c.ReadFrom(buf)
			if err != nil {
				break
			}
			switch data := string(buf[:n]); {
			case data == marker:
				return before
			case !strings.HasPrefix(data, prefix): // that of an earlier call, which was sent twice
				before = append(before, data)
			}
		}
	}
	require.FailNow(t, "the marker has not come")
	return nil
}

// A scanner of ports finds nothing at the port of a tunnel.
func TestTunnelPortScan(t *testing.T) {
	if _, err := exec.LookPath("nmap"); err != nil {
		t.Skip("there is no nmap")
	}
	tu := newTunnel(t, newPath(t), false)
	var out []byte
	var err error
	tu.router.Do(func() {
		out, err = exec.Command("nmap", "-n", "-Pn", "-sU", "--max-retries", "0",
			"-p", strconv.Itoa(tunnelPort), tu.machineAddr(tu.b).String()).CombinedOutput()
	})
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "51820/udp open|filtered", "%s", out)
	tu.works(t)
}
