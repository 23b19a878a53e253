package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/big"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// servers are programs on this machine's loopback that strangers talk to, in a folder of their own.
type servers struct {
	dir     string
	ports   map[string]int    // by the name that lines of strangers have them by
	without map[string]string // why there is no such server, by its program
}

func newServers(t *testing.T) *servers {
	t.Helper()
	dir, err := os.MkdirTemp("", "strangers") //nolint:usetesting // PostgreSQL, not as root, can't enter TempDir
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o755))
	return &servers{dir: dir, ports: map[string]int{}, without: map[string]string{}}
}

// startServers starts every server that is installed.
func startServers(t *testing.T) *servers {
	t.Helper()
	s := newServers(t)
	s.prepare(t)
	for program, start := range map[string]func(*testing.T){
		"nginx": s.startNginx, "git": s.startGit, "sshd": s.startSSHD, "postgres": s.startPostgres,
		"redis-server": s.startRedis, "iperf3": s.startIperf3,
	} {
		if s.find(program) != "" {
			start(t)
		}
	}
	return s
}

// folder makes a folder below that of the servers.
func (s *servers) folder(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Join(s.dir, name)
	require.NoError(t, os.Mkdir(dir, 0o755))
	return dir
}

// environment are the ports as lines of a shell.
func (s *servers) environment() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(s.ports)) {
		fmt.Fprintf(&b, "export %s=%d\n", name, s.ports[name])
	}
	me, err := user.Current()
	if err == nil {
		fmt.Fprintf(&b, "export USER=%s\n", me.Username)
	}
	return b.String()
}

// missing returns the first of these programs that isn't there, or why its server isn't; "": all
// are.
func (s *servers) missing(programs string) string {
	for _, p := range strings.Fields(programs) {
		name, feature, _ := strings.Cut(p, "+")
		switch {
		case s.without[name] != "":
			return s.without[name]
		case s.find(name) == "":
			return name
		case feature != "" && !s.has(name, feature):
			return name + " with " + feature
		}
	}
	return ""
}

// has reports whether the version of a program names a feature.
func (s *servers) has(program, feature string) bool {
	version, _ := exec.Command(s.find(program), map[string]string{"curl": "--version", "nginx": "-V"}[program]).CombinedOutput()
	return bytes.Contains(version, []byte(feature))
}

// find returns the path of a program; "": it isn't there. Debian has some servers outside of PATH.
func (s *servers) find(program string) string {
	if path, err := exec.LookPath(program); err == nil {
		return path
	}
	for _, pattern := range []string{"/usr/sbin/", "/usr/lib/postgresql/*/bin/"} {
		if found, _ := filepath.Glob(pattern + program); len(found) > 0 {
			return found[len(found)-1]
		}
	}
	return ""
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// port gives a server a port.
func (s *servers) port(t *testing.T, name string) int {
	t.Helper()
	s.ports[name] = freePort(t)
	return s.ports[name]
}

// start starts a server and waits until it answers on its port. The end of the test ends it.
func (s *servers) start(t *testing.T, port int, cmd *exec.Cmd) {
	t.Helper()
	cmd.Dir = s.dir
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &output, &output, time.Second
	require.NoError(t, cmd.Start())
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }() // it is killed
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(5 * time.Second):
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			<-ended
		}
		if t.Failed() {
			t.Logf("%s: %s", filepath.Base(cmd.Path), output.String())
		}
	})
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		select {
		case <-ended:
			t.Fatalf("%v has ended: %s", cmd, output.String())
		default:
		}
		if c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			_ = c.Close()
			return
		}
	}
	t.Fatalf("%v doesn't listen", cmd)
}

// prepare writes the files that servers and strangers share.
func (s *servers) prepare(t *testing.T) {
	t.Helper()
	www := s.folder(t, "www")
	s.write(t, "www/text", "hello from nginx\n", 0o644)
	large := make([]byte, 1<<20)
	_, _ = rand.Read(large)
	require.NoError(t, os.WriteFile(filepath.Join(www, "large"), large, 0o644))
	s.write(t, "client.py", pythonClient, 0o644)
	s.write(t, "client.js", nodeClient, 0o644)
	s.certificate(t)
}

// certificate makes one for server.test, which is its own authority.
func (s *servers) certificate(t *testing.T) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "server.test"}, DNSNames: []string{"server.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	s.write(t, "ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})), 0o644)
	s.write(t, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})), 0o600)
}

func (s *servers) startNginx(t *testing.T) {
	s.writeNginx(t, "nginx.conf", "127.0.0.1", s.port(t, "NGINX"), s.port(t, "TLS"))
	s.start(t, s.ports["TLS"], exec.Command(s.find("nginx"), "-p", s.dir, "-e", "stderr", "-c", "nginx.conf"))
}

