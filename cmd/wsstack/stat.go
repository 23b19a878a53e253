package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/wsstack/wsstack/internal/control"
	"github.com/wsstack/wsstack/internal/status"
)

// statFlags are the flags of stat.
type statFlags struct {
	networkFlags
	filters [len(statFilters)]string
	watch   time.Duration
	json    bool
}

// statFilters are the flags of stat that choose sockets. Their names are those of the requests.
var statFilters = [...]struct{ name, help string }{
	{"state", "sockets in these `STATES`, such as listen or established,close-wait"},
	{"net", "sockets of a `NETWORK`: tcp, tcp4, tcp6, udp, …"},
	{"port", "sockets with this `PORT` at either end"},
	{"local", "sockets with this local `ADDRESS`: 10.77.0.1, 10.77.0.0/24, :80 or both"},
	{"remote", "sockets with such a peer `ADDRESS`"},
}

func newStatCommand() *cobra.Command {
	var f statFlags
	cmd := &cobra.Command{
		Use:   "stat [flags]",
		Short: "Print the sockets of a running network, as ss -tin does",
		Long: `Print the sockets of the stacks in a running exec, up or run: number, state, queues and
addresses of each, and what TCP knows of a connection. The names are those of ss -tin,
as far as it has them. Sizes are in bytes, the congestion window's too, and times in
milliseconds. Behind the connection stand the options that aren't as they were at first.

Several filters choose the sockets that match all of them.`,
		Example: `  wsstack stat
  wsstack stat --state established --port 80 --watch
  wsstack stat --json | jq '.sockets[].tcp.cwnd'
  wsstack stat --network curl-4711 --host router`,
		DisableFlagsInUseLine: true,
		Args:                  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.withClient(cmd, func(ctx context.Context, client *control.Client) error {
				return f.run(ctx, client, cmd.OutOrStdout())
			})
		},
	}
	flags := cmd.Flags()
	f.addFlags(flags, true)
	for i, filter := range statFilters {
		flags.StringVar(&f.filters[i], filter.name, "", filter.help)
	}
	flags.Var(newParsed(&f.watch, parseInterval), "watch", "print again after this `TIME`, until ^C (default 1s)")
	flags.Lookup("watch").NoOptDefVal = "1s"
	flags.BoolVar(&f.json, "json", false, "print JSON; with --watch, one line each time")
	return cmd
}

// parseInterval reads the time between two outputs.
func parseInterval(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d < 10*time.Millisecond || d > 24*time.Hour {
		return 0, errors.New("not a time from 10ms to 24h, such as 0.5s")
	}
	return d, nil
}

// query is the request for the sockets.
func (f *statFlags) query() url.Values {
	query := url.Values{}
	if f.host != "" {
		query.Set("host", f.host)
	}
	for i, filter := range statFilters {
		if f.filters[i] == "" {
			continue
		}
		name := filter.name
		if name == "net" {
			name = "network" // --network chooses the network
		}
		query.Set(name, f.filters[i])
	}
	return query
}

// run prints the sockets, once or again and again.
func (f *statFlags) run(ctx context.Context, client *control.Client, w io.Writer) error {
	clear := f.watch > 0 && !f.json && isTerminal(w)
	for first := true; ; first = false {
		sockets, err := client.Sockets(ctx, f.query())
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !first:
			return failf("the network %s has ended", client.Network().Name)
		case err != nil:
			return err
		}
		if err := f.print(w, client.Network(), sockets, clear); err != nil {
			return failf("print the sockets: %w", err)
		}
		if f.watch == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(f.watch):
		}
	}
}

// print prints the sockets in the form that the flags ask for.
func (f *statFlags) print(w io.Writer, n control.Network, s control.Sockets, clear bool) error {
	switch {
	case f.json && f.watch > 0:
		return json.NewEncoder(w).Encode(s)
	case f.json:
		return writeJSON(w, s)
	}
	var text strings.Builder
	if clear {
		text.WriteString("\x1b[H\x1b[2J")
	}
	if f.watch > 0 {
		fmt.Fprintf(&text, "%s  %s\n", time.Now().Format("15:04:05.000"), n.Name)
	}
	printSockets(&text, s, len(n.Hosts) > 1)
	_, err := io.WriteString(w, text.String())
	return err
}

