//go:build linux

// Command loss measures one stream over a bad link, from wsstack and from Linux to the same
// receiver, a kernel, in one run on one machine.
//
//	go run ./bench/compare/loss [--quick] [--only NAME,…] [--rounds N] [--length D] [--markdown FILE] [--json FILE]
//
// It runs in a network namespace of its own, and so needs root or unprivileged user namespaces, and
// /dev/net/tun. The senders of a round have links of their own and run at the same time, which a
// machine with something else to do disturbs; the report says how much it had.
package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/pflag"

	"github.com/wsstack/wsstack/bench"
	"github.com/wsstack/wsstack/internal/netns"
	"github.com/wsstack/wsstack/tun"
)

type settings struct {
	quick          bool
	rounds         int
	length         time.Duration
	only           []string
	markdown, json string
}

func main() {
	var s settings
	pflag.BoolVar(&s.quick, "quick", false, "a short run, whose figures are rough")
	pflag.IntVar(&s.rounds, "rounds", bench.Rounds, "rounds, each with all senders at the same time")
	pflag.DurationVar(&s.length, "length", 3*time.Second, "length of a transfer, from its beginning")
	pflag.StringSliceVar(&s.only, "only", nil, "senders with one of these words in their name, such as Linux")
	pflag.StringVar(&s.markdown, "markdown", "", "write the tables into their section of `FILE` as well")
	pflag.StringVar(&s.json, "json", "", "write everything, samples included, to `FILE`")
	pflag.Parse()
	err := netns.Enter()
	if err == nil {
		err = s.run(os.Stdout)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "loss: %v\n", err)
		os.Exit(1)
	}
}

// A fault is a link of the comparison.
type fault struct {
	column bench.Column
	lot    tun.Impairment // of both directions
}

var faults = []fault{
	{"clean, Mbit/s", tun.Impairment{}},
	{"loss 0.1 %, Mbit/s", tun.Impairment{Loss: 0.001}},
	{"loss 1 %, Mbit/s", tun.Impairment{Loss: 0.01}},
	{"reordering 1 %, Mbit/s", tun.Impairment{Reorder: 0.01}},
}

// The link: 100 Mbit/s, a round trip of 40 ms, and a queue that holds the product of both.
const (
	linkRate  = 100_000_000 // bits a second
	linkDelay = 20 * time.Millisecond
	linkQueue = linkRate / 8 * 40 / 1000
)

func (f fault) impairment() tun.Impairment {
	m := f.lot
	m.Rate, m.Delay, m.Queue = linkRate, linkDelay, linkQueue
	return m
}

// A sender is a contender.
type sender struct {
	name string
	crowd
}

// senders are all of them; a kernel may lack a congestion control.
var senders = []sender{
	{ourCUBIC, crowd{ours: true, control: "cubic", size: 1}},
	{ourReno, crowd{ours: true, control: "reno", size: 1}},
	{"Linux, CUBIC", crowd{control: "cubic", size: 1}},
	{"Linux, Reno", crowd{control: "reno", size: 1}},
	{"Linux, BBR", crowd{control: "bbr", size: 1}},
}

const (
	ourCUBIC = "wsstack, CUBIC"
	ourReno  = "wsstack, NewReno"
)

// bounds say that a congestion control of ours is as fast as the same one of Linux, or not far
// behind: chance decides which packets a short transfer loses.
func bounds() (list []bench.Bound) {
	for _, f := range faults {
		list = append(list, bench.Bound{Column: f.column, Of: ourCUBIC, To: "Linux, CUBIC", Least: 0.9},
			bench.Bound{Column: f.column, Of: ourReno, To: "Linux, Reno", Least: 0.9},
			bench.Bound{Column: f.column, Of: ourCUBIC, To: "Linux, BBR"})
	}
	return list
}

