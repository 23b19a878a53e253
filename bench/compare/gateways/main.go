//go:build linux

// Command gateways measures the way out of wsstack beside others': slirp4netns, pasta, gvproxy and
// tun2socks, as far as they are installed. Each is the way out of a network namespace with the same
// client in it, to the same server outside, in one run on one machine.
//
//	go run ./bench/compare/gateways [--quick] [--peers none|NAME,…] [--only NAME,…] [--rows ROW,…] [--rounds N]
//
// "Outside" is a network namespace of the command's own, so it needs root or unprivileged user
// namespaces, and /dev/net/tun. gvproxy takes its two programs: gvproxy and, for the namespace, the
// one that its module calls vm. For figures that mean something the machine must have nothing else
// to do.
package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/pflag"
	"github.com/vishvananda/netlink"

	"github.com/wsstack/wsstack/bench"
	"github.com/wsstack/wsstack/internal/netns"
	"github.com/wsstack/wsstack/tun"
)

type settings struct {
	quick    bool
	rounds   int
	length   time.Duration
	only     []string
	peers    []string
	rows     []string
	markdown string
	profile  string
}

// unpaced is the congestion control of all sockets: BBR, which some kernels have by default, would
// measure its timer.
const unpaced = "reno"

func main() {
	if len(os.Args) > 1 {
		if role, ok := roles[os.Args[1]]; ok {
			check(role(os.Args[2:]))
			return
		}
	}
	var s settings
	pflag.BoolVar(&s.quick, "quick", false, "a short run, whose figures are rough")
	pflag.IntVar(&s.rounds, "rounds", bench.Rounds, "interleaved rounds")
	pflag.DurationVar(&s.length, "length", 2*time.Second, "length of each measurement")
	pflag.StringSliceVar(&s.only, "only", nil, "contenders with one of these words in their name")
	pflag.StringSliceVar(&s.peers, "peers", nil, "what takes part beside wsstack, such as pasta,gvproxy, or none; all by default")
	pflag.StringSliceVar(&s.rows, "rows", nil, "what is measured: up, down, datagrams, trip, requests, http, http-close, connections; all by default")
	pflag.StringVar(&s.markdown, "markdown", "", "write the table into its section of `FILE` as well")
	pflag.StringVar(&s.profile, "cpuprofile", "", "write a CPU profile of wsstack's gateway to `FILE`")
	pflag.Parse()
	check(netns.Enter())
	if s.quick {
		s.rounds, s.length = 1, 500*time.Millisecond
	}
	check(s.run(os.Stdout))
}

// roles are what the command is as a child of itself.
var roles = map[string]func(args []string) error{
	"(server)": serverRole, "(client)": clientRole, "(gateway)": gatewayRole,
}

func check(err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "gateways: %v\n", err)
		os.Exit(1)
	}
}

// settle sets what is the same in all namespaces: the congestion control, and that no socket stays
// in TIME-WAIT.
func settle() error {
	for name, value := range map[string]string{"tcp_congestion_control": unpaced, "tcp_max_tw_buckets": "0"} {
		if err := os.WriteFile("/proc/sys/net/ipv4/"+name, []byte(value), 0); err != nil {
			return err
		}
	}
	return nil
}

// takes reports whether a contender takes part.
func (s *settings) takes(c *contender) bool {
	named := func(word string) bool { return strings.Contains(c.name, word) }
	return (c.name == ours || len(s.peers) == 0 || slices.Contains(s.peers, c.name)) &&
		(len(s.only) == 0 || slices.ContainsFunc(s.only, named))
}

// outside prepares the namespace that the ways out lead to: the server's address, and an interface
// with a default route, which pasta looks for.
func outside() error {
	if err := settle(); err != nil {
		return err
	}
	pair := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "outside", MTU: 1500}, PeerName: "beyond"}
	if err := netlink.LinkAdd(pair); err != nil {
		return err
	}
	if err := tun.Configure("beyond", tun.Config{NoAddrGen: true}); err != nil {
		return err
	}
	err := tun.Configure("outside", tun.Config{NoAddrGen: true, Addresses: prefixes("192.0.2.2/24"),
		Routes: []tun.Route{{Destination: prefixes("0.0.0.0/0")[0], Gateway: prefixes("192.0.2.1/24")[0].Addr()}}})
	if err != nil {
		return err
	}
	return tun.Configure("lo", tun.Config{Addresses: prefixes(serverAddress + "/32")})
}

func (s *settings) run(w io.Writer) error {
	if err := outside(); err != nil {
		return fmt.Errorf("prepare the namespace: %w", err)
	}
	server := exec.Command("/proc/self/exe", "(server)")
	server.Stderr = os.Stderr
	stdin, err := server.StdinPipe() // its end is the server's
	if err != nil {
		return err
	}
	if err := server.Start(); err != nil {
		return err
	}
	stopServer := sync.OnceFunc(func() { _ = stdin.Close(); _ = server.Wait() })
	defer stopServer()

	r := bench.Report{Legend: legend, Title: "The way out", Command: "go run ./bench/compare/gateways", Columns: columns(), Rounds: s.rounds, Length: s.length.String()}
	r.Begin()
	var running []*contender
	defer func() {
		for _, c := range running {
			c.stop()
		}
	}()
	for _, c := range contenders(s.profile) {
		if !s.takes(c) {
			continue
		}
		if missing := c.missing(); missing != "" {
			r.Missing = append(r.Missing, missing)
			fmt.Fprintln(os.Stderr, missing)
			continue
		}
		running = append(running, c)
		c.row = r.Add(c.name)
		c.row.Version = c.release()
		if err := c.start(); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	if len(running) > 1 && running[0].name == ours {
		r.Bounds = bounds(running[1:])
	}
	for i := range s.rounds {
		for k := range running {
			c := running[(k+i)%len(running)]
			fmt.Fprintf(os.Stderr, "round %d of %d: %s\n", i+1, s.rounds, c.name)
			if err := c.measure(s); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
		}
	}
	for _, c := range running { // last: what it leaves, it leaves to nobody
		if len(s.rows) > 0 {
			break
		}
		if err := c.idle(); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	for _, c := range running {
		c.stop()
		r.Missing = append(r.Missing, c.failures()...)
	}
	running = nil
	stopServer()
	r.Finish()
	return bench.Print(w, s.markdown, "gateways", r.Figures)
}
