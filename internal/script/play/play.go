// Package play plays scripts of package syntax: it makes a network of one host, the stack under
// test, and of a wire whose other end is the script, and sees to it that what happens is what the
// script says, when the script says it. Time is virtual, so that hours pass in milliseconds, and
// the same script gives the same Result each time.
//
// All that a script is played on is behind the interface Ground; package kernel has another one, of
// the system's own kernel and of real time.
package play

import (
	"io"
	"time"

	"github.com/wsstack/wsstack/internal/record"
	"github.com/wsstack/wsstack/internal/script/calls"
	"github.com/wsstack/wsstack/internal/script/segment"
	"github.com/wsstack/wsstack/internal/script/syntax"
	"github.com/wsstack/wsstack/internal/script/vocabulary"
)

// A Config says how scripts are played. The zero Config plays them as they say themselves.
type Config struct {
	// Settings are those of the command line. One that is here and in the script counts as it is
	// here.
	Settings []syntax.Setting

	// Record keeps a recording, for Result.Recording.
	Record bool

	// Capture gets the packets, whole, as a pcapng file; nil: nobody does. It isn't written to after
	// Play has returned.
	Capture io.Writer

	// Ground makes what the script is played on; nil stands for a stack of this project in virtual
	// time. Evaluator has the numbers of its names, for "assert", and CheckCall says what is wrong
	// with a call for it; nil stands for calls.Check.
	Ground    func(Setup) (Ground, error)
	Evaluator vocabulary.Evaluator
	CheckCall func(*syntax.Call) *calls.Fault
}

// A Result is what came of a script. It shares nothing with other Results.
type Result struct {
	Script  *syntax.Script
	Setup   Setup         // the settings that held
	Failure *Failure      // the first thing that was not as the script says; nil: there was none
	Took    time.Duration // how long the script took, in its own time

	Events  int // how many events happened, the one that failed included
	Packets int // how many packets went over the wire, in both directions
	Calls   int // how many calls were made

	// Conversation has a line for each packet and call, oldest first, at most MaxConversation of
	// them: the latest.
	Conversation []Line
	Left         int // how many older lines aren't there

	// Recording has the packets and the stack's connections, where Config.Record asked for it and
	// the Ground has one; nil: it has none.
	Recording *record.Recording

	CaptureErr error // of writing to Config.Capture
}

// Passed reports whether all was as the script says.
func (r *Result) Passed() bool { return r.Failure == nil }

// A Line is one of a conversation.
type Line struct {
	At   time.Duration // since the script began
	Text string        // as package trace has packets, and as the script has calls (syntax.Short); without the time
}

// A Failure is something that isn't as the script says. Its lines have syntax.MaxShown characters
// at most.
type Failure struct {
	Pos   syntax.Pos    // of the event
	Event string        // how the script has it
	At    time.Duration // when it was found, since the script began

	// What is one line about what is wrong, without the position: "the window differs".
	What string

	// Expected and Actual are to be shown side by side, line by line. One of them may be longer, and
	// both are empty where there is nothing to compare.
	Expected, Actual []string

	Hint string // what would help, or ""
}

// Play plays a script. It is safe for concurrent use, also of one Script.
func Play(s *syntax.Script, c Config) *Result {
	setup, failure := check(s, c)
	r := &Result{Script: s, Setup: setup, Failure: failure}
	if failure == nil {
		newPlayer(s, c, r).run()
	}
	r.Failure.shorten()
	return r
}

// Check finds mistakes of a script that show without playing it, as Play does before it plays; nil:
// there are none.
func Check(s *syntax.Script, c Config) *Failure {
	_, failure := check(s, c)
	failure.shorten()
	return failure
}

func check(s *syntax.Script, c Config) (Setup, *Failure) {
	setup, failure := Resolve(s, c.Settings)
	if c.CheckCall == nil {
		c.CheckCall = calls.Check
	}
	for _, e := range s.Events {
		if failure != nil {
			break
		}
		failure = c.checkEvent(&setup, e)
	}
	return setup, failure
}

// checkEvent finds a mistake of an event.
func (c *Config) checkEvent(s *Setup, e *syntax.Event) *Failure {
	var err error
	switch a := e.Action.(type) {
	case *syntax.Packet:
		err = segment.Check(a, s.IPv6())
	case *syntax.Call:
		if fault := c.CheckCall(a); fault != nil {
			return faultFailure(e, fault)
		}
	case *syntax.Assert:
		err = vocabulary.CheckAssert(a)
	}
	if err != nil {
		return failureOf(e.Pos, e.Text, err)
	}
	return nil
}
