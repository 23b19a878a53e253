//go:build linux

// Command compare measures wsstack beside a plain netstack and the kernel, on
// several kinds of link, in one run on one machine, and prints one table.
//
//	go run ./bench/compare [--quick] [--only PART,…] [--rounds N] [--length D] [--markdown FILE] [--json FILE]
//
// It runs in a network namespace of its own, and so needs root or unprivileged
// user namespaces, and /dev/net/tun. For figures that mean something the
// machine must have nothing else to do; the report says how much it had.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime/pprof"
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
	only           []string
	markdown, json string
	profile        string
}

func main() {
	var s settings
	pflag.BoolVar(&s.quick, "quick", false, "a short run, whose figures are rough")
	pflag.IntVar(&s.rounds, "rounds", bench.Rounds, "interleaved rounds")
	pflag.DurationVar(&s.length, "length", 300*time.Millisecond, "length of a transfer")
	pflag.StringSliceVar(&s.only, "only", nil, "contenders with one of these words in their name, such as pipe")
	pflag.StringVar(&s.markdown, "markdown", "", "write the tables into their section of `FILE` as well")
	pflag.StringVar(&s.json, "json", "", "write everything, samples included, to `FILE`")
	pflag.StringVar(&s.profile, "cpuprofile", "", "write a CPU profile to `FILE`: with --only, where the time goes")
	pflag.Parse()
	if err := netns.Enter(); err != nil {
		fail(err)
	}
	if err := s.run(); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintf(os.Stderr, "compare: %v\n", err)
	os.Exit(1)
}

func (s *settings) run() error {
	if s.quick {
		s.rounds, s.length = 3, 50*time.Millisecond
	}
	if s.profile != "" {
		f, err := os.Create(s.profile)
		if err == nil {
			err = pprof.StartCPUProfile(f)
		}
		if err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	r, err := bench.Run(s.rounds, s.length, s.accept, func(text string) { fmt.Fprintln(os.Stderr, text) })
	if err != nil {
		return err
	}
	if err := bench.Print(os.Stdout, s.markdown, "embedding", r.Markdown); err != nil {
		return err
	}
	if s.json == "" {
		return nil
	}
	return write(s.json, func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", "\t")
		return e.Encode(r)
	})
}

func (s *settings) accept(name string) bool {
	for _, part := range s.only {
		if strings.Contains(name, part) {
			return true
		}
	}
	return len(s.only) == 0
}

func write(name string, body func(io.Writer) error) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	err = body(f)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}
