package main

import (
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"

	"github.com/wsstack/wsstack/internal/netns"
	"github.com/wsstack/wsstack/tun"
	"github.com/wsstack/wsstack/wg"
)

// A lab is a few machines, which are network namespaces at a bridge in another one, with the folder
// of a network file and of their keys.
type lab struct {
	t        *testing.T
	folder   string
	machines map[string]*netns.Thread
	header   string // the machines, as a network file has them
}

// newLab makes machines with names of one letter. Their addresses are 10.90.0.1 and so on.
func newLab(t *testing.T, names string) *lab {
	t.Helper()
	requireTUN(t)
	l := &lab{t: t, folder: t.TempDir(), machines: map[string]*netns.Thread{}, header: "machines:\n"}
	wire := l.machine()
	var err error
	wire.Do(func() {
		bridge := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "bridge"}}
		if err = netlink.LinkAdd(bridge); err == nil {
			err = netlink.LinkSetUp(bridge)
		}
	})
	if err != nil {
		t.Skipf("the kernel has no bridge: %v", err)
	}
	for i, name := range strings.Split(names, "") {
		m := l.machine()
		l.machines[name] = m
		address := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 90, 0, byte(i + 1)}), 24)
		wire.Do(func() { err = plug(name, m) })
		if err != nil {
			t.Skip(err)
		}
		m.Do(func() { err = tun.Configure(name+"0", tun.Config{Addresses: []netip.Prefix{address}}) })
		require.NoError(t, err)
		key, err := wg.GeneratePrivateKey()
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(l.folder, name+".key"), []byte(key.String()+"\n"), 0o600))
		l.header += fmt.Sprintf("  %s: {endpoint: %v, public-key: %v}\n", name, address.Addr(), key.PublicKey())
	}
	return l
}

// machine makes a namespace, and skips the test where an ordinary user can't.
func (l *lab) machine() *netns.Thread {
	l.t.Helper()
	m, err := netns.NewThread()
	if err != nil {
		l.t.Skip(err) // for want of root
	}
	l.t.Cleanup(m.Close)
	return m
}

// plug joins a machine to the bridge of this namespace.
func plug(name string, m *netns.Thread) error {
	if err := m.Join(name+"1", name+"0", 1500); err != nil {
		return err
	}
	port := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: name + "1"}}
	bridge := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "bridge"}}
	if err := netlink.LinkSetMaster(port, bridge); err != nil {
		return err
	}
	return netlink.LinkSetUp(port)
}

// write makes a network file of the machines and the rest.
func (l *lab) write(name, rest string) string {
	l.t.Helper()
	file := filepath.Join(l.folder, name)
	require.NoError(l.t, os.WriteFile(file, []byte(l.header+rest), 0o600))
	return file
}

// run starts the part of a machine, which is killed when the test takes too long.
func (l *lab) run(name, file string) (r *runningExec) {
	l.t.Helper()
	l.machines[name].Do(func() {
		r = launch(l.t, "wsstack", "run", "--no-control", "--key", filepath.Join(l.folder, name+".key"), "--on", name, file)
	})
	limit := time.AfterFunc(patience, func() { _ = r.cmd.Process.Kill() })
	l.t.Cleanup(func() { limit.Stop() })
	return r
}

// said waits until something is in the standard error of a run.
func (r *runningExec) said(text string) {
	r.t.Helper()
	for end := time.Now().Add(patience); !strings.Contains(r.errors(), text); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatalf("standard error:\n%s\nwant %q in it", r.errors(), text)
		}
	}
}

// errors is standard error.
func (r *runningExec) errors() string {
	text, err := os.ReadFile(r.cmd.Stderr.(*os.File).Name())
	require.NoError(r.t, err)
	return string(text)
}

// ends reads the rest of standard output, and the exit status.
func (r *runningExec) ends() (stdout string, status int) {
	r.t.Helper()
	text, err := io.ReadAll(r.stdout)
	require.NoError(r.t, err)
	return string(text), r.wait()
}

// A command on one machine reaches a stack and a command on another one, which it waits for; the
// link delays what each side sends; and both machines end with its status.
func TestRunMachines(t *testing.T) {
	t.Parallel()
	l := newLab(t, "ab")
	file := l.write("net.yaml", `
hosts:
  stack: {at: a}
  server: {at: a, command: [probe, echo, ":80"], until: "tcp server:80"}
  client:
    at: b
    after: [server, stack]
    command: |
      before=$(date +%s%N)
      probe tcp stack:7 hello; echo
      echo took $(( ($(date +%s%N) - before) / 1000000 ))
      probe tcp server:80 again; echo
      exit 3
links:
  one: {ends: [stack, client], from: {client: {delay: 20ms}, stack: {delay: 30ms}}, capture: one.pcapng}
  two: {ends: [client, server]}
`)
	a, b := l.run("a", file), l.run("b", file)
	lines, status := b.ends()
	require.Equal(t, 3, status)
	require.Contains(t, lines, "client | hello\n")
	require.Contains(t, lines, "client | again\n")
	_, took, _ := strings.Cut(lines, "client | took ")
	took, _, _ = strings.Cut(took, "\n")
	ms, err := strconv.Atoi(took)
	require.NoError(t, err)
	require.GreaterOrEqual(t, ms, 100, "a handshake, and a question with its answer")
	require.Contains(t, b.errors(), "wsstack: client has ended the network with status 3\n")
	_, status = a.ends()
	require.Equal(t, 3, status)
	require.Contains(t, a.errors(), "server * ready after ")
	require.Contains(t, a.errors(), "wsstack: client has ended the network with status 3 (machine b)\n")
	_, err = os.Stat(filepath.Join(l.folder, "one.pcapng"))
	require.NoError(t, err)
}

