package simnet_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/gopacket/gopacket/pcapgo"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
)

// everything is a bad link.
var everything = []simnet.LinkOption{
	simnet.Delay(20 * time.Millisecond), simnet.Jitter(2 * time.Millisecond),
	simnet.Loss(0.1), simnet.Reorder(0.1, 0), simnet.Duplicate(0.05),
}

// 16 MiB each way; less where every packet is expensive.
func TestTransfer_BadLink(t *testing.T) {
	size := 16 << 20
	if raceEnabled || testing.Short() {
		size = 1 << 20
	}
	n, a, b, l := two(t, everything...)
	transfer(t, n, a, b, size)
	for _, node := range []simnet.Node{a, b} {
		s := l.Stats(node)
		require.InEpsilon(t, 0.1, float64(s.Lost)/float64(s.Packets), 0.25)
		require.NotZero(t, s.Reordered)
		require.NotZero(t, s.Duplicated)
	}
	t.Logf("%d bytes each way took %v", size, n.Now())
}

// Damaged packets are dropped by checksums, never delivered.
func TestTransfer_Corruption(t *testing.T) {
	n, a, b, _ := two(t, simnet.Delay(time.Millisecond), simnet.Corrupt(0.05))
	transfer(t, n, a, b, 256<<10)
}

func TestTransfer_Rate(t *testing.T) {
	const rate = 10_000_000
	const size = 1 << 20
	const queue = 2 * size // nothing is lost: this is about the rate
	n, a, b, _ := two(t, simnet.Delay(5*time.Millisecond), simnet.Rate(rate, queue))
	transfer(t, n, a, b, size)
	least := time.Duration(float64(size) * 8e9 / rate)
	require.Greater(t, n.Now(), least)
	require.Less(t, n.Now(), least*2)
}

// blast sends datagrams from a and returns how many b got.
func blast(t *testing.T, n *simnet.Network, a, b *simnet.Host, to string, count int) (got int) {
	t.Helper()
	n.Do("blast", func() {
		in, err := b.ListenPacket("udp", to)
		require.NoError(t, err)
		defer in.Close()
		out, err := a.Dial("udp", to)
		require.NoError(t, err)
		defer out.Close()
		for i := range count {
			_, err := out.Write([]byte{byte(i)})
			require.NoError(t, err)
		}
		in.SetReadDeadline(n.Time().Add(time.Second))
		for buf := make([]byte, 10); ; got++ {
			if _, _, err := in.ReadFrom(buf); err != nil {
				return
			}
		}
	})
	return got
}

func TestLink_FromAndSet(t *testing.T) {
	n := simnet.New(t)
	a, b := n.Host("a", "10.0.0.1/24"), n.Host("b", "10.0.0.2/24")
	l := n.Link(a, b, simnet.Delay(10*time.Millisecond), simnet.From(a, simnet.Loss(1)))
	require.Zero(t, blast(t, n, a, b, "10.0.0.2:9", 5))
	require.Equal(t, 5, blast(t, n, b, a, "10.0.0.1:9", 5))
	l.Set(simnet.Loss(0))
	require.Equal(t, 5, blast(t, n, a, b, "10.0.0.2:9", 5))
	l.Partition()
	require.Zero(t, blast(t, n, a, b, "10.0.0.2:9", 5))
	l.Heal()
	require.Equal(t, 5, blast(t, n, a, b, "10.0.0.2:9", 5))
	l.Set(simnet.From(b, simnet.Filter(func([]byte) []byte { return nil })))
	require.Equal(t, 5, blast(t, n, a, b, "10.0.0.2:9", 5))
	require.Zero(t, blast(t, n, b, a, "10.0.0.1:9", 5))
	require.EqualValues(t, 10, l.Stats(a).Dropped())
	require.Contains(t, n.TraceText(), "len 1 (partitioned)\n")
}

// A burst that begins at once and hardly ever ends loses everything; one Impairment replaces all
// that was set before.
func TestLink_BurstsAndImpairment(t *testing.T) {
	n := simnet.New(t)
	a, b := n.Host("a", "10.0.0.1/24"), n.Host("b", "10.0.0.2/24")
	l := n.Link(a, b, simnet.BurstLoss(tun.Burst{Enter: 1, Leave: 1e-9}))
	require.Zero(t, blast(t, n, a, b, "10.0.0.2:9", 5))
	require.EqualValues(t, 5, l.Stats(a).Lost)
	l.Set(simnet.Impairment(tun.Impairment{Duplicate: 1}))
	require.Equal(t, 10, blast(t, n, a, b, "10.0.0.2:9", 5))
}

