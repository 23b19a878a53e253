package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/internal/script/play"
	"github.com/wsstack/wsstack/internal/script/syntax"
)

// The marks are below the words that the other line has not.
func TestDifferences(t *testing.T) {
	for _, tt := range []struct{ a, b, marksA, marksB string }{
		{"same", "same", "", ""},
		{"", "b", "", ""},
		{"no word", "in common", "", ""},
		{"S. 0:0(0) ack 1 win 65535", "S. 0:0(0) ack 1 win 64240", strings.Repeat(" ", 20) + "^^^^^", strings.Repeat(" ", 20) + "^^^^^"},
		{"F. 1:1(0) ack 1", ". 1:1(0) ack 1", "^^", "^"},
		{". ack 1", ". ack 1 win 9", "", "        ^^^ ^"},
		{"ä ö", "ü ö", "^", "^"},
		{strings.Repeat("a ", mostWords+1) + "b", strings.Repeat("a ", mostWords+1) + "c", "", ""},
	} {
		marksA, marksB := differences(tt.a, tt.b, nil, nil)
		require.Equal(t, [2]string{tt.marksA, tt.marksB}, [2]string{marksA, marksB}, "%q and %q", tt.a, tt.b)
	}
	marksA, marksB := differences("S. ack 2 <...>", "S. ack 1 win 9 <mss 1460>", map[string]bool{"2": true}, map[string]bool{"1": true})
	require.Equal(t, [2]string{"       ^", "       ^"}, [2]string{marksA, marksB}, "only what counts")
}

// failed is a result of a script that fails.
func failed() *scriptResult {
	r := &scriptResult{File: "close.pkt"}
	r.played(&play.Result{
		Setup: play.Setup{Profile: "documented", IPVersion: "ipv4"}, Took: 200 * time.Millisecond, Events: 4, Packets: 3, Calls: 1,
		Failure: &play.Failure{Pos: syntax.Pos{Line: 12, Column: 3}, Event: "+0 > F. 1:1(0) ack 1", At: 200 * time.Millisecond,
			What: "the flags differ", Expected: []string{"F. 1:1(0) ack 1"}, Actual: []string{". 1:1(0) ack 1 \x1b[2J"}, Hint: "what would help"},
		Conversation: []play.Line{{At: 200500 * time.Microsecond, Text: "close(3) = 0"}}, Left: 2,
	}, false)
	return r
}

// A failure has its place, both sides and the conversation, and nothing that a terminal acts on.
func TestScriptReport_Failure(t *testing.T) {
	var text strings.Builder
	o := newScriptReport(&text, scriptFlags{})
	r := failed()
	o.add(r)
	require.NoError(t, o.end([]*scriptResult{r}))
	require.Equal(t, `fail     close.pkt  4 events, 3 packets, 1 call in 0.200s
close.pkt:12:3: the flags differ
    +0 > F. 1:1(0) ack 1

    expected          actual
    F. 1:1(0) ack 1   . 1:1(0) ack 1 \x1b[2J
    ^^                ^              ^^^^^^^
hint: what would help

    the conversation until 0.200s:
    … 2 lines before
    0.200500s close(3) = 0

0 pass, 1 fail of 1 script
`, text.String())
}

// Sides that are too wide stand one below the other, and each line of one that has more is shown.
func TestScriptReport_Sides(t *testing.T) {
	var text strings.Builder
	long := strings.Repeat("x", 60)
	new(scriptReport).sides(&text, []string{long + " 1"}, []string{long + " 2", "more"})
	require.Equal(t, strings.Join([]string{
		"    expected  " + long + " 1",
		"              " + strings.Repeat(" ", 61) + "^",
		"    actual    " + long + " 2",
		"              " + strings.Repeat(" ", 61) + "^",
		"    expected  ",
		"    actual    more", "",
	}, "\n"), text.String())
}