// Two machines reach each other over a third one with a router, though packets are lost. The
// machine in the middle starts last.
func TestRunMachines_Router(t *testing.T) {
	t.Parallel()
	l := newLab(t, "abc")
	file := l.write("net.yaml", `
hosts:
  server: {at: a, command: [probe, echo, ":80"], until: "tcp 127.0.0.1:80"}
  router: {at: b, kind: router}
  client: {at: c, after: server, command: "probe tcp server:80 $(head -c 20000 /dev/zero | tr '\\0' x) | wc -c"}
links:
  one: {ends: {client: [10.5.1.2/24, "fd51::2/64"], router: [10.5.1.1/24, "fd51::1/64"]}, from: {client: {loss-packets: "12,13,20"}}, mtu: 1280}
  two: {ends: {router: [10.5.2.1/24, "fd52::1/64"], server: [10.5.2.2/24, "fd52::2/64"]}}
`)
	a, c := l.run("a", file), l.run("c", file)
	c.said("wsstack: waiting for machine b (")
	b := l.run("b", file)
	lines, status := c.ends()
	require.Equal(t, "client | 20000\n", lines)
	require.Zero(t, status)
	for _, r := range []*runningExec{a, b} {
		_, status := r.ends()
		require.Zero(t, status)
		require.Contains(t, r.errors(), "wsstack: client has ended the network with status 0 (machine c)\n")
	}
}

// When a machine is killed, the others end with an error that names it, whether it is the hub or
// not.
func TestRunMachines_Killed(t *testing.T) {
	for _, victim := range []string{"a", "b"} {
		t.Run(victim, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, "abc")
			file := l.write("net.yaml", "hosts:\n  x: {at: a}\n  y: {at: b}\n  z: {at: c, command: \"echo up; exec sleep 1000\"}\n"+
				"links:\n  one: {ends: [x, y]}\n  two: {ends: [y, z]}\n")
			runs := map[string]*runningExec{}
			for _, name := range []string{"a", "b", "c"} {
				runs[name] = l.run(name, file)
			}
			require.Equal(t, "z | up", runs["c"].line())
			require.NoError(t, runs[victim].cmd.Process.Signal(syscall.SIGKILL))
			for name, r := range runs {
				if name == victim {
					continue
				}
				_, status := r.ends()
				require.Equal(t, statusFailed, status, name)
				require.Contains(t, r.errors(), "wsstack: error: machine "+victim+" has vanished\n")
			}
		})
	}
}

// A signal on one machine ends all of them.
func TestRunMachines_Signal(t *testing.T) {
	t.Parallel()
	l := newLab(t, "ab")
	file := l.write("net.yaml", "hosts:\n  x: {at: a, command: \"echo up; exec sleep 1000\"}\n  y: {at: b}\nlinks:\n  one: {ends: [x, y]}\n")
	a, b := l.run("a", file), l.run("b", file)
	require.Equal(t, "x | up", a.line())
	require.NoError(t, b.cmd.Process.Signal(syscall.SIGTERM))
	for _, r := range []*runningExec{a, b} {
		_, status := r.ends()
		require.Equal(t, statusSignal+int(syscall.SIGTERM), status)
	}
	require.Contains(t, a.errors(), "(machine b)")
}

// Two machines with different files end with an error that says so. A machine that waits for others
// can be interrupted.
func TestRunMachines_OtherFile(t *testing.T) {
	t.Parallel()
	l := newLab(t, "ab")
	const rest = "hosts:\n  x: {at: a}\n  y: {at: b}\nlinks:\n  one: {ends: [x, y]}\n"
	file, other := l.write("net.yaml", rest), l.write("other.yaml", rest+"seed: 1\n")
	b := l.run("b", other)
	b.said("wsstack: waiting for machine a (")
	a := l.run("a", file)
	for _, r := range []*runningExec{a, b} {
		_, status := r.ends()
		require.Equal(t, statusFailed, status)
		require.Contains(t, r.errors(), "wsstack: error: the network file of machine b is not that of machine a\n")
	}
	a = l.run("a", file)
	a.said("wsstack: waiting for machine b (")
	require.NoError(t, a.cmd.Process.Signal(syscall.SIGINT))
	_, status := a.ends()
	require.Zero(t, status, "a network without commands")
}