func TestLink_InFlight(t *testing.T) {
	n := simnet.New(t)
	a, b := n.Host("a", "10.0.0.1/24"), n.Host("b", "10.0.0.2/24")
	l := n.Link(a, b, simnet.Delay(time.Second))
	n.Do("send", func() {
		out, err := a.Dial("udp", "10.0.0.2:9")
		require.NoError(t, err)
		defer out.Close()
		for range 3 {
			_, err = out.Write([]byte{1})
			require.NoError(t, err)
		}
	})
	require.Equal(t, 3, l.InFlight())
	n.Advance(time.Second - 1)
	require.Equal(t, 3, l.InFlight(), "still on their way")
	n.Advance(1)
	require.Equal(t, 3, l.InFlight(), "the answers that say that nobody is there")
	n.Advance(time.Second)
	require.Zero(t, l.InFlight())
}

func TestLink_HostWithTwo(t *testing.T) {
	n := simnet.New(t)
	a := n.Host("a", "10.0.0.1/24")
	b := n.Host("b", "10.0.0.2/24")
	c := n.HostConfig("c", stack.Config{Addresses: prefixes("10.1.0.2/24"), MTU: 9000})
	n.Link(a, b)
	n.Link(a, c, simnet.Addresses(a, "10.1.0.1/24"), simnet.MTU(9000))
	require.Equal(t, 3, blast(t, n, a, b, "10.0.0.2:9", 3))
	require.Equal(t, 3, blast(t, n, a, c, "10.1.0.2:9", 3))
	require.Equal(t, 3, blast(t, n, c, a, "10.1.0.1:9", 3))
}

func TestLink_LoopbackIsDeterministicToo(t *testing.T) {
	run := func() (string, time.Duration) {
		n := simnet.New(t)
		a := n.Host("a", "10.0.0.1/24")
		transferLocal(t, n, a)
		d := n.Now()
		out := fmt.Sprint(a.Stats())
		n.Close()
		return out, d
	}
	want, _ := run()
	for range 10 {
		got, _ := run()
		require.Equal(t, want, got)
	}
}

func transferLocal(t *testing.T, n *simnet.Network, a *simnet.Host) {
	data := bytes.Repeat([]byte("loop"), 50_000)
	n.Go("server", func() {
		l, err := a.Listen("tcp", "127.0.0.1:80")
		require.NoError(t, err)
		c, err := l.Accept()
		require.NoError(t, err)
		c.Write(data)
		c.Close()
		l.Close()
	})
	n.Do("client", func() {
		c, err := a.Dial("tcp", "127.0.0.1:80")
		require.NoError(t, err)
		got, err := io.ReadAll(c)
		require.NoError(t, err)
		require.True(t, bytes.Equal(data, got))
		c.Close()
	})
}

// IPv4 IDs of packets without DF come from the seeded source, too.
func TestDeterminism_Datagrams(t *testing.T) {
	run := func(seed uint64) uint64 {
		n := simnet.New(t, simnet.Seed(seed))
		a, b := n.Host("a", "10.0.0.1/24"), n.Host("b", "10.0.0.2/24")
		n.Link(a, b, simnet.Jitter(time.Millisecond))
		n.Do("main", func() {
			in, err := b.ListenPacket("udp", "10.0.0.2:9")
			require.NoError(t, err)
			out, err := a.ListenPacket("udp", "10.0.0.1:0")
			require.NoError(t, err)
			for range 5 {
				_, err = out.WriteTo(make([]byte, 5000), in.LocalAddr()) // fragments
				require.NoError(t, err)
				k, _, err := in.ReadFrom(make([]byte, 9000))
				require.NoError(t, err)
				require.Equal(t, 5000, k)
			}
		})
		_, digest := n.Digest()
		require.NoError(t, n.Close())
		return digest
	}
	want := run(1)
	for range 20 {
		require.Equal(t, want, run(1))
	}
	require.NotEqual(t, want, run(2))
}

func TestTraceLimit(t *testing.T) {
	n := simnet.New(t, simnet.TraceLimit(3))
	a, b := n.Host("a", "10.0.0.1/24"), n.Host("b", "10.0.0.2/24")
	n.Link(a, b)
	blast(t, n, a, b, "10.0.0.2:9", 7)
	require.Len(t, n.Trace(), 3)
	packets, _ := n.Digest()
	require.EqualValues(t, 7, packets)
	n.ClearTrace()
	require.Empty(t, n.Trace())
	blast(t, n, a, b, "10.0.0.2:9", 5)
	require.Len(t, n.Trace(), 3)
}

