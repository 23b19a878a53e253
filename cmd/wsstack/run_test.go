package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/wsstack/wsstack/internal/machines"
	"github.com/wsstack/wsstack/internal/netfile"
	"github.com/wsstack/wsstack/internal/testbed"
	"github.com/wsstack/wsstack/wg"
)

// The example is also a file of the repository.
func TestExampleNetwork(t *testing.T) {
	text, err := os.ReadFile("../../examples/network.yaml")
	if err != nil || string(text) != exampleNetwork {
		t.Errorf("examples/network.yaml isn't what run --example prints (%v): copy cmd/wsstack/example.yaml", err)
	}
}

// Network files in the documents have no mistakes.
func TestDocuments_Networks(t *testing.T) {
	block := regexp.MustCompile("(?s)```yaml\n(.*?)```")
	names, _ := filepath.Glob("../../*.md")
	more, _ := filepath.Glob("../../docs/*.md")
	for _, name := range append(names, more...) {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range block.FindAllStringSubmatch(string(text), -1) {
			if !strings.Contains(b[1], "hosts:") {
				continue
			}
			if _, err := netfile.Parse(name, ".", []byte(b[1]), netfile.Options{}); err != nil {
				t.Errorf("a network in %s: %v", name, err)
			}
		}
	}
}

// On a terminal the names of hosts have colours, each its own; JSON has none.
func TestRunOutput(t *testing.T) {
	n := testbed.Network{Hosts: []testbed.Host{{Name: "a"}, {Name: "long"}}}
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	play := func(o *runOutput) {
		o.line(testbed.Line{Time: at, Host: "a", Text: "out"})
		o.line(testbed.Line{Time: at, Host: "long", Text: "err", Stderr: true})
		o.event(testbed.Event{Time: at, Host: "a", Text: "started"})
	}
	for _, tt := range []struct {
		name           string
		json, colours  bool
		stdout, stderr string
	}{
		{"text", false, false, "a    | out\n", "long | err\na    * started\n"},
		{"colours", false, true, "\x1b[36ma    | \x1b[0mout\n", "\x1b[33mlong | \x1b[0merr\n\x1b[36ma    * \x1b[0mstarted\n"},
		{"JSON", true, false, `{"time":"2026-01-02T03:04:05Z","host":"a","stream":"stdout","text":"out"}
{"time":"2026-01-02T03:04:05Z","host":"long","stream":"stderr","text":"err"}
{"time":"2026-01-02T03:04:05Z","host":"a","stream":"event","text":"started"}
`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var stdout, stderr strings.Builder
			o := newRunOutput(n, &stdout, &stderr, tt.json)
			o.colourOut, o.colourErr = tt.colours, tt.colours
			play(o)
			if stdout.String() != tt.stdout || stderr.String() != tt.stderr {
				t.Errorf("standard output %q, want %q\nstandard error %q, want %q", stdout.String(), tt.stdout, stderr.String(), tt.stderr)
			}
		})
	}
}

// Of the machines that nothing has come from, the first one is named.
func TestSilence(t *testing.T) {
	all := []machines.Machine{{Name: "a", Port: 1}, {Name: "b", Host: "b.test", Port: 2, PublicKey: wg.Key{2}}, {Name: "c", PublicKey: wg.Key{3}}}
	peer := func(i int, handshake time.Time) wg.PeerStatus {
		return wg.PeerStatus{Peer: wg.Peer{PublicKey: all[i].PublicKey}, LastHandshake: handshake}
	}
	if got := silence(all, []wg.PeerStatus{peer(1, time.Now()), peer(2, time.Now())}); got != "" {
		t.Error(got)
	}
	got := silence(all, []wg.PeerStatus{peer(0, time.Now()), peer(1, time.Time{}), peer(2, time.Time{})})
	if !strings.Contains(got, "nothing has come from b:") || !strings.Contains(got, "UDP port 2 of b.test") {
		t.Error(got)
	}
}
