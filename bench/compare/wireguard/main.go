//go:build linux

// Command wireguard measures tunnels of packages wg and wgnet beside those of wireguard-go's own
// netstack: two processes, each with an end of a tunnel, with UDP over the loopback between them,
// in one run on one machine.
//
//	go run ./bench/compare/wireguard [--quick] [--only NAME,…] [--rows ROW,…] [--rounds N] [--length D]
//
// It runs in a network namespace of its own, and so needs root or unprivileged user namespaces, and
// /dev/net/tun. In each round each contender has new processes, so that what they need at the peak
// is that of the round. For figures that mean something the machine must have nothing else to do;
// the report says how much it had.
package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/spf13/pflag"

	"github.com/wsstack/wsstack/bench"
	"github.com/wsstack/wsstack/internal/netns"
)

type settings struct {
	quick    bool
	rounds   int
	length   time.Duration
	only     []string
	rows     []string
	markdown string
	profile  string
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == endRole {
		check(runEnd(os.Args[2]))
		return
	}
	var s settings
	pflag.BoolVar(&s.quick, "quick", false, "a short run, whose figures are rough")
	pflag.IntVar(&s.rounds, "rounds", bench.Rounds, "interleaved rounds")
	pflag.DurationVar(&s.length, "length", time.Second, "length of each measurement")
	pflag.StringSliceVar(&s.only, "only", nil, "contenders, such as wg,netstack; all by default")
	pflag.StringSliceVar(&s.rows, "rows", nil, "what is measured: up, down, both, http, trip, connections; all by default")
	pflag.StringVar(&s.markdown, "markdown", "", "write the tables into their section of `FILE` as well")
	pflag.StringVar(&s.profile, "profile", "", "write profiles of all processes, of CPU and of memory, into the folder `DIR`")
	pflag.Parse()
	check(netns.Enter())
	if s.quick {
		s.rounds, s.length = 3, 300*time.Millisecond
	}
	check(s.run(os.Stdout))
}

func check(err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "wireguard: %v\n", err)
		os.Exit(1)
	}
}

func (s *settings) run(w io.Writer) error {
	r := bench.Report{Title: "Tunnels", Command: "go run ./bench/compare/wireguard", Columns: columns, Bounds: bounds(), Legend: legend,
		Rounds: s.rounds, Length: s.length.String()}
	// BBR, which some kernels have by default, would measure its timer.
	if err := os.WriteFile("/proc/sys/net/ipv4/tcp_congestion_control", []byte("reno"), 0); err != nil {
		return err
	}
	r.Begin()
	var list []contender
	for _, c := range contenders {
		if len(s.only) == 0 || slices.Contains(s.only, c.name) {
			list = append(list, c)
			r.Add(c.name)
		}
	}
	for i := range s.rounds {
		for k := range list {
			k = (k + i) % len(list)
			fmt.Fprintf(os.Stderr, "round %d of %d: %s\n", i+1, s.rounds, list[k].name)
			values, err := s.round(list[k])
			if err != nil {
				return fmt.Errorf("%s: %w", list[k].name, err)
			}
			r.Rows[k].Add(values)
		}
	}
	r.Finish()
	return bench.Print(w, s.markdown, "wireguard", r.Figures)
}
