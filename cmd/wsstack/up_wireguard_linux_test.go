package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/wg"
)

// A tunnelProcess is a "wsstack up --wireguard" that runs.
type tunnelProcess struct {
	t     *testing.T
	cmd   *exec.Cmd
	said  tunnelAnnouncement
	stops bool // by end
}

// startTunnel starts a command line "wsstack up --wireguard FILE …", and returns when the stack is
// there. The process ends with the test, at the latest. start starts it, in a namespace for
// instance.
func startTunnel(t *testing.T, start func(*exec.Cmd) error, args ...string) *tunnelProcess {
	t.Helper()
	p := &tunnelProcess{t: t, cmd: exec.Command("wsstack", append([]string{"up", "--json", "--wireguard"}, args...)...)}
	var stderr bytes.Buffer
	p.cmd.Stderr = &stderr
	stdout, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, start(p.cmd))
	t.Cleanup(p.end)
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		_ = p.cmd.Wait() // so that stderr is complete
		p.stops = true
		require.NoError(t, err, "standard error: %s", &stderr)
	}
	require.NoError(t, json.Unmarshal([]byte(line), &p.said), line)
	return p
}

// end ends the process as an init system does, which is no failure.
func (p *tunnelProcess) end() {
	p.t.Helper()
	if p.stops {
		return
	}
	p.stops = true
	require.NoError(p.t, p.cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(p.t, p.cmd.Wait(), "standard error: %s", p.cmd.Stderr)
}

// freeUDPPort is a UDP port of 127.0.0.1 that nobody has now.
func freeUDPPort(t *testing.T) int {
	t.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	require.NoError(t, err)
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).Port
}

// program runs wsstack as another process with a text to read, wants its exit status, and returns
// what it prints.
func program(t *testing.T, status int, input string, args ...string) (stdout, stderr string) {
	t.Helper()
	cmd := exec.Command("wsstack", args...)
	cmd.Stdin = strings.NewReader(input)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	require.NotNil(t, cmd.ProcessState, "%v", err)
	require.Equal(t, status, cmd.ProcessState.ExitCode(), "%v: %s", args, &errs)
	return out.String(), errs.String()
}

// connect sends a text over a connection of the stack of a network, and returns what comes back.
func connect(t *testing.T, network, text string, address ...string) string {
	t.Helper()
	out, _ := program(t, 0, text, append([]string{"connect", "--network", network}, address...)...)
	return out
}

// shownTunnel is what "wsstack wg show" says of the only tunnel of a network.
func shownTunnel(t *testing.T, network string) tunnelInfo {
	t.Helper()
	out, _ := program(t, 0, "", "wg", "show", "--json", "--network", network)
	var list tunnels
	require.NoError(t, json.Unmarshal([]byte(out), &list), out)
	require.Len(t, list.Tunnels, 1)
	return list.Tunnels[0]
}

