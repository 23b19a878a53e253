// Package script plays scripts of network tests in Go tests and programs: the language of
// packetdrill, and what wsstack adds to it, against a stack of wsstack in virtual time. No root, no
// TUN and no waiting are needed: hours pass in milliseconds, and a script has the same result each
// time.
//
// What the stack does may be 4 ms beside the times of a script, as with packetdrill; with the setting
// --tolerance_usecs=0 times are exact.
//
//	func TestScripts(t *testing.T) {
//		script.Run(t, "testdata/handshake.pkt", "testdata/closing")
//	}
//
// docs/scripts.md of the project teaches the language, and "wsstack script" is the same as a
// command.
package script

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/wsstack/wsstack/internal/script/play"
	"github.com/wsstack/wsstack/internal/script/syntax"
)

// A Script is one that has been read. It may be played several times, and at the same time.
type Script struct {
	syntax *syntax.Script
	config play.Config
}

// A Config says how scripts are read and played. The zero Config takes them as they are.
type Config struct {
	// Settings are settings as scripts have them, such as "--mtu=1400" or "--profile=windows". They
	// go before those of the script.
	Settings []string

	// IgnoreShell leaves shell commands out, and IgnoreCode leaves out pieces of code in "%{ }%".
	// Without, they are errors that say what to write instead.
	IgnoreShell, IgnoreCode bool

	// Capture gets the packets of each Play as a pcapng file; nil: nobody does.
	Capture io.Writer
}

// A Result is what came of a script.
type Result struct {
	Failure *Failure      // the first thing that isn't as the script says; nil: there is none
	Took    time.Duration // how long the script took, in its own time
	Events  int           // how many events happened, the one that failed included
	Packets int           // how many packets went over the wire, in both directions
	Calls   int           // how many calls were made
	Ignored int           // how many shell commands and pieces of code were left out

	// Conversation has a line for each packet and call, oldest first: the latest 2,000.
	Conversation []Line
}

// A Line is one of a conversation.
type Line struct {
	At   time.Duration // since the script began
	Text string        // a packet as traces of package simnet have it, or a call with what it returned
}

// String is the line with its time in seconds.
func (l Line) String() string { return fmt.Sprintf("%.6fs %s", l.At.Seconds(), l.Text) }

// A Failure is something that isn't as a script says.
type Failure struct {
	File         string
	Line, Column int           // of the event; 0: the script as a whole
	Event        string        // how the script has it
	At           time.Duration // when it was found, since the script began
	What         string        // what is wrong, on one line

	// Expected and Actual are to be shown side by side, line by line. Both are empty where nothing
	// was compared.
	Expected, Actual []string

	Hint string // what would help, or ""
}

// Error says where and what, with the expected and the actual lines below.
func (f *Failure) Error() string {
	var b strings.Builder
	b.WriteString(f.File)
	if f.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", f.Line, f.Column)
	}
	fmt.Fprintf(&b, ": %s", f.What)
	if f.Event != "" {
		fmt.Fprintf(&b, "\n  event:    %s", f.Event)
	}
	for _, list := range []struct {
		head  string
		lines []string
	}{{"\n  expected: ", f.Expected}, {"\n  actual:   ", f.Actual}} {
		for i, line := range list.lines {
			if i > 0 {
				list.head = "\n            "
			}
			b.WriteString(list.head + line)
		}
	}
	if f.Hint != "" {
		fmt.Fprintf(&b, "\n  hint:     %s", f.Hint)
	}
	return b.String()
}

// Parse reads a script. The name is for errors, which say where each mistake is, on a line of its
// own, and name a file, a line and a column.
func Parse(name string, text []byte) (*Script, error) { return Config{}.Parse(name, text) }

// Parse is the function Parse with a Config, which holds for Play as well.
func (c Config) Parse(name string, text []byte) (*Script, error) {
	s, err := syntax.Parse(name, text, syntax.Options{IgnoreShell: c.IgnoreShell, IgnoreCode: c.IgnoreCode})
	if err != nil {
		return nil, hinted(err)
	}
	settings, err := c.settings()
	if err != nil {
		return nil, hinted(err)
	}
	return &Script{syntax: s, config: play.Config{Settings: settings, Capture: c.Capture}}, nil
}

// ParseFile is Parse of a file.
func (c Config) ParseFile(file string) (*Script, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, syntax.MaxScript+1)) // Parse says that one is too long
	if err != nil {
		return nil, err
	}
	return c.Parse(file, text)
}

// settings reads the settings of c: a script of settings alone.
func (c Config) settings() ([]syntax.Setting, error) {
	var text strings.Builder
	for _, s := range c.Settings {
		if !strings.HasPrefix(s, "--") || strings.ContainsAny(s, "\n\r") {
			return nil, fmt.Errorf("script: the setting %q: want one such as --mtu=1400", s)
		}
		text.WriteString(s + "\n")
	}
	return syntax.ParseSettings("Config.Settings", text.String())
}

// hinted adds the hints to the mistakes of a script.
func hinted(err error) error {
	var all syntax.Errors
	if !errors.As(err, &all) {
		return err
	}
	lines := make([]error, len(all))
	for i, e := range all {
		lines[i] = e
		if e.Hint != "" {
			lines[i] = fmt.Errorf("%w (%s)", e, e.Hint)
		}
	}
	return errors.Join(lines...)
}

// Play plays a script. The error is the Failure of the Result, a *Failure, or that of writing to
// Config.Capture; there is a Result in any case.
func Play(s *Script) (*Result, error) {
	played := play.Play(s.syntax, s.config)
	r := &Result{
		Took: played.Took, Events: played.Events, Packets: played.Packets, Calls: played.Calls,
		Ignored: s.syntax.Ignored,
	}
	for _, l := range played.Conversation {
		r.Conversation = append(r.Conversation, Line(l))
	}
	if f := played.Failure; f != nil {
		r.Failure = &Failure{
			File: s.syntax.Name, Line: f.Pos.Line, Column: f.Pos.Column, Event: f.Event, At: f.At,
			What: f.What, Expected: f.Expected, Actual: f.Actual, Hint: f.Hint,
		}
		return r, r.Failure
	}
	return r, played.CaptureErr
}
