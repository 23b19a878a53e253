package main

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

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
		f.StringVar(&c.name, "name", "", "`NAME` of the network, for commands such as \"wsstack stat\"")
	}
	f.BoolVar(&c.inside, "control-inside", false, "let programs in the network control it, through $WSSTACK_CONTROL")
	f.BoolVar(&c.none, "no-control", false, "make no control socket, so that nobody can look at the network")
}

// A controlSocket is the control socket of a network; nil: the network has none.
type controlSocket struct {
	config control.Config
	file   string       // the name of the socket's file
	wanted bool         // somebody has asked for it
	logger *slog.Logger // hears that it can't be made, if nobody has
	server *control.Server
}

// listen returns the control socket of a network that runs a command. Its file is made by the
// feature, when whoever would remove it after a crash is there. Without a directory for it, the
// network runs all the same, and the logger hears that, unless somebody has asked for the socket.
func (c *controlFlags) listen(command []string, logger *slog.Logger) (*controlSocket, error) {
	if c.none {
		return nil, nil
	}
	name := c.name
	if name == "" {
		name = control.NameFor(command[0])
	}
	s := &controlSocket{
		config: control.Config{Name: name, Command: command, Version: version(), Inside: c.inside},
		wanted: c.name != "" || c.inside,
		logger: logger,
	}
	var err error
	if s.file, err = control.Path(name); err != nil {
		return nil, s.complain(err)
	}
	return s, nil
}

// complain returns an error, or logs it where nobody has asked for the socket.
func (c *controlSocket) complain(err error) error {
	if c.wanted {
		return err
	}
	c.logger.Info("nobody can look at the network", "error", err)
	return nil
}

// attach adds the socket to a network: its file is made after all namespaces, and before any
// command. The network closes it.
func (c *controlSocket) attach(n *testbed.Network) {
	if c == nil {
		return
	}
	for i := range slices.Backward(n.Hosts) {
		if h := &n.Hosts[i]; !h.Remote && (h.Kind == testbed.Stack || h.Kind == testbed.Router) {
			h.Services = append(slices.Clip(h.Services), testbed.Feature{Text: "control socket", Start: c.start})
			return
		}
	}
}

// start is the Start of the feature.
func (c *controlSocket) start(h *testbed.RunningHost) (io.Closer, error) {
	if err := c.serve(h.Testbed()); err != nil {
		return nil, err
	}
	return c, nil
}

// options adds what those options have for it that make the namespaces.
func (c *controlSocket) options(o *testbed.Options) {
	if c == nil {
		return
	}
	o.Namespace.Leftover = c.file
	if !c.config.Inside {
		o.Namespace.Hide = append(o.Namespace.Hide, filepath.Dir(c.file))
	}
}

// environment returns the environment of a command in the network: with --control-inside it has the
// socket, and otherwise none, not even that of a network around this one.
func (c *controlSocket) environment(environ []string) []string {
	environ = slices.DeleteFunc(slices.Clone(environ), func(entry string) bool {
		return strings.HasPrefix(entry, control.Environment+"=")
	})
	if c != nil && c.config.Inside {
		environ = append(environ, control.Environment+"="+c.file)
	}
	return environ
}

// serve makes the socket and begins to serve clients, unless the feature has.
func (c *controlSocket) serve(t *testbed.Testbed) error {
	if c == nil || c.server != nil {
		return nil
	}
	server, err := control.Listen(c.config)
	if err != nil {
		return c.complain(err)
	}
	c.server = server
	for _, h := range t.Hosts() {
		if h.Stack() != nil {
			server.AddHost(h.Name(), h.Stack())
		}
	}
	for _, l := range t.Links() {
		server.AddLink(control.Link{Name: l.Name(), Ends: l.Hosts(), Foreign: l.Foreign(), Impaired: l.Impaired(), Captured: l.Captured()})
	}
	network := func() status.Network {
		n := networkOf(t)
		n.Name = c.config.Name
		n.Names = append(n.Names, "wsstack") // as the guard of the socket has it
		return n
	}
	server.Handle("GET /v1/status", control.JSON(func(*http.Request) (any, error) { return status.NewReport(network(), 0), nil }))
	server.Handle("GET /v1/wireguard", control.JSON(func(*http.Request) (any, error) { return tunnelsOf(t), nil }))
	server.Handle("GET /metrics", newMetrics(network))
	server.Handle("GET /{$}", newPage(network))
	registerBench(server, stackFinder(t))
	server.Start()
	return nil
}

// Close ends the socket.
func (c *controlSocket) Close() error {
	if c == nil || c.server == nil {
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

// withClient gives a client of the network to what talks with it. ^C or SIGTERM ends its context.
func (n *networkFlags) withClient(cmd *cobra.Command, talk func(context.Context, *control.Client) error) error {
	ctx := cmd.Context()
	if ctx == nil {
		ctx = context.Background()
	}
	ctx, cancel := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer cancel()
	client, err := control.Find(ctx, n.network)
	if err != nil {
		return err
	}
	defer client.Close()
	return talk(ctx, client)
}
