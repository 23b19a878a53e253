//go:build linux

// Command scale measures 1 to 100,000 connections between two stacks in memory, of wsstack and of a
// plain netstack (gonet), in one run on one machine: idle, probed, and busy.
//
//	go run ./bench/compare/scale [--quick] [--only NAME,…] [--counts N,…] [--rounds N] [--length D]
//	    [--markdown FILE] [--json FILE] [--plots DIR]
//
// Each measure has a process of its own, so that it finds a heap that nobody has used. 100,000
// connections take 2 GB of memory. For figures that mean something the machine must have nothing
// else to do; the report says how much it had.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/wsstack/wsstack/bench"
)

type settings struct {
	quick          bool
	rounds         int
	length         time.Duration
	only           []string
	counts         []int
	markdown, json string
	plots          string
	progress       io.Writer
}

// measureRole is what the command is as a child of itself.
const measureRole = "(measure)"

func main() {
	if len(os.Args) == 5 && os.Args[1] == measureRole {
		check(measure(os.Args[2], os.Args[3], os.Args[4], os.Stdout))
		return
	}
	s := settings{progress: os.Stderr}
	pflag.BoolVar(&s.quick, "quick", false, "a short run up to 1,000 connections, whose figures are rough")
	pflag.IntVar(&s.rounds, "rounds", 3, "interleaved rounds")
	pflag.DurationVar(&s.length, "length", 300*time.Millisecond, "length of each measurement")
	pflag.StringSliceVar(&s.only, "only", nil, "contenders, wsstack or gonet; both by default")
	pflag.IntSliceVar(&s.counts, "counts", []int{1, 10, 100, 1000, 10_000, 100_000}, "numbers of connections")
	pflag.StringVar(&s.markdown, "markdown", "", "write the tables into their section of `FILE` as well")
	pflag.StringVar(&s.json, "json", "", "write everything, samples included, to `FILE`")
	pflag.StringVar(&s.plots, "plots", "", "write plots into the folder `DIR`; docs/plots by default where there is --markdown")
	pflag.Parse()
	if s.quick {
		s.rounds, s.length, s.counts = 1, 100*time.Millisecond, []int{1, 10, 100, 1000}
	}
	if s.plots == "" && s.markdown != "" {
		s.plots = "docs/plots"
	}
	check(s.run(os.Stdout))
}

func check(err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "scale: %v\n", err)
		os.Exit(1)
	}
}

// makers make the contenders.
var makers = map[string]bench.Maker{ours: bench.Wsstack, theirs: bench.Gonet}

// measure is the role of a child: it writes the figures as JSON.
func measure(name, count, length string, w io.Writer) error {
	n, err := strconv.Atoi(count)
	if err == nil && n < 1 {
		err = errors.New("a number of connections is 1 at least")
	}
	if err != nil {
		return err
	}
	d, err := time.ParseDuration(length)
	if err != nil {
		return err
	}
	values, err := bench.Crowd(makers[name], n, d)
	if err != nil {
		return err
	}
	return json.NewEncoder(w).Encode(values)
}

// patience is how long a contender may take for one number of connections.
const patience = time.Minute

// child measures a contender in a process of its own. An error says why there are no figures.
func (s *settings) child(name string, count int) (map[bench.Column]float64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var reason strings.Builder
	c := exec.CommandContext(ctx, "/proc/self/exe", measureRole, name, strconv.Itoa(count), s.length.String())
	c.Stderr = &reason
	out, err := c.Output()
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("it wasn't through after %v", patience)
	case err != nil && reason.Len() > 0:
		first, _, _ := strings.Cut(reason.String(), "\n")
		return nil, errors.New(strings.TrimPrefix(first, "scale: "))
	case err != nil:
		return nil, err
	}
	var values map[bench.Column]float64
	return values, json.Unmarshal(out, &values)
}

func (s *settings) run(w io.Writer) error {
	r := &bench.Report{
		Title: "Many connections", Command: "go run ./bench/compare/scale", Columns: bench.CrowdColumns, Bounds: bounds(s.counts), Legend: legend,
		Rounds: s.rounds, Length: s.length.String(),
	}
	r.Begin()
	type contender struct {
		name  string
		count int
		row   *bench.Row
	}
	var list []*contender
	for _, name := range []string{ours, theirs} {
		for _, count := range s.counts {
			if len(s.only) > 0 && !slices.Contains(s.only, name) {
				continue
			}
			c := &contender{name, count, r.Add(title(name, count))}
			c.row.Group = name + ", by the number of connections"
			list = append(list, c)
		}
	}
	for i := range s.rounds {
		for k := range list {
			c := list[(k+i)%len(list)]
			if c.row == nil {
				continue // it has failed
			}
			fmt.Fprintf(s.progress, "round %d of %d: %s\n", i+1, s.rounds, c.row.Name)
			values, err := s.child(c.name, c.count)
			if err != nil {
				r.Missing = append(r.Missing, fmt.Sprintf("%s: %v.", c.row.Name, err))
				c.row.Samples, c.row = map[bench.Column][]float64{}, nil
				continue
			}
			c.row.Add(values)
		}
	}
	r.Finish()
	if err := r.Save(s.json); err != nil {
		return err
	}
	if s.plots != "" {
		names, err := s.draw(r)
		if err != nil {
			return err
		}
		r.Legend += names
	}
	return bench.Print(w, s.markdown, "scale", r.Figures)
}
