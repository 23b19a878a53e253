package testbed

import (
	"context"
	"io"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/wsstack/wsstack/internal/namespace"
)

// Options are what a network gets from the program that runs it. The zero value is for a network
// whose output nobody reads.
type Options struct {
	// Streams are standard input, output and error of the foreground command; nil stands for the
	// null device.
	Streams [3]*os.File

	// Records is where the packets of a link go whose Capture is "-". The network closes it.
	Records *os.File

	// Output gets what the other commands write, line by line; nil: nobody does. Calls don't
	// overlap.
	Output func(Line)

	// Event is told what happens to hosts; nil: nobody is. Calls overlap neither with each other
	// nor with those of Output.
	Event func(Event)

	// Begin is closed when commands may start, which is when the machines of remote hosts run, too;
	// nil: they start at once.
	Begin <-chan struct{}

	// Ready is told that a host of this process is ready; nil: nobody is. Calls may overlap.
	Ready func(host string)

	// Logger gets the records of what goes wrong in features; nil: nobody does.
	Logger *slog.Logger

	// Namespace is what namespaces are made with, but for their devices and the files of names.
	Namespace namespace.Config
}

// A Line is a line that a command has written.
type Line struct {
	Time   time.Time
	Host   string
	Stderr bool   // the command wrote to standard error
	Text   string // without the line break
}

// An Event is something that has happened to a host.
type Event struct {
	Time time.Time
	Host string
	Text string // what has happened, such as "started" or "ready after 120ms"
}

// A Result is how a network has ended.
type Result struct {
	Host   string // the host whose command has ended the network; "": none did
	Status int    // the exit status of that command, 128+n where signal n has killed it
}

// A Testbed is a network that runs, or is about to. Its methods are safe for concurrent use.
type Testbed struct {
	network Network
	options Options
	hosts   []*RunningHost
	links   []*RunningLink

	cancel  context.CancelFunc // ends what waits
	runs    sync.WaitGroup
	told    sync.Mutex // held in calls of Output and Event
	endings chan ending
	failed  chan error

	mu      sync.Mutex
	started []*RunningHost // whose commands have started, in this order
	closing bool           // no more commands start

	services  []io.Closer // in the order of their start
	closeOnce sync.Once
	closeErr  error
}

// New checks the description of a network. Nothing is made yet. The error is an *Error.
func New(n Network, o Options) (*Testbed, error) {
	if err := n.Check(); err != nil {
		return nil, err
	}
	t := &Testbed{network: n, options: o, endings: make(chan ending, len(n.Hosts)), failed: make(chan error, len(n.Hosts))}
	for i := range n.Hosts {
		h := &RunningHost{testbed: t, host: &n.Hosts[i], ready: make(chan struct{}), ended: make(chan struct{})}
		for _, l := range n.Links {
			if end, ok := l.end(h.host.Name); ok {
				h.addresses = append(h.addresses, l.Ends[end].Addresses...)
			}
		}
		t.hosts = append(t.hosts, h)
	}
	for i := range n.Links {
		l := &RunningLink{link: &n.Links[i]}
		for end := range l.remote {
			l.remote[end] = n.Hosts[n.index(l.link.Ends[end].Host)].Remote
		}
		t.links = append(t.links, l)
	}
	return t, nil
}

// Hosts are the hosts that this process runs, in the order of the description.
func (t *Testbed) Hosts() []*RunningHost {
	return slices.DeleteFunc(slices.Clone(t.hosts), func(h *RunningHost) bool { return h.host.Remote })
}

// Links are the links of these hosts, in the order of the description.
func (t *Testbed) Links() []*RunningLink {
	return slices.DeleteFunc(slices.Clone(t.links), (*RunningLink).elsewhere)
}

// Names are the addresses of all names: of the hosts, and of Network.Names.
func (t *Testbed) Names() map[string][]netip.Addr {
	names := maps.Clone(t.network.Names)
	if names == nil {
		names = make(map[string][]netip.Addr)
	}
	for _, h := range t.hosts {
		for _, p := range h.addresses {
			names[h.Name()] = append(names[h.Name()], p.Addr())
		}
	}
	return names
}

// Inside are the networks on the links. For a gateway everything else is outside.
func (t *Testbed) Inside() []netip.Prefix {
	var list []netip.Prefix
	for _, l := range t.network.Links {
		for _, e := range l.Ends {
			for _, p := range e.Addresses {
				if !slices.Contains(list, p.Masked()) {
					list = append(list, p.Masked())
				}
			}
		}
	}
	return list
}

