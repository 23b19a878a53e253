package control_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/internal/control"
)

// raw sends a request as it is, and returns the status and the body of the answer.
func raw(t *testing.T, path, request string) (status int, body string) {
	t.Helper()
	conn, err := net.Dial("unix", path)
	require.NoError(t, err)
	defer conn.Close()
	go func() { _, _ = io.WriteString(conn, request) }() // the server may answer before the end
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	b, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(b)
}

// Requests of browsers, of others and without sense get one error.
func TestGuard(t *testing.T) {
	b := newBed(t)
	head := "GET /v1/network HTTP/1.1\r\n"
	for _, c := range []struct {
		request string
		status  int
		words   string
	}{
		{head + "Host: localhost\r\n\r\n", 200, `"name":"test"`},
		{head + "Host: WSSTACK\r\n\r\n", 200, `"name":"test"`},
		{head + "Host: evil.example\r\n\r\n", 403, "evil.example"},
		{head + "Host: localhost:80\r\n\r\n", 403, "localhost:80"},
		{head + "Host: localhost.evil.example\r\n\r\n", 403, "is not that of a control socket"},
		{head + "Host: localhost\r\nOrigin: http://evil.example\r\n\r\n", 403, "from pages"},
		{head + "Host: localhost\r\nOrigin: null\r\n\r\n", 403, "from pages"},
		{head + "Host: localhost\r\nSec-Fetch-Site: same-origin\r\n\r\n", 403, "from pages"},
		{"PUT /v1/links/link HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}", 200, `"name":"link"`},
		{"PUT /v1/links/link HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\n{}{}", 400, "more than one"},
		{"PUT /v1/links/link HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{\"los\":1}", 400, "unknown field"},
		{"PUT /v1/links/link HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n{", 400, "not the JSON"},
		{"PUT /v1/links/link HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n\"" + strings.Repeat("x", 99998) + "\"", 413, "more than 65536 bytes"},
		{"PUT /v1/links/link HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" + strings.Repeat("1000\r\n"+strings.Repeat("[", 4096)+"\r\n", 40) + "0\r\n\r\n", 413, "more than"},
		{head + "Host: localhost\r\nX: " + strings.Repeat("x", 10000) + "\r\n\r\n", 200, `"name":"test"`},
		{head + "Host: localhost\r\nX: " + strings.Repeat("x", 17000) + "\r\n\r\n", 431, ""},
		{"POST /v1/streams/connect HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}", 426, "Upgrade"},
		{"POST /v1/streams/nonsense HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}", 404, "nonsense"},
		{"GET /v1/nothing HTTP/1.1\r\nHost: localhost\r\n\r\n", 404, `{"error":"there is nothing at /v1/nothing","hint":`},
		{"DELETE /v1/links/link HTTP/1.1\r\nHost: localhost\r\n\r\n", 405, `{"error":"DELETE is no method of /v1/links/link","hint":"it takes GET, HEAD, PUT"}`},
	} {
		status, body := raw(t, b.server.Path(), c.request)
		require.Equal(t, c.status, status, "%.80s: %s", c.request, body)
		require.Contains(t, body, c.words)
	}
}

// Idle clients use up no more than their number, and leave room as soon as they go.
func TestManyClients(t *testing.T) {
	b := newBed(t)
	b.client.Close()
	var idle []net.Conn
	for range 128 {
		c, err := net.Dial("unix", b.server.Path())
		require.NoError(t, err)
		defer c.Close()
		idle = append(idle, c)
	}
	answered := make(chan error, 1)
	go func() { answered <- b.client.Get(t.Context(), "/v1/network", nil) }()
	select {
	case err := <-answered:
		t.Fatalf("one more was served: %v", err)
	case <-time.After(50 * time.Millisecond): // it can only fail to show a mistake
	}
	require.NoError(t, idle[0].Close())
	require.NoError(t, <-answered)
}

// There are so many streams and no more, and other requests go on.
func TestManyStreams(t *testing.T) {
	b := newBed(t)
	b.server.HandleStream("wait", func(ctx context.Context, _ json.RawMessage, open func(any) (*control.Stream, error)) error {
		s, err := open("well")
		if err == nil {
			_, err = s.Read(make([]byte, 1))
		}
		return err
	})
	for range 96 {
		s, err := b.client.Stream(t.Context(), "wait", nil, nil)
		require.NoError(t, err)
		defer s.Close()
	}
	_, err := b.client.Stream(t.Context(), "wait", nil, nil)
	requireError(t, err, "96 streams already", "close some")
	require.NoError(t, b.client.Get(t.Context(), "/v1/network", nil))
}