func (s *settings) run(w io.Writer) error {
	if s.quick {
		s.rounds, s.length = 1, 500*time.Millisecond
	}
	r := &bench.Report{Title: "Bad links", Command: "go run ./bench/compare/loss", Bounds: bounds(), Legend: legend, Rounds: s.rounds, Length: s.length.String()}
	for _, f := range faults {
		r.Columns = append(r.Columns, f.column)
	}
	r.Begin()
	known, err := os.ReadFile("/proc/sys/net/ipv4/tcp_available_congestion_control")
	if err != nil {
		return err
	}
	var list []sender
	for _, c := range senders {
		if len(s.only) > 0 && !slices.ContainsFunc(s.only, func(word string) bool { return strings.Contains(c.name, word) }) {
			continue
		}
		if !c.ours && !slices.Contains(strings.Fields(string(known)), c.control) {
			r.Missing = append(r.Missing, fmt.Sprintf("%s: this kernel hasn't loaded it; `modprobe tcp_%s` does, where it has the module.", c.name, c.control))
			continue
		}
		list = append(list, c)
		r.Add(c.name)
	}
	for i := range s.rounds {
		for k := range faults {
			f := faults[(k+i)%len(faults)]
			fmt.Fprintf(os.Stderr, "round %d of %d: %s\n", i+1, s.rounds, f.column)
			rates, err := race(list, f, i, s.length)
			if err != nil {
				return err
			}
			for k, v := range rates {
				r.Rows[k].Add(map[bench.Column]float64{f.column: v})
			}
		}
	}
	r.Finish()
	if err := r.Save(s.json); err != nil {
		return err
	}
	return bench.Print(w, s.markdown, "loss", r.Figures)
}

// race has each sender send over a link of its own with a fault, all at the same time, and returns
// what arrived, in Mbit/s.
func race(list []sender, f fault, round int, length time.Duration) ([]float64, error) {
	links := make([]*dumbbell, len(list))
	for i, c := range list {
		m := f.impairment()
		d, err := newDumbbell(tun.ImpairConfig{Out: m, In: m, Rand: seeded(round)}, c.crowd)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
		defer d.close()
		links[i] = d
	}
	rates, errs := make([]float64, len(list)), make([]error, len(list))
	var wg sync.WaitGroup
	for i, d := range links {
		wg.Go(func() { rates[i], errs[i] = d.transfer(length) })
	}
	wg.Wait()
	return rates, errors.Join(errs...)
}

// starved is how long a stream may bring nothing.
const starved = 30 * time.Second

// transfer sends in one stream of the first access for a time, from the handshake on, and returns
// what arrived, in Mbit/s.
func (d *dumbbell) transfer(length time.Duration) (float64, error) {
	began := time.Now()
	from, to, err := d.connect(d.access[0])
	if err != nil {
		return 0, err
	}
	var got atomic.Int64
	var wg sync.WaitGroup
	wg.Go(func() { pour(from) })
	wg.Go(func() { drain(to, &got) })
	time.Sleep(length - time.Since(began))
	for got.Load() == 0 && time.Since(began) < starved { // on a machine that starves us
		time.Sleep(time.Millisecond)
	}
	rate := float64(got.Load()) * 8 / 1e6 / time.Since(began).Seconds()
	_ = from.Close()
	_ = to.Close()
	wg.Wait()
	return rate, nil
}

// drain reads until the reader is closed, and counts.
func drain(r net.Conn, got *atomic.Int64) {
	buf := make([]byte, 64<<10)
	for {
		n, err := r.Read(buf)
		if got.Add(int64(n)); err != nil {
			return
		}
	}
}

const legend = `
One stream for so long, from the handshake on, and what of it arrived: slow start and what it costs are in it. Each sender has a link of its
own with 100 Mbit/s, a round trip of 40 ms, and a drop-tail queue of 500 kB, the product of both; loss and reordering, by 5 ms, are in both directions. All
send at the same time to the kernel of this machine, with its defaults; the links are simulated in this process (tun.Impair), with the same seed for
all senders of a round. A congestion control that takes a loss for congestion, as CUBIC and NewReno do, gets little where 1 % is lost at 40 ms. BBR doesn't.
`
