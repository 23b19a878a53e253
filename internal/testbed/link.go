package testbed

import (
	"math/rand/v2"
	"os"
	"sync"

	"github.com/wsstack/wsstack/tun"
)

// A RunningLink is a link of a network that runs.
type RunningLink struct {
	link *Link

	// remote says which ends other machines run.
	remote [2]bool

	// devices are those that the two ends have of the kernel, or the tunnels to them: one end sends
	// what comes out of its device. nil: the end is a stack.
	devices [2]tun.Device

	// joined is the device that the stack at an end gets. Where neither end is a stack, the link
	// itself carries packets from one device to the other.
	joined   [2]tun.Device
	captured *tun.Captured
	impaired *tun.Impaired
	file     *os.File // that the packets are recorded in; nil: none
	first    int      // the end whose packets are the Out of impaired

	closeOnce sync.Once
	closeErr  error
}

// Name is the name of the link.
func (l *RunningLink) Name() string { return l.link.Name }

// Hosts are the names of the hosts at the two ends: what the first one sends is the Out of Impaired
// and Captured, and what the second one sends their In.
func (l *RunningLink) Hosts() [2]string {
	return [2]string{l.link.Ends[l.first].Host, l.link.Ends[1-l.first].Host}
}

// Foreign is Link.Foreign.
func (l *RunningLink) Foreign() string { return l.link.Foreign }

// MTU is the size of the largest packet in bytes.
func (l *RunningLink) MTU() int { return l.link.mtu() }

// Impaired is the device that impairs the link.
func (l *RunningLink) Impaired() *tun.Impaired { return l.impaired }

// Captured is the device that records the packets of the link.
func (l *RunningLink) Captured() *tun.Captured { return l.captured }

// Device is the device of the kernel at one of the ends of the description, or the tunnel to it;
// nil: a stack is there.
func (l *RunningLink) Device(end int) tun.Device { return l.devices[end] }

// outer is the device that the stack at an end uses.
func (l *RunningLink) outer(end int) tun.Device { return l.joined[end] }

// build joins the ends of the link. What the impairments do at random comes from seed, if there is
// one.
func (l *RunningLink) build(records *os.File, seed rand.Source) (err error) {
	for end, remote := range l.remote {
		if !remote {
			continue
		}
		if l.devices[end], err = l.tunnel(); err != nil {
			return err
		}
	}
	device := l.innermost()
	l.joined[l.first] = device // what close finds after an error
	var packets *tun.CaptureFile
	if l.link.Capture != "" {
		if l.file, packets, err = createCapture(l.link.Capture, records); err != nil {
			return captureFailure(l.link, err)
		}
	}
	if l.captured, err = tun.Capture(device, packets, l.Name()); err != nil {
		return captureFailure(l.link, err)
	}
	ends := l.link.Ends
	l.impaired, err = tun.Impair(l.captured, tun.ImpairConfig{
		Out: ends[l.first].Sends, In: ends[1-l.first].Sends, Rand: seed, Whole: true,
	})
	if err != nil {
		return failed("can't impair the link: %w", err).ofLink(l.link, "impair")
	}
	l.joined[l.first] = l.impaired
	if l.devices[0] != nil && l.devices[1] != nil {
		return l.bridge()
	}
	return nil
}

// elsewhere reports whether both ends are remote, so that this process has no part in the link.
func (l *RunningLink) elsewhere() bool { return l.remote[0] && l.remote[1] }

// tunnel makes the device by which the remote end is reached.
func (l *RunningLink) tunnel() (tun.Device, error) {
	if l.link.Tunnel == nil {
		return nil, failed("nothing leads to the remote end").ofLink(l.link, "")
	}
	d, err := l.link.Tunnel()
	if err != nil {
		return nil, failed("can't make the tunnel: %w", err).ofLink(l.link, "")
	}
	return d, nil
}

// worked reports whether something happens to the packets of the link, one by one.
func (l *Link) worked() bool {
	return l.Capture != "" || l.Ends[0].Sends.String() != "" || l.Ends[1].Sends.String() != ""
}

// innermost is the device that the rest of the link wraps: the kernel's, or one end of a pipe
// between two stacks. It settles which end is the first.
func (l *RunningLink) innermost() tun.Device {
	switch {
	case l.devices[0] == nil && l.devices[1] == nil:
		near, far := tun.Pipe(l.MTU())
		l.joined[1] = far
		return near
	case l.devices[0] != nil && l.devices[1] == nil:
		l.first = 1 // the stack sends into the device
		return l.devices[0]
	}
	return l.devices[1]
}

// bridge carries packets between the devices of two kernels. A device that fails has been closed,
// which ends the link.
func (l *RunningLink) bridge() error {
	near, far := l.devices[0], l.joined[0]
	if err := far.Start(func(p []tun.Packet) { _ = near.Send(p) }); err != nil {
		return failed("can't join the ends: %w", err).ofLink(l.link, "")
	}
	if err := near.Start(func(p []tun.Packet) { _ = far.Send(p) }); err != nil {
		return failed("can't join the ends: %w", err).ofLink(l.link, "")
	}
	return nil
}

// close closes all devices of the link, and completes the capture. Those that a stack had are
// closed already.
func (l *RunningLink) close() error {
	l.closeOnce.Do(func() {
		for _, d := range append(l.joined[:], l.devices[:]...) { // from outside to inside
			if d == nil {
				continue
			}
			if err := d.Close(); l.closeErr == nil {
				l.closeErr = err
			}
		}
		if l.file == nil {
			return
		}
		if err := l.file.Close(); err != nil && l.closeErr == nil {
			l.closeErr = captureFailure(l.link, err)
		}
	})
	return l.closeErr
}

// seed is the source of the random numbers of a link; nil: any.
func (t *Testbed) seed(link int) rand.Source {
	if t.network.Seed == nil {
		return nil
	}
	// The two machines at the ends of a tunnel do different things at random.
	number := uint64(link)
	if t.links[link].remote[0] {
		number |= 1 << 32
	}
	return rand.NewPCG(*t.network.Seed, number)
}
