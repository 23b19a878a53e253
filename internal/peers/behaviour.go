package peers

import (
	"strings"
	"time"

	"github.com/wsstack/wsstack/internal/mistake"
	"github.com/wsstack/wsstack/stack"
)

// A Behaviour is what a peer can do.
type Behaviour struct {
	Name     string
	Argument string // the form of its argument; "": it has none; in brackets: it may be left out
	Help     string // what the peer does
	Example  string // what is after PORT=
	Datagram bool   // the peer is one of UDP
	parse    func(argument string) (act, error)
}

// Usage is the name with the form of its argument.
func (b Behaviour) Usage() string {
	switch {
	case b.Argument == "":
		return b.Name
	case strings.HasPrefix(b.Argument, "["):
		return b.Name + "[:" + b.Argument[1:]
	}
	return b.Name + ":" + b.Argument
}

// An act plays a behaviour, with its arguments, at a place.
type act func(r *running, p place) error

// Behaviours are all behaviours.
func Behaviours() []Behaviour {
	return []Behaviour{
		{Name: "body", Argument: "SIZE", Example: "body:1M", parse: sized(body),
			Help: "answers HTTP requests with a body of SIZE bytes"},
		{Name: "slow-body", Argument: "SIZE,RATE", Example: "slow-body:10k,1k", parse: parseSlowBody,
			Help: "answers HTTP requests with a body of SIZE bytes, RATE of them a second"},
		{Name: "short-body", Argument: "SIZE,SENT", Example: "short-body:10k,4k", parse: parseShortBody,
			Help: "promises an HTTP body of SIZE bytes, sends SENT of them, and closes the connection"},
		{Name: "late-answer", Argument: "DELAY", Example: "late-answer:10s", parse: delayed(lateAnswer),
			Help: "sends back what it gets, each piece DELAY after it has come"},
		{Name: "mute", Example: "mute", parse: plain(talk(mute)),
			Help: "acknowledges and reads everything, and never answers"},
		{Name: "two-writes", Argument: "[SIZE]", Example: "two-writes:100", parse: parseTwoWrites,
			Help: "answers each piece with two writes of SIZE bytes (100): Nagle holds the second one back"},
		{Name: "fin-after", Argument: "SIZE", Example: "fin-after:0", parse: sized(finAfter),
			Help: "sends SIZE bytes and a FIN, and goes on reading until the peer's FIN"},
		{Name: "reset-after", Argument: "SIZE", Example: "reset-after:1000", parse: sized(resetAfter),
			Help: "reads SIZE bytes, and sends a RST; 0: as soon as the connection is established"},
		{Name: "reset-sending", Argument: "SIZE", Example: "reset-sending:1000", parse: sized(resetSending),
			Help: "sends SIZE bytes, and a RST when they are acknowledged"},
		{Name: "close-unread", Example: "close-unread", parse: plain(talk(closeUnread)),
			Help: "closes the connection when data has come, without reading it: the stack sends a RST"},
		{Name: "slow-reader", Argument: "RATE", Example: "slow-reader:10k", parse: parseSlowReader,
			Help: "reads RATE bytes a second, so that the window closes and opens"},
		{Name: "closed-window", Argument: "[SIZE]", Example: "closed-window:4096", parse: parseClosedWindow,
			Help: "reads nothing: the window is closed after SIZE bytes (SO_RCVBUF), and stays so"},
		{Name: "keepalive", Argument: "IDLE[,INTERVAL[,COUNT]]", Example: "keepalive:10s,1s,10", parse: parseKeepAlive,
			Help: "has keep-alive on: a probe after IDLE, then each INTERVAL, and a RST after COUNT of them"},
		{Name: "backlog", Argument: "COUNT", Example: "backlog:2", parse: parseBacklog,
			Help: "lets COUNT connections wait, which nobody accepts; further SYNs are answered by a RST"},
		{Name: "late-handshake", Argument: "DELAY", Example: "late-handshake:3s", parse: delayed(lateHandshake),
			Help: "answers a SYN DELAY after it has come, and then sends back what it gets"},
		{Name: "unanswered", Example: "unanswered", parse: plain(deaf(stack.ListenConfig{Options: conditional})),
			Help: "answers no SYN, neither with a SYN-ACK nor with a RST"},
		{Name: "silent", Example: "silent", parse: plain(hold(stack.ListenConfig{Silent: true})),
			Help: "completes the handshake, and then is silent: nothing is acknowledged any more"},
		{Name: "datagrams", Argument: "SIZE", Example: "datagrams:4000", Datagram: true, parse: parseDatagrams,
			Help: "answers each datagram with one of SIZE bytes, in fragments beyond the MTU"},
		{Name: "udp-mute", Example: "udp-mute", Datagram: true, parse: plain(datagrams(func([]byte) []byte { return nil })),
			Help: "takes datagrams and never answers"},
	}
}

// parsePeer reads "[ADDRESS:]PORT=BEHAVIOUR".
func parsePeer(text string) (Service, error) {
	at, what, err := splitText(text, "PORT=BEHAVIOUR, such as 81=reset-after:1000")
	if err != nil {
		return Service{}, err
	}
	p, err := parsePlace(at, false)
	if err != nil {
		return Service{}, err
	}
	b, a, err := parseBehaviour(what)
	if err != nil {
		return Service{}, err
	}
	if b.Datagram {
		p.network = "udp"
	}
	return Service{places: []place{p}, start: func(r *running) error { return a(r, p) }}, nil
}

func parseBehaviour(text string) (Behaviour, act, error) {
	name, argument, has := strings.Cut(text, ":")
	for _, b := range Behaviours() {
		if b.Name != name {
			continue
		}
		hint := "write " + b.Usage() + ", such as " + b.Example
		switch {
		case has && b.Argument == "":
			return b, nil, mistake.Errorf(hint, "%s takes no argument", name)
		case argument == "" && b.Argument != "" && !strings.HasPrefix(b.Argument, "["):
			return b, nil, mistake.Errorf(hint, "%s needs an argument", name)
		}
		a, err := b.parse(argument)
		if err != nil {
			return b, nil, mistake.Errorf(hint, "%s: %v", name, err)
		}
		return b, a, nil
	}
	return Behaviour{}, nil, mistake.Errorf("all of them: wsstack help peers", "there is no behaviour %q", name)
}

// plain is the parse of a behaviour without argument.
func plain(a act) func(string) (act, error) {
	return func(string) (act, error) { return a, nil }
}

// sized is the parse of a behaviour with a number of bytes.
func sized(make func(size int64) act) func(string) (act, error) {
	return func(text string) (act, error) {
		n, err := parseSize(text)
		return make(n), err
	}
}

// delayed is the parse of a behaviour with a time.
func delayed(make func(d time.Duration) act) func(string) (act, error) {
	return func(text string) (act, error) {
		d, err := parseDelay(text)
		return make(d), err
	}
}
