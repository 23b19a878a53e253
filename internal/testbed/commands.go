package testbed

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/wsstack/wsstack/internal/namespace"
)

// An ending says that the command of a host has ended.
type ending struct {
	host   *RunningHost
	status int
	err    error // why there is no status
}

// run starts the command of a host when its time has come, and finds out when the host is ready.
func (h *RunningHost) run(ctx context.Context) {
	if !h.await(ctx) {
		return
	}
	begin := time.Now()
	if h.host.Command != nil {
		if err := h.start(); err != nil {
			h.testbed.failed <- err
			return
		}
	}
	if err := h.check(ctx); err != nil {
		h.testbed.failed <- err
		return
	}
	if ctx.Err() != nil {
		return
	}
	h.becomeReady()
	if ready := h.testbed.options.Ready; ready != nil {
		ready(h.Name())
	}
	if h.host.Until.Kind != Running {
		h.event("ready after %v", time.Since(begin).Round(time.Millisecond))
	}
}

// await waits until commands may start, and the hosts of After are ready. It reports whether they
// are.
func (h *RunningHost) await(ctx context.Context) bool {
	if begin := h.testbed.options.Begin; begin != nil {
		select {
		case <-begin:
		case <-ctx.Done():
			return false
		}
	}
	for _, name := range h.host.After {
		before := h.testbed.hosts[h.testbed.network.index(name)]
		select {
		case <-before.ready:
		case <-ctx.Done():
			return false
		}
	}
	return ctx.Err() == nil
}

// start starts the command, and what waits for its end and reads its output.
func (h *RunningHost) start() error {
	t, c := h.testbed, h.host.Command
	t.mu.Lock() // against Stop, which must know of it
	defer t.mu.Unlock()
	if t.closing {
		return nil
	}
	command := namespace.Command{
		Path: c.Path, Args: c.Args, Env: c.Env, Dir: c.Dir, Foreground: c.Foreground, Streams: t.options.Streams,
	}
	var readers []*os.File
	if !c.Foreground {
		var err error
		if readers, err = pipes(&command); err != nil {
			return failed("%w", err).of(h.host, "command")
		}
	}
	err := h.space.Start(command)
	if !c.Foreground {
		closeAll(command.Streams[1:])
	}
	if err != nil {
		closeAll(readers)
		return kernelFailure(h, err)
	}
	t.started = append(t.started, h)
	h.event("started: %s", commandText(c.Args))
	var output sync.WaitGroup
	for i, r := range readers {
		output.Go(func() { h.copyLines(r, i == 1) }) // ends with the writers
	}
	t.runs.Go(func() { h.wait(&output) }) // ends with the command
	return nil
}

// wait waits for the end of the command and of its output.
func (h *RunningHost) wait(output *sync.WaitGroup) {
	status, err := h.space.Wait()
	output.Wait() // nobody is left who could write
	h.status = status
	if err != nil {
		err = kernelFailure(h, err)
	} else {
		h.event("ended with status %d", status)
	}
	close(h.ended)
	h.testbed.endings <- ending{h, status, err}
}

// pipes gives a command the pipes that its output is read from.
func pipes(c *namespace.Command) (readers []*os.File, err error) {
	c.Streams = [3]*os.File{}
	for i := 1; i < 3; i++ {
		r, w, err := os.Pipe()
		if err != nil {
			closeAll(readers)
			closeAll(c.Streams[1:])
			return nil, fmt.Errorf("make a pipe for the output: %w", err)
		}
		c.Streams[i] = w
		readers = append(readers, r)
	}
	return readers, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		if f != nil {
			_ = f.Close()
		}
	}
}

// Signal sends a signal to the foreground command, or to the main one where none is in the
// foreground. It does nothing where the command doesn't run.
func (t *Testbed) Signal(s syscall.Signal) {
	target := t.main()
	for _, h := range t.Hosts() {
		if h.host.Command != nil && h.host.Command.Foreground {
			target = h
		}
	}
	if target != nil && target.runs() {
		target.space.Signal(s)
	}
}

// runs reports whether the command of the host runs.
func (h *RunningHost) runs() bool {
	h.testbed.mu.Lock()
	defer h.testbed.mu.Unlock()
	if !slices.Contains(h.testbed.started, h) {
		return false
	}
	select {
	case <-h.ended:
		return false
	default:
		return true
	}
}

// Stop ends the commands in good order: the last one that has started gets SIGTERM first, and the
// next one when it has ended, or hasn't within grace. No more commands start. It returns when that
// is done, or ctx is; Close ends what is left.
func (t *Testbed) Stop(ctx context.Context, grace time.Duration) {
	t.mu.Lock()
	t.closing = true
	if t.cancel != nil {
		t.cancel()
	}
	started := slices.Clone(t.started)
	t.mu.Unlock()
	for _, h := range slices.Backward(started) {
		h.stop(ctx, grace)
	}
}

// stop ends the command of a host: it is asked to, and after grace it has to.
func (h *RunningHost) stop(ctx context.Context, grace time.Duration) {
	if !h.runs() {
		return
	}
	h.space.Signal(syscall.SIGTERM)
	late := time.NewTimer(grace)
	defer late.Stop()
	select {
	case <-h.ended:
		return
	case <-late.C:
		h.event("didn't end within %v of SIGTERM, and is killed", grace)
	case <-ctx.Done():
	}
	h.space.End()
}

// event tells what has happened to a host.
func (h *RunningHost) event(format string, args ...any) {
	t := h.testbed
	t.told.Lock()
	defer t.told.Unlock()
	if t.options.Event != nil {
		t.options.Event(Event{Time: time.Now(), Host: h.Name(), Text: fmt.Sprintf(format, args...)})
	}
}

// copyLines reads what a command writes.
func (h *RunningHost) copyLines(r *os.File, stderr bool) {
	defer r.Close()
	forEachLine(r, func(text string) { h.output(text, stderr) })
}