// Two processes without any privilege are the ends of a tunnel, from the files of wg pair.
func TestUpTunnel(t *testing.T) {
	ownNetworks(t)
	dir, udp, page, echo := t.TempDir(), freeUDPPort(t), freePort(t), freeUDPPort(t)
	program(t, 0, "", "wg", "pair", "--dir", dir, "laptop", fmt.Sprintf("desktop=127.0.0.1:%d", udp))
	start := (*exec.Cmd).Start
	desktop := startTunnel(t, start, filepath.Join(dir, "desktop.conf"), "--services", "--profile", "windows")
	record := filepath.Join(dir, "laptop.pcapng")
	laptop := startTunnel(t, start, filepath.Join(dir, "laptop.conf"), "--delay", "1ms", "--pcap", record,
		"--publish", fmt.Sprintf("%d=80", page), "--publish", fmt.Sprintf("%d/udp=10.88.0.2:7", echo))

	require.Equal(t, "desktop", desktop.said.Name)
	require.Equal(t, udp, desktop.said.ListenPort)
	require.Equal(t, wg.DefaultMTU, desktop.said.MTU)
	require.Equal(t, "windows", desktop.said.Profile)
	require.Equal(t, pairAddresses[1], desktop.said.Addresses)
	require.Len(t, desktop.said.Peers, 1)
	require.Equal(t, laptop.said.PublicKey, desktop.said.Peers[0].PublicKey)
	require.Empty(t, desktop.said.Peers[0].Endpoint)
	require.Equal(t, fmt.Sprintf("127.0.0.1:%d", udp), laptop.said.Peers[0].Endpoint)
	require.Equal(t, 25, laptop.said.Peers[0].Keepalive)
	require.Empty(t, laptop.said.Profile)

	answer, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/", page))
	require.NoError(t, err)
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	_ = answer.Body.Close()
	require.Equal(t, http.StatusOK, answer.StatusCode)
	require.Contains(t, string(body), "10.88.0.2")
	datagrams, err := net.Dial("udp", fmt.Sprintf("127.0.0.1:%d", echo))
	require.NoError(t, err)
	defer datagrams.Close()
	_, err = datagrams.Write([]byte("datagram"))
	require.NoError(t, err)
	n, err := datagrams.Read(body)
	require.NoError(t, err)
	require.Equal(t, "datagram", string(body[:n]))

	require.Equal(t, "hello", connect(t, "laptop", "hello", "10.88.0.2", "7"))
	require.Equal(t, "hello", connect(t, "laptop", "hello", "[fd88::2]:7"))
	// The peers find nothing that isn't asked for.
	_, refused := program(t, 1, "", "connect", "--network", "desktop", "10.88.0.1", "80")
	require.Contains(t, refused, "WSAECONNREFUSED")

	for name, p := range map[string]*tunnelProcess{"laptop": laptop, "desktop": desktop} {
		shown := shownTunnel(t, name)
		require.Equal(t, p.said.PublicKey, shown.PublicKey)
		require.Equal(t, p.said.ListenPort, shown.ListenPort)
		require.False(t, shown.Peers[0].LastHandshake.IsZero())
		require.NotZero(t, shown.Peers[0].Sent)
		require.NotZero(t, shown.Peers[0].Received)
	}
	require.Equal(t, netip.MustParseAddrPort(fmt.Sprintf("127.0.0.1:%d", laptop.said.ListenPort)), shownTunnel(t, "desktop").Peers[0].At)
	text, _ := program(t, 0, "", "wg", "show", "--network", "laptop")
	require.Regexp(t, `(?m)^interface: laptop\n  public key: .{44}\n  listening port: \d+\n\npeer: .{44}\n  endpoint: 127\.0\.0\.1:\d+\n`+
		`  allowed ips: 10\.88\.0\.2/32, fd88::2/128\n  latest handshake: \d.* ago\n  transfer: \d+ bytes received, \d+ bytes sent\n`+
		`  persistent keepalive: every 25 seconds\n$`, text)

	// What other commands do with networks they do with this one.
	text, _ = program(t, 0, "", "link", "--network", "laptop")
	require.Regexp(t, `(?s)^laptop: stack and peer, MTU 1420\n  from stack to peer: \d+ packets.*delay=1ms\n  from peer to stack: \d+ packets.*delay=1ms\n$`, text)
	program(t, 0, "", "link", "set", "--network", "laptop", "delay=0")
	text, _ = program(t, 0, "", "stat", "--network", "desktop", "--port", "80")
	require.Contains(t, text, "LISTEN")

	laptop.end()
	capture, err := exec.Command("probe", "pcap", record).CombinedOutput()
	require.NoError(t, err, string(capture))
	require.Contains(t, string(capture), "interface laptop\n")
	require.NotContains(t, string(capture), "packets 0\n")
}

// writeEnds writes the configurations of two ends of a tunnel over the loopback, after change has
// changed them.
func writeEnds(t *testing.T, change func(laptop, desktop *wg.Config)) (laptop, desktop string) {
	t.Helper()
	configs, err := pairConfigs([2]tunnelEnd{{name: "laptop"}, {name: "desktop", endpoint: "127.0.0.1:0"}})
	require.NoError(t, err)
	port := freeUDPPort(t)
	configs[0].Peers[0].Endpoint, configs[1].ListenPort = fmt.Sprintf("127.0.0.1:%d", port), port
	change(&configs[0], &configs[1])
	dir := t.TempDir()
	for i, name := range []string{"laptop.conf", "desktop.conf"} {
		require.NoError(t, writeTunnel(filepath.Join(dir, name), &configs[i]))
	}
	return filepath.Join(dir, "laptop.conf"), filepath.Join(dir, "desktop.conf")
}

// A peer is the way out, and has the name server: from the stack of the other one, this machine's
// loopback is reached by name, through the tunnel.
func TestUpTunnel_Gateway(t *testing.T) {
	ownNetworks(t)
	outside, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	defer outside.Close()
	served := make(chan error, 1)
	go func() {
		c, err := outside.Accept()
		if err == nil {
			_, err = io.WriteString(c, "outside")
			_ = c.Close()
		}
		served <- err
	}()
	laptop, desktop := writeEnds(t, func(laptop, _ *wg.Config) {
		laptop.Peers[0].AllowedIPs = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
		laptop.DNS = []netip.Addr{netip.MustParseAddr("10.88.0.2")}
	})
	startTunnel(t, (*exec.Cmd).Start, desktop, "--gateway", "--host-loopback", "192.0.2.1", "--host", "outside.test=192.0.2.1")
	startTunnel(t, (*exec.Cmd).Start, laptop)
	require.Equal(t, "outside", connect(t, "laptop", "", "outside.test", fmt.Sprint(outside.Addr().(*net.TCPAddr).Port)))
	require.NoError(t, <-served)
}

