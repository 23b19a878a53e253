package testbed_test

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wsstack/wsstack/internal/testbed"
	"github.com/wsstack/wsstack/tun"
)

// patience is how long a test waits for what has to happen.
const patience = 20 * time.Second

// echo is a service that sends back what it gets, on a port.
func echo(port string) testbed.Feature {
	return testbed.Feature{Text: "echo " + port, Start: func(h *testbed.RunningHost) (io.Closer, error) {
		l, err := h.Stack().Listen("tcp", ":"+port)
		if err != nil {
			return nil, err
		}
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go func() {
					defer c.Close()
					_, _ = io.Copy(c, c)
				}()
			}
		}()
		return l, nil
	}}
}

// stacks is the network of line with a stack for the server, which echoes on port 7.
func stacks() testbed.Network {
	n := line()
	n.Hosts[2] = testbed.Host{Name: "server", Services: []testbed.Feature{echo("7")}}
	return n
}

// start runs a network until the test ends.
func start(t *testing.T, n testbed.Network, o testbed.Options) *testbed.Testbed {
	t.Helper()
	b, err := testbed.New(n, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return b
}

// ask sends a text to an address from a host, and returns what comes back.
func ask(t *testing.T, h *testbed.RunningHost, address, text string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := h.Dial(ctx, "tcp", address)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if _, err := io.WriteString(c, text); err != nil {
		return "", err
	}
	_ = c.(interface{ CloseWrite() error }).CloseWrite()
	got, err := io.ReadAll(c)
	return string(got), err
}

// Hosts that are stacks reach each other across a router, by address and by name.
func TestStacks(t *testing.T) {
	b := start(t, stacks(), testbed.Options{})
	client := b.Hosts()[0]
	for _, address := range []string{"10.0.2.2:7", "server:7"} {
		if got, err := ask(t, client, address, "hello"); got != "hello" || err != nil {
			t.Errorf("%s answers %q, %v", address, got, err)
		}
	}
	if _, err := ask(t, client, "nobody:7", ""); err == nil {
		t.Error("nobody has an address")
	}
}

// A link does to packets what its description says, in each direction, and can be changed.
func TestStacks_Impaired(t *testing.T) {
	n := stacks()
	n.Links[1].Ends[1].Sends = tun.Impairment{Loss: 1}
	file := filepath.Join(t.TempDir(), "two.pcapng")
	n.Links[1].Capture = file
	b := start(t, n, testbed.Options{})
	two := b.Links()[1]
	if got := two.Hosts(); got != [2]string{"router", "server"} {
		t.Fatalf("the link joins %v", got)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if c, err := b.Hosts()[0].Dial(ctx, "tcp", "server:7"); err == nil {
		c.Close()
		t.Fatal("the client has connected over a link that loses everything")
	}
	out, in := two.Impaired().Stats()
	if out.Packets == 0 || out.Dropped() != 0 || in.Packets == 0 || in.Dropped() != in.Packets {
		t.Errorf("router to server: %+v\nserver to router: %+v\nwant all lost of the second alone", out, in)
	}
	if err := two.Impaired().SetIn(tun.Impairment{}); err != nil {
		t.Fatal(err)
	}
	if got, err := ask(t, b.Hosts()[0], "server:7", "hello"); got != "hello" || err != nil {
		t.Errorf("after the change the server answers %q, %v", got, err)
	}
}

// A network without commands runs until the context is done.
func TestStacks_Wait(t *testing.T) {
	b := start(t, stacks(), testbed.Options{})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if got, err := b.Wait(ctx); got != (testbed.Result{}) || !errors.Is(err, context.Canceled) {
		t.Errorf("Wait: %+v, %v, want that the context is done", got, err)
	}
}

// A check that doesn't hold in time ends the network, and says what the last try found.
func TestStacks_NotReady(t *testing.T) {
	n := stacks()
	n.Hosts[0].Until = testbed.Check{Kind: testbed.TCP, Target: "server:9", Within: 50 * time.Millisecond}
	b := start(t, n, testbed.Options{})
	_, err := b.Wait(t.Context())
	failure, ok := errors.AsType[*testbed.Error](err)
	if !ok || failure.Host != "client" || !strings.Contains(err.Error(), "not ready within 50ms") || failure.Hint() == "" {
		t.Errorf("Wait: %v", err)
	}
}

// A feature that doesn't start ends everything, and the error names it.
func TestStacks_Fails(t *testing.T) {
	n := stacks()
	n.Hosts[2].Services = append(n.Hosts[2].Services, echo("7"))
	b, err := testbed.New(n, testbed.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Start(); err == nil || !strings.HasPrefix(err.Error(), "host server: echo 7: ") {
		t.Errorf("Start: %v, want the host and the feature", err)
	}
	if _, err := b.Hosts()[0].Stack().Listen("tcp", ":1"); err == nil {
		t.Error("a stack is open after Start has failed")
	}
}

// What can't be recorded ends everything, with a hint.
func TestStacks_NoCapture(t *testing.T) {
	n := stacks()
	n.Links[0].Capture = filepath.Join(t.TempDir(), "no", "file")
	b, err := testbed.New(n, testbed.Options{})
	if err != nil {
		t.Fatal(err)
	}
	err = b.Start()
	failure, ok := errors.AsType[*testbed.Error](err)
	if !ok || failure.Link != "one" || failure.Field != "capture" || !strings.HasPrefix(failure.Hint(), "make the folder first") {
		t.Errorf("Start: %v, hint %q", err, failure.Hint())
	}
}
