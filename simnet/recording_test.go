package simnet_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopacket/gopacket/pcapgo"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/internal/capture"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
)

// number is the number of a datagram of numbered, by its last bytes.
func number(p []byte) uint32 { return binary.BigEndian.Uint32(p[len(p)-4:]) }

// numbered sends datagrams from a, a millisecond apart.
func numbered(t *testing.T, n *simnet.Network, a *simnet.Host, to string, count, size int) {
	t.Helper()
	n.Do("send", func() {
		c, err := a.Dial("udp", to)
		require.NoError(t, err)
		defer c.Close()
		for i := range count {
			b := make([]byte, size)
			binary.BigEndian.PutUint32(b[size-4:], uint32(i))
			_, err := c.Write(b)
			require.NoError(t, err)
			n.Sleep(time.Millisecond)
		}
	})
}

// Whatever a link does to packets, the recording has for each the time at which it arrived first.
func TestRecording_Arrivals(t *testing.T) {
	for name, opts := range map[string][]simnet.LinkOption{
		"at once":    nil,
		"delayed":    {simnet.Delay(20 * time.Millisecond)},
		"lost":       {simnet.Delay(20 * time.Millisecond), simnet.Loss(0.5)},
		"duplicated": {simnet.Delay(20 * time.Millisecond), simnet.Duplicate(0.5)},
		"reordered":  {simnet.Delay(20 * time.Millisecond), simnet.Reorder(0.5, 50*time.Millisecond)},
		"jittered":   {simnet.Delay(20 * time.Millisecond), simnet.Jitter(20 * time.Millisecond), simnet.JitterReorders(true)},
		"slow":       {simnet.Rate(200_000, 2000)},
		"all":        {simnet.Delay(9 * time.Millisecond), simnet.Jitter(5 * time.Millisecond), simnet.Loss(0.1), simnet.Duplicate(0.2), simnet.Reorder(0.3, 0), simnet.Rate(400_000, 4000)},
	} {
		t.Run(name, func(t *testing.T) {
			n, a, w := wired(t)
			w.Set(opts...)
			r := n.Record()
			numbered(t, n, a, "10.0.0.9:9", 100, 100)
			n.Advance(10 * time.Second)
			first := map[uint32]time.Duration{}
			stats := w.Stats(a)
			for range stats.Packets - stats.Dropped() + stats.Duplicated {
				p, err := w.Receive(0)
				require.NoError(t, err)
				if _, again := first[number(p.Data)]; !again {
					first[number(p.Data)] = p.At
				}
			}
			require.Len(t, r.Packets(), 100)
			require.NotEmpty(t, first)
			for i, p := range r.Packets() {
				if arrived, ok := first[uint32(i)]; ok {
					require.Equal(t, arrived, p.Arrived.Truncate(time.Microsecond), "packet %d, %v", i, p.Fate)
				} else {
					require.Equal(t, simnet.Never, p.Arrived)
					require.True(t, p.Fate.Dropped())
				}
				require.Equal(t, [3]any{"a", "w", 128}, [3]any{p.From, p.To, p.Size})
			}
		})
	}
}

// A damaged packet arrives, too; what has nowhere to go, and what is too large for the other end,
// doesn't.
func TestRecording_NeverArrives(t *testing.T) {
	n := simnet.New(t)
	a := n.HostConfig("a", stack.Config{Addresses: prefixes("10.0.0.1/24"), MTU: 1500})
	r := n.Record()
	numbered(t, n, a, "10.0.0.2:9", 1, 50)
	require.Equal(t, simnet.Never, r.Packets()[0].Arrived)
	require.Empty(t, r.Packets()[0].To)
	b := n.HostConfig("b", stack.Config{Addresses: prefixes("10.0.0.2/24"), MTU: 1000})
	l := n.Link(a, b, simnet.Corrupt(1))
	numbered(t, n, a, "10.0.0.2:9", 1, 50)
	n.Advance(time.Second)
	require.NotEqual(t, simnet.Never, r.Packets()[1].Arrived)
	require.Equal(t, tun.Corrupted, r.Packets()[1].Fate)
	l.Set(simnet.Corrupt(0))
	numbered(t, n, a, "10.0.0.2:9", 1, 1200)
	n.Advance(time.Second)
	packets := packetsFrom(r, "a")
	require.Equal(t, simnet.Never, packets[2].Arrived)
	require.Equal(t, tun.TooBig, packets[2].Fate)
}

