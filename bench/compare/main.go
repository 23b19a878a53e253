//go:build linux

// Command compare measures wsstack beside what a program could embed instead, such as a plain
// netstack, and beside the kernel, on several kinds of link, in one run on one machine.
//
//	go run ./bench/compare [--quick] [--only PART,…] [--peers none|NAME,…] [--rounds N] [--length D] [--markdown FILE] [--json FILE]
//
// It runs in a network namespace of its own, and so needs root or unprivileged user namespaces, and
// /dev/net/tun. Peers that are modules of their own (bench/peers) take part where they are built;
// the report says how to build the others. For figures that mean something the machine must have
// nothing else to do; the report says how much it had.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/wsstack/wsstack/bench"
	"github.com/wsstack/wsstack/internal/netns"
)

type settings struct {
	quick          bool
	rounds         int
	length         time.Duration
	only, peers    []string
	markdown, json string
	profile        string
}

// contendersRole is the first argument of this command where it has the contenders of its module.
const contendersRole = "(contenders)"

func main() {
	if len(os.Args) > 1 && os.Args[1] == contendersRole {
		check(bench.Serve(bench.Contenders(), os.Args[2:], os.Stdin, os.Stdout))
		return
	}
	var s settings
	pflag.BoolVar(&s.quick, "quick", false, "a short run, whose figures are rough")
	pflag.IntVar(&s.rounds, "rounds", bench.Rounds, "interleaved rounds")
	pflag.DurationVar(&s.length, "length", 200*time.Millisecond, "length of a transfer; most other measures take half of it")
	pflag.StringSliceVar(&s.only, "only", nil, "contenders with one of these words in their name, such as pipe")
	pflag.StringSliceVar(&s.peers, "peers", nil, "what takes part beside wsstack and the kernel, such as gonet,bufconn, or none; all by default")
	pflag.StringVar(&s.markdown, "markdown", "", "write the tables into their section of `FILE` as well")
	pflag.StringVar(&s.json, "json", "", "write everything, samples included, to `FILE`")
	pflag.StringVar(&s.profile, "profile", "", "write profiles of all processes, of CPU and of memory, into the folder `DIR`")
	pflag.Parse()
	check(netns.Enter())
	check(s.run())
}

func check(err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "compare: %v\n", err)
		os.Exit(1)
	}
}

func (s *settings) run() error {
	if s.quick {
		s.rounds, s.length = 3, 50*time.Millisecond
	}
	programs, missing, err := s.programs()
	if err != nil {
		return err
	}
	r, err := bench.Comparison{
		Programs: programs, Accept: s.accept, Rounds: s.rounds, Length: s.length, Profiles: s.profile,
		Progress: func(text string) { fmt.Fprintln(os.Stderr, text) },
	}.Run()
	if err != nil {
		return err
	}
	r.Missing = append(missing, r.Missing...)
	if err := r.Save(s.json); err != nil {
		return err
	}
	return bench.Print(os.Stdout, s.markdown, "embedding", r.Figures)
}

// programs are this one and the peers that are modules of their own, of which some may not be built.
func (s *settings) programs() (programs [][]string, missing []string, err error) {
	programs = [][]string{{"/proc/self/exe", contendersRole}}
	modules, err := filepath.Glob("bench/peers/*/go.mod")
	for _, m := range modules {
		folder := filepath.Dir(m)
		name := filepath.Base(folder)
		program := filepath.Join(folder, name)
		if !s.wants(name) {
			continue
		}
		if _, err := os.Stat(program); err != nil {
			missing = append(missing, fmt.Sprintf("%s isn't built: `go build -C %s -mod=mod`", name, folder))
			continue
		}
		programs = append(programs, []string{program})
	}
	return programs, missing, err
}

// wants reports whether a peer takes part.
func (s *settings) wants(peer string) bool {
	return len(s.peers) == 0 || slices.Contains(s.peers, peer)
}

func (s *settings) accept(c bench.Contender) bool {
	named := func(part string) bool { return strings.Contains(c.Name, part) }
	return (c.Peer == "" || s.wants(c.Peer)) && (len(s.only) == 0 || slices.ContainsFunc(s.only, named))
}
