package simnet_test

import (
	"bytes"
	"encoding/csv"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/simnet"
)

// recordedTransfer is a recording of a transfer of 60 kB from a to b over a bad link.
func recordedTransfer(t simnet.TB) *simnet.Recording {
	n, a, b, _ := two(t, simnet.Delay(20*time.Millisecond), simnet.Loss(0.05))
	rec := n.Record()
	l, err := b.Listen("tcp", ":80")
	if err != nil {
		t.Fatalf("%v", err)
	}
	n.Background("server", func() {
		c, err := l.Accept()
		if err == nil {
			io.Copy(io.Discard, c)
			c.Close()
		}
	})
	n.Do("client", func() {
		c, err := a.Dial("tcp", "10.0.0.2:80")
		if err != nil {
			t.Fatalf("%v", err)
		}
		c.Write(make([]byte, 60_000))
		c.Close()
	})
	n.Advance(10 * time.Second)
	return rec
}

// text is what a function writes.
func text(t *testing.T, write func(io.Writer) error) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, write(&b))
	return b.String()
}

func TestRecording_Pictures(t *testing.T) {
	rec := recordedTransfer(t)
	packets := rec.Packets()
	require.Greater(t, len(packets), 50)

	page := text(t, rec.WriteHTML)
	require.Equal(t, len(packets), strings.Count(page, `<g class="p `), "an arrow for each packet")
	require.Equal(t, len(packets), strings.Count(page, "<tr class=\"d"))
	require.True(t, strings.Contains(page, "<title>TestRecording_Pictures</title>"))

	svg := text(t, func(w io.Writer) error { return rec.WriteSVG(w) })
	require.Contains(t, svg, "a 10.0.0.1:")
	require.Contains(t, svg, "60,000 bytes of payload")
	require.Contains(t, svg, "congestion window", "there are samples")
	require.Contains(t, svg, `<path class="srtt" d="M`)
	ladder := text(t, func(w io.Writer) error { return rec.WriteLadder(w) })
	require.Equal(t, len(packets), strings.Count(ladder, `<g class="p `))

	rows, err := csv.NewReader(strings.NewReader(text(t, rec.WriteCSV))).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, len(packets)+1)
	samples := 0
	for _, c := range rec.Connections() {
		samples += len(c.Samples)
	}
	rows, err = csv.NewReader(strings.NewReader(text(t, rec.WriteSamplesCSV))).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, samples+1)
	require.Contains(t, text(t, rec.WriteText), "(retransmission)")
}

func TestRecording_Between(t *testing.T) {
	rec := recordedTransfer(t)
	server := netip.MustParseAddrPort("10.0.0.2:80")
	client := rec.Connections()[0].Local
	require.Equal(t, "10.0.0.1", client.Addr().String())
	title := func(x, y netip.AddrPort) string {
		svg := text(t, func(w io.Writer) error { return rec.WriteSVG(w, simnet.Between(x, y)) })
		return svg[strings.Index(svg, `text-anchor="start">`)+20:][:2]
	}
	require.Equal(t, "a ", title(client, server))
	require.Equal(t, "b ", title(server, client))
	require.Equal(t, "b ", title(server, netip.AddrPort{}))
	require.Equal(t, "a ", title(netip.AddrPort{}, server))
}

func TestRecording_PictureErrors(t *testing.T) {
	require.Contains(t, failure(func(t simnet.TB) {
		n, _, _, _ := two(t)
		n.Record().WriteSVG(io.Discard)
	}), "simnet: WriteSVG: the recording has no TCP connection; WriteLadder draws other packets")
	require.Regexp(t, `simnet: WriteLadder: no connection has the ends 1.2.3.4:5 and any; there are: 10.0.0.1:\d+ and 10.0.0.2:80`, failure(func(t simnet.TB) {
		rec := recordedTransfer(t)
		rec.WriteLadder(io.Discard, simnet.Between(netip.MustParseAddrPort("1.2.3.4:5"), netip.AddrPort{}))
	}))
}

