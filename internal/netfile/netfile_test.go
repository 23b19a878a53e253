package netfile_test

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wsstack/wsstack/internal/netfile"
	"github.com/wsstack/wsstack/internal/testbed"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/tun"
)

// parse reads the text of a file.
func parse(text string) (*netfile.File, error) {
	return netfile.Parse("net.yaml", "/folder", []byte(text), netfile.Options{Environ: []string{"HOME=/root"}})
}

// whole is a file with everything in it.
const whole = `
seed: 7
names:
  web.test: 10.0.2.2
  "*.test": [10.0.2.2, "fd02::2"]
hosts:
  gw:
    kind: router
    gateway: {allow: [192.0.2.0/24], deny: 192.0.2.1, host-loopback: 10.0.1.99}
    profile: windows
    sockopt: {SO_KEEPALIVE: 1, TCP_NODELAY: 1}
    ecn: true
    resolver: false
  web:
    serve: {8080: "exec:cat"}
    peer: 81=reset-after:1000
    files: {82: docs}
    forward: [5432=127.0.0.1:5432]
    until: tcp 10.0.2.2:8080
    within: 5s
    routes: {198.51.100.0/24: 10.0.2.1}
  client:
    command: [sh, -c, "exit 3"]
    environment: {COLOUR: red, N: 1}
    directory: work
    after: web
    main: true
    may-fail: true
links:
  one:
    ends: {client: [10.0.1.2/24, "fd01::2/64"], gw: [10.0.1.1/24, "fd01::1/64"]}
    mtu: 1400
    impair: &slow {delay: 20ms, loss: 0.01}
    from: {gw: {rate: 1M, loss: 0}, client: {loss-packets: "1,5"}}
    capture: one.pcapng
    congestion: reno
  two:
    ends: {gw: 10.0.2.1/24, web: 10.0.2.2/24}
    impair: *slow
`