// A handler answers with an error before it opens the stream, and may fail after that, too.
func TestStreamErrors(t *testing.T) {
	b := newBed(t)
	b.server.HandleStream("fail", func(_ context.Context, request json.RawMessage, open func(any) (*control.Stream, error)) error {
		var when string
		if err := json.Unmarshal(request, &when); err != nil {
			return err
		}
		if when == "early" {
			return control.Errorf(http.StatusTeapot, "later", "it is %s", when)
		}
		s, err := open(map[string]string{"when": when})
		if err != nil {
			return err
		}
		_, _ = s.Write([]byte("data"))
		return control.Errorf(0, "earlier", "it is %s", when)
	})
	_, err := b.client.Stream(t.Context(), "fail", "early", nil)
	requireError(t, err, "it is early", "later")
	var reply map[string]string
	s, err := b.client.Stream(t.Context(), "fail", "late", &reply)
	require.NoError(t, err)
	defer s.Close()
	require.Equal(t, "late", reply["when"])
	got, err := io.ReadAll(s)
	require.Equal(t, "data", string(got))
	requireError(t, err, "it is late", "earlier")
	_, err = b.client.Stream(t.Context(), "fail", 7, nil)
	require.ErrorContains(t, err, "cannot unmarshal")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = b.client.Stream(ctx, "fail", "late", nil)
	require.ErrorIs(t, err, context.Canceled)
}

// What isn't made of frames ends a stream.
func TestStreamGarbage(t *testing.T) {
	b := newBed(t)
	l, err := b.far.Listen("tcp", ":7")
	require.NoError(t, err)
	defer l.Close()
	for _, garbage := range []string{"X\x00\x00\x00", "D\xff\xff\xff", "F\x00\x00\x01{", "P\x00\x00\x00", "E\x00\x00\x05"} {
		conn, err := net.Dial("unix", b.server.Path())
		require.NoError(t, err)
		request := `{"host":"near","network":"tcp","address":"10.0.0.2:7"}`
		_, err = fmt.Fprintf(conn, "POST /v1/streams/connect HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: wsstack-stream\r\nContent-Length: %d\r\n\r\n%s", len(request), request)
		require.NoError(t, err)
		c, err := l.Accept()
		require.NoError(t, err)
		_, err = conn.Write([]byte(garbage))
		require.NoError(t, err)
		if garbage[0] == 'E' { // the rest doesn't come
			require.NoError(t, conn.Close())
		}
		_, err = c.Read(make([]byte, 1))
		require.ErrorIs(t, err, io.EOF)
		_, _ = c.Close(), conn.Close()
	}
	soon(t, func() bool { return len(b.near.Sockets()) == 0 }, "no socket stays")
}

// Close ends streams and requests, and removes the file.
func TestCloseEndsAll(t *testing.T) {
	b := newBed(t)
	l, err := b.client.Listen(t.Context(), control.ListenRequest{Host: "far", Network: "tcp", Address: ":7"})
	require.NoError(t, err)
	defer l.Close()
	p, err := b.client.ListenPacket(t.Context(), control.ListenRequest{Host: "far", Network: "udp", Address: ":7"})
	require.NoError(t, err)
	defer p.Close()
	s, err := b.client.Dial(t.Context(), control.DialRequest{Host: "near", Network: "tcp", Address: "10.0.0.2:7"})
	require.NoError(t, err)
	defer s.Close()
	var waiting sync.WaitGroup
	for range 2 { // one gets the connection
		waiting.Go(func() {
			if c, err := l.Accept(); err == nil {
				_, _ = c.Read(make([]byte, 1))
				_ = c.Close()
			}
		})
	}
	waiting.Go(func() { _, _, _ = p.ReadFrom(make([]byte, 1)) })
	waiting.Go(func() { _, _ = s.Read(make([]byte, 1)) })
	require.NoError(t, b.server.Close())
	waiting.Wait()
	require.NoFileExists(t, b.server.Path())
	require.Error(t, b.client.Get(t.Context(), "/v1/network", nil))
	require.Empty(t, b.near.Sockets())
	require.Empty(t, b.far.Sockets())
}

