package testbed

import (
	"io"
	"log/slog"
	"net/netip"
	"os"
	"time"
)

// Options are what a network gets from the program that runs it. The zero value is for a network
// whose output nobody reads.
type Options struct {
	// Streams are standard input, output and error of the foreground command; nil: those of this
	// process.
	Streams [3]*os.File

	// Output gets what the other commands write, line by line; nil: nobody does. Calls don't
	// overlap.
	Output func(Line)

	// Event is told what happens to hosts; nil: nobody is. Calls overlap neither with each other
	// nor with those of Output.
	Event func(Event)

	// Logger gets the records of what goes wrong in features; nil: nobody does.
	Logger *slog.Logger
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
	closers []io.Closer
}

// Hosts are the hosts, in the order of the description.
func (t *Testbed) Hosts() []*RunningHost { return t.hosts }

// Links are the links, in the order of the description.
func (t *Testbed) Links() []*RunningLink { return t.links }

// Names are the addresses of all names: of the hosts, and of Network.Names.
func (t *Testbed) Names() map[string][]netip.Addr {
	names := make(map[string][]netip.Addr)
	for name, list := range t.network.Names {
		names[name] = list
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
				list = append(list, p.Masked())
			}
		}
	}
	return list
}
