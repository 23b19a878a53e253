package namespace_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/wsstack/wsstack/internal/namespace"
	"github.com/wsstack/wsstack/internal/netns"
	"github.com/wsstack/wsstack/tun"
)

var device = namespace.Device{
	Name:      "wss0",
	Addresses: []netip.Prefix{netip.MustParsePrefix("10.77.0.2/24"), netip.MustParsePrefix("fd77::2/64")},
	MTU:       1500,
}

// open makes a namespace, and skips the test where there can be none.
func open(t *testing.T, cfg namespace.Config) *namespace.Namespace {
	t.Helper()
	n, err := namespace.New(cfg)
	if err != nil {
		if netns.RequireTUN() {
			t.Fatalf("WSSTACK_REQUIRE_TUN is set, and: %v", err)
		}
		t.Skip(err)
	}
	t.Cleanup(func() {
		for _, d := range n.Devices() {
			_ = d.Close()
		}
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// output runs a shell script in a namespace and returns what it has printed, and its status.
func output(t *testing.T, n *namespace.Namespace, script string) (text string, status int) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	err = n.Start(namespace.Command{Path: "/bin/sh", Args: []string{"sh", "-c", script}, Streams: [3]*os.File{nil, w, w}})
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	status, err = n.Wait()
	if err != nil {
		t.Fatal(err)
	}
	return string(b), status
}

func TestNamespace(t *testing.T) {
	cfg := namespace.Config{
		Devices: []namespace.Device{device},
		Files:   []namespace.File{{Path: namespace.ResolvConf, Text: "nameserver 10.77.0.1\n"}},
	}
	cfg.Devices[0].Routes = []tun.Route{
		{Destination: netip.MustParsePrefix("0.0.0.0/0"), Gateway: netip.MustParseAddr("10.77.0.1")},
		{Destination: netip.MustParsePrefix("::/0"), Gateway: netip.MustParseAddr("fd77::1")},
	}
	n := open(t, cfg)
	if got := n.Devices()[0].MTU(); got != 1500 {
		t.Errorf("MTU() = %d from outside of the namespace, want 1500", got)
	}
	text, status := output(t, n, `cat /etc/resolv.conf /proc/net/route /proc/net/ipv6_route; exit 7`)
	if status != 7 {
		t.Errorf("status %d, want 7", status)
	}
	for _, want := range []string{"nameserver 10.77.0.1\n", "wss0\t00000000\t01004D0A", "fd770000000000000000000000000001 00000400"} {
		if !strings.Contains(text, want) && !(want[0] == 'n' && n.Limited()) {
			t.Errorf("no %q in %s", want, text)
		}
	}
}

// The command is in a user namespace, also root's, so what it may do it may do there.
func TestNamespace_NoCapabilities(t *testing.T) {
	n := open(t, namespace.Config{})
	text, _ := output(t, n, `readlink /proc/self/ns/user; unshare --mount true && nsenter --net=/proc/`+
		`$PPID/ns/net true; nsenter -t `+strconv.Itoa(os.Getpid())+` --net true && echo ESCAPED; kill -0 `+strconv.Itoa(os.Getpid())+` && id -u`)
	own, err := os.Readlink("/proc/self/ns/user")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(text, "ESCAPED") {
		t.Errorf("the command can enter the network namespace of its caller: %s", text)
	}
	if same := strings.Contains(text, own); same != n.Limited() {
		t.Errorf("the command is in the user namespace of its caller: %v; limited: %v", same, n.Limited())
	}
}

// Where root can have no user namespace, the command has no capability that would let it out.
func TestNamespace_Limited(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	const root = "unshare --user --map-root-user "
	if out, err := exec.Command("sh", "-c", root+"true").CombinedOutput(); err != nil {
		t.Skipf("no user namespace to stand for a container: %v %s", err, out)
	}
	open(t, namespace.Config{Devices: []namespace.Device{device}}) // skips where there is no device at all
	out, err := exec.Command("sh", "-c", root+`sh -c 'echo 0 >/proc/sys/user/max_user_namespaces && exec '`+program+`' limited'`).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, name := range []string{"CapPrm", "CapEff", "CapBnd"} {
		if want := name + ":\t00000000200434fb\n"; !strings.Contains(string(out), want) {
			t.Errorf("the command has\n%s\nwant %s", out, want)
		}
	}
	if !strings.Contains(string(out), "limited: true") || strings.Contains(string(out), "ESCAPED") {
		t.Errorf("the command has\n%s", out)
	}
}

// limited is the program of TestNamespace_Limited.
func limited() int {
	n, err := namespace.New(namespace.Config{Devices: []namespace.Device{device}})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer n.Close()
	script := fmt.Sprintf("grep ^Cap /proc/self/status; nsenter --target %d --net true && echo ESCAPED; true", os.Getpid())
	err = n.Start(namespace.Command{Path: "/bin/sh", Args: []string{"sh", "-c", script}, Streams: [3]*os.File{nil, os.Stdout, os.Stdout}})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	status, err := n.Wait()
	if err != nil {
		fmt.Println(err)
	}
	fmt.Println("limited:", n.Limited())
	return status
}

func TestNamespace_BadCommand(t *testing.T) {
	n := open(t, namespace.Config{})
	err := n.Start(namespace.Command{Path: "/no/such/program", Args: []string{"nope"}})
	var e *namespace.Error
	if !errors.As(err, &e) || e.ExitStatus() != 127 || !errors.Is(err, syscall.ENOENT) {
		t.Errorf("Start: %v, want status 127 and ENOENT", err)
	}
	if text, status := output(t, n, "echo better"); text != "better\n" || status != 0 {
		t.Errorf("after it: %q, status %d", text, status)
	}
}

// A process that is killed at any moment takes everything with it.
func TestNamespace_InitKilled(t *testing.T) {
	for _, started := range []bool{false, true} {
		n := open(t, namespace.Config{Devices: []namespace.Device{device}})
		if started {
			if err := n.Start(namespace.Command{Path: "/bin/sleep", Args: []string{"sleep", "1000"}}); err != nil {
				t.Fatal(err)
			}
		}
		if err := syscall.Kill(n.Pid(), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if _, err := n.Wait(); err == nil || !strings.Contains(err.Error(), "SIGKILL") {
			t.Errorf("Wait: %v, want that it was killed", err)
		}
		if err := n.Start(namespace.Command{Path: "/bin/true", Args: []string{"true"}}); err == nil {
			t.Error("Start without a process in the namespace succeeded")
		}
	}
}

// A signal that comes before the command isn't lost.
func TestNamespace_EarlySignal(t *testing.T) {
	n := open(t, namespace.Config{})
	n.Signal(syscall.SIGTERM)
	if err := n.Start(namespace.Command{Path: "/bin/sleep", Args: []string{"sleep", "1000"}}); err != nil {
		t.Fatal(err)
	}
	if status, err := n.Wait(); status != 128+15 || err != nil {
		t.Errorf("Wait: %d, %v, want 143", status, err)
	}
}

// End kills everything, and the namespace stays.
func TestNamespace_End(t *testing.T) {
	n := open(t, namespace.Config{})
	n.End() // nothing runs
	if err := n.Start(namespace.Command{Path: "/bin/sh", Args: []string{"sh", "-c", "sleep 1000 & exec sleep 1000"}}); err != nil {
		t.Fatal(err)
	}
	n.End()
	if status, err := n.Wait(); status != 137 || err != nil {
		t.Errorf("Wait: %d, %v, want 137", status, err)
	}
	n.End()
	if _, err := n.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0); err != nil {
		t.Errorf("a socket after End: %v", err)
	}
	if err := n.Start(namespace.Command{Path: "/bin/true", Args: []string{"true"}}); err == nil {
		t.Error("a second command was started")
	}
}

// What the arguments and the environment are is the command's business.
func TestNamespace_Bytes(t *testing.T) {
	n := open(t, namespace.Config{})
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	long := strings.Repeat("x", 100_000)
	err = n.Start(namespace.Command{
		Path: "/bin/sh", Args: []string{"sh", "-c", `printf %s "$1$V$(pwd)${#2}"`, "sh", "\xff\n", long}, Env: []string{"V=\xfe"}, Dir: "/",
		Streams: [3]*os.File{nil, w, nil},
	})
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if want := []byte("\xff\n\xfe/100000"); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the command has %q, %v, want %q", got, err, want)
	}
}

// A socket of the namespace reaches a server in it, and no other.
func TestNamespace_Socket(t *testing.T) {
	n := open(t, namespace.Config{})
	f, err := n.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := n.Socket(-1, 0, 0); !errors.Is(err, syscall.EAFNOSUPPORT) {
		t.Errorf("a socket of domain -1: %v, want EAFNOSUPPORT", err)
	}
}
