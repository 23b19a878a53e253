package control_test

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/wsstack/wsstack/internal/control"
	"github.com/wsstack/wsstack/internal/sockettest"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A bed is a network of two stacks, near (10.0.0.1) and far (10.0.0.2), with a control socket.
type bed struct {
	near, far *stack.Stack
	server    *control.Server
	client    *control.Client
	dir       string
}

// newBed returns a network that runs until the end of the test.
func newBed(t *testing.T) *bed {
	t.Helper()
	return newBedOf(t, control.Config{Name: "test", Command: []string{"sleep", "1"}, Version: "v0"})
}

func newBedOf(t *testing.T, cfg control.Config) *bed {
	t.Helper()
	b := &bed{dir: shortDir(t)}
	cfg.Dir = b.dir
	server, err := control.Listen(cfg)
	require.NoError(t, err)
	b.server = server
	near, far := tun.Pipe(1500)
	captured, err := tun.Capture(near, nil, "link")
	require.NoError(t, err)
	impaired, err := tun.Impair(captured, tun.ImpairConfig{Whole: true})
	require.NoError(t, err)
	b.near = sockettest.NewStack(t, impaired, "10.0.0.1/24", "fd00::1/64")
	b.far = sockettest.NewStack(t, far, "10.0.0.2/24", "fd00::2/64")
	server.AddHost("near", b.near)
	server.AddHost("far", b.far)
	server.AddLink(control.Link{Name: "link", Ends: [2]string{"near", "far"}, Impaired: impaired, Captured: captured})
	server.Start()
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	b.client, err = control.Open(t.Context(), server.Path())
	require.NoError(t, err)
	t.Cleanup(b.client.Close)
	return b
}

// shortDir returns a directory whose name leaves room for that of a socket.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "wc") //nolint:usetesting // that of TempDir has the test's name in it
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}

// soon waits for what another goroutine brings about.
func soon(t *testing.T, happened func() bool, what string) {
	t.Helper()
	for !happened() {
		if t.Context().Err() != nil {
			t.Fatal(what)
		}
		time.Sleep(time.Millisecond)
	}
}

// requireError checks the message and the hint of an error of a server.
func requireError(t *testing.T, err error, message, hint string) {
	t.Helper()
	e := new(control.Error)
	require.ErrorAs(t, err, &e)
	require.Contains(t, e.Error(), message)
	require.Contains(t, e.Hint(), hint)
}
