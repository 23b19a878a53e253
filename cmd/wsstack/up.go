package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/wsstack/wsstack/internal/control"
	"github.com/wsstack/wsstack/internal/namespace"
	"github.com/wsstack/wsstack/internal/testbed"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/tun"
)

// upFlags are the flags of up but for those of the link and of the stack.
type upFlags struct {
	name string // of the device, or of the tunnel; "": tunName, or that of the file
	json bool

	wireguard string // the file that describes a tunnel; "": a device of this host
	services  bool   // the stack at the end of a tunnel has the services of others
	wgSocket  bool   // wg(8) finds the tunnel
}

func newUpCommand() *cobra.Command {
	cfg := defaultNetwork()
	services := &serviceFlags{}
	features := newHostFlags(services)
	var f upFlags
	cmd := &cobra.Command{
		Use:   "up [flags]",
		Short: "Run a wsstack on a TUN device of this host, or at the end of a WireGuard tunnel",
		Long: `Make a TUN device of this host and run a wsstack on it, until interrupted. The stack has
the services of "wsstack exec": a page that shows its sockets on port 80, and echo (7),
discard (9) and chargen (19), each over TCP and UDP. This host gets the next address of
each subnet. The other routes of the host, and its name service, stay as they are, with
--gateway, too: rules and routes of yours say what goes there, such as what comes from a
virtual machine. The stack's own connections must not be among it: that is a loop.

The command needs the capability CAP_NET_ADMIN; "wsstack exec" works without it, and
"wsstack doctor" says what is missing. The device disappears with the program. The exit
status is 0 after ^C or SIGTERM. On macOS and Windows the system chooses the name of the
device; nobody has run the command there yet.

` + tunnelHelp + "\n\n" + gatewayHelp + "\n\n" + wireHelp + "\n\n" + logHelp,
		Example: `  sudo wsstack up
  sudo wsstack up --name wsstack1 --address 10.78.0.1/24
  sudo wsstack up --delay 40ms --jitter 5ms --loss 0.01 --pcap bad-link.pcapng
  sudo wsstack up --json
  wsstack up --wireguard laptop.conf --publish 8080=10.88.0.2:80
  wsstack up --wireguard desktop.conf --files 80=public --forward 22=127.0.0.1:22`,
		DisableFlagsInUseLine: true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 && strings.HasSuffix(args[0], ".conf") {
				return usagef("unexpected argument %q", args[0]).withHint("for a tunnel: wsstack up --wireguard %s", args[0])
			}
			return noArguments(cmd, args)
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := f.check(cmd.Flags())
			switch {
			case err != nil:
			case f.wireguard != "":
				services.bare = !f.services
				err = upTunnel(cmd, cfg, features, services.services, f)
			default:
				err = up(cmd.OutOrStdout(), cmd.ErrOrStderr(), cfg, features, f)
			}
			return cfg.Log.failed(cmd.ErrOrStderr(), err)
		},
	}
	cmd.Flags().StringVar(&f.name, "name", "", "`NAME` of the device (default "+tunName+") or tunnel (that of FILE)")
	cmd.Flags().BoolVar(&f.json, "json", false, "print name, addresses and MTU as one line of JSON")
	cmd.Flags().StringVar(&f.wireguard, "wireguard", "", "the stack is at the end of the tunnel that `FILE` describes")
	cmd.Flags().BoolVar(&f.services, "services", false, "with --wireguard: page, echo, discard and chargen for the peers")
	cmd.Flags().BoolVar(&f.wgSocket, "wg-socket", false, "with --wireguard: let wg(8) look at the tunnel and change it")
	addLinkFlags(cmd, &cfg)
	features.addFlags(cmd.Flags())
	cfg.Control.addFlags(cmd.Flags(), true)
	return cmd
}

// check says which flags don't go together.
func (f *upFlags) check(flags *pflag.FlagSet) error {
	only := []string{"services", "wg-socket"}
	if f.wireguard != "" {
		only = []string{"address", "mtu", "congestion"}
	}
	for _, name := range only {
		switch {
		case !flags.Changed(name):
		case f.wireguard == "":
			return usagef("--%s is for the end of a tunnel", name).withHint("add --wireguard FILE, or leave it out")
		case name == "congestion":
			return usagef("--congestion is for the TCP of this host, which a tunnel doesn't lead to").withHint("leave it out")
		default:
			return usagef("--%s doesn't go with --wireguard: the file says it", name).
				withHint("write it into %s, behind [Interface]: Address = …, MTU = …", f.wireguard)
		}
	}
	return nil
}

