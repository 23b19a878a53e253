package picture

import (
	"bytes"
	"encoding/csv"
	"encoding/xml"
	"errors"
	"io"
	"math/bits"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/internal/record"
	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/tun"
)

// written is what a function writes.
func written(t testing.TB, f func(io.Writer) error) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, f(&b))
	return b.String()
}

func TestGolden(t *testing.T) {
	plays := map[string]*play{"conversation": conversation(), "routed": routed(), "empty": {}}
	for name, p := range plays {
		a := Analyse(&p.Recording)
		golden(t, name+"-ladder.svg", written(t, func(w io.Writer) error { return a.WriteLadder(w, -1) }))
		golden(t, name+".txt", written(t, func(w io.Writer) error { return a.WriteText(w, -1) }))
		golden(t, name+".csv", written(t, func(w io.Writer) error { return a.WriteCSV(w, -1) }))
		if flow, dir := a.Busiest(); flow >= 0 {
			golden(t, name+"-sequence.svg", written(t, func(w io.Writer) error { return a.WriteSequence(w, flow, dir) }))
		}
	}
	a := Analyse(&plays["conversation"].Recording)
	golden(t, "conversation-samples.csv", written(t, a.WriteSamples))
}

func TestAnalyse_Conversation(t *testing.T) {
	a := Analyse(&conversation().Recording)
	require.True(t, a.Arrivals)
	require.Len(t, a.Flows, 1)
	f := a.Flows[0]
	require.Equal(t, [2]netip.AddrPort{client, server}, f.Ends)
	require.Equal(t, [2]string{"client", "server"}, f.Nodes)
	require.Equal(t, [2]uint64{4000, 0}, f.Bytes)
	require.Equal(t, 2, f.Lost)
	require.Equal(t, 2, f.Resent)
	notes := map[Note]int{}
	for i := range a.Packets {
		notes[a.Packets[i].Notes]++
	}
	require.Equal(t, map[Note]int{0: len(a.Packets) - 4, Retransmission: 2, DuplicateAck: 1, KeepAlive: 1}, notes)
	require.EqualValues(t, 4001, a.Packets[len(a.Packets)-2].Start, "numbers don't go round")
}

func TestAnalyse_Routed(t *testing.T) {
	a := Analyse(&routed().Recording)
	require.Len(t, a.Flows, 1)
	f := a.Flows[0]
	require.Equal(t, [2]string{"a", "b"}, f.Nodes)
	require.Equal(t, 1, f.Lost)
	require.Equal(t, 1, f.Resent, "each hop isn't one more")
	require.Equal(t, [2]uint64{500, 0}, f.Bytes)
	require.Equal(t, []string{"a", "r1", "r2", "b"}, a.columns(a.all()))
	lost := &a.Packets[6]
	require.Equal(t, LostLater, lost.Notes)
	require.Equal(t, 7, a.Packets[8].Previous)
	require.True(t, a.Packets[8].Fate.Dropped())
}

// Equal packets, and one that arrives twice, are told apart on the way through a router.
func TestAnalyse_EqualPackets(t *testing.T) {
	p := &play{}
	ack := tcp(client, server, trace.ACK, 1, 1, 0, none)
	for i, from := range []string{"a", "a", "a", "r", "r", "r", "r"} {
		fate := tun.Fate(0)
		if i == 1 {
			fate = tun.Duplicated
		}
		p.hop(time.Duration(i), time.Duration(i+1), from, map[string]string{"a": "r", "r": "b"}[from], fate, ack)
	}
	a := Analyse(&p.Recording)
	var previous []int
	for i := range a.Packets {
		previous = append(previous, a.Packets[i].Previous)
	}
	require.Equal(t, []int{-1, -1, -1, 0, 1, 1, 2}, previous)
}

// Long silences of a time–sequence diagram are left out of its axis, in order.
func TestTimeAxis(t *testing.T) {
	var moments []time.Duration
	for i := range 10 {
		moments = append(moments, time.Duration(i)*ms, time.Hour+time.Duration(i)*ms)
	}
	a := newTimeAxis(moments)
	require.Len(t, a.pieces, 2)
	last := -1.0
	for _, s := range []float64{0, 0.009, 1, 1800, 3599, 3600, 3600.009} {
		x := a.place(s)
		require.Greater(t, x, last)
		require.True(t, x >= 0 && x <= 1)
		last = x
	}
	require.Greater(t, a.place(0.009)-a.place(0), 0.4, "what happens has the room")
	require.Len(t, newTimeAxis(moments[:1]).pieces, 1)
	require.Len(t, newTimeAxis([]time.Duration{0, time.Second, time.Hour}).pieces, 1)
}

