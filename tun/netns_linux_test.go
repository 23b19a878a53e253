package tun

import (
	"fmt"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// inNetNS runs body in a network namespace of its own, on a thread that is
// discarded afterwards. It skips the test where the system doesn't allow that
// or has no TUN devices, and says why; with WSSTACK_REQUIRE_TUN=1 it fails
// instead. body may use t and require, but goroutines that it starts are
// outside the namespace.
func inNetNS(t testing.TB, body func()) {
	t.Helper()
	var unable error
	done := make(chan struct{})
	go func() {
		defer close(done)      // also when body fails, which ends this goroutine
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if unable = enterNetNS(); unable == nil {
			body()
		}
	}()
	<-done
	switch {
	case unable == nil:
	case os.Getenv("WSSTACK_REQUIRE_TUN") == "1":
		t.Fatalf("WSSTACK_REQUIRE_TUN is set, and %v", unable)
	default:
		t.Skip(unable)
	}
}

// enterNetNS moves the calling thread, and makes sure that a TUN can be made
// there.
func enterNetNS() error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("a network namespace can't be made: %w", err)
	}
	if err := probe("wss0"); err != nil {
		return err
	}
	return nil
}
