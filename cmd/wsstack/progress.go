package main

import (
	"fmt"
	"io"
)

// A progress shows on a terminal how far a long run is, in a line that is written over and over. It
// shows nothing elsewhere.
type progress struct {
	w io.Writer // nil: not a terminal
}

func newProgress(w io.Writer) *progress {
	if !isTerminal(w) {
		w = nil
	}
	return &progress{w}
}

// show replaces the line.
func (p *progress) show(format string, args ...any) {
	if p.w != nil {
		fmt.Fprintf(p.w, "\r\x1b[K"+format, args...)
	}
}

// end removes the line.
func (p *progress) end() { p.show("") }

// A progressReader shows how much of something was read.
type progressReader struct {
	io.Reader
	progress    *progress
	name        string
	done, total int64 // bytes
}

// Read implements io.Reader.
func (r *progressReader) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	before := r.percent()
	r.done += int64(n)
	if now := r.percent(); now != before {
		r.progress.show("%d %% of %s", now, r.name)
	}
	return n, err
}

func (r *progressReader) percent() int64 {
	if r.total <= 0 {
		return 0
	}
	return r.done * 100 / r.total
}
