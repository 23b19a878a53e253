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
			p, err := start(program, contender, c.Profiles)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", contender.Name, err)
			}
			processes = append(processes, p)
			row := r.Add(contender.Name)
			row.Group, row.Version = contender.Group, contender.Version
		}
	}
	measure := func(k int, t task, counts bool) error {
		values, err := processes[k].do(t)
		if err != nil {
			return fmt.Errorf("%s: %w", r.Rows[k].Name, err)
		}
		if counts {
			r.Rows[k].Add(values)
		}
		return nil
	}
	for range idleRounds { // first of all: what the other measures leave goes minutes later
		for k, row := range r.Rows {
			c.Progress("idle connections: " + row.Name)
			if err := measure(k, task{Idle: true}, true); err != nil {
				return nil, err
			}
		}
	}
	for i := range c.Rounds + 1 {
		for k := range processes {
			if i%2 == 1 {
				k = len(processes) - 1 - k
			}
			c.Progress(fmt.Sprintf("round %d of %d: %s", i, c.Rounds, r.Rows[k].Name))
			if err := measure(k, task{Length: c.Length}, i > 0); err != nil {
				return nil, err
			}
		}
	}
	stop()
	r.Finish()
	return r, nil
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