// writeNginx writes a configuration of nginx for two ports of an address.
func (s *servers) writeNginx(t *testing.T, name, address string, plain, tls int) {
	t.Helper()
	quic := ""
	if s.has("nginx", "http_v3") {
		quic = fmt.Sprintf("listen %s:%d quic;", address, tls)
	}
	s.write(t, name, fmt.Sprintf(`daemon off; pid %[1]s.pid; error_log stderr; worker_processes 1;
events {}
http {
	access_log off; root www;
	client_body_temp_path tmp-body; proxy_temp_path tmp-proxy; fastcgi_temp_path tmp-fastcgi; uwsgi_temp_path tmp-uwsgi; scgi_temp_path tmp-scgi;
	ssl_certificate ca.pem; ssl_certificate_key key.pem;
	server { listen %[2]s:%[3]d; listen %[2]s:%[4]d ssl http2; %[5]s }
}
`, name, address, plain, tls, quic), 0o644)
}

func (s *servers) startGit(t *testing.T) {
	run := func(args ...string) {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-c", "user.name=t", "-c", "user.email=t@t.test", "-C", s.dir}, args...)...)
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "HOME="+s.dir)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%v: %s", cmd, out)
	}
	run("init", "-q", "project")
	s.write(t, "project/file", "hello from git\n", 0o644)
	run("-C", "project", "add", "file")
	run("-C", "project", "commit", "-q", "-m", "one")
	port := s.port(t, "GIT")
	s.start(t, port, exec.Command("git", "daemon", "--reuseaddr", "--listen=127.0.0.1", fmt.Sprintf("--port=%d", port), "--export-all", "--base-path="+s.dir))
}

// startSSHD starts an sshd that this user may log in to, with a key of its own.
func (s *servers) startSSHD(t *testing.T) {
	me, err := user.Current()
	require.NoError(t, err)
	if shell, err := exec.Command("getent", "passwd", me.Username).Output(); err != nil || !strings.HasSuffix(strings.TrimSpace(string(shell)), "sh") {
		s.without["sshd"] = "a shell of " + me.Username
		return
	}
	if me.Uid == "0" {
		switch err := os.Mkdir("/run/sshd", 0o755); { // sshd of root insists on it
		case err == nil:
			t.Cleanup(func() { _ = os.Remove("/run/sshd") })
		case !errors.Is(err, fs.ErrExist):
			s.without["sshd"] = "/run/sshd"
			return
		}
	}
	for _, name := range []string{"id", "host"} {
		out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(s.dir, name)).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	host, err := os.ReadFile(filepath.Join(s.dir, "host.pub"))
	require.NoError(t, err)
	s.write(t, "known", "server "+string(host), 0o600)
	port := s.port(t, "SSHD")
	// In a shell within shells bash reads no .bashrc, which may take seconds.
	s.write(t, "sshd_config", fmt.Sprintf(`ListenAddress 127.0.0.1:%d
HostKey %[2]s/host
AuthorizedKeysFile %[2]s/id.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
SetEnv SHLVL=5
`, port, s.dir), 0o600)
	s.start(t, port, exec.Command(s.find("sshd"), "-D", "-e", "-f", filepath.Join(s.dir, "sshd_config")))
}

// startPostgres starts a PostgreSQL with a database of its own, not as root, which it refuses.
func (s *servers) startPostgres(t *testing.T) {
	data := s.folder(t, "postgres")
	var as *syscall.SysProcAttr
	if os.Geteuid() == 0 {
		credential := &syscall.Credential{Uid: 65534, Gid: 65534}
		require.NoError(t, os.Chown(data, 65534, 65534))
		as = &syscall.SysProcAttr{Credential: credential}
	}
	initdb := exec.Command(s.find("initdb"), "-D", data, "-U", "test", "-A", "trust", "--no-sync", "--locale=C", "-E", "UTF8")
	initdb.SysProcAttr, initdb.Dir = as, data
	out, err := initdb.CombinedOutput()
	require.NoError(t, err, "%s", out)
	port := s.port(t, "POSTGRES")
	cmd := exec.Command(s.find("postgres"), "-D", data, "-p", fmt.Sprint(port), "-h", "127.0.0.1", "-k", "", "-F", "-c", "shared_buffers=1MB")
	cmd.SysProcAttr = as
	s.start(t, port, cmd)
}

func (s *servers) startRedis(t *testing.T) {
	port := s.port(t, "REDIS")
	s.start(t, port, exec.Command(s.find("redis-server"), "--port", fmt.Sprint(port), "--bind", "127.0.0.1", "--save", "", "--dir", s.dir))
}

func (s *servers) startIperf3(t *testing.T) {
	port := s.port(t, "IPERF3")
	s.start(t, port, exec.Command(s.find("iperf3"), "-s", "-B", "127.0.0.1", "-p", fmt.Sprint(port)))
}