// A packet that is forwarded is there once for each link.
func TestRecording_HopByHop(t *testing.T) {
	n := simnet.New(t)
	via := func(gateway string) []stack.Route {
		return []stack.Route{{Destination: prefixes("0.0.0.0/0")[0], Gateway: prefixes(gateway + "/32")[0].Addr()}}
	}
	a := n.HostConfig("a", stack.Config{Addresses: prefixes("10.0.1.1/24"), Routes: via("10.0.1.2")})
	m := n.HostConfig("m", stack.Config{Addresses: prefixes("10.0.1.2/24"), Forwarding: true})
	b := n.HostConfig("b", stack.Config{Addresses: prefixes("10.0.2.1/24"), Routes: via("10.0.2.2")})
	n.Link(a, m, simnet.Delay(10*time.Millisecond))
	n.Link(m, b, simnet.Delay(30*time.Millisecond), simnet.Addresses(m, "10.0.2.2/24"))
	r := n.Record()
	numbered(t, n, a, "10.0.2.1:9", 1, 50)
	n.Advance(time.Second)
	hops := []string{}
	for _, p := range r.Packets() {
		hops = append(hops, fmt.Sprint(p.From, " ", p.To, " ", p.At, " ", p.Arrived))
	}
	require.Equal(t, []string{"a m 0s 10ms", "m b 10ms 40ms", "b m 40ms 70ms", "m a 70ms 80ms"}, hops, "and the answer that nobody is there")
}

// Several recordings have each what has happened in their time; hosts that are made later are in
// it, and so are connections that were there before. Looking doesn't end a recording; Stop does.
func TestRecording_SeveralAtOnce(t *testing.T) {
	n, a, b, _, all := slow(t)
	client, _ := connected(t, n, a, b)
	write := func() {
		n.Do("write", func() { _, err := client.Write(make([]byte, 100)); require.NoError(t, err) })
		n.Advance(time.Second)
	}
	n.Advance(time.Second)
	middle := n.Record()
	write()
	require.Len(t, middle.Packets(), 2)
	require.Len(t, middle.Connections(), 2)
	first := end(t, middle, "a").Samples[0]
	require.Equal(t, [3]any{simnet.EventState, "ESTABLISHED", uint64(1)}, [3]any{first.Event, first.State, first.SndNxt})
	require.Zero(t, end(t, middle, "a").Opened, "it is known from the other recording")
	middle.Stop()
	middle.Stop()
	late := n.Record()
	c := n.Host("c", "10.0.3.1/24")
	d := n.Host("d", "10.0.3.2/24")
	n.Link(c, d)
	n.Do("late", func() {
		_, err := c.Dial("tcp4", "10.0.3.2:1")
		require.Error(t, err)
	})
	write()
	require.Equal(t, "c", end(t, late, "c").Host)
	require.Len(t, middle.Packets(), 2)
	require.Len(t, all.Packets(), 3+2+len(late.Packets()))
	samples := func(r *simnet.Recording) int { return len(end(t, r, "a").Samples) }
	before := samples(all)
	all.Stop()
	late.Stop()
	write()
	require.Equal(t, before, samples(all), "nobody records")
	again := n.Record()
	require.NoError(t, n.Close())
	require.Len(t, again.Connections(), 2)
	require.Equal(t, "CLOSED", end(t, again, "a").Samples[1].State, "also after Close")
}

// Segments of 64 KiB are recorded as what the wire carries.
func TestRecording_Offload(t *testing.T) {
	n := simnet.New(t, simnet.Offload())
	a, b := n.Host("a", "10.0.0.1/24"), n.Host("b", "10.0.0.2/24")
	n.Link(a, b, simnet.Delay(5*time.Millisecond))
	r := n.Record()
	transfer(t, n, a, b, 200_000)
	n.Advance(time.Second)
	require.Greater(t, len(r.Packets()), 200_000/1460)
	for _, p := range r.Packets() {
		require.LessOrEqual(t, p.Size, 1500)
		require.Equal(t, p.At+5*time.Millisecond, p.Arrived)
	}
	last := end(t, r, "a").Samples
	require.EqualValues(t, 200_002, last[len(last)-1].SndUna)
}

