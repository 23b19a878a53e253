package machines

import (
	"encoding/json"
	"errors"
	"strings"
)

// maxLine is the size of the longest line of the talk in bytes, with its line break.
const maxLine = 4096

// maxText is how many bytes of Ending.Text are sent.
const maxText = 2000

// A message is a line of the talk, in JSON. Its Type says which of the other fields it has. Who
// gets a line of a Type or with a field that it doesn't know ignores that.
type message struct {
	Type string `json:"type"`

	Digest  string   `json:"digest,omitempty"`  // hello: of the network file
	Missing []string `json:"missing,omitempty"` // missing: the machines that aren't there, some of them
	Host    string   `json:"host,omitempty"`    // ready: the host that is
	Ending
}

// The types of messages. hello is what each machine begins with, and the hub says who is missing
// until all are there, which each machine answers with the same. Then the hub says start. ready and
// stop go from a machine to the hub, and from there to all others.
const (
	hello   = "hello"
	missing = "missing"
	all     = "all"
	start   = "start"
	ready   = "ready"
	stop    = "stop"
)

// line is the message as a line with its break.
func (m message) line() []byte {
	if len(m.Text) > maxText {
		m.Text = strings.ToValidUTF8(m.Text[:maxText], "") + "…"
	}
	b, err := json.Marshal(m)
	if err != nil || len(b) >= maxLine { // control characters take six bytes each
		m.Text, m.Hint = "", ""
		b, _ = json.Marshal(m)
	}
	return append(b, '\n')
}

// errNoMessage says that a line is none of the talk.
var errNoMessage = errors.New("the line is no message")

// parse reads a line. Its texts may have any characters.
func parse(line []byte) (m message, err error) {
	if json.Unmarshal(line, &m) != nil || m.Type == "" {
		return message{}, errNoMessage
	}
	if m.Status < 0 || m.Status > maxStatus {
		m.Status = maxStatus
	}
	return m, nil
}

// maxStatus is the largest exit status of a process.
const maxStatus = 255
