//go:build linux

package bench

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A Comparison is what Run runs.
type Comparison struct {
	Programs [][]string           // commands that call Serve
	Accept   func(Contender) bool // whether a contender takes part
	Rounds   int
	Length   time.Duration // of a transfer
	Profiles string        // a folder for those of all processes; empty: none
	Progress func(string)  // is told what happens
}

// Run measures the contenders, each in a process of its own, in rounds that are interleaved: in
// each, every contender is measured once, in one order and in the opposite one by turns.
func (c Comparison) Run() (*Report, error) {
	r := &Report{Title: "Embedded in a program", Command: "go run ./bench/compare", Columns: Columns, Bounds: bounds(congestion() == "bbr"),
		Legend: legend, Rounds: c.Rounds, Length: c.Length.String()}
	r.Begin()
	var processes []*process
	stop := func() {
		for _, p := range processes {
			p.stop()
		}
		processes = nil
	}
	defer stop()
	for _, program := range c.Programs {
		out, err := exec.Command(program[0], program[1:]...).Output()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", program[0], err)
		}
		var list []Contender
		if err := json.Unmarshal(out, &list); err != nil {
			return nil, fmt.Errorf("%s: %w", program[0], err)
		}
		for _, contender := range list {
			if !c.Accept(contender) {
				continue
			}
			p := &process{program: program, contender: contender, profiles: c.Profiles, failed: map[int]string{}}
			if err := p.start(); err != nil {
				return nil, fmt.Errorf("%s: %w", contender.Name, err)
			}
			processes = append(processes, p)
			row := r.Add(contender.Name)
			row.Group, row.Version = contender.Group, contender.Version
		}
	}
	for range min(idleRounds, c.Rounds) { // first of all: what the other measures leave goes minutes later
		for k, p := range processes {
			c.Progress("idle connections: " + p.contender.Name)
			figures, err := p.do(task{Measure: idleTask})
			if err != nil {
				return nil, err
			}
			r.Rows[k].sample([]Column{Memory}, figures)
		}
	}
	for i := range c.Rounds + 1 {
		for k := range processes {
			if i%2 == 1 {
				k = len(processes) - 1 - k
			}
			p := processes[k]
			c.Progress(fmt.Sprintf("round %d of %d: %s", i, c.Rounds, p.contender.Name))
			for which, m := range measures {
				figures, err := p.do(task{which, time.Duration(m.part * float64(c.Length))})
				if err != nil {
					return nil, err
				}
				if i > 0 { // the first one doesn't count
					r.Rows[k].sample(m.columns, figures)
				}
			}
		}
	}
	for _, p := range processes {
		for which, m := range measures {
			if reason := p.failed[which]; reason != "" {
				r.Missing = append(r.Missing, fmt.Sprintf("%s: %s: %s", p.contender.Name, m.columns[0], reason))
			}
		}
	}
	stop()
	r.Finish()
	return r, nil
}

// sample adds a figure to each of some columns; where there are no figures, it doesn't.
func (r *Row) sample(columns []Column, figures []float64) {
	for i, c := range columns {
		if i < len(figures) {
			r.Samples[c] = append(r.Samples[c], figures[i])
		}
	}
}

// idleRounds is enough: the figure hardly varies.
const idleRounds = 5

// machine is the processor and the kernel.
func machine() (processor, kernel string) {
	processor, kernel = runtime.GOARCH, "?"
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(info)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				processor = strings.TrimSpace(value)
				break
			}
		}
	}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		kernel = unix.ByteSliceToString(u.Release[:])
	}
	return processor, kernel
}

// congestion is the kernel's default for TCP in this namespace.
func congestion() string {
	name, err := os.ReadFile("/proc/sys/net/ipv4/tcp_congestion_control")
	if err != nil {
		return "?"
	}
	return strings.TrimSpace(string(name))
}

// busyTime is how long the processors of the machine have worked, all together;
// the interrupts that packets cause are in it.
func busyTime() (t time.Duration) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	first, _, _ := strings.Cut(string(stat), "\n")
	const idle, iowait = 4, 5 // of the fields: cpu user nice system idle iowait …
	for i, field := range strings.Fields(first) {
		if ticks, err := strconv.Atoi(field); err == nil && i != idle && i != iowait {
			t += time.Duration(ticks) * 10 * time.Millisecond // USER_HZ
		}
	}
	return t
}
