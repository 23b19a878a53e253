package main

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
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

// Two machines, each a network namespace, joined by a cable, and what the two ends of a tunnel
// between them are called. "wsstack up --wireguard" is the near one, and some other implementation
// the far one, whose kernel has an interface for the tunnel.
type twoHosts struct {
	near, far         namespaceHost
	nearName, farName string
	configs           [2]wg.Config // of near and far
}

// A namespaceHost is a network namespace.
type namespaceHost struct{ *netns.Thread }

// The addresses of the machines on their cable.
var cable = [2]string{"192.0.2.1", "192.0.2.2"}

// newTwoHosts makes the machines. Without root there are none, and the test is skipped.
func newTwoHosts(t *testing.T) *twoHosts {
	t.Helper()
	requireTUN(t)
	if os.Geteuid() != 0 {
		t.Skip("joining two namespaces takes root")
	}
	ownNetworks(t)
	m := &twoHosts{nearName: fmt.Sprintf("wgn%d", os.Getpid()), farName: fmt.Sprintf("wgf%d", os.Getpid())}
	for _, one := range []*namespaceHost{&m.near, &m.far} {
		thread, err := netns.NewThread()
		require.NoError(t, err)
		t.Cleanup(thread.Close)
		one.Thread = thread
	}
	var err error
	m.near.Do(func() { err = m.far.Join("cable0", "cable1", 1500) })
	if err != nil {
		t.Skip(err)
	}
	for i, one := range []namespaceHost{m.near, m.far} {
		address := netip.PrefixFrom(netip.MustParseAddr(cable[i]), 24)
		one.Do(func() { err = tun.Configure(fmt.Sprintf("cable%d", i), tun.Config{Addresses: []netip.Prefix{address}}) })
		require.NoError(t, err)
		one.Do(func() { err = tun.Configure("lo", tun.Config{}) })
		require.NoError(t, err)
	}
	ends := [2]tunnelEnd{{name: m.nearName, endpoint: cable[0] + ":51820", port: 51820}, {name: m.farName, endpoint: cable[1] + ":51821", port: 51821}}
	m.configs, err = pairConfigs(ends)
	require.NoError(t, err)
	return m
}

// command is a command line in the machine, which dies with the test.
func (m namespaceHost) command(name string, args ...string) *exec.Cmd {
	c := exec.Command(name, args...)
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return c
}

// start starts a command in the machine.
func (m namespaceHost) start(c *exec.Cmd) (err error) {
	m.Do(func() { err = c.Start() })
	return err
}

// output is what a command in the machine prints, which gets a text to read.
func (m namespaceHost) output(t *testing.T, input, name string, args ...string) string {
	t.Helper()
	c := m.command(name, args...)
	c.Stdin = strings.NewReader(input)
	var out, errs strings.Builder
	c.Stdout, c.Stderr = &out, &errs
	require.NoError(t, m.start(c))
	require.NoError(t, c.Wait(), "%s %v: %s%s", name, args, &out, &errs)
	return out.String()
}

// run starts a server in the machine, until the function that it returns is called. If ready isn't
// empty, run waits for a line with it.
func (m namespaceHost) run(t *testing.T, ready, name string, args ...string) (end func()) {
	t.Helper()
	c := m.command(name, args...)
	stdout, err := c.StdoutPipe()
	require.NoError(t, err)
	c.Stderr = c.Stdout
	require.NoError(t, m.start(c))
	ended := false
	end = func() {
		if !ended {
			ended = true
			_ = c.Process.Signal(syscall.SIGTERM)
			_ = c.Wait()
		}
	}
	t.Cleanup(end)
	lines := bufio.NewScanner(stdout)
	for ready != "" {
		require.True(t, lines.Scan(), "%s has ended", name)
		if strings.Contains(lines.Text(), ready) {
			break
		}
	}
	go func() { _, _ = io.Copy(io.Discard, stdout) }() // ends with the server
	return end
}

