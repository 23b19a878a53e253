// Package testbed runs test networks: hosts that are stacks of this process or Linux namespaces
// with a command, and links with impairments between them.
//
//	n := testbed.Network{Hosts: …, Links: …}
//	t, err := testbed.New(n, testbed.Options{})
//	err = t.Start()
//	result, err := t.Wait(ctx)
//	t.Stop(ctx, grace)
//	err = t.Close()
//
// A Network is plain data. "wsstack exec" describes one with a stack, a namespace and a link,
// "wsstack up" one with a stack and the system, and package netfile reads others from files. All
// stacks and links are in this process, and a namespace is reached by TUN devices, so that a
// command has no way to the memory and the sockets of the stacks.
package testbed

import (
	"io"
	"net/netip"
	"time"

	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
)

// A Network is the description of a network. New checks it.
type Network struct {
	// Hosts are the hosts, in the order in which they start as far as After doesn't say otherwise.
	Hosts []Host

	// Links are the links. Between two ways of the same length, packets take the one whose links
	// come first.
	Links []Link

	// Names are further names, besides those of the hosts, that the hosts find addresses by.
	Names map[string][]netip.Addr

	// Seed makes what the links do at random repeatable; nil: it is different in each run.
	Seed *uint64
}

// A Kind says what a host is.
type Kind uint8

// The kinds of hosts.
const (
	Stack     Kind = iota // Stack is a wsstack of this process.
	Router                // Router is a wsstack that forwards packets between its links.
	Namespace             // Namespace is a Linux network namespace with a command in it.
	System                // System is the system that this process runs on, in its own namespace.
)

// String returns the name of the kind as network files have it.
func (k Kind) String() string {
	return [...]string{"stack", "router", "namespace", "system"}[k]
}

// A Host is one host of a Network.
type Host struct {
	Name string // the name of the host, which others find its addresses by
	Kind Kind

	// Remote says that another machine runs the host, or nobody whom this process knows. Such a host
	// is described for its names, its routes and the order of the start. A link between a host of
	// this process and a remote one has a Tunnel, and one between two remote hosts isn't made.
	Remote bool

	// Config has what a stack or router is made with besides its devices, addresses, routes and
	// names, which come from the network: the profile, options of all sockets, and so on.
	Config stack.Config

	// Services are what runs on a stack or router. They start in this order, before any command.
	Services []Feature

	// Gateway is the way out of a network: it takes what is for a destination outside of all links.
	// The routes of all other hosts lead there. nil: the host is no gateway. Only stacks and
	// routers are.
	Gateway *Feature

	// Resolver is the name server of the host. Namespaces ask the nearest one. nil: the host has
	// none. Only stacks and routers have one.
	Resolver *Feature

	// Routes are routes besides those that New computes, which they go before.
	Routes []Route

	// Command is the program that runs in a namespace; nil: none does.
	Command *Command

	// After are the names of hosts that have to be ready before the command of this host starts.
	After []string

	// Until says when the host is ready. The zero Check holds as soon as the host runs.
	Until Check
}

// A Route sends what is for a destination to a router.
type Route struct {
	Destination netip.Prefix
	Via         netip.Addr // on link with the host
}

// A Feature is something that the stack of a host does: a service, a forward, the way out.
type Feature struct {
	// Text is the feature as a flag or a network file has it, for errors: "serve 8080=exec:cat".
	Text string

	// Start starts the feature on the stack of a host that runs. What Start returns is closed
	// before the stack is; nil: there is nothing to close. Closing waits for what the feature has
	// started.
	Start func(h *RunningHost) (io.Closer, error)

	// Apart are addresses that the feature answers for, so that no host may have them.
	Apart []netip.Addr
}

// A Command is a program that runs in a namespace. It isn't started again when it has ended.
type Command struct {
	Path string   // the file of the program, as exec.LookPath has found it
	Args []string // the arguments, beginning with the name of the program
	Env  []string // the whole environment, as "NAME=VALUE"; nil: that of this process
	Dir  string   // the working directory; "": that of this process

	// Foreground gives the command the streams of Options and the process group of this process, so
	// that it can read from a terminal and gets its signals. Otherwise the command has no input,
	// a process group of its own, and what it writes goes to Options.Output.
	Foreground bool

	// Main says that the network ends when this command has ended, with its status. Where no
	// command has Main, that is the last one of the network.
	Main bool

	// MayFail says that the network goes on when this command, which isn't the main one, has ended
	// with another status than 0. Otherwise the network ends with that status.
	MayFail bool
}

// A Check is a condition that says when a host is ready. It is tried from the host itself, again
// and again until it holds.
type Check struct {
	Kind CheckKind

	// Target is the address of a TCP check, "10.0.0.2:80", or the URL of an HTTP check. A host in
	// it may be a name of the network.
	Target string

	// Within is how long it may take from the start of the host's command; 0: DefaultWithin. The
	// network fails then.
	Within time.Duration
}

// DefaultWithin is the time in which a Check has to hold.
const DefaultWithin = 30 * time.Second

// A CheckKind says what a Check looks at.
type CheckKind uint8

// The kinds of checks.
const (
	Running CheckKind = iota // Running holds as soon as the command has started.
	TCP                      // TCP holds when a TCP connection to Target is established.
	HTTP                     // HTTP holds when a GET of Target is answered with a status below 400.
	Exit                     // Exit holds when the command has ended with status 0.
)

// A Link joins two hosts.
type Link struct {
	Name string // the name of the link, and of the interfaces of namespaces and of the system for it
	Ends [2]End
	MTU  int // the size of the largest packet in bytes; 0: 1500

	// Capture is the name of a pcapng file that gets all packets of the link; "": none, "-":
	// standard output.
	Capture string

	// Tunnel makes the device by which a remote host at one end is reached: what the other end sends
	// goes there. A link between two hosts of this process has none.
	Tunnel func() (tun.Device, error)

	// Foreign is the host at one end whose packets another machine impairs, and nobody here; "":
	// those of both are impaired here.
	Foreign string
}

// An End is one end of a Link.
type End struct {
	Host      string         // the name of the host
	Addresses []netip.Prefix // at a tunnel there may be none

	// Interface is the name of the interface of a namespace or of the system; empty stands for the
	// name of the link. The system completes one with %d in it.
	Interface string

	// Sends is what happens to the packets that the host sends over the link. Those of a remote host
	// have been through everything that its machine does to them before.
	Sends tun.Impairment

	// Congestion is the congestion control of the kernel's connections over the link; see
	// tun.Config. Only namespaces and the system look at it.
	Congestion string
}
