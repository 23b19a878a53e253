package peers

import (
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"slices"
	"strings"

	"github.com/wsstack/wsstack/internal/mistake"
	"github.com/wsstack/wsstack/stack"
)

// A Kind is a kind of services: the name of its flag, and of its lines in a network file.
type Kind struct {
	Name        string // such as "forward"
	Placeholder string // the form of its texts, without what may be left out
	Form        string // the form of its texts
	Help        string // what it does, in a line
	Example     string // a text
	parse       func(text string) (Service, error)
}

// Kinds are the kinds of services.
func Kinds() []Kind {
	return []Kind{
		{"forward", "PORT=HOST:PORT", "[ADDRESS:]PORT[/udp]=HOST:PORT",
			"who connects to PORT of the stack reaches this system's HOST:PORT", "5432=127.0.0.1:5432", parseForward},
		{"publish", "PORT=PORT", "[ADDRESS:]PORT[/udp]=[ADDRESS:]PORT",
			"who connects to this system's PORT reaches the other side's PORT", "8080=80", parsePublish},
		{"serve", "PORT=exec:COMMAND", "[ADDRESS:]PORT=exec:COMMAND, or PORT=iperf3",
			"a program is the server: its standard streams are the connection", "8080=exec:cat", parseServe},
		{"files", "PORT=DIR", "[ADDRESS:]PORT=DIR",
			"an HTTP server of the files in a directory, which it only reads", "8080=/usr/share/doc", parseFiles},
		{"peer", "PORT=BEHAVIOUR", "[ADDRESS:]PORT=BEHAVIOUR",
			"a peer that misbehaves on purpose, such as 81=reset-after:1000", "81=reset-after:1000", parsePeer},
	}
}

// Parse reads the text of a service of a kind. The error names the mistake, and has the method
// Hint.
func Parse(kind, text string) (Service, error) {
	for _, k := range Kinds() {
		if k.Name == kind {
			s, err := k.parse(text)
			if err == nil {
				s.text = kind + " " + text
			}
			return s, err
		}
	}
	return Service{}, mistake.Errorf("the kinds are forward, publish, serve, files and peer", "no kind of services is called %q", kind)
}

// A place is where a socket of a service is bound.
type place struct {
	network string // "tcp" or "udp"
	address netip.Addr
	port    uint16
}

// String is the place as an address; every address is an asterisk.
func (p place) String() string {
	host := "*"
	if p.address.IsValid() {
		host = p.address.String()
		if p.address.Is6() {
			host = "[" + host + "]"
		}
	}
	return fmt.Sprintf("%s:%d/%s", host, p.port, p.network)
}

// overlaps reports whether two sockets can't have both places.
func (p place) overlaps(q place) bool {
	return p.network == q.network && p.port == q.port && (p.anywhere() || q.anywhere() || p.address == q.address)
}

func (p place) anywhere() bool { return !p.address.IsValid() || p.address.IsUnspecified() }

// A Service is a service that Parse has read. The zero Service does nothing.
type Service struct {
	text   string
	places []place // of the stack
	system []place // of this system
	start  func(r *running) error

	folder string // of files
	target *place // of publish
}

// String is the kind and the text, such as "serve 8080=exec:cat".
func (s Service) String() string { return s.text }

// Folder is the folder whose files are served; "": the service is of another kind.
func (s Service) Folder() string { return s.folder }

// Target is the address that a published port leads to, and the zero Addr where that is Env.Peer;
// false: the service is of another kind.
func (s Service) Target() (netip.Addr, bool) {
	if s.target == nil {
		return netip.Addr{}, false
	}
	return s.target.address, true
}

// Check reports two services that want the same port.
func Check(services []Service) error {
	for i, s := range services {
		for _, o := range services[:i] {
			for _, both := range [][2][]place{{s.places, o.places}, {s.system, o.system}} {
				if p, clash := overlap(both[0], both[1]); clash {
					return mistake.Errorf("give one of them another port", "%q and %q both want %v", o, s, p)
				}
			}
		}
	}
	return nil
}

func overlap(a, b []place) (place, bool) {
	for _, p := range a {
		if slices.ContainsFunc(b, p.overlaps) {
			return p, true
		}
	}
	return place{}, false
}

// An Env is what services get from who runs them. The zero Env is enough for those that need no
// datagrams and no address of a peer.
type Env struct {
	// Addresses are those of the stack. A service of datagrams has a socket for each, so that its
	// answers come from the address that was asked.
	Addresses []netip.Addr

	// Peer is where publish connects to if its text has no address; the zero Addr: it must have
	// one.
	Peer netip.Addr

	// Stderr is the standard error of programs; nil: what they write there is thrown away.
	Stderr io.Writer

	// Logger gets what goes wrong while services run; nil: nobody does.
	Logger *slog.Logger
}

// Start runs the service on a stack. The result ends the service, and waits until nothing of it is
// left: no goroutine, no socket, no process. The stack may be closed before.
func (s Service) Start(st *stack.Stack, env Env) (io.Closer, error) {
	if env.Logger == nil {
		env.Logger = slog.New(slog.DiscardHandler)
	}
	r := newRunning(st, env, strings.TrimSpace(s.text))
	if s.start == nil {
		return r, nil
	}
	if err := s.start(r); err != nil {
		_ = r.Close()
		return nil, err
	}
	return r, nil
}