// printSockets prints a table of sockets, with a line about each connection.
func printSockets(text *strings.Builder, s control.Sockets, hosts bool) {
	// The lines of connections go between the rows afterwards: they have no columns.
	var table strings.Builder
	t := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	host := func(name string) string {
		if hosts {
			return name + "\t"
		}
		return ""
	}
	fmt.Fprintf(t, "%sID\tNET\tSTATE\tRECV-Q\tSEND-Q\tLOCAL\tPEER\n", host("HOST"))
	for _, one := range s.Sockets {
		fmt.Fprintf(t, "%s%d\t%s\t%s\t%d\t%d\t%s\t%s\n", host(one.Host), one.ID, one.Network, one.State,
			one.RecvQueue, one.SendQueue, cmp.Or(one.Local, "-"), cmp.Or(one.Remote, "-"))
	}
	_ = t.Flush() // a Builder takes everything
	for i, line := range strings.SplitAfter(table.String(), "\n") {
		text.WriteString(line)
		if i == 0 || i > len(s.Sockets) {
			continue
		}
		if words := describeSocket(&s.Sockets[i-1].Socket); len(words) > 0 {
			fmt.Fprintf(text, "\t %s\n", strings.Join(words, " "))
		}
	}
	if s.More > 0 {
		fmt.Fprintf(text, "… and %d more; filters such as --state and --port choose some\n", s.More)
	}
}

// describeSocket returns what there is to say of a socket besides its row.
func describeSocket(s *status.Socket) []string {
	var words []string
	if t := s.TCP; t != nil {
		words = describeTCP(t)
	}
	if s.Connected != "" {
		words = append(words, "connected:"+s.Connected)
	}
	for _, o := range s.Options {
		words = append(words, o.Symbol+"="+strings.ReplaceAll(o.Value, " ", ""))
	}
	return words
}

// describeTCP returns what TCP knows of a connection, in the words of ss -i where it has some.
// Numbers that count something rare are left out while they are 0.
func describeTCP(t *status.TCP) []string {
	words := []string{strings.ToLower(t.Congestion)}
	if t.Phase != "" {
		words = append(words, strings.ReplaceAll(t.Phase, " ", "-"))
	}
	for _, flag := range []struct {
		on   bool
		word string
	}{{t.Timestamps, "ts"}, {t.SACK, "sack"}} {
		if flag.on {
			words = append(words, flag.word)
		}
	}
	words = append(words, "rto:"+millis(t.RTO))
	if t.RTT > 0 {
		words = append(words, "rtt:"+millis(t.RTT)+"/"+millis(t.RTTVar), "minrtt:"+millis(t.MinRTT))
	}
	for _, n := range []struct {
		name   string
		n      uint64
		always bool
	}{
		{"mss", uint64(t.MSS), true},
		{"cwnd", uint64(t.Cwnd), true},
		{"ssthresh", uint64(t.SSThresh), false},
		{"bytes_sent", t.BytesOut, true},
		{"bytes_acked", t.BytesAcked, true},
		{"bytes_received", t.BytesIn, true},
		{"unacked", uint64(t.InFlight), false},
		{"snd_wnd", uint64(t.SndWnd), true},
		{"rcv_wnd", uint64(t.RcvWnd), true},
		{"retrans", t.Resent, false},
		{"bytes_retrans", t.BytesResent, false},
		{"syn_retrans", uint64(t.SynResent), false},
		{"fast_recoveries", t.Fast, false},
		{"timeouts", t.Timeouts, false},
		{"dup_acks", t.DupAcksIn, false},
		{"rcv_ooopack", t.EarlySegments, false},
		{"rcv_ooobytes", t.EarlyBytes, false},
	} {
		if n.always || n.n > 0 {
			words = append(words, n.name+":"+strconv.FormatUint(n.n, 10))
		}
	}
	return words
}

// millis returns a number of microseconds as milliseconds.
func millis(us int64) string { return strconv.FormatFloat(float64(us)/1000, 'f', -1, 64) }
