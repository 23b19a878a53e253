package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/wsstack/wsstack/internal/testbed"
)

// A runOutput writes what the commands of a network write, and what happens to its hosts.
type runOutput struct {
	mu             sync.Mutex
	stdout, stderr io.Writer
	json           *json.Encoder // nil: text
	width          int           // of the names of hosts
	colours        map[string]string
	colourOut      bool // standard output has colours
	colourErr      bool
}

// hostColours are the colours of hosts, as the numbers of SGR (ECMA-48, 8.3.117).
var hostColours = []string{"36", "33", "32", "35", "34", "31", "96", "93", "92", "95", "94", "91"}

func newRunOutput(n testbed.Network, stdout, stderr io.Writer, asJSON bool) *runOutput {
	o := &runOutput{stdout: stdout, stderr: stderr, colours: map[string]string{}}
	for i, h := range n.Hosts {
		o.width = max(o.width, len(h.Name))
		o.colours[h.Name] = hostColours[i%len(hostColours)]
	}
	o.colourOut, o.colourErr = mayColour(stdout), mayColour(stderr)
	if asJSON {
		o.json = json.NewEncoder(stdout)
		o.json.SetEscapeHTML(false)
	}
	return o
}

// mayColour reports whether colours are of use: on a terminal that isn't dumb, unless the user
// doesn't want any (https://no-color.org).
func mayColour(w io.Writer) bool {
	return isTerminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// A logLine is a line of --json.
type logLine struct {
	Time   time.Time `json:"time"`
	Host   string    `json:"host,omitempty"` // empty: the network
	Stream string    `json:"stream"`         // stdout, stderr or event
	Text   string    `json:"text"`
}

// line writes a line of a command. Errors of writing are nobody's: who has closed the output
// doesn't want it.
func (o *runOutput) line(l testbed.Line) {
	o.mu.Lock()
	defer o.mu.Unlock()
	stream, w, colour := "stdout", o.stdout, o.colourOut
	if l.Stderr {
		stream, w, colour = "stderr", o.stderr, o.colourErr
	}
	if o.json != nil {
		_ = o.json.Encode(logLine{l.Time, l.Host, stream, l.Text})
		return
	}
	_, _ = io.WriteString(w, o.prefix(l.Host, '|', colour)+l.Text+"\n")
}

// event writes what has happened to a host.
func (o *runOutput) event(e testbed.Event) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.json != nil {
		_ = o.json.Encode(logLine{e.Time, e.Host, "event", e.Text})
		return
	}
	_, _ = io.WriteString(o.stderr, o.prefix(e.Host, '*', o.colourErr)+e.Text+"\n")
}

// note writes what has happened to the network.
func (o *runOutput) note(format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	text := fmt.Sprintf(format, args...)
	if o.json != nil {
		_ = o.json.Encode(logLine{Time: time.Now(), Stream: "event", Text: text})
		return
	}
	fmt.Fprintf(o.stderr, "wsstack: %s\n", text)
}

// prefix is the name of a host before its lines.
func (o *runOutput) prefix(host string, mark rune, colour bool) string {
	text := fmt.Sprintf("%-*s %c ", o.width, host, mark)
	if !colour {
		return text
	}
	return "\x1b[" + o.colours[host] + "m" + text + "\x1b[0m"
}

// runRecords opens standard output for the packets, if a link records them there, and returns what
// everything else is written to instead.
func runRecords(n testbed.Network, stdout, stderr io.Writer) (packets *os.File, rest io.Writer, err error) {
	for _, l := range n.Links {
		if l.Capture != testbed.StandardOutput {
			continue
		}
		if isTerminal(stdout) {
			return nil, nil, usagef("link %s writes packets to standard output, which is a terminal", l.Name).
				withHint("give them to a program: wsstack run … | tcpdump -n -r -")
		}
		if packets, err = duplicate(os.Stdout); err != nil {
			return nil, nil, failf("open standard output for the packets: %w", err)
		}
		return packets, stderr, nil
	}
	return nil, stdout, nil
}