// The file and its directory are the user's alone, whatever the umask says.
func TestModes(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("files have no modes here")
	}
	dir := filepath.Join(shortDir(t), "a", "wsstack")
	s, err := control.Listen(control.Config{Name: "test", Dir: dir})
	require.NoError(t, err)
	for path, want := range map[string]os.FileMode{dir: os.ModeDir | 0o700, s.Path(): os.ModeSocket | 0o600, filepath.Join(dir, ".lock"): 0o600} {
		info, err := os.Lstat(path)
		require.NoError(t, err)
		require.Equal(t, want, info.Mode(), path)
	}
	require.NoError(t, s.Close())
	require.NoError(t, s.Close(), "once more")
}

// Directories that are somebody else's, or might be, are refused; so are names that lead elsewhere.
func TestUnsafeDirectories(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("files have no modes here")
	}
	dir := shortDir(t)
	at := func(name string) string { return filepath.Join(dir, name) }
	refused := func(cfg control.Config, message, hint string) {
		t.Helper()
		s, err := control.Listen(cfg)
		if s != nil {
			_ = s.Close()
		}
		requireError(t, err, message, hint)
	}
	require.NoError(t, os.Mkdir(at("open"), 0o700))
	require.NoError(t, os.Chmod(at("open"), 0o755))
	refused(control.Config{Name: "x", Dir: at("open")}, "others may use the directory (mode 0755)", "chmod 700")
	require.NoError(t, os.Mkdir(at("victim"), 0o700))
	require.NoError(t, os.Symlink("victim", at("link")))
	refused(control.Config{Name: "x", Dir: at("link")}, "it is no directory", "XDG_RUNTIME_DIR")
	require.NoError(t, os.WriteFile(at("file"), nil, 0o600))
	refused(control.Config{Name: "x", Dir: at("file")}, "it is no directory", "")
	require.NoError(t, os.Mkdir(at("shared"), 0o700))
	require.NoError(t, os.Chmod(at("shared"), 0o777)) // without the sticky bit
	refused(control.Config{Name: "x", Dir: filepath.Join(at("shared"), "w")}, "others may rename", "")
	require.NoError(t, os.Chmod(at("shared"), os.ModeSticky|0o777))
	s, err := control.Listen(control.Config{Name: "x", Dir: filepath.Join(at("shared"), "w")})
	require.NoError(t, err)
	require.NoError(t, s.Close())
	if os.Geteuid() == 0 {
		require.NoError(t, os.Mkdir(at("theirs"), 0o700))
		require.NoError(t, os.Chown(at("theirs"), 12345, 12345))
		refused(control.Config{Name: "x", Dir: at("theirs")}, "it is another user's", "")
		require.NoError(t, os.Mkdir(filepath.Join(at("theirs"), "w"), 0o700))
		refused(control.Config{Name: "x", Dir: filepath.Join(at("theirs"), "w")}, "others may rename", "")
	}
	// What lies in the way in our own directory is no trap, either.
	require.NoError(t, os.Symlink(at("target"), filepath.Join(at("victim"), ".lock")))
	refused(control.Config{Name: "x", Dir: at("victim")}, "too many levels of symbolic links", "")
	require.NoError(t, os.Remove(filepath.Join(at("victim"), ".lock")))
	require.NoError(t, os.Symlink(at("target"), filepath.Join(at("victim"), "x.sock")))
	refused(control.Config{Name: "x", Dir: at("victim")}, "is no control socket", "--name")
	require.NoFileExists(t, at("target"))
	refused(control.Config{Name: "x", Dir: at(strings.Repeat("long", 30))}, "and a socket may have 103", "shorter")
	for _, name := range []string{"", "../x", ".x", "-x", "a/b", "a b", "ä", strings.Repeat("x", 65)} {
		refused(control.Config{Name: name, Dir: dir}, "is no name of a network", "letters")
	}
}

// deadSocket leaves the file of a control socket as kill -9 does.
func deadSocket(t *testing.T, path string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	require.NoError(t, err)
	l.SetUnlinkOnClose(false)
	require.NoError(t, l.Close())
}