// systemName is the name of the host that is this one.
const systemName = "system"

// up runs a stack on a TUN device of this host until a signal ends it.
func up(stdout, stderr io.Writer, cfg networkConfig, features hostFlags, f upFlags) error {
	// Not a pattern such as tun%d, of which the kernel makes the name.
	if control.CheckName(f.name) == nil {
		cfg.Control.name = f.name
	}
	f.name = cmp.Or(f.name, tunName)
	if err := cfg.validate(); err != nil {
		return err
	}
	n, err := cfg.describe(tunName, testbed.Host{Name: systemName, Kind: testbed.System}, features)
	if err != nil {
		return err
	}
	leaveProcessor(n)
	n.Links[0].Ends[1].Interface = f.name
	return runUp(stdout, stderr, cfg, n, func() error {
		if err := checkInterface(f.name); err != nil {
			return err
		}
		host, err := net.InterfaceAddrs()
		if err != nil {
			return failf("look at the addresses of this host: %w", err)
		}
		return cfg.checkFree(host)
	}, f.serve)
}

// runUp runs a network with one stack until serve returns. Before anything is made, check looks for
// what is in the way.
func runUp(stdout, stderr io.Writer, cfg networkConfig, n testbed.Network, check func() error,
	serve func(io.Writer, networkConfig, *testbed.Testbed, <-chan os.Signal) error) (err error) {
	if err := cfg.Wire.checkOutput(forUp, isTerminal(stdout)); err != nil {
		return err
	}
	release, err := awaitReaders(cfg.Wire.Pcap)
	if err != nil {
		return err
	}
	defer release()
	// Before anything is made, so that an early signal leaves nothing, either.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, endings()...)
	if err := check(); err != nil {
		return err
	}
	socket, err := cfg.Control.listen([]string{string(forUp)}, cfg.Log.logger(stderr))
	if err != nil {
		return err
	}
	socket.attach(&n)
	packets, _, err := cfg.Wire.records()
	if err != nil {
		return failf("open standard output for the packets: %w", err)
	}
	if packets != nil {
		stdout = stderr
	}
	o := cfg.Log.options(stderr)
	o.Records, o.Namespace.Use = packets, forUp.use()
	t, err := testbed.New(n, o)
	if err == nil {
		err = t.Start()
	}
	if err != nil {
		return networkFailure(err)
	}
	summary := cfg.Summary.start(t, isTerminal(stderr))
	defer func() {
		signal.Stop(signals) // the second one ends the program at once
		summary.print(stderr)
		if closed := closeNetwork(t); err == nil {
			err = closed
		}
	}()
	return serve(stdout, cfg, t, signals)
}

// serve says on which device the stack is, until a signal or the device ends it.
func (f upFlags) serve(stdout io.Writer, cfg networkConfig, t *testbed.Testbed, signals <-chan os.Signal) error {
	name, device := f.name, t.Links()[0].Device(1)
	if named, ok := device.(tun.Named); ok {
		name = named.Name()
	}
	if err := announce(stdout, cfg, name, f.json, isTerminal(stdout)); err != nil {
		return failf("print the addresses: %w", err)
	}
	if note := pacingNote(cfg.Congestion, namespace.Congestion()); isTerminal(stdout) && !f.json && note != "" {
		fmt.Fprintln(stdout, note)
	}
	return watch(device, name, signals)
}

// pacingNote says that the kernel's streams to the stack are slow, where the congestion control of
// the host paces and none was chosen for the link.
func pacingNote(chosen, system string) string {
	if chosen != "" || !namespace.Paces(system) {
		return ""
	}
	return "The TCP of this host paces (" + system + "), so its streams to the stack are slow; --congestion reno makes them fast."
}

// checkInterface looks whether an interface of this name can be made, before anything is touched.
func checkInterface(name string) error {
	if err := tun.CheckName(name); err != nil {
		return namespace.TUNError(&tun.OpenError{Name: name, Err: err}, forUp.use())
	}
	if _, err := net.InterfaceByName(name); err == nil {
		return namespace.TUNError(&tun.OpenError{Name: name, Err: tun.ErrNameTaken}, forUp.use())
	}
	return nil
}

