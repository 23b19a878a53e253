package main

import (
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/wsstack/wsstack/internal/script/play"
	"github.com/wsstack/wsstack/internal/script/syntax"
)

// playAll plays scripts side by side. It gives each result to add, in the order of the files and as
// soon as those before it are there, and returns them all.
func (f *scriptFlags) playAll(stdin io.Reader, stderr io.Writer, files []string, outputs *scriptOutputs, add func(*scriptResult)) []*scriptResult {
	results := make([]*scriptResult, len(files))
	done := make([]chan struct{}, len(files))
	for i := range done {
		done[i] = make(chan struct{})
	}
	shown := newProgress(stderr)
	defer shown.end()
	next := make(chan int)
	var workers sync.WaitGroup
	for range min(f.parallel, len(files)) {
		workers.Go(func() {
			for i := range next {
				results[i] = f.playFile(stdin, files[i], outputs)
				close(done[i])
			}
		})
	}
	go func() { // ends when the last script has begun
		for i := range files {
			next <- i
		}
		close(next)
	}()
	for i, r := range done {
		shown.show("%d/%d %s", i+1, len(files), printable(files[i]))
		<-r
		shown.end()
		add(results[i])
	}
	workers.Wait()
	return results
}

// playFile reads and plays one script.
func (f *scriptFlags) playFile(stdin io.Reader, name string, outputs *scriptOutputs) *scriptResult {
	r := &scriptResult{File: name}
	s, err := f.parseFile(stdin, name)
	if err != nil {
		r.mistaken(err)
		return r
	}
	r.Ignored = s.Ignored
	config := play.Config{Settings: f.settings.list, Record: f.html != ""}
	if wrong := f.realFlags.check(s, config); wrong != nil {
		r.Verdict = scriptMistake
		r.Mistakes = []scriptComplaint{complaint(wrong.Pos, wrong.What, wrong.Hint)}
		return r
	}
	if f.check {
		r.Verdict, r.Events = scriptChecked, len(s.Events)
		return r
	}
	outputs.play(r, s, config)
	return r
}

// parseFile reads a file.
func (f *scriptFlags) parseFile(stdin io.Reader, name string) (*syntax.Script, error) {
	in := stdin
	if name != standardOutput {
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		in = file
	}
	text, err := io.ReadAll(io.LimitReader(in, syntax.MaxScript+1))
	if err != nil {
		return nil, fmt.Errorf("read the script: %w", err)
	}
	if len(text) > syntax.MaxScript {
		return nil, failf("the script has more than %d bytes", syntax.MaxScript).withHint("cut it into several")
	}
	return syntax.Parse(name, text, f.parsing)
}
