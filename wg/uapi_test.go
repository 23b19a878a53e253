package wg

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/tun"
)

// serve serves a device on a Unix socket until the end of the test.
func serve(t *testing.T, d *Device, path string) {
	t.Helper()
	l, err := net.Listen("unix", path)
	require.NoError(t, err)
	ended := make(chan error)
	go func() { ended <- d.Serve(l) }()
	t.Cleanup(func() {
		require.NoError(t, d.Close())
		require.ErrorIs(t, <-ended, tun.ErrClosed)
		require.ErrorIs(t, d.Serve(l), tun.ErrClosed)
	})
}

// ask sends a request and returns the answer.
func ask(t *testing.T, path, request string) string {
	t.Helper()
	c, err := net.Dial("unix", path)
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, c.SetDeadline(time.Now().Add(time.Minute)))
	_, err = io.WriteString(c, request)
	require.NoError(t, err)
	var answer strings.Builder
	for !strings.HasSuffix(answer.String(), "\n\n") {
		var b [512]byte
		n, err := c.Read(b[:])
		answer.Write(b[:n])
		if err != nil {
			return answer.String() + err.Error()
		}
	}
	return answer.String()
}

// Clients read and change the tunnel by a socket.
func TestServe(t *testing.T) {
	a, _ := pair(t)
	d := open(t, a)
	path := filepath.Join(t.TempDir(), "s")
	serve(t, d, path)
	state := ask(t, path, "get=1\n\n")
	require.Contains(t, state, fmt.Sprintf("listen_port=%d\n", d.ListenPort()))
	require.True(t, strings.HasSuffix(state, "errno=0\n\n"), state)
	var own bytes.Buffer
	require.NoError(t, d.Get(&own))
	require.Equal(t, own.String()+"errno=0\n\n", state)

	k := key(t, keyB)
	other := hex.EncodeToString(k[:])
	require.Equal(t, "errno=0\n\n", ask(t, path, "set=1\npublic_key="+other+"\nendpoint=192.0.2.1:5\nallowed_ip=10.9.0.0/16\n\n"))
	peers := d.Peers()
	require.Len(t, peers, 2)
	require.Equal(t, a.Peers[0].PublicKey, peers[0].PublicKey, "the first one stays the first")
	require.Equal(t, key(t, keyB), peers[1].PublicKey)
	require.Equal(t, "192.0.2.1:5", peers[1].Endpoint)
	require.Equal(t, "192.0.2.1:5", peers[1].At.String())

	require.NotEqual(t, "errno=0\n\n", ask(t, path, "set=1\nlisten_port=x\n\n"))
	for _, nonsense := range []string{"hello\n\n", "get=1\nget=1\n\n", "\n", "set=2\n\n"} {
		require.Contains(t, ask(t, path, nonsense), "EOF", nonsense)
	}

	require.NoError(t, d.Set(strings.NewReader("public_key="+other+"\nremove=true\n\nnonsense")))
	require.Len(t, d.Peers(), 1)
	require.Error(t, d.Set(strings.NewReader("nonsense")))
	require.ErrorIs(t, d.Set(strings.NewReader(strings.Repeat("fwmark=0\n", maxSettings/9+1))), errSettings)
}

// Clients that say nothing keep nobody out for ever, and Close hangs up on them.
func TestServe_SilentClients(t *testing.T) {
	a, _ := pair(t)
	d := open(t, a)
	path := filepath.Join(t.TempDir(), "s")
	serve(t, d, path)
	var silent []net.Conn
	for range maxClients {
		c, err := net.Dial("unix", path)
		require.NoError(t, err)
		defer c.Close()
		silent = append(silent, c)
	}
	answer := make(chan string)
	go func() { answer <- ask(t, path, "get=1\n\n") }()
	require.NoError(t, silent[0].Close()) // makes room for the one who waits
	require.Contains(t, <-answer, "errno=0")
	require.NoError(t, d.Close())
	_, err := silent[1].Read(make([]byte, 1))
	require.Error(t, err)
	require.False(t, errors.Is(err, os.ErrDeadlineExceeded))
}

// The command wg of wireguard-tools shows and changes the tunnel.
func TestServe_Tools(t *testing.T) {
	wg, err := exec.LookPath("wg")
	if err != nil {
		t.Skip("wg isn't installed")
	}
	if os.Geteuid() != 0 {
		t.Skip("wg looks into /var/run/wireguard, which belongs to root")
	}
	require.NoError(t, os.MkdirAll("/var/run/wireguard", 0o755))
	name := fmt.Sprintf("wsst%d", os.Getpid())
	a, _ := pair(t)
	a.Peers[0].Endpoint = "192.0.2.1:51820"
	a.Peers[0].PersistentKeepalive = 25 * time.Second
	d := open(t, a)
	serve(t, d, "/var/run/wireguard/"+name+".sock")
	run := func(args ...string) string {
		t.Helper()
		out, err := exec.Command(wg, args...).CombinedOutput()
		require.NoError(t, err, "wg %v: %s", args, out)
		return string(out)
	}
	require.Contains(t, run("show", name), "public key: "+d.PublicKey().String())
	shown, err := ParseConfig(strings.NewReader(run("showconf", name)))
	require.NoError(t, err)
	a.Addresses, a.ListenPort = nil, d.ListenPort()
	require.Equal(t, &a, shown)

	run("set", name, "peer", keyC, "allowed-ips", "10.5.0.0/16,fd05::/16", "endpoint", "[2001:db8::1]:77", "persistent-keepalive", "7")
	p := d.Peers()[1]
	require.Equal(t, Peer{
		PublicKey: key(t, keyC), Endpoint: "[2001:db8::1]:77", PersistentKeepalive: 7 * time.Second, AllowedIPs: p.AllowedIPs,
	}, p.Peer)
	require.ElementsMatch(t, prefixes("10.5.0.0/16 fd05::/16"), p.AllowedIPs)
	run("set", name, "peer", keyC, "remove")
	require.Len(t, d.Peers(), 1)
}