// A dead network's file is replaced, a living one's name is taken, and what is left of a dead one
// goes without harm to who has the name now.
func TestStaleFiles(t *testing.T) {
	dir := shortDir(t)
	cfg := control.Config{Name: "test", Dir: dir}
	path := filepath.Join(dir, "test.sock")
	dead := func() { t.Helper(); deadSocket(t, path) }
	dead()
	first, err := control.Listen(cfg)
	require.NoError(t, err)
	_, err = control.Listen(cfg)
	requireError(t, err, "a network with this name is running: test", "--name")
	require.NoError(t, control.RemoveStale(path))
	require.FileExists(t, path, "somebody listens")
	require.NoError(t, first.Close())
	require.NoFileExists(t, path)
	require.NoError(t, control.RemoveStale(path), "nothing is there")
	dead()
	require.NoError(t, control.RemoveStale(path))
	require.NoFileExists(t, path)
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	require.Error(t, control.RemoveStale(path), "it is no socket")
	require.FileExists(t, path)
	require.NoError(t, os.Remove(path))

	// One that lost its file to another doesn't take that one's.
	old, err := control.Listen(cfg)
	require.NoError(t, err)
	require.NoError(t, os.Remove(path))
	now, err := control.Listen(cfg)
	require.NoError(t, err)
	require.NoError(t, old.Close())
	require.FileExists(t, path)
	require.NoError(t, now.Close())
}

// Of many that start with one name, one runs.
func TestSameName(t *testing.T) {
	dir := shortDir(t)
	var wg sync.WaitGroup
	servers := make(chan *control.Server, 20)
	for range 20 {
		wg.Go(func() {
			s, err := control.Listen(control.Config{Name: "test", Dir: dir})
			if e := (*control.Error)(nil); err != nil && !errors.As(err, &e) {
				t.Error(err)
			}
			if err == nil {
				servers <- s
			}
		})
	}
	wg.Wait()
	require.Len(t, servers, 1)
	require.NoError(t, (<-servers).Close())
}

// A client finds the only network, or the one that is named, and hears which ones there are.
func TestFind(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the directory is chosen in another way")
	}
	runtimeDir := shortDir(t)
	t.Setenv("XDG_RUNTIME_DIR", runtimeDir)
	t.Setenv(control.Environment, "")
	_, err := control.Find(t.Context(), "")
	requireError(t, err, "no network of this user is running", "wsstack exec")
	start := func(name string) *control.Server {
		s, err := control.Listen(control.Config{Name: name, Command: []string{"ping", "-c"}})
		require.NoError(t, err)
		require.Equal(t, filepath.Join(runtimeDir, "wsstack", name+".sock"), s.Path())
		s.Start()
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		return s
	}
	found := func(name, want string) {
		t.Helper()
		c, err := control.Find(t.Context(), name)
		require.NoError(t, err)
		require.Equal(t, want, c.Network().Name)
		require.Equal(t, os.Getpid(), c.Network().PID)
		require.Equal(t, []string{"ping", "-c"}, c.Network().Command)
		c.Close()
	}
	one := start("one")
	found("", "one")
	start("two")
	_, err = control.Find(t.Context(), "")
	requireError(t, err, "2 networks are running: one, two", "--network one")
	found("two", "two")
	_, err = control.Find(t.Context(), "three")
	requireError(t, err, `no network of this user has the name "three"`, "one, two")
	killed := filepath.Join(runtimeDir, "wsstack", "killed-1.sock")
	deadSocket(t, killed)
	require.Len(t, control.List(t.Context()), 2)
	require.NoFileExists(t, killed)
	require.FileExists(t, one.Path())
	t.Setenv(control.Environment, one.Path())
	found("", "one")
	t.Setenv("XDG_RUNTIME_DIR", "relative")
	require.True(t, filepath.IsAbs(control.Directory()))
}

func TestNameFor(t *testing.T) {
	pid := fmt.Sprint(os.Getpid())
	for command, want := range map[string]string{
		"curl": "curl-" + pid, "/usr/bin/python3.12": "python3.12-" + pid, "./.hidden": "hidden-" + pid,
		"日本": "network-" + pid, "a b;c": "abc-" + pid, strings.Repeat("x", 99): strings.Repeat("x", 40) + "-" + pid,
	} {
		require.Equal(t, want, control.NameFor(command))
		require.NoError(t, control.CheckName(want))
	}
}
