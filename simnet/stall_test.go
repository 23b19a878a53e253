package simnet

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// lockedBuffer is a bytes.Buffer for two goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// A goroutine that waits for an ordinary channel stops the network, which says
// so while it stands.
func TestStall_NamesTheGoroutine(t *testing.T) {
	var out lockedBuffer
	limit, output := stallLimit, stallOutput
	defer func() { stallLimit, stallOutput = limit, output }()
	stallLimit, stallOutput = 20*time.Millisecond, &out

	n := New(t)
	n.Do("stuck", func() {
		n.mu.Lock()
		n.watchdog.timer.Reset(stallLimit) // on a busy machine it may have said something before
		n.mu.Unlock()
		for !strings.Contains(out.String(), "stuck") {
			time.Sleep(time.Millisecond)
		}
	})
	require.Contains(t, out.String(), `no progress for 20ms of real time, because of goroutine "stuck"`)
	require.Contains(t, out.String(), "TestStall_NamesTheGoroutine")
}

// FuzzPattern: no script panics, and what is understood matches itself.
func FuzzPattern(f *testing.F) {
	for _, s := range []string{"[S]", "0.100s [P.] seq 1:11 ack 1 len 10 win 65535 urg 5 <mss 1460,sackOK,ts 1 0,wscale 7,sack 1:2 3:4>", "s [", "[.] seq -1", "[] <>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := parsePattern(s)
		if err != nil {
			return
		}
		p.mismatch(0, Segment{}, 0)
	})
}