// exchanged has both ends say something in real time or in a bubble, and looks at the recording.
func exchanged(t *testing.T, n *simnet.Network) {
	a, b := n.Host("a", "10.0.0.1/24"), n.Host("b", "10.0.0.2/24")
	n.Link(a, b, simnet.Delay(20*time.Millisecond))
	r := n.Record()
	l, err := b.Listen("tcp4", ":80")
	require.NoError(t, err)
	n.Go("server", func() {
		c, err := l.Accept()
		require.NoError(t, err)
		_, err = io.Copy(c, c)
		require.NoError(t, err)
		require.NoError(t, c.Close())
	})
	n.Do("client", func() {
		c, err := a.Dial("tcp4", "10.0.0.2:80")
		require.NoError(t, err)
		_, err = c.Write([]byte("hello"))
		require.NoError(t, err)
		require.NoError(t, c.(interface{ CloseWrite() error }).CloseWrite())
		_, err = io.ReadAll(c)
		require.NoError(t, err)
		require.NoError(t, c.Close())
	})
	require.NoError(t, l.Close())
	require.NoError(t, n.Run())
	samples := end(t, r, "a").Samples
	require.Equal(t, "SYN-SENT", samples[0].State)
	require.GreaterOrEqual(t, samples[len(samples)-1].SmoothedRTT, 40*time.Millisecond)
	require.EqualValues(t, 7, samples[len(samples)-1].SndNxt, "a SYN, five bytes, a FIN")
	arrived := 0
	for _, p := range r.Packets() {
		if p.Arrived != simnet.Never {
			require.GreaterOrEqual(t, p.Arrived, p.At+20*time.Millisecond)
			arrived++
		}
	}
	require.GreaterOrEqual(t, arrived, 6)
}

func TestRecording_RealTime(t *testing.T) { exchanged(t, simnet.New(t, simnet.RealTime())) }

func TestRecording_Bubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { exchanged(t, simnet.New(t, simnet.Bubble())) })
}

// What a queue does to a packet that waits is in the recording of that packet, in a line of the
// trace at that moment, and in captures.
func TestRecording_QueueJudgesLater(t *testing.T) {
	n, a, w := wired(t)
	var stream bytes.Buffer
	n.Capture(&stream)
	w.Set(simnet.Rate(400_000, 0), simnet.CoDel(5*time.Millisecond, 20*time.Millisecond))
	r := n.Record()
	numbered(t, n, a, "10.0.0.9:9", 300, 100)
	n.Advance(10 * time.Second)
	dropped := w.Stats(a).QueueDropped
	require.NotZero(t, dropped)
	count := 0
	for _, p := range r.Packets() {
		if p.Fate == tun.QueueDropped {
			count++
			require.Equal(t, simnet.Never, p.Arrived)
			require.Contains(t, p.Comment, "in the queue")
		}
	}
	require.EqualValues(t, dropped, count)
	require.Len(t, r.Packets(), 300)
	lines := 0
	for _, l := range n.Trace() {
		if l.Fate == tun.QueueDropped {
			lines++
			require.Contains(t, l.Text, "(standing queue)")
		}
	}
	require.EqualValues(t, dropped, lines)
	total, _ := n.Digest()
	require.EqualValues(t, 300, total, "a verdict is no packet")
	require.NoError(t, n.FlushCaptures())
	counted := pcapng(t, &stream)
	require.EqualValues(t, dropped, counted["a (queue) [dropped: standing queue]"])
	require.Equal(t, 300, counted["a []"])
}

// A packet that a queue marks arrives.
func TestRecording_QueueMarks(t *testing.T) {
	n, _, w := wired(t)
	w.Set(simnet.Rate(400_000, 0), simnet.CoDel(5*time.Millisecond, 20*time.Millisecond), simnet.ECN(true))
	r := n.Record()
	from, to := netip.MustParseAddrPort("10.0.0.9:9"), netip.MustParseAddrPort("10.0.0.1:9")
	packet := simnet.EncodeUDP(from, to, make([]byte, 100))
	packet[1] = 2 // ECT(0); to a link the checksum doesn't matter
	for range 300 {
		w.Inject(packet)
		n.Advance(time.Millisecond)
	}
	n.Advance(10 * time.Second)
	marked := 0
	for _, p := range r.Packets() {
		if p.Fate&tun.Marked != 0 {
			marked++
			require.Greater(t, p.Arrived, p.At)
			require.NotEmpty(t, p.Comment)
		}
	}
	require.NotZero(t, marked)
	require.EqualValues(t, w.Stats(w).Marked, marked)
	var file bytes.Buffer
	require.NoError(t, r.WritePcapng(&file))
	read, err := capture.Read(&file)
	require.NoError(t, err)
	for i, p := range r.Packets() {
		require.Equal(t, p.Fate, read.Packets[i].Fate, "the fates of a file are those of the recording")
		require.Contains(t, read.Packets[i].Comment, p.Comment)
	}
}