// HasGateway reports whether there is a way out of the network.
func (t *Testbed) HasGateway() bool {
	return slices.ContainsFunc(t.network.Hosts, func(h Host) bool { return h.Gateway != nil })
}

// Logger is the logger of Options, or one that drops everything.
func (t *Testbed) Logger() *slog.Logger {
	if t.options.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return t.options.Logger
}

// Ready says that a remote host is ready: hosts whose After has its name need not wait for it any
// more. The names of other hosts are ignored.
func (t *Testbed) Ready(host string) {
	if i := t.network.index(host); i >= 0 && t.hosts[i].host.Remote {
		t.hosts[i].becomeReady()
	}
}

// Start makes all hosts and links, starts the features of the stacks, and then the commands in
// their order. It returns when the features run; commands may still wait for other hosts. After an
// error nothing is left of the network.
//
// Goroutine and thread: where the network has namespaces, the rules of package namespace are those
// of the caller.
func (t *Testbed) Start() error {
	err := t.build()
	if err == nil {
		err = t.serve()
	}
	if err != nil {
		_ = t.Close() // what counts is the failure before
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.mu.Lock()
	t.cancel = cancel
	t.mu.Unlock()
	for _, h := range t.Hosts() {
		t.runs.Go(func() { h.run(ctx) }) // ends with the command, or with ctx
	}
	return nil
}

// serve starts the features of the stacks.
func (t *Testbed) serve() error {
	for _, h := range t.Hosts() {
		features := h.host.Services
		for _, f := range []*Feature{h.host.Gateway, h.host.Resolver} {
			if f != nil {
				features = append(slices.Clip(features), *f)
			}
		}
		for _, f := range features {
			closer, err := f.Start(h)
			if err != nil {
				return failed("%s: %w", f.Text, err).of(h.host, "")
			}
			t.Logger().Info("started", "host", h.Name(), "feature", f.Text)
			if closer != nil {
				t.services = append(t.services, closer)
			}
		}
	}
	return nil
}

// Wait returns when the main command has ended, or another one has failed, or the network has, or
// ctx is done, with the error of ctx. A network without commands runs until ctx is done. The
// network isn't closed by it. The end of a command of a remote host is for the caller to notice.
func (t *Testbed) Wait(ctx context.Context) (Result, error) {
	main := t.main()
	for {
		select {
		case e := <-t.endings:
			switch {
			case e.err != nil:
				return Result{}, e.err
			case e.host == main, e.status != 0 && !e.host.host.Command.MayFail:
				return Result{Host: e.host.Name(), Status: e.status}, nil
			}
		case err := <-t.failed:
			return Result{}, err
		case <-ctx.Done():
			return Result{}, ctx.Err()
		}
	}
}

// main is the host whose command ends the network, which may be a remote one; nil: there are no
// commands.
func (t *Testbed) main() *RunningHost {
	var last *RunningHost
	for _, h := range t.hosts {
		if h.host.Command == nil {
			continue
		}
		if h.host.Command.Main {
			return h
		}
		last = h
	}
	return last
}

// Close ends all commands at once, then the features, stacks and links. It returns the first error
// of those. It is idempotent. See Stop for an end in good order.
func (t *Testbed) Close() error {
	t.closeOnce.Do(func() { t.closeErr = t.close() })
	return t.closeErr
}

func (t *Testbed) close() (err error) {
	keep := func(e error) {
		if err == nil {
			err = e
		}
	}
	t.mu.Lock()
	t.closing = true
	if t.cancel != nil {
		t.cancel()
	}
	t.mu.Unlock()
	t.eachSpace(func(n *namespace.Namespace) { n.End() })
	t.runs.Wait()
	for _, s := range slices.Backward(t.services) {
		keep(s.Close())
	}
	for _, h := range t.hosts {
		if h.stack != nil {
			keep(h.stack.Close())
		}
	}
	for _, l := range t.links {
		keep(l.close())
	}
	// Last of all: until then there is somebody in a namespace who sees that this process is
	// killed.
	t.eachSpace(func(n *namespace.Namespace) { _ = n.Close() })
	return err
}

// eachSpace calls f for all namespaces at once.
func (t *Testbed) eachSpace(f func(*namespace.Namespace)) {
	var calls sync.WaitGroup
	for _, h := range t.hosts {
		if h.space != nil {
			calls.Go(func() { f(h.space) })
		}
	}
	calls.Wait()
}