// uapi is the configuration as WireGuard's UAPI has it.
func uapi(cfg *wg.Config) string {
	var text strings.Builder
	key := func(k wg.Key) string { return hex.EncodeToString(k[:]) }
	fmt.Fprintf(&text, "set=1\nprivate_key=%s\nlisten_port=%d\nreplace_peers=true\n", key(cfg.PrivateKey), cfg.ListenPort)
	for _, p := range cfg.Peers {
		fmt.Fprintf(&text, "public_key=%s\nendpoint=%s\n", key(p.PublicKey), p.Endpoint)
		for _, ip := range p.AllowedIPs {
			fmt.Fprintf(&text, "allowed_ip=%v\n", ip)
		}
	}
	return text.String() + "\n"
}

// configureFar gives the far end of the tunnel its addresses.
func (m *twoHosts) configureFar(t *testing.T) {
	t.Helper()
	var err error
	m.far.Do(func() {
		err = tun.Configure(m.farName, tun.Config{Addresses: m.configs[1].Addresses, MTU: wg.DefaultMTU, NoAddrGen: true})
	})
	require.NoError(t, err)
}

// wireGuardGo returns a function that starts wireguard-go's own command at the far end, and returns
// what ends it. It is built from the module that wsstack is built with.
func (m *twoHosts) wireGuardGo(t *testing.T) (start func() (end func())) {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skipf("wireguard-go can't be built: %v", err)
	}
	program := filepath.Join(t.TempDir(), "wireguard-go")
	out, err := exec.Command("go", "build", "-o", program, "golang.zx2c4.com/wireguard").CombinedOutput()
	require.NoError(t, err, "%s", out)
	return func() func() {
		end := m.far.run(t, "", program, "--foreground", m.farName)
		conn := dialUnix(t, filepath.Join("/var/run/wireguard", m.farName+".sock"))
		defer conn.Close()
		_, err = io.WriteString(conn, uapi(&m.configs[1]))
		require.NoError(t, err)
		answer, err := bufio.NewReader(conn).ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, "errno=0\n", answer)
		m.configureFar(t)
		return end
	}
}

// dialUnix connects to the socket of a program that has just been started.
func dialUnix(t *testing.T, path string) net.Conn {
	t.Helper()
	for began := time.Now(); ; time.Sleep(time.Millisecond) {
		c, err := net.Dial("unix", path)
		if err == nil {
			require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
			return c
		}
		require.Less(t, time.Since(began), patience, "%v", err)
	}
}

// kernel returns a function that makes an interface of the kernel's WireGuard.
func (m *twoHosts) kernel(t *testing.T) (start func() (end func())) {
	t.Helper()
	link := &netlink.Wireguard{LinkAttrs: netlink.LinkAttrs{Name: m.farName}}
	add := func() (err error) {
		m.far.Do(func() { err = netlink.LinkAdd(link) })
		return err
	}
	remove := func() { m.far.Do(func() { _ = netlink.LinkDel(link) }) }
	if err := add(); err != nil {
		t.Skipf("this kernel has no WireGuard: %v", err)
	}
	remove()
	if _, err := exec.LookPath("wg"); err != nil {
		t.Skipf("nothing configures the kernel's WireGuard: %v", err)
	}
	return func() func() {
		require.NoError(t, add())
		cfg := m.configs[1]
		cfg.Addresses = nil // which are wg-quick's
		var text strings.Builder
		_, err := cfg.WriteTo(&text)
		require.NoError(t, err)
		m.far.output(t, text.String(), "wg", "setconf", m.farName, "/dev/stdin")
		m.configureFar(t)
		return remove
	}
}

// The stack at the end of a tunnel and a kernel at the other end understand each other, in both
// directions and families, and again after either end has started anew.
func TestUpTunnel_Others(t *testing.T) {
	for name, far := range map[string]func(*twoHosts, *testing.T) func() func(){
		"the kernel": (*twoHosts).kernel, "wireguard-go": (*twoHosts).wireGuardGo,
	} {
		t.Run(name, func(t *testing.T) {
			m := newTwoHosts(t)
			startFar := far(m, t)
			endFar := startFar()
			file := filepath.Join(t.TempDir(), m.nearName+".conf")
			require.NoError(t, writeTunnel(file, &m.configs[0]))
			startNear := func() *tunnelProcess {
				return startTunnel(t, m.near.start, file, "--services", "--serve", "5201=iperf3", "--wg-socket")
			}
			near := startNear()
			endEcho := m.far.run(t, "", "probe", "echo", ":5000")
			m.checkToStack(t)
			m.checkFromStack(t)
			m.checkThroughput(t)
			m.checkStatus(t)

			near.end()
			startNear()
			m.checkFromStack(t)
			m.checkToStack(t)
			endEcho()
			endFar()
			defer startFar()()
			m.checkToStack(t)
		})
	}
}

