package netns

import (
	"fmt"
	"os"
	"runtime"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// A Thread is a second network namespace, with a thread of its own that works
// in it. Sockets made there stay in it, whoever uses them.
type Thread struct {
	work chan func()
	file *os.File // the namespace
}

// NewThread makes a namespace. Close lets go of it; sockets and interfaces in
// it may keep it.
func NewThread() (*Thread, error) {
	t := &Thread{work: make(chan func())}
	started := make(chan error)
	go t.run(started) // ends when Close closes work; the thread, too: it is never unlocked
	if err := <-started; err != nil {
		return nil, fmt.Errorf("a network namespace can't be made: %w", err)
	}
	return t, nil
}

func (t *Thread) run(started chan<- error) {
	runtime.LockOSThread()
	err := unix.Unshare(unix.CLONE_NEWNET)
	if err == nil {
		t.file, err = os.Open("/proc/thread-self/ns/net")
	}
	started <- err
	if err != nil {
		return
	}
	for f := range t.work {
		f()
	}
}

// Do runs f in the namespace and waits for it.
func (t *Thread) Do(f func()) {
	done := make(chan struct{})
	t.work <- func() {
		defer close(done) // also when f ends the goroutine
		f()
	}
	<-done
}

// Take moves an interface of the caller's namespace into this one.
func (t *Thread) Take(name string) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	return netlink.LinkSetNsFd(link, int(t.file.Fd()))
}

// Close ends the thread. Do must not be called any more.
func (t *Thread) Close() {
	close(t.work)
	t.file.Close()
}
