package play_test

import (
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/internal/script/play"
	"github.com/wsstack/wsstack/scripts"
)

// lossy is a script in which random numbers decide what happens, and timers, packets and the ends
// of calls fall due at the same times.
const lossy = opened + `
+0   link delay=20ms loss=0.3 reorder=0.2 seed=7
+0   write(4, ..., 20000) = 20000
*    > P. 1:2001(2000) ack 1
`

// A script has the same result each time, to the last byte, whatever runs beside it and on however
// many processors: each is played 8 times, and WSSTACK_RUNS times where the environment has that.
func TestPlay_Deterministic(t *testing.T) {
	runs := 8
	if n, err := strconv.Atoi(os.Getenv("WSSTACK_RUNS")); err == nil {
		runs = n
	}
	texts := map[string]string{"server": server, "lossy": lossy}
	names, err := fs.Glob(scripts.Files, "*.pkt")
	require.NoError(t, err)
	for _, name := range names {
		text, err := scripts.Files.ReadFile(name)
		require.NoError(t, err)
		texts[name] = string(text)
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	want := map[string]string{}
	for procs := 1; procs <= 8; procs++ {
		runtime.GOMAXPROCS(procs)
		for name, text := range texts {
			for i, got := range playBeside(t, text, (runs+7)/8) {
				if want[name] == "" {
					want[name] = got
				}
				require.Equal(t, want[name], got, fmt.Sprintf("%s, run %d with GOMAXPROCS=%d", name, i, procs))
			}
		}
	}
}

// playBeside plays a script several times at once, and returns all that can be seen of each Result.
func playBeside(t *testing.T, text string, runs int) []string {
	s := parse(t, text)
	got := make([]string, runs)
	var wg sync.WaitGroup
	for i := range got {
		wg.Go(func() { got[i] = report(play.Play(s, play.Config{}), true) })
	}
	wg.Wait()
	return got
}

// fiveSeconds is a script of 5 s with four packets a second.
func fiveSeconds() string {
	var b strings.Builder
	b.WriteString(opened)
	for i := range 10 {
		from, to := 1+100*i, 101+100*i
		fmt.Fprintf(&b, "+.4 write(4, ..., 100) = 100\n+0 > P. %d:%d(100) ack 1\n", from, to)
		fmt.Fprintf(&b, "+.1 < . 1:1(0) ack %d win 65535\n", to)
	}
	return b.String()
}

// busySeconds is a script of 5 s in which one connection has a segment, an answer and
// acknowledgements every 50 ms, and another one a keep-alive probe every half a second.
func busySeconds() string {
	var b strings.Builder
	b.WriteString(`
0    socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0   bind(3, ..., ...) = 0
+0   listen(3, 5) = 0
`)
	for fd, port := range []int{5000, 5001} {
		fmt.Fprintf(&b, "+0 < %d > 8080 S 0:0(0) win 65535 <mss 1000>\n+0 > 8080 > %d S. 0:0(0) ack 1 <...>\n", port, port)
		fmt.Fprintf(&b, "+0 < %d > 8080 . 1:1(0) ack 1 win 65535\n+0 accept(3, ..., ...) = %d\n", port, 4+fd)
	}
	b.WriteString("+0 WSAIoctl(5, SIO_KEEPALIVE_VALS, {onoff=1, keepalivetime=500, keepaliveinterval=500}, 12, NULL, 0, ..., NULL, NULL) = 0\n")
	for i := range 100 {
		from, to := 1+100*i, 101+100*i
		fmt.Fprintf(&b, "+0 write(4, ..., 100) = 100\n+0 > 8080 > 5000 P. %d:%d(100) ack %d\n", from, to, from)
		fmt.Fprintf(&b, "+.02 < 5000 > 8080 P. %d:%d(100) ack %d win 65535\n+0 > 8080 > 5000 . %d:%d(0) ack %d\n+0 read(4, ..., 1000) = 100\n", from, to, to, to, to, to)
		if i%10 == 9 {
			b.WriteString("+.03 > 8080 > 5001 . 0:0(0) ack 1\n+0 < 5001 > 8080 . 1:1(0) ack 1 win 65535\n")
		} else {
			b.WriteString("+.03 nothing\n")
		}
	}
	return b.String()
}

// BenchmarkPlay plays scripts of 5 s: one that mostly waits, and one in which something happens all
// the time. With -benchtime=1000x they are a suite of a thousand.
func BenchmarkPlay(b *testing.B) {
	for name, text := range map[string]string{"quiet": fiveSeconds(), "busy": busySeconds()} {
		b.Run(name, func(b *testing.B) {
			s := parse(b, text)
			b.ReportAllocs()
			for b.Loop() {
				r := play.Play(s, play.Config{Settings: exact})
				if r.Failure != nil || r.Took != 5*time.Second {
					b.Fatal(r.Took, r.Failure)
				}
			}
		})
	}
}