func TestCapture(t *testing.T) {
	var all, one bytes.Buffer
	n, a, b, l := two(t, simnet.Delay(time.Second))
	n.Capture(&all)
	blast(t, n, a, b, "10.0.0.2:9", 1)
	l.Capture(&one)
	l.Set(simnet.From(b, simnet.Loss(1)))
	blast(t, n, b, a, "10.0.0.1:9", 1)
	require.NoError(t, n.FlushCaptures())
	read := func(file io.Reader) (out []string) {
		r, err := pcapgo.NewNgReader(file, pcapgo.DefaultNgReaderOptions)
		require.NoError(t, err)
		for {
			_, info, opts, err := r.ReadPacketDataWithOptions()
			if err == io.EOF {
				return out
			}
			require.NoError(t, err)
			i, err := r.Interface(info.InterfaceIndex)
			require.NoError(t, err)
			out = append(out, fmt.Sprint(i.Name, " ", info.Timestamp.UTC().Format(time.DateTime), " ", opts.Comments))
		}
	}
	require.Equal(t, []string{"a 2000-01-01 00:00:00 []", "b 2000-01-01 00:00:01 [dropped: lost]"}, read(&all)[:2])
	require.Equal(t, []string{"b 2000-01-01 00:00:01 [dropped: lost]"}, read(&one))
}

func TestRealTime(t *testing.T) {
	n := simnet.New(t, simnet.RealTime())
	a, b := n.Host("a", "10.0.0.1/24"), n.Host("b", "10.0.0.2/24")
	l := n.Link(a, b, simnet.Delay(5*time.Millisecond))
	ln, err := b.Listen("tcp", ":80")
	require.NoError(t, err)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") })}
	n.Background("server", func() { server.Serve(ln) })
	tr := &http.Transport{DialContext: a.DialContext}
	defer tr.CloseIdleConnections()
	begin := n.Now()
	n.Do("client", func() {
		r, err := (&http.Client{Transport: tr}).Get("http://10.0.0.2/")
		require.NoError(t, err)
		defer r.Body.Close()
		body, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		require.Equal(t, "hello", string(body))
	})
	require.GreaterOrEqual(t, n.Now()-begin, 20*time.Millisecond) // two round trips
	require.NotZero(t, l.Stats(a).Packets)
	require.NotEmpty(t, n.Trace())
	n.Advance(time.Millisecond)
	require.NoError(t, server.Close())

	w := n.Wire(n.Host("c", "10.2.0.1/24"), "w", "10.2.0.9")
	p := w.Connect("10.2.0.1:81")
	p.Send("[S]")
	p.Expect("[R.] seq 0 ack 1")
	w.ExpectSilence(10 * time.Millisecond)
}

func TestHostConfig(t *testing.T) {
	require.Contains(t, failure(func(tb simnet.TB) { simnet.New(tb).HostConfig("a", stack.Config{MTU: 60}) }), "Config.MTU")
	d, other := tun.Pipe(1500)
	defer d.Close()
	defer other.Close()
	require.Contains(t, failure(func(tb simnet.TB) { simnet.New(tb).HostConfig("a", stack.Config{Device: d}) }), "are the network's")
	require.Contains(t, failure(func(tb simnet.TB) { simnet.New(tb).HostConfig("a", stack.Config{Profile: 99}) }), "host a:")
}

// What is larger than the MTU of the end that it goes to is lost, and seen to be.
func TestLink_MTUOfTheOtherEnd(t *testing.T) {
	n := simnet.New(t)
	a, r := n.Host("a", "10.0.0.2/24"), n.Router("r")
	l := n.Link(a, r, simnet.Addresses(r, "10.0.0.1/24"), simnet.From(r, simnet.MTU(800)))
	n.Do("ping", func() {
		p, err := a.Dial("udp", "10.0.0.1:9")
		require.NoError(t, err)
		p.Write(make([]byte, 1000))
		p.Write(make([]byte, 700))
		l.Set(simnet.PathMTU(300))
		p.Write(make([]byte, 400))
		l.Set(simnet.PathMTU(0))
		p.Write(make([]byte, 900))
	})
	require.EqualValues(t, 3, l.Stats(a).TooBig)
	require.Contains(t, n.TraceText(), "len 1000 (too big)")
}