// A file with everything in it makes the network that it describes.
func TestParse(t *testing.T) {
	folder := t.TempDir()
	if err := os.Mkdir(filepath.Join(folder, "docs"), 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := netfile.Parse("net.yaml", folder, []byte(whole), netfile.Options{Environ: []string{"HOME=/root"}})
	if err != nil {
		t.Fatal(err)
	}
	n := f.Network
	if n.Seed == nil || *n.Seed != 7 || len(n.Names["*.test"]) != 2 || n.Names["web.test"][0] != netip.MustParseAddr("10.0.2.2") {
		t.Errorf("seed %v, names %v", n.Seed, n.Names)
	}
	gw, web, client := n.Hosts[0], n.Hosts[1], n.Hosts[2]
	if gw.Name != "gw" || gw.Kind != testbed.Router || gw.Gateway == nil || gw.Config.Profile != options.Windows || !gw.Config.ECN ||
		len(gw.Config.Defaults) != 2 || gw.Resolver != nil || len(gw.Services) != 0 {
		t.Errorf("gw: %+v", gw)
	}
	var services []string
	for _, s := range web.Services {
		services = append(services, s.Text)
	}
	slices.Sort(services)
	if want := []string{"files 82=" + folder + "/docs", "forward 5432=127.0.0.1:5432", "peer 81=reset-after:1000", "serve 8080=exec:cat", "services"}; !slices.Equal(services, want) {
		t.Errorf("services of web: %q, want %q", services, want)
	}
	if want := (testbed.Check{Kind: testbed.TCP, Target: "10.0.2.2:8080", Within: 5 * time.Second}); web.Kind != testbed.Stack || web.Until != want || len(web.Routes) != 1 {
		t.Errorf("web: %+v", web)
	}
	c := client.Command
	if client.Kind != testbed.Namespace || !slices.Equal(c.Args, []string{"sh", "-c", "exit 3"}) || !filepath.IsAbs(c.Path) || c.Dir != folder+"/work" ||
		!slices.Equal(c.Env, []string{"HOME=/root", "COLOUR=red", "N=1"}) || !c.Main || !c.MayFail || !slices.Equal(client.After, []string{"web"}) {
		t.Errorf("client: %+v, %+v", client, c)
	}
	one := n.Links[0]
	if one.MTU != 1400 || one.Capture != folder+"/one.pcapng" || one.Ends[0].Congestion != "reno" || len(one.Ends[0].Addresses) != 2 {
		t.Errorf("one: %+v", one)
	}
	for i, want := range []string{"loss-packets=1,5,loss=0.01,delay=20ms", "rate=1M,delay=20ms"} {
		if got := one.Ends[i].Sends.String(); got != want {
			t.Errorf("%s sends with %s, want %s", one.Ends[i].Host, got, want)
		}
	}
	if got := n.Links[1].Ends[0].Sends; got.Delay != 20*time.Millisecond || got.Loss != 0.01 {
		t.Errorf("two: %+v", got)
	}
}

// A text is for sh, kinds and addresses may be left out, and name servers are where they are of
// use.
func TestParse_Short(t *testing.T) {
	f, err := parse(`
hosts:
  a: {command: "echo $HOME"}
  b:
  c: {kind: router}
links:
  x: {ends: [a, b]}
  y: {ends: {b: 10.77.2.1/24, c: 10.77.2.2/24}}
  z: {ends: [a, c]}
`)
	if err != nil {
		t.Fatal(err)
	}
	n := f.Network
	if a := n.Hosts[0]; a.Kind != testbed.Namespace || !slices.Equal(a.Command.Args, []string{"sh", "-c", "echo $HOME"}) {
		t.Errorf("a: %+v", a)
	}
	if b := n.Hosts[1]; b.Kind != testbed.Stack || b.Resolver == nil || len(b.Services) != 1 {
		t.Errorf("b: %+v", b)
	}
	var got []string
	for _, l := range n.Links {
		for _, e := range l.Ends {
			for _, p := range e.Addresses {
				got = append(got, p.String())
			}
		}
	}
	want := []string{"10.77.1.1/24", "fd77:1::1/64", "10.77.1.2/24", "fd77:1::2/64", "10.77.2.1/24", "10.77.2.2/24",
		"10.77.3.1/24", "fd77:3::1/64", "10.77.3.2/24", "fd77:3::2/64"}
	if !slices.Equal(got, want) {
		t.Errorf("addresses %v, want %v", got, want)
	}
}

// Each mistake has its line and its column, one sentence, and a hint.
func TestParse_Mistakes(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"nothing", "", "net.yaml: the file describes nothing"},
		{"comments", "# nothing\n", "net.yaml: the file describes nothing"},
		{"no YAML", "hosts: [a", "net.yaml:2:1: while parsing a flow sequence: did not find expected ',' or ']'"},
		{"a tab", "hosts:\n\ta:", "net.yaml:2:"},
		{"no UTF-8", "hosts: \xff", "net.yaml"},
		{"two documents", "hosts: {a: }\n---\nhosts: {}", "net.yaml:2:1: there is a second document"},
		{"a list", "- a", "net.yaml:1:1: want a mapping of fields, not a list"},
		{"no hosts", "seed: 1", "net.yaml:1:1: hosts is missing"},
		{"hosts that are a list", "hosts: [a]", "net.yaml:1:8: hosts: want a mapping of names of hosts, not a list"},
		{"no host", "hosts: {}", "net.yaml: the network has no hosts"},
		{"an unknown field", "hosts:\n  a:\n    comand: x", `net.yaml:3:5: host a: a host has no field "comand"`},
		{"an unknown field of a link", "hosts: {a: , b: }\nlinks: {x: {ends: [a, b], speed: 1}}", `net.yaml:2:27: link x: a link has no field "speed"`},
		{"a key twice", "hosts:\n  a:\n  a:", `net.yaml:3:3: hosts: there is a second "a"`},
		{"a key that is a list", "hosts:\n  [a]: x", "net.yaml:2:3: hosts: a list can't be a key"},
		{"no kind", "hosts: {a: {kind: switch}}", `net.yaml:1:19: host a: kind: "switch" is none of namespace, router or stack`},
		{"no flag", "hosts: {a: {ecn: yes}}", `net.yaml:1:18: host a: ecn: "yes" is neither true nor false`},
		{"no number", "seed: -1\nhosts: {a: }", `net.yaml:1:7: seed: "-1" is not a whole number`},
		{"no time", "hosts: {a: {within: 10}}", `net.yaml:1:21: host a: within: "10" is no length of time`},
		{"no check", "hosts: {a: {until: ready}}", `net.yaml:1:20: host a: until: "ready" is no check`},
		{"no address", "hosts: {a: }\nnames: {x: 10.0.0.300}", `net.yaml:2:12: names: x: "10.0.0.300" is not an address`},
		{"no name", "hosts: {a: }\nnames: {-x.: 10.0.0.3}", `net.yaml:2:9: names: "-x."`},
		{"no prefix", "hosts: {a: , b: }\nlinks: {x: {ends: {a: 10.0.0.1, b: 10.0.0.2/24}}}",
			`net.yaml:2:23: link x: ends: a: "10.0.0.1" is not an address with the length of its prefix`},
		{"three ends", "hosts: {a: , b: , c: }\nlinks: {x: {ends: [a, b, c]}}", "net.yaml:2:19: link x: ends: there are 3 ends"},
		{"no ends", "hosts: {a: }\nlinks: {x: {mtu: 1500}}", "net.yaml:2:12: link x: ends is missing"},
		{"no link at all", "hosts: {a: }\nlinks:\n  x:", "net.yaml:3:5: link x: ends is missing"},
		{"from nobody", "hosts: {a: , b: }\nlinks:\n  x:\n    ends: [a, b]\n    from: {c: {loss: 1}}", "net.yaml:5:12: link x: from: c is no end of the link"},
		{"no impairment", "hosts: {a: , b: }\nlinks: {x: {ends: [a, b], impair: {los: 1}}}", `net.yaml:2:36: link x: impair: an impairment has no field "los"`},
		{"no probability", "hosts: {a: , b: }\nlinks: {x: {ends: [a, b], impair: {loss: 2}}}", "net.yaml:2:42: link x: impair: loss: "},
		{"impairments that don't go together", "hosts: {a: , b: }\nlinks:\n  x:\n    ends: [a, b]\n    impair: {jitter-reorder: true}",
			"net.yaml:5:5: link x: impair: from a: jitter-reorder has no effect without jitter"},
		{"an empty command", "hosts: {a: {command: []}}", "net.yaml:1:22: host a: command: the command is empty"},
		{"no program", "hosts: {a: {command: [no-such-program]}}", `net.yaml:1:22: host a: command: command "no-such-program" not found`},
		{"a command that is a mapping", "hosts: {a: {command: {x: y}}}", "net.yaml:1:22: host a: command: want a list of a program"},
		{"main without a command", "hosts:\n  a:\n    main: true", "net.yaml:3:5: host a: main: the host has no command"},
		{"a profile of a namespace", "hosts:\n  a:\n    command: x\n    profile: windows", "net.yaml:4:5: host a: profile: a namespace has none"},
		{"no option", "hosts: {a: {sockopt: {SO_KEPALIVE: 1}}}", "net.yaml:1:23: host a: sockopt: "},
		{"no service", "hosts: {a: {serve: {8080: cat}}}", "net.yaml:1:21: host a: serve: "},
		{"two services on a port", "hosts:\n  a:\n    serve: {80: 'exec:cat'}\n    peer: 80=silent", "net.yaml:2:3: host a: "},
		{"no prefix to a gateway", "hosts: {a: {gateway: {allow: x}}}", "net.yaml:1:22: host a: gateway: "},
		{"a route to nowhere", "hosts: {a: {routes: {x: 10.0.0.1}}}", "net.yaml:1:22: host a: routes: "},
		{"what testbed finds", "hosts:\n  a:\n    command: x\n    after: b", `net.yaml:4:5: host a: after: there is no host "b"`},
		{"an anchor that isn't there", "hosts: {a: *x}", "net.yaml:1:"},
		{"an alias in itself", "hosts: &x {a: *x}", "net.yaml:1:12: host a: a host has no field"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := parse(tt.text)
			e, ok := errors.AsType[*netfile.Error](err)
			if !ok || !strings.HasPrefix(err.Error(), tt.want) {
				t.Fatalf("Parse: %v\nwant %s…", err, tt.want)
			}
			if e.Hint() == "" || e.ExitStatus() < 2 || strings.Contains(err.Error()+e.Hint(), "\n") {
				t.Errorf("%v: hint %q, exit status %d", err, e.Hint(), e.ExitStatus())
			}
		})
	}
}