// What is on the way of a tunnel is said, and nothing is left.
func TestUpTunnel_Failures(t *testing.T) {
	ownNetworks(t)
	taken, err := net.ListenUDP("udp4", &net.UDPAddr{})
	require.NoError(t, err)
	defer taken.Close()
	port := taken.LocalAddr().(*net.UDPAddr).Port
	_, desktop := writeEnds(t, func(_, desktop *wg.Config) { desktop.ListenPort = port })
	_, stderr := program(t, 1, "", "up", "--wireguard", desktop)
	require.Regexp(t, fmt.Sprintf("^wsstack: error: can't make the tunnel: %s: ListenPort %d is taken: .*\nwsstack: hint: .+\n$",
		regexp.QuoteMeta(desktop), port), stderr)
	_, none := program(t, 1, "", "stat")
	require.Contains(t, none, "no network of this user is running")

	laptop, _ := writeEnds(t, func(laptop, _ *wg.Config) {
		laptop.Peers[0].AllowedIPs = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	})
	_, stderr = program(t, 1, "", "up", "--wireguard", laptop, "--publish", fmt.Sprintf("%d/udp=10.0.0.2:53", port))
	require.Regexp(t, "^wsstack: error: .*address already in use\nwsstack: hint: another program has the port; .*\n$", stderr)
	_, none = program(t, 1, "", "stat")
	require.Contains(t, none, "no network of this user is running")
}

// A person is told who the peers are and what to try, and a program one line.
func TestAnnounceTunnel(t *testing.T) {
	cfg := networkConfig{Stack: pairAddresses[0], Wire: wireConfig{Bad: impairments{Both: "delay=50ms"}, Pcap: "a.pcapng"}}
	info := tunnelInfo{Name: "laptop", PublicKey: "own", ListenPort: 51820, MTU: 1420, Peers: []peerInfo{
		{PublicKey: "a", Endpoint: "192.0.2.1:51820", AllowedIPs: []netip.Prefix{netip.MustParsePrefix("10.88.0.2/32")}},
		{PublicKey: "b"},
	}}
	line := "laptop is up: the stack is 10.88.0.1 and fd88::1, 2 peers, UDP port 51820, public key own, MTU 1420\n"
	require.Equal(t, line, announceTunnel(cfg, info, false))
	require.Equal(t, line+`each way: delay=50ms
packets are recorded in a.pcapng
  peer a at 192.0.2.1:51820: 10.88.0.2/32
  peer b wherever it speaks from: no addresses

Try in another terminal:
  wsstack wg show
  wsstack stat
  wsstack connect 10.88.0.2 80

^C ends it.
`, announceTunnel(cfg, info, true))
}

// What is known of a peer is printed as wg(8) prints it, and what isn't known isn't.
func TestPrintTunnels(t *testing.T) {
	now := time.Date(2026, 11, 30, 8, 0, 0, 0, time.UTC)
	list := tunnels{[]tunnelInfo{{Name: "a", PublicKey: "own", ListenPort: 1, Peers: []peerInfo{{
		PublicKey: "peer", Preshared: true, Endpoint: "host:1", LastHandshake: now.Add(-90 * time.Second), Sent: 3,
	}}}, {Name: "b", PublicKey: "other", ListenPort: 2}}}
	var out strings.Builder
	require.NoError(t, printTunnels(&out, list, "net", false, now))
	require.Equal(t, `interface: a
  public key: own
  listening port: 1

peer: peer
  preshared key: (hidden)
  endpoint: host:1
  allowed ips: (none)
  latest handshake: 1m30s ago
  transfer: 0 bytes received, 3 bytes sent

interface: b
  public key: other
  listening port: 2
`, out.String())
	require.ErrorContains(t, printTunnels(io.Discard, tunnels{}, "net", false, now), "the network net has no WireGuard tunnels")
}

// A peer to which packets go, and which has never answered, is told of once; others aren't.
func TestSilentPeers(t *testing.T) {
	var out strings.Builder
	log := logFlags{level: slog.LevelWarn}
	told, logger := map[string]bool{}, log.logger(&out)
	info := tunnelInfo{PublicKey: "own", Peers: []peerInfo{
		{PublicKey: "idle"}, {PublicKey: "there", Sent: 1, LastHandshake: time.Unix(1, 0)}, {PublicKey: "gone", Sent: 1, Endpoint: "192.0.2.1:1"},
	}}
	info.silent(told, logger)
	info.silent(told, logger)
	require.Regexp(t, `^wsstack: warning: a peer doesn't answer peer=gone endpoint=192\.0\.2\.1:1 hint=".*own\?"\n$`, out.String())
}
