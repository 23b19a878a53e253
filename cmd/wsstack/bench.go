package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/wsstack/wsstack/internal/control"
	"github.com/wsstack/wsstack/internal/iperf3"
	"github.com/wsstack/wsstack/tun"
)

// benchFlags are the flags of bench.
type benchFlags struct {
	networkFlags
	server, one bool
	json        bool
	time        time.Duration
	omit        time.Duration
	rate        uint64
	bytes       int64
	options     []string
	params      iperf3.Params
}

func newBenchCommand() *cobra.Command {
	var f benchFlags
	cmd := &cobra.Command{
		Use:   "bench [flags] ADDRESS[:PORT] | --server [[ADDRESS:]PORT]",
		Short: "Measure throughput from the stack of a running network, as iperf3 does",
		Long: `Measure throughput between a stack of a running exec, up or run and a server of iperf3, or
be the server of tests (--server). The protocol is that of iperf3 3.12: the other side is
that program, or another bench. The short flags are those of iperf3. The port is 5201
unless given. In "exec --serve 5201=iperf3" the stack is a server from the start.

--json prints a report with the names that iperf3 has in its own.`,
		Example: `  wsstack bench 10.77.0.2                # against iperf3 -s in the network
  wsstack bench -u -b 100M -t 5s 10.77.0.2
  wsstack bench --reverse --parallel 4 --json 10.77.0.2 | jq .end.sum_received
  wsstack bench --server --one           # and in the network: iperf3 -c 10.77.0.1`,
		DisableFlagsInUseLine: true,
		Args:                  func(_ *cobra.Command, args []string) error { return f.check(args) },
		RunE: func(cmd *cobra.Command, args []string) error {
			r := benchRequest{Host: f.host, Server: f.server, One: f.one, Options: f.options, Params: f.complete()}
			r.Address = benchAddress(args)
			if err := r.Params.Check(); err != nil && !f.server {
				return usagef("%w", err).withHint("run %q to see the flags", cmd.CommandPath()+" --help")
			}
			return f.withClient(cmd, func(ctx context.Context, client *control.Client) error {
				return talkFailure(ctx, f.bench(ctx, client, r, cmd.OutOrStdout(), cmd.ErrOrStderr()))
			})
		},
	}
	f.networkFlags.addFlags(cmd.Flags(), true)
	flags, p := cmd.Flags(), &f.params
	flags.BoolVarP(&f.server, "server", "s", false, "be the server of tests, until ^C")
	flags.BoolVarP(&f.one, "one", "1", false, "with --server: end after one test")
	flags.BoolVarP(&f.json, "json", "J", false, "print the report as JSON")
	flags.BoolVarP(&p.UDP, "udp", "u", false, "send datagrams, 1 Mbit/s of them unless --rate is given")
	flags.VarP(newParsed(&f.time, parseSeconds), "time", "t", "`DURATION` of the test, such as 10s (default 10s)")
	flags.VarP(newParsed(&f.omit, parseSeconds), "omit", "O", "`DURATION` at the start that doesn't count")
	flags.VarP(newParsed(&f.bytes, parseAmount), "bytes", "n", "move so many `BYTES`, such as 100M, instead of --time")
	flags.VarP(newParsed(&f.rate, parseBits), "rate", "b", "`BITS` a second of each stream, such as 100M (default: no limit)")
	flags.IntVarP(&p.Parallel, "parallel", "P", 1, "`NUMBER` of streams")
	flags.BoolVarP(&p.Reverse, "reverse", "R", false, "the server sends, and the stack receives")
	flags.BoolVar(&p.Bidirectional, "bidir", false, "both send")
	flags.IntVarP(&p.Len, "length", "l", 0, "`BYTES` of a write, or of a datagram (default 131072, or 1460)")
	flags.IntVarP(&p.Window, "window", "w", 0, "`BYTES` of SO_SNDBUF and SO_RCVBUF")
	flags.Var(&textOptionFlag{&f.options}, "sockopt", "option of the sockets, such as TCP_NODELAY=1; \"wsstack options\" has all")
	return cmd
}