// Colours take no columns.
func TestScriptReport_Colours(t *testing.T) {
	var text strings.Builder
	(&scriptReport{colours: true}).sides(&text, []string{"a 1"}, []string{"a 2"})
	require.Equal(t, "    expected   actual\n    a 1        a 2\n    \x1b[31m  ^\x1b[0m        \x1b[31m  ^\x1b[0m\n", text.String())
}

// A writer that fails isn't written to again, and its error is that of the command.
func TestScriptReport_Error(t *testing.T) {
	w := &brokenWriter{}
	o := newScriptReport(w, scriptFlags{})
	o.add(failed())
	o.add(failed())
	require.ErrorIs(t, o.end(nil), errBroken)
	require.Equal(t, 1, w.calls)
}

var errBroken = errors.New("broken")

type brokenWriter struct{ calls int }

func (w *brokenWriter) Write([]byte) (int, error) {
	w.calls++
	return 0, errBroken
}

// Files of scripts have names of their own in a folder, also where that doesn't tell capitals apart.
func TestScriptOutputs_Names(t *testing.T) {
	o := &scriptOutputs{names: map[string]bool{"index": true}, pages: map[*scriptResult]string{}}
	for _, tt := range []struct{ file, name string }{
		{"a/b.pkt", "a-b"}, {"a-b.pkt", "a-b-2"}, {"A-B.pkt", "A-B-3"}, {"../../a/b.pkt", "a-b-4"}, {"/tmp/x.pkt", "tmp-x"},
		{"index.pkt", "index-2"}, {"-", "-"}, {"...pkt", "script"}, {"a.b", "ab"},
	} {
		r := &scriptResult{File: tt.file}
		require.Equal(t, tt.name, o.nameFor(r), tt.file)
		require.Equal(t, tt.name+".html", o.pages[r])
	}
}

// Folders have their scripts in order, each once.
func TestFindScripts(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for _, name := range []string{"b.pkt", "a.pkt", "sub/c.pkt", ".hidden/d.pkt", "notes.txt"} {
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
		require.NoError(t, os.WriteFile(name, nil, 0o644))
	}
	found, err := findScripts([]string{"./b.pkt", ".", "notes.txt", "-", "-"})
	require.NoError(t, err)
	require.Equal(t, []string{"b.pkt", "a.pkt", filepath.Join("sub", "c.pkt"), "notes.txt", "-"}, found)
	require.NoError(t, os.Mkdir("empty", 0o755))
	_, err = findScripts([]string{"empty"})
	require.ErrorContains(t, err, "no script in the folder empty")
	_, err = findScripts([]string{"missing.pkt"})
	require.ErrorIs(t, err, os.ErrNotExist)
}

// The flag of go test works, and no other word of the line changes.
func TestSingleDash(t *testing.T) {
	for _, tt := range []struct{ args, want string }{
		{"script -run x a", "script --run x a"}, {"script -run=x", "script --run=x"}, {"script --run x", "script --run x"},
		{"exec -run x", "exec -run x"}, {"script -- -run", "script -- -run"}, {"script -v", "script -v"}, {"", ""},
	} {
		require.Equal(t, strings.Fields(tt.want), singleDash(strings.Fields(tt.args)))
	}
}

// Of two conversations the lines that differ are marked, whatever their times are.
func TestScriptReport_Comparison(t *testing.T) {
	r := &scriptResult{File: "a.pkt", Verdict: scriptFail, stack: scriptPass, Conversation: []string{"0.000s same", "0.000s one", "0.000s gone"},
		Kernel: &scriptResult{File: "a.pkt", Verdict: scriptPass, Conversation: []string{"0.001s same …", "0.002s … same", "0.003s two", "0.004s end", "0.005s gone", "0.006s more"}}}
	var text strings.Builder
	new(scriptReport).comparison(&text, r)
	require.Equal(t, `    on the stack: pass, 0 events, 0 packets, 0 calls in 0.000s
    on the kernel: pass, 0 events, 0 packets, 0 calls in 0.000s

    stack         kernel
    0.000s same   0.002s same
    0.000s one  | 0.003s two
                > 0.004s end
    0.000s gone   0.005s gone
                > 0.006s more

`, text.String())
}
