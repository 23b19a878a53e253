package peers

import (
	"errors"
	"strings"
	"testing"

	"github.com/wsstack/wsstack/internal/mistake"
)

// Every mistake is one error that names it, with a hint.
func TestParse_Mistakes(t *testing.T) {
	for _, c := range []struct{ kind, text, want string }{
		{"forwards", "1=h:2", `no kind of services is called "forwards"`},
		{"forward", "5432", `"5432" doesn't say what is at which port`},
		{"forward", "=x", `"=x" doesn't say what is at which port`},
		{"forward", "0=h:2", `"0" is not the number of a port`},
		{"forward", "65536=h:2", `"65536" is not the number of a port`},
		{"forward", "http=h:2", `"http" is not the number of a port`},
		{"forward", "53/sctp=h:2", `"sctp" is neither tcp nor udp`},
		{"forward", "1:2:3=h:2", `"1:2:3" is not an address and a port`},
		{"forward", "name:3=h:2", `"name" is not the address of a host`},
		{"forward", "224.0.0.1:3=h:2", `"224.0.0.1" is not the address of a host`},
		{"forward", "5432=5432", `"5432" is not a host and a port`},
		{"forward", "5432=:5432", `":5432" is not a host and a port`},
		{"forward", "5432=h:x", `"x" is not the number of a port`},
		{"publish", "8080=h:80", `"h" is not the address of a host`},
		{"publish", "53/udp=53/tcp", `"53/tcp" is not the number of a port`},
		{"serve", "8080=cat", `"cat" is not a program`},
		{"serve", "8080=exec: ", `"exec: " is not a program`},
		{"serve", "8080/udp=exec:cat", `"8080/udp" is not the number of a port`},
		{"files", "8080=/does/not/exist", "there is no directory /does/not/exist"},
		{"files", "8080=text_test.go", "text_test.go is not a directory"},
		{"peer", "81=explode", `there is no behaviour "explode"`},
		{"peer", "81=reset-after", "reset-after needs an argument"},
		{"peer", "81=reset-after:", "reset-after needs an argument"},
		{"peer", "81=reset-after:-1", `reset-after: "-1" is not a number of bytes`},
		{"peer", "81=reset-after:9999999999999999", `reset-after: "9999999999999999" is not a number of bytes`},
		{"peer", "81=silent:3", "silent takes no argument"},
		{"peer", "81=slow-body:3", "slow-body: it needs two arguments"},
		{"peer", "81=slow-body:3,0", `slow-body: "0" bytes a second are never done`},
		{"peer", "81=short-body:3,3", "short-body: 3 bytes sent are not less than 3"},
		{"peer", "81=keepalive:1500ms", "keepalive: 1500ms is no number of whole seconds"},
		{"peer", "81=keepalive:1s,1s,256", `keepalive: "256" is no number of probes from 0 to 255`},
		{"peer", "81=keepalive:1s,1s,1,1", "keepalive: 4 arguments are too many"},
		{"peer", "81=backlog:0", `backlog: "0" is no backlog from 1 to 4096`},
		{"peer", "81=late-answer:soon", `late-answer: "soon" is not a time`},
		{"peer", "81=closed-window:5M", "closed-window: SO_RCVBUF is 4194304 at most"},
		{"peer", "81=two-writes:1M", "two-writes: two writes of more than 64 KiB aren't small"},
		{"peer", "81=datagrams:66k", "datagrams: a datagram has 65507 bytes at most"},
	} {
		_, err := Parse(c.kind, c.text)
		var m *mistake.Error
		if !errors.As(err, &m) || err.Error() != c.want || m.Hint() == "" || strings.Contains(err.Error()+m.Hint(), "\n") || m.ExitStatus() != 2 {
			t.Errorf("%s %s: %v, want %s", c.kind, c.text, err, c.want)
		}
	}
}

// The examples of the kinds are texts of theirs.
func TestKinds_Examples(t *testing.T) {
	for _, k := range Kinds() {
		if k.Name == "files" {
			continue // the directory is one of Debian's
		}
		if s, err := Parse(k.Name, k.Example); err != nil || s.String() != k.Name+" "+k.Example {
			t.Errorf("%s %s: %q, %v", k.Name, k.Example, s, err)
		}
	}
}

// Two services can't have one port, unless their addresses or protocols differ.
func TestCheck(t *testing.T) {
	for _, c := range []struct {
		services []string
		want     string
	}{
		{[]string{"peer 81=mute", "peer 82=mute", "publish 81=81"}, ""},
		{[]string{"peer 81=mute", "serve 81=exec:cat"}, `"peer 81=mute" and "serve 81=exec:cat" both want *:81/tcp`},
		{[]string{"peer 10.0.0.1:81=mute", "peer 10.0.0.2:81=mute", "peer 81=udp-mute"}, ""},
		{[]string{"peer 10.0.0.1:81=mute", "forward 81=h:1"}, `"peer 10.0.0.1:81=mute" and "forward 81=h:1" both want *:81/tcp`},
		{[]string{"publish 81=1", "publish 0.0.0.0:81=2"}, `"publish 81=1" and "publish 0.0.0.0:81=2" both want 0.0.0.0:81/tcp`},
		{[]string{"publish 81/udp=1", "publish 81=2"}, ""},
	} {
		var list []Service
		for _, text := range c.services {
			kind, rest, _ := strings.Cut(text, " ")
			list = append(list, service(t, kind, rest))
		}
		got := ""
		if err := Check(list); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%q: %s, want %s", c.services, got, c.want)
		}
	}
}

// Whatever a text is, it is read or refused.
func FuzzParse(f *testing.F) {
	for _, k := range Kinds() {
		f.Add(k.Name, k.Example)
	}
	for _, b := range Behaviours() {
		f.Add("peer", "81="+b.Example)
	}
	f.Fuzz(func(t *testing.T, kind, text string) {
		s, err := Parse(kind, text)
		if err == nil && s.String() != kind+" "+text {
			t.Errorf("%q", s)
		}
	})
}
