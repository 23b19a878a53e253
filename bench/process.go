//go:build linux

package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/wsstack/wsstack/internal/netns"
	"github.com/wsstack/wsstack/tun"
)

// A task is what a process with a contender is told to measure.
type task struct {
	Measure int // of measures, or idleTask
	Length  time.Duration
}

// idleTask measures idle connections.
const idleTask = -1

// An outcome is what the process says of a task: a figure for each of its columns, or none.
type outcome struct {
	Figures []float64
	Error   string
}

// Serve is what a program does that has contenders. Without arguments it lists them on out. With the
// name of one it measures that one as it is told on in, until the end of in; a second argument is
// the folder for its profiles.
func Serve(contenders []Contender, args []string, in io.Reader, out io.Writer) error {
	if len(args) == 0 {
		return json.NewEncoder(out).Encode(listed(contenders))
	}
	i := slices.IndexFunc(contenders, func(c Contender) bool { return c.Name == args[0] })
	if i < 0 {
		return fmt.Errorf("bench: there is no contender %q", args[0])
	}
	if netns.Inside() { // the process has a namespace of its own, whose lo is down
		if err := tun.Configure("lo", tun.Config{}); err != nil {
			return err
		}
	}
	if len(args) > 1 {
		stop, err := Profile(args[1], args[0])
		if err != nil {
			return err
		}
		defer stop()
	}
	return obey(contenders[i], in, out)
}

// listed gives each contender the version of its module.
func listed(contenders []Contender) []Contender {
	list := slices.Clone(contenders)
	info, ok := debug.ReadBuildInfo()
	for i, c := range list {
		for _, m := range info.Deps {
			if ok && m.Path == c.Module {
				list[i].Version = m.Version
			}
		}
	}
	return list
}

func obey(c Contender, in io.Reader, out io.Writer) error {
	tasks, outcomes := json.NewDecoder(in), json.NewEncoder(out)
	var n *Network
	defer func() {
		if n != nil {
			n.Close()
		}
	}()
	for {
		var t task
		if err := tasks.Decode(&t); err != nil {
			return nil // that is enough
		}
		var o outcome
		var err error
		switch {
		case t.Measure == idleTask:
			o.Figures, err = c.idle()
		case n == nil:
			if n, err = c.Link(); err != nil {
				break
			}
			fallthrough
		default:
			runtime.GC() // for what others leave
			o.Figures, err = measures[t.Measure].measure(n, t.Length)
		}
		if err != nil && !errors.Is(err, errors.ErrUnsupported) {
			o.Error = err.Error()
		}
		if err := outcomes.Encode(o); err != nil {
			return err
		}
	}
}

// idle measures idle connections at the near side. What the kernel's end of one takes of this
// process is known from loopback, which has two of them.
func (c Contender) idle() ([]float64, error) {
	if c.Group == GroupKernel || c.Allocates {
		return nil, nil
	}
	var kernel float64
	var err error
	if c.Group != GroupMemory {
		if kernel, err = idle(LoopbackLink); err != nil {
			return nil, err
		}
	}
	both, err := idle(c.Link)
	if c.Group == GroupMemory {
		kernel = both
	}
	return []float64{both - kernel/2}, err
}

// Profile begins a profile of the CPU of this process. stop writes it, and one of the memory, as
// files of the folder called after name.
func Profile(folder, name string) (stop func(), err error) {
	runtime.MemProfileRate = 64 << 10
	create := func(what string) (*os.File, error) {
		return os.Create(filepath.Join(folder, strings.ReplaceAll(name, " ", "-")+"."+what))
	}
	cpu, err := create("cpu")
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(cpu); err != nil {
		return nil, err
	}
	return func() {
		pprof.StopCPUProfile()
		_ = cpu.Close()
		if memory, err := create("memory"); err == nil {
			_ = pprof.Lookup("allocs").WriteTo(memory, 0)
			_ = memory.Close()
		}
	}, nil
}

// A process measures a contender, for the process that runs the comparison.
type process struct {
	program   []string
	contender Contender
	profiles  string
	cmd       *exec.Cmd
	in        io.Closer
	tasks     *json.Encoder
	outcomes  *json.Decoder
	failed    map[int]string // why a measure of a peer isn't taken any more
}

// start runs the program, which calls Serve.
func (p *process) start() error {
	args := append(slices.Clone(p.program[1:]), p.contender.Name)
	if p.profiles != "" {
		args = append(args, p.profiles)
	}
	p.cmd = exec.Command(p.program[0], args...)
	p.cmd.Stderr = os.Stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if netns.Inside() { // interfaces of contenders have the same names
		p.cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWNET
	}
	in, err := p.cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	p.in, p.tasks, p.outcomes = in, json.NewEncoder(in), json.NewDecoder(out)
	return p.cmd.Start()
}

// hangs is how long an answer is waited for.
const hangs = 30 * time.Second

// do has the process measure. What a peer can't do is left out from then on: it has no figures, and
// a new process for the rest.
func (p *process) do(t task) ([]float64, error) {
	if p.failed[t.Measure] != "" {
		return nil, nil
	}
	timer := time.AfterFunc(hangs, func() { _ = p.cmd.Process.Kill() })
	figures, err := p.ask(t)
	timer.Stop()
	if err == nil {
		return figures, nil
	}
	if p.contender.Peer == "" {
		return nil, fmt.Errorf("%s: %w", p.contender.Name, err)
	}
	p.failed[t.Measure] = err.Error()
	_ = p.cmd.Process.Kill()
	p.stop()
	return nil, p.start()
}

func (p *process) ask(t task) ([]float64, error) {
	if err := p.tasks.Encode(t); err != nil {
		return nil, err
	}
	var o outcome
	if err := p.outcomes.Decode(&o); err != nil {
		return nil, fmt.Errorf("no answer: %w", err)
	}
	if o.Error != "" {
		return nil, errors.New(o.Error)
	}
	return o.Figures, nil
}

// stop ends the process.
func (p *process) stop() {
	_ = p.in.Close()
	timer := time.AfterFunc(stalled, func() { _ = p.cmd.Process.Kill() })
	_ = p.cmd.Wait()
	timer.Stop()
}
