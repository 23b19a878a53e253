package testbed_test

import (
	"context"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wsstack/wsstack/internal/namespace"
	"github.com/wsstack/wsstack/internal/netns"
	"github.com/wsstack/wsstack/internal/testbed"
	"github.com/wsstack/wsstack/tun"
)

// A journal keeps what a network says.
type journal struct {
	mu     sync.Mutex
	lines  []string
	events []string
}

func (j *journal) options() testbed.Options {
	return testbed.Options{
		Output: func(l testbed.Line) {
			j.mu.Lock()
			defer j.mu.Unlock()
			j.lines = append(j.lines, l.Host+": "+l.Text)
		},
		Event: func(e testbed.Event) {
			j.mu.Lock()
			defer j.mu.Unlock()
			word, _, _ := strings.Cut(e.Text, " ")
			j.events = append(j.events, e.Host+" "+strings.TrimSuffix(word, ":"))
		},
	}
}

// shell is a command that a shell runs.
func shell(t *testing.T, text string) *testbed.Command {
	t.Helper()
	path, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("skipped: there is no sh")
	}
	return &testbed.Command{Path: path, Args: []string{"sh", "-c", text}}
}

// space is a host that is a namespace with a command.
func space(t *testing.T, name, command string) testbed.Host {
	t.Helper()
	return testbed.Host{Name: name, Kind: testbed.Namespace, Command: shell(t, command)}
}

// requireNamespaces skips a test where namespaces can't be had.
func requireNamespaces(t *testing.T) {
	t.Helper()
	n, err := namespace.New(namespace.Config{Devices: []namespace.Device{{Name: "probe", MTU: 1500}}})
	switch {
	case err == nil:
		for _, d := range n.Devices() {
			d.Close()
		}
		n.Close()
	case netns.RequireTUN():
		t.Fatalf("WSSTACK_REQUIRE_TUN is set, and %v", err)
	default:
		t.Skipf("skipped: %v", err)
	}
}

// play runs a network to its end, and closes it.
func play(t *testing.T, n testbed.Network, j *journal) (testbed.Result, error) {
	t.Helper()
	b := start(t, n, j.options())
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	result, err := b.Wait(ctx)
	b.Stop(ctx, 5*time.Second)
	if closed := b.Close(); closed != nil {
		t.Errorf("Close: %v", closed)
	}
	return result, err
}

// Two namespaces, whose kernels know nothing of each other, are joined by a link. The server starts
// first, and the client when the server is ready. When the client has ended, the network has.
func TestNamespaces(t *testing.T) {
	requireNamespaces(t)
	n := testbed.Network{
		Hosts: []testbed.Host{
			space(t, "client", `exec 3<>/dev/tcp/10.0.0.2/7; echo hello >&3; read line <&3; echo "got $line"; exit 3`),
			space(t, "server", `echo up; sleep 0.1; `+server(t)),
		},
		Links: []testbed.Link{link("wire", "client", "10.0.0.1/24", "server", "10.0.0.2/24")},
	}
	n.Links[0].Ends[0].Sends = tun.Impairment{Delay: 10 * time.Millisecond}
	n.Hosts[0].Command.Path = bash(t)
	n.Hosts[0].After, n.Hosts[0].Command.Main = []string{"server"}, true
	n.Hosts[1].Until = testbed.Check{Kind: testbed.TCP, Target: "10.0.0.2:7"}
	var j journal
	result, err := play(t, n, &j)
	if want := (testbed.Result{Host: "client", Status: 3}); result != want || err != nil {
		t.Errorf("Wait: %+v, %v, want %+v", result, err, want)
	}
	if want := []string{"server: up", "client: got hello"}; !slices.Equal(j.lines, want) {
		t.Errorf("output %q, want %q", j.lines, want)
	}
	if want := []string{"server started", "server ready", "client started", "client ended", "server ended"}; !slices.Equal(j.events, want) {
		t.Errorf("events %q, want %q", j.events, want)
	}
}

// bash is the shell that knows /dev/tcp.
func bash(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("skipped: there is no bash")
	}
	return path
}

// server is a command that echoes on port 7.
func server(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("skipped: there is no python3")
	}
	return `exec python3 -c '
import socketserver
class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile: self.wfile.write(line); self.wfile.flush()
socketserver.ThreadingTCPServer(("", 7), Echo).serve_forever()'`
}

// A namespace behind a router reaches a stack, by the name that the network has for it.
func TestNamespaces_Router(t *testing.T) {
	requireNamespaces(t)
	n := stacks()
	n.Hosts = append(n.Hosts, space(t, "shell", `exec 3<>/dev/tcp/server/7; echo hello >&3; read line <&3; echo "got $line"`))
	n.Hosts[3].Command.Path = bash(t)
	n.Links = append(n.Links, link("three", "shell", "10.0.3.2/24", "router", "10.0.3.1/24"))
	var j journal
	result, err := play(t, n, &j)
	if want := (testbed.Result{Host: "shell"}); result != want || err != nil {
		t.Errorf("Wait: %+v, %v, want %+v", result, err, want)
	}
	if want := []string{"shell: got hello"}; !slices.Equal(j.lines, want) {
		t.Errorf("output %q, want %q", j.lines, want)
	}
}