// The ports of a connection are used again: another SYN begins another connection.
func TestAnalyse_PortsAgain(t *testing.T) {
	p := &play{}
	for i := range uint32(2) {
		for range 2 { // the SYN and its retransmission
			p.hop(time.Duration(i)*time.Minute, 0, "a", "b", 0, tcp(client, server, trace.SYN, 1000*i, 0, 0, none))
		}
	}
	a := Analyse(&p.Recording)
	require.Len(t, a.Flows, 2)
	require.Equal(t, 1, a.Flows[1].Resent)
	require.Equal(t, 0, a.Find(server, client))
	require.Equal(t, 0, a.Find(netip.AddrPort{}, server))
	require.Equal(t, -1, a.Find(client, client))
}

func TestThin(t *testing.T) {
	p := transfer(100_000)
	a := Analyse(&p.Recording)
	for _, most := range []int{100, 1000, 100_002} {
		chosen := a.thin(a.all(), most)
		require.LessOrEqual(t, len(chosen), most)
		require.Greater(t, len(chosen), most/2)
		sum := 0
		for _, n := range gaps(a.all(), chosen) {
			sum += n
		}
		require.Equal(t, len(a.Packets), sum+len(chosen), "the last is always there")
	}
	chosen := a.thin(a.all(), 1000)
	lost := 0
	for _, i := range chosen {
		if a.Packets[i].Fate == tun.Lost {
			lost++
		}
	}
	require.Equal(t, 200, lost, "what is remarkable stays")
}

// A page of 100,000 packets stays small, and says what it leaves out.
func TestPage_Bounded(t *testing.T) {
	p := transfer(100_000)
	p.Left.Packets = 7
	a := Analyse(&p.Recording)
	page := written(t, func(w io.Writer) error { return a.WriteHTML(w, "much") })
	require.Less(t, len(page), 3<<20)
	shown := len(a.thin(a.all(), pageLadder))
	require.Equal(t, shown, strings.Count(page, `<g class="p `))
	require.Equal(t, shown, strings.Count(page, "<tr class=\"d"))
	says(t, page, thousands(uint64(shown))+" of 100,002 packets shown", "packets not shown",
		"100,000 segments, 100,000,000 bytes of payload", "7 packets and 0 samples are missing")
}

// Many connections share the page.
func TestPage_ManyConnections(t *testing.T) {
	p := &play{}
	for i := range 3000 {
		from := netip.AddrPortFrom(client.Addr(), uint16(1000+i))
		for k := range uint32(20) {
			p.hop(time.Duration(i)*ms, record.Never, "a", "b", 0, tcp(from, server, trace.ACK, 1+k, 1, 1, none))
		}
	}
	a := Analyse(&p.Recording)
	page := written(t, func(w io.Writer) error { return a.WriteHTML(w, "many") })
	require.Less(t, len(page), 6<<20)
	require.Equal(t, pageConnections, strings.Count(page, "<template"))
	says(t, page, "2,970 more have no view of their own")
}

// says checks that a page, which is too long to print, has these words.
func says(t *testing.T, page string, words ...string) {
	t.Helper()
	for _, w := range words {
		require.True(t, strings.Contains(page, w), w)
	}
}

// wellFormed checks an XML document.
func wellFormed(t testing.TB, text string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(text))
	for {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		require.NoError(t, err)
	}
}

const evil = "</svg></title></template></script><script>throw 1</script>\"'&\x00\x1b[31m\u202egnp\xff]]>=1+1"

// hostile is a recording whose names and comments try to break out.
func hostile() *play {
	p := conversation()
	p.Nodes = []string{evil, "server"}
	for i := range p.Packets {
		k := &p.Packets[i]
		k.Comment = evil
		if k.From == "client" {
			k.From = evil
		} else {
			k.To = evil
		}
	}
	p.Connections[0].Host = evil
	return p
}

func TestHostile(t *testing.T) {
	a := Analyse(&hostile().Recording)
	checkEscaped(t, a, evil)
	rows, err := csv.NewReader(strings.NewReader(written(t, func(w io.Writer) error { return a.WriteCSV(w, -1) }))).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, len(a.Packets)+1)
	text := written(t, func(w io.Writer) error { return a.WriteText(w, -1) })
	require.Equal(t, len(a.Packets), strings.Count(text, "\n"))
	require.NotContains(t, text, "\x1b")
	samples := written(t, a.WriteSamples)
	require.Contains(t, samples, "'=TCP_NODELAY")
}