func TestKeepOnFailure_Mistakes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	require.Contains(t, failure(func(t simnet.TB) { simnet.New(t, simnet.KeepOnFailure("x")) }), "KeepOnFailure: New needs the testing.T of the test")
	require.PanicsWithError(t, "simnet: KeepOnFailure: New needs the testing.T of the test, which says whether it has failed: simnet.New(t, simnet.KeepOnFailure(dir))",
		func() { simnet.New(nil, simnet.KeepOnFailure("x")) })
	for dir, want := range map[string]string{"": "the name of the folder is empty", file: "file is a file, not a folder"} {
		require.Contains(t, failure(func(t simnet.TB) { simnet.New(named{t}, simnet.KeepOnFailure(dir)) }), want)
	}
}

// named is a TB of a test with a name that has failed.
type named struct{ simnet.TB }

func (named) Failed() bool        { return true }
func (named) Name() string        { return "../Test/../\x00ü" }
func (named) Logf(string, ...any) {}

// The names of files can't leave the folder, and don't collide.
func TestKeepOnFailure_Names(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "here")
	failure(func(t simnet.TB) {
		for range 2 {
			simnet.New(named{t}, simnet.KeepOnFailure(dir))
		}
	})
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	var names []string
	for _, f := range files {
		names = append(names, f.Name())
	}
	require.Equal(t, []string{"_Test_..___-2.html", "_Test_..___-2.pcapng", "_Test_..___.html", "_Test_..___.pcapng"}, names)
}

// TestKeepOnFailure runs itself in another process, where tests fail.
func TestKeepOnFailure(t *testing.T) {
	const key = "WSSTACK_KEEP_CHILD"
	if dir := os.Getenv(key); dir != "" {
		failingTests(t, dir)
		return
	}
	dir := filepath.Join(t.TempDir(), "kept")
	cmd := exec.Command(os.Args[0], "-test.run=^TestKeepOnFailure$", "-test.v")
	cmd.Env = append(os.Environ(), key+"="+dir)
	out, err := cmd.CombinedOutput()
	require.Error(t, err, "the tests fail:\n%s", out)
	for _, name := range []string{"task", "bubble", "plain"} {
		file := filepath.Join(dir, "TestKeepOnFailure_"+name)
		require.Contains(t, string(out), "simnet: what happened is in "+file+".html")
		page, err := os.ReadFile(file + ".html")
		require.NoError(t, err)
		require.True(t, strings.Contains(string(page), "The test has failed. The seed of the network was 1."))
		require.Greater(t, strings.Count(string(page), `<g class="p `), 2)
		packets, err := os.ReadFile(file + ".pcapng")
		require.NoError(t, err)
		require.Equal(t, "\x0a\x0d\x0d\x0a", string(packets[:4]))
	}
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, files, 6, "nothing of the test that passes")
}

// failingTests are tests that fail in different ways, and one that passes.
func failingTests(t *testing.T, dir string) {
	dial := func(t *testing.T, then func()) {
		n := simnet.New(t, simnet.KeepOnFailure(dir))
		a, b := n.Host("a", "10.0.0.1/24"), n.Host("b", "10.0.0.2/24")
		n.Link(a, b)
		l, err := b.Listen("tcp", ":80")
		require.NoError(t, err)
		defer l.Close()
		n.Do("client", func() {
			_, err := a.Dial("tcp", "10.0.0.2:80")
			require.NoError(t, err)
			then()
		})
	}
	t.Run("task", func(t *testing.T) { dial(t, func() { t.Fatalf("on a goroutine of the network") }) })
	t.Run("plain", func(t *testing.T) { dial(t, func() {}); t.Error("after it") })
	t.Run("bubble", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { dial(t, func() {}); t.Fatal("in a bubble") })
	})
	t.Run("passes", func(t *testing.T) { dial(t, func() {}) })
}