// checkToStack reaches the stack from the other end.
func (m *twoHosts) checkToStack(t *testing.T) {
	t.Helper()
	require.Equal(t, "alive\n", m.far.output(t, "", "probe", "ping4", "10.88.0.1"))
	for _, host := range []string{"10.88.0.1", "[fd88::1]"} {
		require.Equal(t, "hello", m.far.output(t, "", "probe", "tcp", host+":7", "hello"))
		page := m.far.output(t, "", "probe", "tcp", host+":80", "GET / HTTP/1.0\r\n\r\n")
		require.Contains(t, page, " 200 OK\r\n")
		require.Contains(t, page, "</html>")
	}
}

// checkFromStack reaches the other end from the stack.
func (m *twoHosts) checkFromStack(t *testing.T) {
	t.Helper()
	for _, host := range []string{"10.88.0.2", "fd88::2"} {
		require.Equal(t, "hello", m.near.output(t, "hello", "wsstack", "connect", host, "5000"))
	}
}

// checkThroughput moves more than fits into any window, with iperf3 on the kernel's side.
func (m *twoHosts) checkThroughput(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("iperf3"); err != nil {
		t.Logf("no throughput: %v", err)
		return
	}
	moved := func(text string) int64 {
		var report struct {
			End struct {
				Received struct {
					Bytes int64 `json:"bytes"`
				} `json:"sum_received"`
			} `json:"end"`
		}
		require.NoError(t, json.Unmarshal([]byte(text), &report), text)
		return report.End.Received.Bytes
	}
	const enough = 4_000_000 // what is on the way when the sender ends, iperf3 doesn't count
	m.far.run(t, "listening", "iperf3", "--server", "--forceflush")
	for _, way := range []string{"--reverse=false", "--reverse"} {
		require.GreaterOrEqual(t, moved(m.near.output(t, "", "wsstack", "bench", "--json", "--bytes", "8M", way, "10.88.0.2")), int64(enough), way)
	}
	for _, way := range [][]string{{"-4", "-c", "10.88.0.1"}, {"-R", "-c", "fd88::1"}} {
		require.GreaterOrEqual(t, moved(m.far.output(t, "", "iperf3", append(way, "--json", "--bytes", "8M")...)), int64(enough), way)
	}
}

// checkStatus looks at the tunnel with wsstack, and with wg(8) where that is.
func (m *twoHosts) checkStatus(t *testing.T) {
	t.Helper()
	var list tunnels
	require.NoError(t, json.Unmarshal([]byte(m.near.output(t, "", "wsstack", "wg", "show", "--json")), &list))
	peer := list.Tunnels[0].Peers[0]
	require.Equal(t, m.configs[1].PrivateKey.PublicKey().String(), peer.PublicKey)
	require.Equal(t, cable[1]+":51821", peer.At.String())
	require.False(t, peer.LastHandshake.IsZero())
	if _, err := exec.LookPath("wg"); err != nil {
		t.Logf("wg(8) doesn't look at the tunnel: %v", err)
		return
	}
	shown := m.near.output(t, "", "wg", "show", m.nearName, "latest-handshakes")
	require.Equal(t, fmt.Sprintf("%s\t%d\n", peer.PublicKey, peer.LastHandshake.Unix()), shown)
	m.near.output(t, "", "wg", "set", m.nearName, "peer", peer.PublicKey, "persistent-keepalive", "17")
	require.Contains(t, m.near.output(t, "", "wsstack", "wg", "show"), "persistent keepalive: every 17 seconds\n")
}