// apart are two namespaces that have nothing to say to each other.
func apart(t *testing.T, a, b string) testbed.Network {
	t.Helper()
	return testbed.Network{
		Hosts: []testbed.Host{space(t, "a", a), space(t, "b", b)},
		Links: []testbed.Link{link("wire", "a", "10.0.0.1/24", "b", "10.0.0.2/24")},
	}
}

// A command that fails ends the network with its status, unless it may.
func TestNamespaces_Fails(t *testing.T) {
	requireNamespaces(t)
	var j journal
	result, err := play(t, apart(t, "exit 9", "sleep 60"), &j)
	if want := (testbed.Result{Host: "a", Status: 9}); result != want || err != nil {
		t.Errorf("Wait: %+v, %v, want %+v", result, err, want)
	}
	n := apart(t, "exit 9", "sleep 0.1; exit 4")
	n.Hosts[0].Command.MayFail = true
	result, err = play(t, n, &j)
	if want := (testbed.Result{Host: "b", Status: 4}); result != want || err != nil {
		t.Errorf("Wait: %+v, %v, want %+v", result, err, want)
	}
}

// A command that has to end before others start does, and one that ends too early is no host that
// is ready.
func TestNamespaces_Exit(t *testing.T) {
	requireNamespaces(t)
	n := apart(t, "echo prepared", "echo begun")
	n.Hosts[0].Until.Kind, n.Hosts[1].After = testbed.Exit, []string{"a"}
	var j journal
	if result, err := play(t, n, &j); result.Host != "b" || err != nil {
		t.Errorf("Wait: %+v, %v", result, err)
	}
	if want := []string{"a: prepared", "b: begun"}; !slices.Equal(j.lines, want) {
		t.Errorf("output %q, want %q", j.lines, want)
	}
	n.Hosts[0].Until = testbed.Check{Kind: testbed.TCP, Target: "10.0.0.1:7"}
	if _, err := play(t, n, &j); err == nil || !strings.Contains(err.Error(), "the command has ended, and the host isn't ready") {
		t.Errorf("Wait: %v", err)
	}
}

// Stop asks the last command first, and what doesn't end has to.
func TestNamespaces_Stop(t *testing.T) {
	requireNamespaces(t)
	n := apart(t, `trap "" TERM; echo up; while :; do sleep 1; done`, `trap "echo asked; exit" TERM; echo up; while :; do sleep 0.1; done`)
	n.Hosts[1].After = []string{"a"}
	var j journal
	up := make(chan struct{}, 2)
	o := j.options()
	keep := o.Output
	o.Output = func(l testbed.Line) {
		keep(l)
		if l.Text == "up" {
			up <- struct{}{}
		}
	}
	b := start(t, n, o)
	<-up
	<-up
	b.Stop(t.Context(), time.Second)
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if !slices.Contains(j.lines, "b: asked") {
		t.Errorf("output %q: b wasn't asked to end", j.lines)
	}
	if want := []string{"a started", "b started", "b ended", "a didn't", "a ended"}; !slices.Equal(j.events, want) {
		t.Errorf("events %q, want %q", j.events, want)
	}
}

// A command finds its folder and its environment, and no input.
func TestNamespaces_Surroundings(t *testing.T) {
	requireNamespaces(t)
	n := apart(t, `pwd; echo "$COLOUR"; cat; echo end >&2`, "sleep 60")
	c := n.Hosts[0].Command
	c.Dir, c.Env, c.Main = "/usr", []string{"COLOUR=red", "PATH=/bin:/usr/bin"}, true
	var j journal
	if result, err := play(t, n, &j); result.Status != 0 || err != nil {
		t.Errorf("Wait: %+v, %v", result, err)
	}
	slices.Sort(j.lines) // the two outputs are two pipes
	if want := []string{"a: /usr", "a: end", "a: red"}; !slices.Equal(j.lines, want) {
		t.Errorf("output %q, want %q", j.lines, want)
	}
}

// A namespace at a tunnel takes the large segments that come out of that, also on a link on which
// packets are looked at one by one.
func TestNamespaces_Tunnel(t *testing.T) {
	requireNamespaces(t)
	n := apart(t, "exit 0", "exit 0")
	near, far := tun.Pipe(1420)
	defer far.Close()
	n.Hosts[1].Remote = true
	n.Links[0].MTU, n.Links[0].Ends[0].Sends.Delay = 1420, time.Millisecond
	n.Links[0].Tunnel = func() (tun.Device, error) { return near, nil }
	b := start(t, n, testbed.Options{})
	if o := b.Links()[0].Device(0).Offload(); !o.TSO4 || !o.TSO6 || !o.Checksum {
		t.Errorf("the namespace takes %+v", o)
	}
}
