package simnet_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/simnet"
)

// pattern is the scenario of the determinism tests: eight connections at once,
// both directions, over a link that loses, reorders, duplicates and delays. The functions watch the
// network from its beginning.
func pattern(tb simnet.TB, seed uint64, watch ...func(*simnet.Network)) (trace string, packets, digest uint64) {
	n := simnet.New(tb, simnet.Seed(seed))
	for _, f := range watch {
		f(n)
	}
	a := n.Host("a", "10.0.0.1/24", "fd00::1/64")
	b := n.Host("b", "10.0.0.2/24", "fd00::2/64")
	n.Link(a, b, simnet.Delay(20*time.Millisecond), simnet.Jitter(5*time.Millisecond), simnet.Loss(0.03),
		simnet.Reorder(0.05, 0), simnet.Duplicate(0.02), simnet.Rate(50_000_000, 0))
	n.Background("server", func() {
		l, err := b.Listen("tcp", ":80")
		if err != nil {
			panic(err)
		}
		for i := 0; ; i++ {
			c, err := l.Accept()
			if err != nil {
				panic(err)
			}
			n.Background(fmt.Sprint("echo ", i), func() {
				io.Copy(c, c)
				c.Close()
			})
		}
	})
	for i := range 8 {
		n.Go(fmt.Sprint("client ", i), func() {
			address := "10.0.0.2:80"
			if i%2 == 1 {
				address = "[fd00::2]:80"
			}
			c, err := a.Dial("tcp", address)
			if err != nil {
				panic(err)
			}
			data := make([]byte, 20_000)
			for k := range data {
				data[k] = byte(k * (i + 1) >> 3)
			}
			n.Go(fmt.Sprint("writer ", i), func() {
				c.Write(data)
				c.(interface{ CloseWrite() error }).CloseWrite()
			})
			got, err := io.ReadAll(c)
			if err != nil || !bytes.Equal(got, data) {
				panic(fmt.Sprint("echo of ", len(got), " bytes: ", err))
			}
			c.Close()
		})
	}
	if err := n.Run(); err != nil {
		panic(err)
	}
	n.Advance(2 * time.Minute)
	packets, digest = n.Digest()
	trace = n.TraceText()
	if err := n.Close(); err != nil {
		panic(err)
	}
	return trace, packets, digest
}

// A recording changes nothing of what is sent, and is the same in each run.
func TestDeterminism_Recording(t *testing.T) {
	_, packets, digest := pattern(nil, 7)
	var first string
	for i := range 5 {
		var whole, part *simnet.Recording
		_, p, d := pattern(nil, 7, func(n *simnet.Network) {
			whole = n.Record()
			n.Clock().AfterFunc(100*time.Millisecond, func() { part = n.Record() })
			n.Clock().AfterFunc(200*time.Millisecond, func() { part.Stop() })
		})
		require.Equal(t, packets, p)
		require.Equal(t, digest, d)
		require.Len(t, whole.Packets(), int(packets))
		require.Len(t, whole.Connections(), 16)
		require.NotEmpty(t, part.Packets())
		require.Less(t, len(part.Packets()), int(packets)/2)
		text := fmt.Sprintf("%+v %+v %+v", whole.Connections(), whole.Packets(), part.Connections())
		if i == 0 {
			first = text
		}
		require.True(t, first == text, "run %d", i)
	}
}

// runs is the number of repetitions: WSSTACK_DETERMINISM_RUNS, or 50.
func runs(t *testing.T) int {
	if s := os.Getenv("WSSTACK_DETERMINISM_RUNS"); s != "" {
		n, err := strconv.Atoi(s)
		require.NoError(t, err)
		return n
	}
	if testing.Short() || raceEnabled {
		return 10
	}
	return 50
}

func TestDeterminism_SameSeedSameTrace(t *testing.T) {
	want, packets, digest := pattern(nil, 7)
	require.Greater(t, packets, uint64(300))
	before := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(before)
	for i := range runs(t) {
		runtime.GOMAXPROCS(1 + i%4)
		got, p, d := pattern(nil, 7)
		if p != packets || d != digest || got != want {
			t.Fatalf("run %d with GOMAXPROCS %d: %d packets, digest %x; want %d, %x; %s",
				i, 1+i%4, p, d, packets, digest, firstDifference(want, got))
		}
	}
}

func TestDeterminism_OtherSeedOtherTrace(t *testing.T) {
	_, _, first := pattern(nil, 1)
	_, _, second := pattern(nil, 2)
	require.NotEqual(t, first, second)
}

// TestDeterminism_AcrossProcesses runs itself in other processes.
func TestDeterminism_AcrossProcesses(t *testing.T) {
	const key = "WSSTACK_DETERMINISM_CHILD"
	if os.Getenv(key) != "" {
		_, packets, digest := pattern(nil, 7)
		fmt.Printf("\ndigest %d %x\n", packets, digest)
		return
	}
	_, packets, digest := pattern(nil, 7)
	want := fmt.Sprintf("digest %d %x", packets, digest)
	for _, procs := range []string{"1", "2", "8"} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestDeterminism_AcrossProcesses$")
		cmd.Env = append(os.Environ(), key+"=1", "GOMAXPROCS="+procs)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		require.Contains(t, string(out), want, "with GOMAXPROCS=%s", procs)
	}
}

func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(w), len(g)) {
		if w[i] != g[i] {
			return fmt.Sprintf("line %d:\n  want %s\n  got  %s", i+1, w[i], g[i])
		}
	}
	return fmt.Sprintf("one has %d lines, the other %d", len(w), len(g))
}

// transfer sends size bytes each way on one connection and checks them.
func transfer(t testing.TB, n *simnet.Network, a, b *simnet.Host, size int) {
	t.Helper()
	content := func(seed uint64) []byte {
		data := make([]byte, size)
		rand.NewChaCha8([32]byte{byte(seed)}).Read(data)
		return data
	}
	there, back := content(1), content(2)
	exchange := func(name string, c io.ReadWriteCloser, out, in []byte) {
		writer := n.Go(name+" writes", func() {
			k, err := c.Write(out)
			require.NoError(t, err)
			require.Equal(t, len(out), k)
			require.NoError(t, c.(interface{ CloseWrite() error }).CloseWrite())
		})
		got, err := io.ReadAll(c)
		require.NoError(t, err)
		require.True(t, bytes.Equal(in, got), "%s: %d bytes arrived damaged", name, len(got))
		writer.Wait()
		require.NoError(t, c.Close())
	}
	n.Go("server", func() {
		l, err := b.Listen("tcp", ":80")
		require.NoError(t, err)
		c, err := l.Accept()
		require.NoError(t, err)
		exchange("server", c.(io.ReadWriteCloser), back, there)
		require.NoError(t, l.Close())
	})
	n.Go("client", func() {
		c, err := a.Dial("tcp", "10.0.0.2:80")
		require.NoError(t, err)
		exchange("client", c.(io.ReadWriteCloser), there, back)
	})
	require.NoError(t, n.Run())
}
