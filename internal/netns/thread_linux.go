package netns

import (
	"fmt"
	"os"
	"runtime"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// A Thread is a second network namespace, with a thread of its own that works in it. Sockets that
// are made there stay in the namespace, whoever uses them.
type Thread struct {
	work chan func() // what the thread is to run
	file *os.File    // the namespace
}

// NewThread makes a namespace. Close lets go of the namespace, which lives on while sockets or
// interfaces are in it.
func NewThread() (*Thread, error) {
	t := &Thread{work: make(chan func())}
	started := make(chan error)
	go t.run(started) // ends when Close closes work; the thread, too: it is never unlocked
	if err := <-started; err != nil {
		return nil, fmt.Errorf("a network namespace can't be made: %w", err)
	}
	return t, nil
}

// run is the thread. It says on started whether the namespace could be made.
func (t *Thread) run(started chan<- error) {
	runtime.LockOSThread()
	if unix.Gettid() == os.Getpid() {
		// What /proc says of the process is that of its first thread, which must stay where it is.
		// While it is locked, others run.
		defer runtime.UnlockOSThread()
		other := make(chan struct{})
		go func() { // ends when Close closes work
			runtime.LockOSThread()
			close(other)
			t.run(started)
		}()
		<-other
		return
	}
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

// Do runs f in the namespace and waits until f has returned.
func (t *Thread) Do(f func()) {
	done := make(chan struct{})
	t.work <- func() {
		defer close(done) // also when f ends the goroutine
		f()
	}
	<-done
}

// Join joins the caller's namespace, where the interface near is made, and that of the Thread,
// which gets far. Both have this MTU.
func (t *Thread) Join(near, far string, mtu int) error {
	veth := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: near, MTU: mtu}, PeerName: far, PeerMTU: uint32(mtu)}
	if err := netlink.LinkAdd(veth); err != nil {
		return fmt.Errorf("the kernel has no veth: %w", err)
	}
	link, err := netlink.LinkByName(far)
	if err != nil {
		return err
	}
	return netlink.LinkSetNsFd(link, int(t.file.Fd()))
}

// Forward makes the kernel of the caller's namespace a router between these interfaces.
func Forward(names ...string) error {
	for _, name := range append(names, "all") { // "all": IPv6 wants it
		for _, version := range []string{"ipv4", "ipv6"} {
			if name == "all" && version == "ipv4" {
				continue // it would set every interface
			}
			path := fmt.Sprintf("/proc/sys/net/%s/conf/%s/forwarding", version, name)
			if err := os.WriteFile(path, []byte("1"), 0); err != nil {
				return err
			}
		}
	}
	return nil
}

// Close ends the thread. Do must not be called afterwards.
func (t *Thread) Close() {
	close(t.work)
	t.file.Close()
}
