package main

import (
	"strings"
	"testing"

	"github.com/wsstack/wsstack/tun"
)

// A direction has its own list, whose values go before those of the flags, wherever they stand.
func TestImpairments_Directions(t *testing.T) {
	w, err := parseWire(t, "--to-stack", "loss-packets=3,1,7-9,delay=1ms", "--delay", "50ms", "--loss=0.1",
		"--to-stack", "loss=0", "--from-stack", "jitter-reorder,jitter=2ms", "--jitter-reorder=false")
	if err != nil {
		t.Fatal(err)
	}
	toStack, fromStack, err := w.Bad.directions()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := toStack.String(), "loss-packets=1,3,7-9,delay=1ms"; got != want {
		t.Errorf("to the stack: %s, want %s", got, want)
	}
	if got, want := fromStack.String(), "loss=0.1,delay=50ms,jitter=2ms,jitter-reorder"; got != want {
		t.Errorf("from the stack: %s, want %s", got, want)
	}
	if got, want := w.Bad.String(), "to the stack: loss-packets=1,3,7-9,delay=1ms\nfrom the stack: loss=0.1,delay=50ms,jitter=2ms,jitter-reorder"; got != want {
		t.Errorf("String() = %s, want %s", got, want)
	}
	if err := w.Bad.validate(); err != nil {
		t.Errorf("validate() = %v", err)
	}
}

func TestImpairments_Together(t *testing.T) {
	for _, tt := range []struct{ flags, want string }{
		{"--loss-correlation=0.5", "--loss-correlation has no effect without --loss"},
		{"--jitter-distribution=normal --to-stack=jitter=1ms", ""},
		{"--to-stack=jitter-distribution=normal --from-stack=jitter=1ms", "--jitter-distribution has no effect without --jitter"},
		{"--burst-enter=0.1", "--burst-leave: 0 never ends a burst"},
		{"--burst-enter=0.1 --burst-leave=0.25", ""},
		{"--from-stack=queue-packets=5", "--queue-packets has no effect without --rate or --rate-trace"},
		{"--ecn --rate=1M", "--ecn: only the discipline codel marks packets"},
		{"--ecn --rate=1M --queue-discipline=codel", ""},
		{"--rate=1M --queue-discipline=codel --codel-target=200ms", "--codel-target: 200ms: longer than the interval of CoDel, 100ms"},
		{"--rate=1M --queue-discipline=codel --codel-interval=1us", "--codel-interval: 1µs: must be 1ms or longer"},
	} {
		w, err := parseWire(t, strings.Fields(tt.flags)...)
		if err != nil {
			t.Errorf("%s: %v", tt.flags, err)
			continue
		}
		err = w.Bad.validate()
		if tt.want == "" {
			if err != nil {
				t.Errorf("%s: %v", tt.flags, err)
			}
			continue
		}
		f, ok := err.(*failure)
		if !ok || f.status != statusUsage || !strings.HasPrefix(f.text, tt.want) || f.hint == "" {
			t.Errorf("%s: %#v, want a usage error that begins with %q, and a hint", tt.flags, err, tt.want)
		}
	}
}

// The topic has each parameter once, and no line is too long for a terminal.
func TestImpairmentsHelp(t *testing.T) {
	text := impairmentsHelp()
	for _, p := range tun.Parameters() {
		if strings.Count(text, "\n  "+usageOf(p)+" ") != 1 {
			t.Errorf("%s isn't there once", p.Name)
		}
	}
	for line := range strings.Lines(text) {
		if len(line) > 105 {
			t.Errorf("%d bytes: %s", len(line), line)
		}
	}
}
