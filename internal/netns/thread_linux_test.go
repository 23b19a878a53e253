package netns

import (
	"os"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// The namespace of the process, which is that of its first thread, stays as it is, also where a
// Thread is asked for by a goroutine on that thread.
func TestThread_First(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("a namespace takes root")
	}
	before, err := os.Readlink("/proc/self/ns/net")
	require.NoError(t, err)
	var tries sync.WaitGroup
	for range 20 {
		tries.Go(func() {
			for range 10_000 { // until this goroutine has the first thread, most likely
				if unix.Gettid() == os.Getpid() {
					break
				}
			}
			thread, err := NewThread()
			if err != nil {
				t.Errorf("NewThread: %v", err)
				return
			}
			thread.Do(func() {
				if inside, err := os.Readlink("/proc/thread-self/ns/net"); err != nil || inside == before {
					t.Errorf("a thread is in %s, %v", inside, err)
				}
			})
			thread.Close()
		})
	}
	tries.Wait()
	after, err := os.Readlink("/proc/self/ns/net")
	require.NoError(t, err)
	require.Equal(t, before, after)
}