// check says what is wrong with the arguments.
func (f *benchFlags) check(args []string) error {
	switch {
	case len(args) > 1:
		return usagef("unexpected argument %q", args[1]).withHint("bench takes one address")
	case len(args) == 0 && !f.server:
		return usagef("bench needs the address of a server").withHint("wsstack bench 10.77.0.2, where iperf3 -s runs")
	case f.one && !f.server:
		return usagef("--one is about a server").withHint("wsstack bench --server --one")
	case f.time != 0 && f.bytes != 0:
		return usagef("--time and --bytes both say when the test ends").withHint("leave one of them out")
	}
	return nil
}

// complete returns the parameters of a test.
func (f *benchFlags) complete() iperf3.Params {
	p := f.params
	p.Time, p.Omit, p.Num, p.Bandwidth = int(f.time/time.Second), int(f.omit/time.Second), f.bytes, f.rate
	if p.UDP && p.Bandwidth == 0 {
		p.Bandwidth = iperf3.DefaultUDPRate
	}
	if p.UDP {
		p.Counters64 = 1
	}
	return p.Complete()
}

// benchAddress is the address of a server: with the port of iperf3, unless it has one, or is one.
func benchAddress(args []string) string {
	if len(args) == 0 {
		return net.JoinHostPort("", strconv.Itoa(iperf3.DefaultPort))
	}
	if _, _, err := net.SplitHostPort(args[0]); err == nil {
		return args[0]
	}
	if _, err := strconv.ParseUint(args[0], 10, 16); err == nil { // of a server
		return net.JoinHostPort("", args[0])
	}
	return net.JoinHostPort(args[0], strconv.Itoa(iperf3.DefaultPort))
}

// parseSeconds reads a time in whole seconds, or a number of them, as iperf3 has it.
func parseSeconds(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if n, number := strconv.Atoi(text); number == nil {
		d, err = time.Duration(n)*time.Second, nil
	}
	if err != nil || d <= 0 || d%time.Second != 0 || d > 24*time.Hour {
		return 0, errors.New("not a time in whole seconds, such as 10s, up to a day")
	}
	return d, nil
}

// parseAmount reads a number of bytes that may end in k, M or G.
func parseAmount(text string) (int64, error) {
	n, err := parseBits(text)
	if err != nil || n == 0 || n > 1<<50 {
		return 0, errors.New("not a number of bytes, such as 100M")
	}
	return int64(n), nil
}

// parseBits reads a number that may end in k, M or G, as the rate of a link.
func parseBits(text string) (uint64, error) {
	var m tun.Impairment
	rate, _ := tun.FindParameter("rate")
	if err := rate.Set(&m, text); err != nil {
		return 0, err
	}
	return uint64(m.Rate), nil
}

// bench asks the network for the test, and prints what it is told.
func (f *benchFlags) bench(ctx context.Context, client *control.Client, r benchRequest, stdout, stderr io.Writer) error {
	stream, err := client.Stream(ctx, benchKind, r, nil)
	if err != nil {
		return err
	}
	defer stream.Close()
	stop := context.AfterFunc(ctx, func() { _ = stream.Close() })
	defer stop()
	in, reported := json.NewDecoder(stream), false
	for {
		var e benchEvent
		if err := in.Decode(&e); err != nil {
			if errors.Is(err, io.EOF) || r.One && reported || reported && !r.Server {
				return nil
			}
			return err
		}
		if err := f.print(e, stdout, stderr); err != nil {
			return failf("print the report: %w", err)
		}
		reported = reported || e.Report != nil || e.Failed != ""
		if reported && !r.Server {
			return nil
		}
	}
}

// print prints an event.
func (f *benchFlags) print(e benchEvent, stdout, stderr io.Writer) (err error) {
	switch {
	case e.Ready != "":
		_, err = fmt.Fprintf(stderr, "serving tests on %s\n", e.Ready)
	case e.Failed != "":
		_, err = fmt.Fprintf(stderr, "wsstack: error: %s\n", oneLine(e.Failed))
	case e.Interval != nil && !f.json:
		omitted := ""
		if e.Interval.Sum.Omitted {
			omitted = "  doesn't count"
		}
		_, err = fmt.Fprintf(stdout, "         %s%s\n", &e.Interval.Sum, omitted)
	case e.Report != nil && f.json:
		err = writeJSON(stdout, e.Report)
	case e.Report != nil:
		_, err = io.WriteString(stdout, e.Report.Text())
	}
	return err
}