// pcapng counts the packets of a file, by interface and comments.
func pcapng(t *testing.T, file io.Reader) map[string]int {
	t.Helper()
	reader, err := pcapgo.NewNgReader(file, pcapgo.DefaultNgReaderOptions)
	require.NoError(t, err)
	counts := map[string]int{}
	for {
		_, info, opts, err := reader.ReadPacketDataWithOptions()
		if err == io.EOF {
			return counts
		}
		require.NoError(t, err)
		in, err := reader.Interface(info.InterfaceIndex)
		require.NoError(t, err)
		counts[fmt.Sprint(in.Name, " ", opts.Comments)]++
	}
}

// The file of a recording has each packet once, at its time, with its fate.
func TestRecording_WritePcapng(t *testing.T) {
	n, a, b, l := two(t, simnet.Delay(time.Second))
	r := n.Record()
	var none bytes.Buffer
	require.NoError(t, r.WritePcapng(&none))
	require.Empty(t, pcapng(t, &none))
	blast(t, n, a, b, "10.0.0.2:9", 3)
	l.Set(simnet.From(b, simnet.Loss(1)))
	blast(t, n, b, a, "10.0.0.1:9", 2)
	n.Do("large", func() {
		c, err := a.Dial("udp", "10.0.0.2:9")
		require.NoError(t, err)
		_, err = c.Write(make([]byte, 1000))
		require.NoError(t, err)
	})
	var file bytes.Buffer
	require.NoError(t, r.WritePcapng(&file))
	reader, err := pcapgo.NewNgReader(bytes.NewReader(file.Bytes()), pcapgo.DefaultNgReaderOptions)
	require.NoError(t, err)
	for _, p := range r.Packets() {
		data, info, err := reader.ReadPacketData()
		require.NoError(t, err)
		require.Equal(t, p.Data, data)
		require.Equal(t, p.Size, info.Length)
		require.Equal(t, p.At, info.Timestamp.Sub(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)))
	}
	counts := pcapng(t, &file)
	require.Equal(t, 2, counts["b [dropped: lost]"])
	require.ErrorContains(t, r.WritePcapng(broken{}), "simnet: pcapng: ")
}

// broken is a file that can't be written.
type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// Recordings begin, are looked at and end while connections come and go on other goroutines.
func TestRecording_Concurrently(t *testing.T) {
	n := simnet.New(t, simnet.RealTime())
	a, b := n.Host("a", "10.0.0.1/24"), n.Host("b", "10.0.0.2/24")
	n.Link(a, b)
	l, err := b.Listen("tcp4", ":80")
	require.NoError(t, err)
	n.Background("server", func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			n.Go("echo", func() {
				io.Copy(c, c)
				c.Close()
			})
		}
	})
	whole := n.Record()
	clients := []*simnet.Task{}
	for range 4 {
		clients = append(clients, n.Go("client", func() {
			for range 10 {
				c, err := a.Dial("tcp4", "10.0.0.2:80")
				require.NoError(t, err)
				require.NoError(t, c.(setter).SetNoDelay(true))
				n.Go("writer", func() {
					c.Write(make([]byte, 50_000))
					c.(interface{ CloseWrite() error }).CloseWrite()
				})
				got, err := io.ReadAll(c)
				require.NoError(t, err)
				require.Len(t, got, 50_000)
				c.Close()
			}
		}))
	}
	for busy := true; busy; {
		r := n.Record()
		r.Packets()
		r.Connections()
		r.Stop()
		busy = false
		for _, c := range clients {
			busy = busy || !c.Done()
		}
	}
	require.NoError(t, l.Close())
	ends := whole.Connections()
	require.GreaterOrEqual(t, len(ends), 80)
	for _, e := range ends {
		for i := 1; i < len(e.Samples); i++ {
			require.GreaterOrEqual(t, e.Samples[i].At, e.Samples[i-1].At)
			require.GreaterOrEqual(t, e.Samples[i].SndUna, e.Samples[i-1].SndUna)
		}
	}
}