// checkEscaped checks everything that is drawn of a recording.
func checkEscaped(t testing.TB, a *Analysis, title string) {
	wellFormed(t, written(t, func(w io.Writer) error { return a.WriteLadder(w, -1) }))
	for flow := range a.Flows {
		wellFormed(t, written(t, func(w io.Writer) error { return a.WriteLadder(w, flow) }))
		for dir := range 2 {
			wellFormed(t, written(t, func(w io.Writer) error { return a.WriteSequence(w, flow, dir) }))
		}
	}
	page := written(t, func(w io.Writer) error { return a.WriteHTML(w, title, title) })
	require.Equal(t, 1, strings.Count(page, "<script"), "only our own")
	require.Equal(t, strings.Count(page, "<svg"), strings.Count(page, "</svg>"))
	require.False(t, strings.ContainsAny(page, "\x00\u202e"))
}

// FuzzPicture draws packets and names of any bytes.
func FuzzPicture(f *testing.F) {
	for _, p := range []*play{conversation(), routed()} {
		for i := range p.Packets {
			f.Add(p.Packets[i].Data, p.Packets[0].Data, evil, evil, int64(i)*1e9, uint16(p.Packets[i].Fate))
		}
	}
	f.Add([]byte{0x45}, []byte{}, "", "a", int64(-1<<63), uint16(0xffff))
	f.Fuzz(func(t *testing.T, one, two []byte, name, comment string, at int64, fate uint16) {
		rec := &record.Recording{Nodes: []string{name}}
		for i, data := range [][]byte{one, two, one} {
			rec.Packets = append(rec.Packets, record.Packet{
				At: time.Duration(i), Arrived: time.Duration(at), From: name, To: comment, Fate: tun.Fate(fate), Comment: comment, Data: data,
			})
		}
		a := Analyse(rec)
		checkEscaped(t, a, name)
		written(t, func(w io.Writer) error { return a.WriteCSV(w, -1) })
		written(t, func(w io.Writer) error { return a.WriteText(w, -1) })
	})
}

func TestTicks(t *testing.T) {
	labels := func(lo, hi float64, f func(v, step float64) string) (list []string) {
		for _, k := range ticks(lo, hi, 8, f) {
			list = append(list, k.label)
		}
		return list
	}
	require.Equal(t, []string{"0.0 s", "0.5 s", "1.0 s", "1.5 s", "2.0 s", "2.5 s", "3.0 s"}, labels(-0.06, 3.2, secondsLabel))
	require.Equal(t, []string{"0", "200 k", "400 k", "600 k", "800 k", "1.0 M"}, labels(0, 1e6, bytesLabel))
	require.Equal(t, []string{"0", "50 ms", "100 ms", "150 ms", "200 ms", "250 ms", "300 ms"}, labels(0, 0.33, timeLabel))
	require.Equal(t, []string{"1000.000 s", "1000.002 s", "1000.004 s", "1000.006 s", "1000.008 s", "1000.010 s"}, labels(1000, 1000.01, secondsLabel))
	require.Equal(t, []string{"5.000000000 s"}, labels(5, 5, func(v, _ float64) string { return secondsLabel(v, 1e-9) }), "an empty span has one")
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		10 * time.Minute: "10m", 20 * time.Second: "20s", 2 * time.Hour: "2h", 90 * time.Minute: "1h30m",
		2576 * ms: "2.58s", 947400 * time.Microsecond: "947ms", 61 * time.Second: "1m1s", 1234567: "1.23ms",
	} {
		require.Equal(t, want, span(d))
	}
}

// A probe of a window that is closed isn't one that keeps alive.
func TestAnalyse_WindowProbe(t *testing.T) {
	for window, want := range map[byte]Note{0: WindowProbe, 1: KeepAlive} {
		p := &play{Recording: record.Recording{Nodes: []string{"client", "server"}}}
		none := trace.Options{WS: -1}
		p.hop(0, 1, "client", "server", 0, p.numbered(tcp(client, server, trace.ACK, 1, 1, 10, none)))
		ack := tcp(server, client, trace.ACK, 1, 11, 0, none)
		ack[34], ack[35] = 0, window
		p.hop(2, 3, "server", "client", 0, p.numbered(ack))
		p.hop(4, 5, "client", "server", 0, p.numbered(tcp(client, server, trace.ACK, 10, 1, 0, none)))
		a := Analyse(&p.Recording)
		require.Equal(t, want, a.Packets[2].Notes, "window %d", window)
		require.Equal(t, noteNames[bits.TrailingZeros8(uint8(want))], a.Packets[2].found()[0])
	}
}
