// Package doctor finds out what of wsstack works on this machine, and what to do about the rest. It
// looks at settings and tries things out in a namespace of its own; it changes nothing.
package doctor

import (
	"github.com/wsstack/wsstack/internal/control"
	"github.com/wsstack/wsstack/internal/mistake"
)

// A State says how serious a finding is.
type State string

// The states.
const (
	OK      State = "ok"      // OK says that something works.
	Note    State = "note"    // Note says that something works in part, or for root alone.
	Missing State = "missing" // Missing says that wsstack exec or up can't work.
)

// A Finding is what was found out about one thing.
type Finding struct {
	Name  string `json:"name"` // what it is about, a word that stays: "tun", "exec", "up", …
	State State  `json:"state"`
	Text  string `json:"text"`           // what was found
	Hint  string `json:"hint,omitempty"` // what to do about it
}

// Works reports whether there is no finding of the state Missing.
func Works(findings []Finding) bool {
	for _, f := range findings {
		if f.State == Missing {
			return false
		}
	}
	return true
}

// failed is the finding of an error, with its hint.
func failed(name string, state State, err error) Finding {
	return Finding{Name: name, State: state, Text: err.Error(), Hint: mistake.HintOf(err)}
}

// controlSocket looks whether running networks can have a control socket.
func controlSocket() Finding {
	server, err := control.Listen(control.Config{Name: control.NameFor("doctor"), Command: []string{"doctor"}})
	if err != nil {
		return failed("control", Note, err)
	}
	_ = server.Close()
	return Finding{Name: "control", State: OK, Text: "control sockets are in " + control.Directory()}
}
