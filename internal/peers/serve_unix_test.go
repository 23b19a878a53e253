//go:build unix

package peers

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/internal/sockettest"
)

// A program is a server: it gets the connection's bytes and FIN, and its output goes back whole.
func TestServe(t *testing.T) {
	st := newStack(t)
	start(t, service(t, "serve", "7=exec:cat"), st, Env{})
	for range 2 {
		echoes(t, dial(t, st, "tcp", "127.0.0.1:7").(*endpoint.Conn))
	}
}

// The environment names both ends, and standard error goes to who runs the service.
func TestServe_Environment(t *testing.T) {
	st := newStack(t)
	var stderr sockettest.Text
	start(t, service(t, "serve", "127.0.0.1:7=exec:echo $REMOTE_ADDR $REMOTE_PORT $SERVER_ADDR $SERVER_PORT; echo oops >&2"), st, Env{Stderr: &stderr})
	c := dial(t, st, "tcp", "127.0.0.1:7")
	got, err := io.ReadAll(c)
	_, port, _ := strings.Cut(c.LocalAddr().String(), ":")
	if want := "127.0.0.1 " + port + " 127.0.0.1 7\n"; err != nil || string(got) != want {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
	for deadline := time.Now().Add(patience); stderr.String() != "oops\n"; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("standard error: %q", stderr.String())
		}
	}
}

// pids waits until a program has written so many process ids into a file.
func pids(t *testing.T, file string, many int) (list []int) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		text, _ := os.ReadFile(file)
		list = nil
		for _, word := range strings.Fields(string(text)) {
			var pid int
			fmt.Sscan(word, &pid)
			list = append(list, pid)
		}
		if len(list) == many && strings.HasSuffix(string(text), "\n") {
			return list
		}
	}
	t.Fatalf("%v, want %d process ids", list, many)
	return nil
}

// gone waits until processes are no more, or nobody's but to be reaped.
func gone(t *testing.T, list []int) {
	t.Helper()
	for _, pid := range list {
		for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
			state, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
			if syscall.Kill(pid, 0) != nil || err == nil && strings.Contains(string(state), ") Z ") {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("process %d is still there", pid)
			}
		}
	}
}

// Processes end with their connection's RST, with the service, and with the program that has
// started them.
func TestServe_NothingLeft(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(st io.Closer, running io.Closer, c *endpoint.Conn)
		tail string
	}{
		{"reset", func(_, _ io.Closer, c *endpoint.Conn) { abort(c) }, "wait"},
		{"service", func(_, running io.Closer, _ *endpoint.Conn) { running.Close() }, "wait"},
		{"stack", func(st, _ io.Closer, _ *endpoint.Conn) { st.Close() }, "wait"},
		{"leader", func(io.Closer, io.Closer, *endpoint.Conn) {}, "exit 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			st := newStack(t)
			file := filepath.Join(t.TempDir(), "pids")
			running, err := service(t, "serve", "7=exec:sleep 1000 & echo $! $$ >"+file+"; "+c.tail).Start(st, Env{})
			if err != nil {
				t.Fatal(err)
			}
			conn := dial(t, st, "tcp", "127.0.0.1:7").(*endpoint.Conn)
			list := pids(t, file, 2)
			c.end(st, running, conn)
			gone(t, list)
			if err := running.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// When this process is gone, be it by SIGKILL, its end of the guard's pipe is closed. The whole
// group ends then.
func TestServe_Guard(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pids")
	p, err := startProgram(&exec.Cmd{}, "sleep 1000 | sleep 1000 & echo $! $$ >"+file+"; wait")
	if err != nil {
		t.Fatal(err)
	}
	list := pids(t, file, 2)
	if err := p.hold.Close(); err != nil {
		t.Fatal(err)
	}
	<-p.ended
	gone(t, list)
}

// More connections than there may be programs wait.
func TestServe_Bound(t *testing.T) {
	st := newStack(t)
	file := filepath.Join(t.TempDir(), "pids")
	start(t, service(t, "serve", "7=exec:echo $$ >>"+file+"; cat"), st, Env{})
	var first *endpoint.Conn
	for range maxPrograms + 3 {
		c := dial(t, st, "tcp", "127.0.0.1:7").(*endpoint.Conn)
		if first == nil {
			first = c
		}
	}
	pids(t, file, maxPrograms)
	if err := first.CloseWrite(); err != nil { // one makes room
		t.Fatal(err)
	}
	pids(t, file, maxPrograms+1)
}
