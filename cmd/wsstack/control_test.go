package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/internal/control"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
)

// ownNetworks makes a directory for the control sockets of this test alone.
func ownNetworks(t *testing.T) {
	t.Helper()
	dir, err := os.MkdirTemp("", "ws") //nolint:usetesting // a socket's name is short
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	t.Setenv("XDG_RUNTIME_DIR", dir)
	t.Setenv(control.Environment, "")
}

// startControlled runs a network of two stacks, near and far, with a control socket, and a
// connection from near to port 7 of far. Other commands find no other network.
func startControlled(t *testing.T) {
	t.Helper()
	ownNetworks(t)
	a, b := tun.Pipe(1500)
	captured, err := tun.Capture(a, nil, "link")
	require.NoError(t, err)
	impaired, err := tun.Impair(captured, tun.ImpairConfig{Whole: true})
	require.NoError(t, err)
	server, err := control.Listen(control.Config{Name: "test"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	var stacks []*stack.Stack
	for i, d := range []tun.Device{impaired, b} {
		s, err := stack.New(stack.Config{Device: d, Addresses: []netip.Prefix{netip.MustParsePrefix([]string{"10.0.0.1/24", "10.0.0.2/24"}[i])}})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		server.AddHost([]string{"near", "far"}[i], s)
		stacks = append(stacks, s)
	}
	server.AddLink(control.Link{Name: "link", Ends: [2]string{"near", "far"}, Impaired: impaired, Captured: captured})
	server.Start()
	l, err := stacks[1].Listen("tcp", "10.0.0.2:7")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	c, err := stacks[0].Dial("tcp", "10.0.0.2:7")
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	_, err = c.Write([]byte("hello"))
	require.NoError(t, err)
	stack.Settle(stacks...)
}

// command runs a command line and returns what it prints.
func command(t *testing.T, status int, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	require.Equal(t, status, run(args, &out, &errs), "%v: %s", args, &errs)
	return out.String(), errs.String()
}

// stat prints a table as ss does, and JSON.
func TestStat(t *testing.T) {
	startControlled(t)
	out, _ := command(t, 0, "stat", "--state", "established")
	lines := strings.Split(out, "\n")
	require.Regexp(t, `^HOST +ID +NET +STATE +RECV-Q +SEND-Q +LOCAL +PEER$`, lines[0])
	require.Regexp(t, `^near +1 +tcp4 +ESTABLISHED +0 +0 +10\.0\.0\.1:\d+ +10\.0\.0\.2:7$`, lines[1])
	require.Regexp(t, `^\t cubic slow-start sack rto:[\d.]+ rtt:[\d.]+/[\d.]+ minrtt:[\d.]+ mss:1460 cwnd:\d+ bytes_sent:5 bytes_acked:5 `+
		`bytes_received:0 snd_wnd:\d+ rcv_wnd:\d+ connected:`, lines[2])
	require.Len(t, lines, 4)
	out, _ = command(t, 0, "stat", "--host", "far", "--port", "7")
	require.Contains(t, out, "LISTEN")
	require.NotContains(t, out, "near")
	out, _ = command(t, 0, "stat", "--json")
	var sockets control.Sockets
	require.NoError(t, json.Unmarshal([]byte(out), &sockets))
	require.Len(t, sockets.Sockets, 2)
	require.EqualValues(t, 5, sockets.Sockets[0].TCP.BytesAcked)
	out, errs := command(t, 2, "stat", "--state", "sleeping")
	require.Empty(t, out)
	require.Regexp(t, regexp.MustCompile(`^wsstack: error: "SLEEPING" is no state of a socket\nwsstack: hint: the states are LISTEN.*\n$`), errs)
	_, errs = command(t, 2, "stat", "--watch=0")
	require.Contains(t, errs, "not a time from 10ms to 24h")
	_, errs = command(t, 1, "stat", "--network", "other")
	require.Contains(t, errs, `no network of this user has the name "other"`)
	require.Contains(t, errs, "hint: these are running: test")
}

// stat --watch prints again and again, until the context ends.
func TestStatWatch(t *testing.T) {
	startControlled(t)
	ctx, cancel := context.WithCancel(t.Context())
	times := writerFunc(func(b []byte) (int, error) {
		require.Contains(t, string(b), "  test\nHOST")
		cancel()
		return len(b), nil
	})
	client, err := control.Find(ctx, "")
	require.NoError(t, err)
	defer client.Close()
	f := statFlags{watch: 3600e9}
	require.NoError(t, f.run(ctx, client, times))
	require.Error(t, ctx.Err())
}

// A writerFunc is a function as an io.Writer.
type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// set changes an option of a socket and says what it is then, or why not.
func TestSet(t *testing.T) {
	startControlled(t)
	out, _ := command(t, 0, "set", "near:1", "so_keepalive=on")
	require.Equal(t, "socket 1: SO_KEEPALIVE true\n", out)
	out, _ = command(t, 0, "set", "--host", "near", "1", "SO_KEEPALIVE=0")
	require.Equal(t, "socket 1: SO_KEEPALIVE as at first\n", out)
	for _, c := range []struct {
		status int
		args   []string
		words  string
	}{
		{2, []string{"1", "SO_KEEPALIVE=1"}, "name one of them: near, far"},
		{1, []string{"near:1", "TCP_KEEPCNT=300"}, "WSAEINVAL"},
		{1, []string{"near:9", "SO_KEEPALIVE=1"}, "there is no socket 9"},
		{2, []string{"near:1", "SO_KEEPALIV=1"}, "no option SO_KEEPALIV"},
		{2, []string{"near:x", "SO_KEEPALIVE=1"}, `"near:x" is no socket`},
		{2, []string{"near:1"}, "set takes a socket and one option"},
	} {
		_, errs := command(t, c.status, append([]string{"set"}, c.args...)...)
		require.Contains(t, errs, c.words)
		require.Equal(t, 2, strings.Count(errs, "\n"), "one error and one hint: %s", errs)
	}
}

// link prints what links do, and link set changes it, by the names of hosts.
func TestLink(t *testing.T) {
	startControlled(t)
	out, _ := command(t, 0, "link")
	require.Regexp(t, `^link: near and far, MTU 1500\n  from near to far: \d+ packets, \d+ bytes\n  from far to near: \d+ packets, \d+ bytes\n$`, out)
	out, _ = command(t, 0, "link", "set", "delay=1ms,loss=0.5")
	require.Equal(t, 2, strings.Count(out, "; loss=0.5,delay=1ms\n"), out)
	out, _ = command(t, 0, "link", "set", "link", "loss=0", "--from", "far")
	require.Regexp(t, `from near .*; loss=0.5,delay=1ms\n  from far .*; delay=1ms\n$`, out)
	out, _ = command(t, 0, "link", "set", "link", "--reset", "--json")
	var links control.Links
	require.NoError(t, json.Unmarshal([]byte(out), &links))
	require.Empty(t, links.Links[0].There.Impairment)
	for _, c := range []struct {
		status int
		args   []string
		words  string
	}{
		{2, []string{"set", "los=1"}, `"los" is not a parameter`},
		{1, []string{"set", "lonk", "loss=1"}, `no link "lonk"`},
		{1, []string{"set", "--from", "mars", "loss=1"}, "the link is between near and far"},
		{1, []string{"set", "--to-stack", "loss=1"}, "a stack at one end"},
		{2, []string{"set"}, "nothing to change"},
		{2, []string{"set", "a", "b", "c"}, "a name and one list"},
		{1, []string{"lonk"}, `no link "lonk"`},
		{2, []string{"a", "b"}, "link takes one name"},
	} {
		_, errs := command(t, c.status, append([]string{"link"}, c.args...)...)
		require.Contains(t, errs, c.words)
		require.Equal(t, 2, strings.Count(errs, "\n"), "one error and one hint: %s", errs)
	}
}

// --to-stack and --from-stack are by the end that is a stack.
func TestLinkDirections(t *testing.T) {
	f := linkSetFlags{toStack: "loss=1", fromStack: "delay=1ms"}
	c, err := f.change([2]string{"stack", "command"}, []string{"stack"}, "rate=1M")
	require.NoError(t, err)
	require.Equal(t, control.LinkChange{Both: "rate=1M", There: "delay=1ms", Back: "loss=1"}, c)
	c, err = f.change([2]string{"command", "stack"}, []string{"stack"}, "")
	require.NoError(t, err)
	require.Equal(t, control.LinkChange{There: "loss=1", Back: "delay=1ms"}, c)
}

// capture records in a new file of the user's.
func TestCaptureCommand(t *testing.T) {
	startControlled(t)
	name := filepath.Join(t.TempDir(), "a.pcapng")
	out, errs := command(t, 0, "capture", "on", name)
	require.Empty(t, out+errs)
	out, _ = command(t, 0, "link")
	require.Contains(t, out, name)
	command(t, 0, "capture", "off", name)
	info, err := os.Stat(name)
	require.NoError(t, err)
	require.NotZero(t, info.Size())
	dangling := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(filepath.Join(t.TempDir(), "victim"), dangling))
	for _, c := range []struct {
		status int
		args   []string
		words  string
	}{
		{1, []string{"on", name}, "is there already"},
		{1, []string{"on", dangling}, "is there already"},
		{1, []string{"on", filepath.Join(name, "x")}, "can't record packets"},
		{1, []string{"off"}, "isn't recorded in a file"},
		{1, []string{"--link", "lonk", "on", name + "2"}, `no link "lonk"`},
		{2, []string{"on"}, "needs a file"},
		{2, []string{"sideways"}, "capture is on FILE"},
		{2, nil, "capture is on FILE"},
	} {
		_, errs := command(t, c.status, append([]string{"capture"}, c.args...)...)
		require.Contains(t, errs, c.words)
	}
	require.NoFileExists(t, name+"2", "nothing half done")
}
