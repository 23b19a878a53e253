package compat

import (
	"bufio"
	"context"
	"crypto/ecdh"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.zx2c4.com/wireguard/conn/bindtest"
	"golang.zx2c4.com/wireguard/device"

	"github.com/wsstack/wsstack/wgnet"
)

// The programs of folder wgnet do the same whichever package netstack is, and those with one
// talk to those with the other. Only the import differs.
func TestWgnetInsteadOfNetstack(t *testing.T) {
	const theirs, ours = `"golang.zx2c4.com/wireguard/tun/netstack"`, `netstack "github.com/wsstack/wsstack/wgnet"`
	programs := map[string]string{
		"netstack": buildProgram(t, nil),
		"wgnet":    buildProgram(t, strings.NewReplacer(theirs, ours)),
	}
	for _, server := range []string{"netstack", "wgnet"} {
		for _, client := range []string{"netstack", "wgnet"} {
			for name, want := range map[string]string{
				"http-client": "192.168.4.29 Hello from userspace TCP!\nserver.example Hello from userspace TCP!\n",
				"ping-client": "reply from 192.168.4.29\n",
			} {
				t.Run(name+" with "+client+" to "+server, func(t *testing.T) {
					// Each client has keys of its own: a peer that begins anew at once waits for 5 s.
					serverKey, clientKey := newTunnelKey(t), newTunnelKey(t)
					endpoint := startServer(t, programs[server], serverKey.private, clientKey.public)
					out, err := exec.CommandContext(soon(t), programs[client], name, clientKey.private, serverKey.public, endpoint).CombinedOutput()
					require.NoError(t, err, "%s", out)
					require.Equal(t, want, string(out))
				})
			}
		}
	}
}

// buildProgram builds the programs with their source edited.
func buildProgram(t *testing.T, edit *strings.Replacer) string {
	t.Helper()
	dir := t.TempDir()
	args := []string{"build", "-o", filepath.Join(dir, "program")}
	if edit != nil {
		args = append(args, "-overlay", editSource(t, dir, edit))
	}
	out, err := exec.Command("go", append(args, "./wgnet")...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return filepath.Join(dir, "program")
}

// editSource writes the source of the programs, edited, into a folder, and what makes go build take
// it: "go help build" on -overlay.
func editSource(t *testing.T, dir string, edit *strings.Replacer) string {
	t.Helper()
	files, err := filepath.Glob("wgnet/*.go")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	replace := map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		edited := edit.Replace(string(text))
		require.NotEqual(t, string(text), edited, file)
		file, err = filepath.Abs(file)
		require.NoError(t, err)
		replace[file] = filepath.Join(dir, filepath.Base(file))
		require.NoError(t, os.WriteFile(replace[file], []byte(edited), 0o600))
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	require.NoError(t, err)
	name := filepath.Join(dir, "overlay.json")
	require.NoError(t, os.WriteFile(name, overlay, 0o600))
	return name
}

// startServer starts the HTTP server, and returns the endpoint of its tunnel.
func startServer(t *testing.T, program, private, peer string) string {
	t.Helper()
	cmd := exec.Command(program, "http-server", private, peer)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	t.Cleanup(func() {
		in.Close()
		require.NoError(t, cmd.Wait())
	})
	port, ok := strings.CutPrefix(strings.TrimSpace(line), "listen_port=")
	require.True(t, ok, line)
	return "127.0.0.1:" + port
}

// A tunnelKey is a pair of keys as UAPI has them.
type tunnelKey struct{ private, public string }

func newTunnelKey(t *testing.T) tunnelKey {
	t.Helper()
	k, err := ecdh.X25519().GenerateKey(rand.Reader)
	require.NoError(t, err)
	return tunnelKey{hex.EncodeToString(k.Bytes()), hex.EncodeToString(k.PublicKey().Bytes())}
}

// newTunnel returns two hosts of a WireGuard network, which end with the test.
func newTunnel(t *testing.T) (server, client *wgnet.Net) {
	t.Helper()
	keys := [2]tunnelKey{newTunnelKey(t), newTunnelKey(t)}
	binds := bindtest.NewChannelBinds()
	var nets [2]*wgnet.Net
	for i, address := range []string{serverIP, "10.0.0.2"} {
		d, n, err := wgnet.CreateNetTUN([]netip.Addr{netip.MustParseAddr(address)}, nil, device.DefaultMTU)
		require.NoError(t, err)
		tunnel := device.NewDevice(d, binds[i], device.NewLogger(device.LogLevelSilent, ""))
		t.Cleanup(tunnel.Close)
		require.NoError(t, tunnel.IpcSet(fmt.Sprintf(
			"private_key=%s\npublic_key=%s\nallowed_ip=0.0.0.0/0\nendpoint=127.0.0.1:%d\n",
			keys[i].private, keys[1-i].public, i+1))) // the number is how binds know each other
		require.NoError(t, tunnel.Up())
		nets[i] = n
	}
	return nets[0], nets[1]
}

// Sessions of SSH over WireGuard.
func TestWgnetSSH(t *testing.T) {
	server, client := newTunnel(t)
	l, err := server.ListenTCP(&net.TCPAddr{Port: 22})
	require.NoError(t, err)
	talkSSH(t, l, client.DialContext)
}

// HTTP/2 over WireGuard: twenty requests and answers of a megabyte at a time, on one connection.
func TestWgnetHTTP2(t *testing.T) {
	server, client := newTunnel(t)
	l, err := server.ListenTCP(&net.TCPAddr{Port: 443})
	require.NoError(t, err)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(w, r.Body)
	}))
	s.Listener.Close()
	s.Listener, s.EnableHTTP2 = l, true
	s.StartTLS()
	defer s.Close()

	transport := s.Client().Transport.(*http.Transport).Clone()
	dials := 0
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		dials++
		return client.DialContext(ctx, network, address)
	}
	transport.TLSClientConfig = &tls.Config{RootCAs: transport.TLSClientConfig.RootCAs, ServerName: "example.com"}
	defer transport.CloseIdleConnections()
	body := strings.Repeat("0123456789abcdef", 1<<16)
	requests := make(chan error)
	get := func() error {
		r, err := (&http.Client{Transport: transport}).Post("https://"+serverIP+"/", "text/plain", strings.NewReader(body))
		if err != nil {
			return err
		}
		defer r.Body.Close()
		got, err := io.ReadAll(r.Body)
		if err == nil && (string(got) != body || r.ProtoMajor != 2) {
			err = fmt.Errorf("%s with %d bytes", r.Proto, len(got))
		}
		return err
	}
	require.NoError(t, get()) // makes the connection
	for range 20 {
		go func() { requests <- get() }()
	}
	for range 20 {
		require.NoError(t, <-requests)
	}
	require.Equal(t, 1, dials)
}
