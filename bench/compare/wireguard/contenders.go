//go:build linux

package main

import (
	"encoding/json"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"

	"github.com/wsstack/wsstack/bench"
	"github.com/wsstack/wsstack/bench/traffic"
	"github.com/wsstack/wsstack/wg"
)

// A contender is a pair of ends.
type contender struct {
	name      string
	near, far string // the kinds
}

// The kinds of ends, which contenders with two of a kind are called by.
const (
	ours    = "wg"
	dropIn  = "wgnet"
	bounded = "wgnet with Bind"
	theirs  = "netstack"
	kernel  = "kernel"

	toKernel = " to a kernel" // behind the near one
)

var contenders = []contender{
	{ours, ours, ours}, {dropIn, dropIn, dropIn}, {bounded, bounded, bounded}, {theirs, theirs, theirs},
	{ours + toKernel, ours, kernel}, {theirs + toKernel, theirs, kernel},
}

// A pair is a contender that runs.
type pair struct {
	client    *traffic.Client
	processes []*exec.Cmd // the far one first
	inputs    []io.Closer // their end is the processes'
	counted   []int       // the processes whose CPU and memory count
}

// start starts both processes, and returns when there is a connection between them.
func (c *contender) start(profile string) (p *pair, err error) {
	p = &pair{}
	defer func() {
		if err != nil {
			p.stop()
		}
	}()
	var keys [2]wg.Key
	for i := range keys {
		if keys[i], err = wg.GeneratePrivateKey(); err != nil {
			return p, err
		}
	}
	for i, kind := range []string{c.far, c.near} {
		e := end{
			Name: c.name + " " + [...]string{"far", "near"}[i], Kind: kind, Near: i == 1, Profile: profile,
			Key: keys[i], Peer: keys[1-i].PublicKey(), Ports: [2]int{51820 + i, 51821 - i},
			Addresses: [2]netip.Addr{netip.AddrFrom4([4]byte{10, 99, 0, byte(2 - i)}), netip.AddrFrom4([4]byte{10, 99, 0, byte(1 + i)})},
		}
		if err = p.startEnd(e); err != nil {
			return p, err
		}
		if kind != kernel {
			p.counted = append(p.counted, p.processes[i].Process.Pid)
		}
	}
	_, err = p.client.Do(traffic.Hello, 0, 0)
	return p, err
}

func (p *pair) startEnd(e end) error {
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	cmd := exec.Command("/proc/self/exe", endRole, string(text))
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	p.processes, p.inputs = append(p.processes, cmd), append(p.inputs, stdin)
	if e.Near {
		p.client = traffic.NewClient(stdin, stdout)
	}
	return nil
}

// stop ends the near process, and then the far one.
func (p *pair) stop() {
	for i, cmd := range slices.Backward(p.processes) {
		_ = p.inputs[i].Close()
		timer := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait()
		timer.Stop()
	}
}

// settle is how long an idle tunnel is left alone before its memory is read.
const settle = 300 * time.Millisecond

// round measures a contender once, in new processes.
func (s *settings) round(c contender) (map[bench.Column]float64, error) {
	p, err := c.start(s.profile)
	if err != nil {
		return nil, err
	}
	defer p.stop()
	time.Sleep(settle)
	v := map[bench.Column]float64{idleMemory: p.memory(traffic.Resident)}
	for _, r := range rows {
		if len(s.rows) > 0 && !slices.Contains(s.rows, r.what) {
			continue
		}
		cpu, start := p.cpu(), time.Now()
		figures, err := p.client.Do(r.what, r.streams, s.length)
		if err != nil {
			return nil, err
		}
		if v[r.name] = figures[0]; r.tail != "" {
			v[r.tail] = figures[1]
		}
		if r.cpu != "" {
			gib := figures[0] * 1e9 / 8 * time.Since(start).Seconds() / (1 << 30)
			v[r.cpu] = (p.cpu() - cpu).Seconds() / gib
		}
		if r.peak != "" {
			v[r.peak] = p.memory(traffic.Peak)
		}
	}
	return v, nil
}

func (p *pair) cpu() (t time.Duration) {
	for _, pid := range p.counted {
		t += traffic.CPU(pid)
	}
	return t
}

// memory is that of the processes in MiB.
func (p *pair) memory(which string) (mib float64) {
	for _, pid := range p.counted {
		mib += float64(traffic.Memory(pid, which)) / (1 << 20)
	}
	return mib
}
