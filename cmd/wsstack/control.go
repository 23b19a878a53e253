package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/wsstack/wsstack/internal/control"
	"github.com/wsstack/wsstack/internal/status"
	"github.com/wsstack/wsstack/internal/testbed"
)

// controlFlags are the flags of the control socket of exec, up and run.
type controlFlags struct {
	name   string // of the network; "": made of the command and the process
	inside bool
	none   bool
}

// addFlags adds the flags. ownName says that the command has a flag --name of its own.
func (c *controlFlags) addFlags(f *pflag.FlagSet, ownName bool) {
	if !ownName {
		f.StringVar(&c.name, "name", "", "`NAME` of the network, for stat, set, link, capture, connect and listen")
	}
	f.BoolVar(&c.inside, "control-inside", false, "let programs in the network control it, through $WSSTACK_CONTROL")
	f.BoolVar(&c.none, "no-control", false, "make no control socket, so that nobody can look at the network")
}

// A controlSocket is the control socket of a network; nil: the network has none.
type controlSocket struct {
	server *control.Server
	name   string
	inside bool
}

// listen makes the control socket of a network that runs a command. Without a directory for it, the
// network runs all the same, and warnings says so, unless somebody has asked for the socket.
func (c *controlFlags) listen(command []string, warnings io.Writer) (*controlSocket, error) {
	if c.none {
		return nil, nil
	}
	name := c.name
	if name == "" {
		name = control.NameFor(command[0])
	}
	server, err := control.Listen(control.Config{Name: name, Command: command, Version: version(), Inside: c.inside})
	if err == nil {
		return &controlSocket{server, name, c.inside}, nil
	}
	if c.name != "" || c.inside {
		return nil, err
	}
	f := failureOf(err)
	f.text += ", so nobody can look at the network"
	f.warn(warnings)
	return nil, nil
}

// path is the name of the socket's file; "": there is none.
func (c *controlSocket) path() string {
	if c == nil {
		return ""
	}
	return c.server.Path()
}

// environment is what the environment of a command has besides.
func (c *controlSocket) environment() []string {
	if c == nil || !c.inside {
		return nil
	}
	return []string{control.Environment + "=" + c.server.Path()}
}

// serve begins to serve clients, when the network runs.
func (c *controlSocket) serve(t *testbed.Testbed) {
	if c == nil {
		return
	}
	network := func() status.Network { return describeNetwork(c.name, t) }
	n := network()
	for _, h := range t.Hosts() {
		if h.Stack() != nil {
			c.server.AddHost(h.Name(), h.Stack())
		}
	}
	for _, l := range t.Links() {
		c.server.AddLink(control.Link{Name: l.Name(), Ends: l.Hosts(), Impaired: l.Impaired(), Captured: l.Captured()})
	}
	_ = n
	page := newPage(network)
	c.server.Handle("GET /v1/status", page)
	c.server.Handle("GET /metrics", page)
	c.server.Handle("GET /{$}", page)
	c.server.Start()
}

// close ends the socket.
func (c *controlSocket) close() error {
	if c == nil {
		return nil
	}
	return c.server.Close()
}

// networkFlags choose the running network that a command is about.
type networkFlags struct {
	network string
	host    string
}

// addFlags adds the flags; hosts says that the command is about one of its stacks.
func (n *networkFlags) addFlags(f *pflag.FlagSet, hosts bool) {
	f.StringVar(&n.network, "network", "", "`NAME` of the network, where several are running")
	if hosts {
		f.StringVar(&n.host, "host", "", "`NAME` of the host whose stack it is, where the network has several")
	}
}

// open returns a client of the network.
func (n *networkFlags) open(ctx context.Context) (*control.Client, error) {
	return control.Find(ctx, n.network)
}

// interruptible is a context that ends with ^C or SIGTERM.
func interruptible(cmd *cobra.Command) (context.Context, context.CancelFunc) {
	ctx := cmd.Context()
	if ctx == nil {
		ctx = context.Background()
	}
	return signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
}

var _ http.Handler
var _ time.Time
