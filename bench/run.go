//go:build linux

package bench

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Run is a comparison of the contenders whose name select accepts, in rounds
// that are interleaved: in each, every contender is measured once, beginning
// with another one. progress is told what happens.
func Run(rounds int, length time.Duration, accept func(name string) bool, progress func(string)) (*Report, error) {
	r := &Report{Title: "Embedded in a program", Command: "go run ./bench/compare", Columns: Columns, Bounds: bounds(), Legend: legend,
		Rounds: rounds, Length: length.String()}
	r.Begin()
	var contenders []Contender
	var networks []*Network
	defer func() {
		for _, n := range networks {
			n.Close()
		}
	}()
	for _, c := range Contenders() {
		if accept(c.Name) {
			contenders = append(contenders, c)
			r.Add(c.Name)
		}
	}
	// First of all: what the other measures leave goes minutes later.
	if err := r.memory(contenders, progress); err != nil {
		return nil, err
	}
	for _, c := range contenders {
		n, err := c.Link()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.Name, err)
		}
		networks = append(networks, n)
	}
	for i := range rounds + 1 {
		for k := range contenders {
			k = (k + i) % len(contenders)
			progress(fmt.Sprintf("round %d of %d: %s", i, rounds, contenders[k].Name))
			values, err := round(networks[k], length)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", contenders[k].Name, err)
			}
			if i == 0 {
				continue // it doesn't count
			}
			r.Rows[k].Add(values)
		}
	}
	r.Finish()
	return r, nil
}

// memoryRounds is enough: the figure hardly varies.
const memoryRounds = 3

// memory measures idle connections. What the kernel's end of one takes of this
// process is known from loopback, which has two of them.
func (r *Report) memory(contenders []Contender, progress func(string)) error {
	kernel, err := idle(LoopbackLink)
	if err != nil {
		return err
	}
	for k, c := range contenders {
		onTUN := strings.Contains(c.Name, "offload") || strings.Contains(c.Name, "water")
		if strings.HasPrefix(c.Name, "kernel") {
			continue
		}
		progress("idle connections: " + c.Name)
		for range max(memoryRounds, r.Rounds) {
			v, err := idle(c.Link)
			if err != nil {
				return fmt.Errorf("%s: %w", c.Name, err)
			}
			if onTUN {
				v -= kernel / 2
			} else {
				v /= 2
			}
			r.Rows[k].Add(map[Column]float64{Memory: v})
		}
	}
	return nil
}

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