// endings lists the signals that end up, less those that whoever started
// wsstack had set to be ignored.
func endings() []os.Signal {
	var list []os.Signal
	for _, s := range []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) {
			list = append(list, s)
		}
	}
	return list
}

// watchEvery is how long it may take to notice that the interface is gone.
const watchEvery = time.Second

// watch waits for a signal. It fails when somebody removes the interface.
func watch(device tun.Device, name string, signals <-chan os.Signal) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-signals:
			return nil
		case <-tick.C:
			// Sending nothing tells whether the device still works. The
			// interface is no measure: it may have gone to another namespace.
			if err := device.Send(nil); err != nil {
				return failf("the interface %s is gone: %w", name, err)
			}
		}
	}
}

// checkFree refuses a subnet in which this host has an address: the kernel would
// go on using the interface it knows already, and not say so.
func (c networkConfig) checkFree(host []net.Addr) error {
	for _, p := range c.Stack {
		for _, a := range host {
			prefix, err := netip.ParsePrefix(a.String())
			if err == nil && p.Contains(prefix.Addr().Unmap()) {
				return failf("the subnet %v is in use: this host has the address %v", p.Masked(), prefix.Addr()).
					withHint("choose others, such as: wsstack up --address 10.78.0.1/24 --address fd78::1/64")
			}
		}
	}
	return nil
}

// announcement is the line of --json.
type announcement struct {
	Name      string         `json:"name"`           // name of the interface
	Addresses []netip.Prefix `json:"addresses"`      // addresses of the stack
	Host      []netip.Prefix `json:"host_addresses"` // addresses of this host, in the same order
	MTU       int            `json:"mtu"`            // MTU of the link in bytes

	// Profile is the profile of the stack, where it isn't that of the documents.
	Profile string `json:"profile,omitempty"`
}

// announce says in one line that the stack is there. To a person it also says what to do with it.
func announce(w io.Writer, cfg networkConfig, name string, asJSON, person bool) error {
	peers, err := cfg.kernelAddresses()
	if err != nil {
		return err
	}
	profile := cfg.profileName()
	if asJSON {
		return writeLine(w, announcement{Name: name, Addresses: cfg.Stack, Host: peers, MTU: cfg.MTU, Profile: profile})
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s is up: the stack is %s, this host %s, MTU %d", name, hostList(cfg.Stack), hostList(peers), cfg.MTU)
	if profile != "" {
		fmt.Fprintf(&text, ", profile %s", profile)
	}
	text.WriteByte('\n')
	if person {
		cfg.Wire.announce(&text)
		text.WriteString("\nTry in another terminal:\n")
		for _, a := range cfg.hosts() {
			fmt.Fprintf(&text, "  curl %s\n", pageURL(a))
		}
		fmt.Fprintf(&text, "  ping %v\n\n^C ends it and removes the device.\n", cfg.hosts()[0])
	}
	_, err = io.WriteString(w, text.String())
	return err
}

// announce says to a person what the flags say about packets.
func (w wireConfig) announce(text *strings.Builder) {
	if bad := w.Bad.String(); bad != "" {
		text.WriteString(bad + "\n")
	}
	switch w.Pcap {
	case "":
	case standardOutput:
		text.WriteString("packets go to standard output\n")
	default:
		fmt.Fprintf(text, "packets are recorded in %s\n", w.Pcap)
	}
}

// profileName is the name of the profile, where it isn't that of the documents.
func (c networkConfig) profileName() string {
	if c.Profile == options.Documented {
		return ""
	}
	return c.Profile.String()
}

// writeLine writes a value as one line of JSON.
func writeLine(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}

func hostList(list []netip.Prefix) string {
	words := make([]string, len(list))
	for i, p := range list {
		words[i] = p.Addr().String()
	}
	return strings.Join(words, " and ")
}

// pageURL returns the address of the status page in a form for shells: brackets are a pattern in
// zsh, so they are quoted.
func pageURL(a netip.Addr) string {
	if a.Is6() {
		return fmt.Sprintf("'http://[%v]/'", a)
	}
	return fmt.Sprintf("http://%v/", a)
}