// A hint names the key that was meant.
func TestParse_DidYouMean(t *testing.T) {
	_, err := parse("hosts: {a: {comand: x}}")
	if e, ok := errors.AsType[*netfile.Error](err); !ok || e.Hint() != "did you mean command?" {
		t.Errorf("hint of %v: %q", err, e.Hint())
	}
}

// A program that isn't there has the exit status that a shell has for it.
func TestParse_NotFound(t *testing.T) {
	_, err := parse("hosts: {a: {command: [no-such-program]}}")
	if e, ok := errors.AsType[*netfile.Error](err); !ok || e.ExitStatus() != 127 {
		t.Errorf("Parse: %v, want exit status 127", err)
	}
}

// Aliases don't make a small file large.
func TestParse_Bounds(t *testing.T) {
	var b strings.Builder
	b.WriteString("hosts: {a: }\nnames:\n  x: &x [" + strings.Repeat("10.0.0.1,", 1000) + "]\n")
	for i := range 150 {
		fmt.Fprintf(&b, "  x%d: *x\n", i)
	}
	if _, err := parse(b.String()); err == nil || !strings.Contains(err.Error(), "more than 100000 values") {
		t.Errorf("Parse of a file full of aliases: %v", err)
	}
	name := filepath.Join(t.TempDir(), "big.yaml")
	if err := os.WriteFile(name, []byte(strings.Repeat("#\n", netfile.MaxBytes)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := netfile.Read(name, nil, netfile.Options{}); err == nil || !strings.Contains(err.Error(), "more than 1048576 bytes") {
		t.Errorf("Read of a large file: %v", err)
	}
}

// A file that can't be read is an error with a hint; "-" is standard input.
func TestRead(t *testing.T) {
	for _, name := range []string{filepath.Join(t.TempDir(), "none.yaml"), t.TempDir()} {
		_, err := netfile.Read(name, nil, netfile.Options{})
		if e, ok := errors.AsType[*netfile.Error](err); !ok || !strings.HasPrefix(err.Error(), name+": can't read it: ") || e.Hint() == "" {
			t.Errorf("Read(%s): %v", name, err)
		}
	}
	f, err := netfile.Read("-", strings.NewReader("hosts: {a: }"), netfile.Options{})
	if err != nil || len(f.Network.Hosts) != 1 {
		t.Errorf("Read of standard input: %v", err)
	}
	_, err = netfile.Read("-", strings.NewReader("hosts: 1"), netfile.Options{})
	if err == nil || !strings.HasPrefix(err.Error(), "standard input:1:8: ") {
		t.Errorf("Read of standard input: %v", err)
	}
}

// Every parameter of an impairment is a field, and what it is set to is what the link does.
func TestImpair(t *testing.T) {
	for _, p := range tun.Parameters() {
		value := map[string]string{"": "true", "PROBABILITY": "0.5", "CORRELATION": "0.5", "DURATION": "20ms", "BITS": "1M",
			"BYTES": "1500", "PACKETS": "10", "NUMBERS": `"1,5"`, "NAME": "codel", "FILE": ""}[p.Placeholder]
		if p.Name == "jitter-distribution" {
			value = "normal"
		}
		if value == "" { // a file
			continue
		}
		// Others that it needs may be missing, which is a mistake of the whole.
		_, err := parse("hosts: {a: , b: }\nlinks: {x: {ends: [a, b], impair: {" + p.Name + ": " + value + "}}}")
		if err != nil && p.Name != "burst-enter" && !strings.Contains(err.Error(), "link x: impair: from a: "+p.Name) {
			t.Errorf("%s: %s: %v", p.Name, value, err)
		}
	}
}
