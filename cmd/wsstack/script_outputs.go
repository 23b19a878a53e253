package main

import (
	"cmp"
	_ "embed"
	"encoding/xml"
	"fmt"
	"html/template"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/wsstack/wsstack/internal/picture"
	"github.com/wsstack/wsstack/internal/script/play"
	"github.com/wsstack/wsstack/internal/script/syntax"
)

// scriptOutputs are the files of --pcap, --html and --junit. Its method write is safe for
// concurrent use.
type scriptOutputs struct {
	flags   scriptFlags
	stdout  io.Writer
	folders bool // pcap and html are folders

	mu    sync.Mutex
	names map[string]bool          // of files in the folders, in small letters and without what they end in
	pages map[*scriptResult]string // the names of pages
	err   error                    // the first of writing
}

// prepare makes the folders, and looks whether the report can be written, before scripts are played.
func (f *scriptFlags) prepare(stdout io.Writer, args []string) (*scriptOutputs, error) {
	o := &scriptOutputs{flags: *f, stdout: stdout, names: map[string]bool{"index": true}, pages: map[*scriptResult]string{}}
	info, err := os.Stat(args[0])
	o.folders = len(args) > 1 || err == nil && info.IsDir()
	for _, out := range []struct{ flag, name, what string }{{"pcap", f.pcap, "captures"}, {"html", f.html, "pages"}} {
		switch {
		case out.name == "":
		case !o.folders && out.name != standardOutput && sameFile(out.name, args[0]):
			return nil, usagef("%s is the script itself", out.name).withHint("name another file to write")
		case o.folders && out.name == standardOutput:
			return nil, usagef("--%s of several scripts names a folder: each script has a file of its own", out.flag).
				withHint("wsstack script --%s %s %s", out.flag, out.what, strings.Join(args, " "))
		case o.folders:
			if err := makeFolder(out.name, out.flag, out.what); err != nil {
				return nil, err
			}
		}
	}
	if f.junit != "" && f.junit != standardOutput {
		if sameFile(f.junit, args[0]) {
			return nil, usagef("%s is the script itself", f.junit).withHint("name another file to write")
		}
		if err := os.WriteFile(f.junit, nil, 0o666); err != nil {
			return nil, reportFailure(f.junit, err)
		}
	}
	return o, nil
}

// sameFile reports whether two names are those of one file that there is.
func sameFile(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}

// play plays a script, and writes its files. Their errors are those of end.
func (o *scriptOutputs) play(r *scriptResult, s *syntax.Script, c play.Config) {
	base := ""
	if o.folders && o.flags.pcap+o.flags.html != "" {
		base = o.nameFor(r)
	}
	var played *play.Result
	if o.flags.pcap != "" {
		o.output("pcap", o.flags.pcap, base, ".pcapng", func(w io.Writer) error {
			c.Capture = w
			played = o.flags.realFlags.play(s, c)
			return played.CaptureErr
		})
	}
	if played == nil {
		c.Capture = nil
		played = o.flags.realFlags.play(s, c)
	}
	r.played(played, o.flags.verbose || o.flags.compare)
	if o.flags.compare {
		r.compared(s, c)
	}
	if o.flags.html != "" && played.Recording != nil {
		o.output("html", o.flags.html, base, ".html", func(w io.Writer) error {
			return picture.Analyse(played.Recording).WriteHTML(w, r.File, r.remarks()...)
		})
	}
}

// output writes one file.
func (o *scriptOutputs) output(flag, name, base, extension string, write func(io.Writer) error) {
	if o.folders {
		name = filepath.Join(name, base+extension)
	}
	if err := writeOutput(o.stdout, flag, name, write); err != nil {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.err = cmp.Or(o.err, err)
	}
}

// nameFor is the name of a script's files in folders: that of the script with its folders, and a
// number where another one has the same.
func (o *scriptOutputs) nameFor(r *scriptResult) string {
	name := strings.TrimSuffix(filepath.ToSlash(r.File), play.Extension)
	for strings.HasPrefix(name, "../") {
		name = strings.TrimPrefix(name, "../")
	}
	name = strings.Map(fileNameRune, strings.TrimPrefix(name, "/"))
	if name == "" {
		name = "script"
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	unique := name
	for n := 2; o.names[strings.ToLower(unique)]; n++ {
		unique = fmt.Sprintf("%s-%d", name, n)
	}
	o.names[strings.ToLower(unique)] = true
	o.pages[r] = unique + ".html"
	return unique
}

// remarks are what the page of a script says above the diagrams.
func (r *scriptResult) remarks() []string {
	list := []string{fmt.Sprintf("%s: %s; profile %s, %s", r.Verdict, r.summary(), r.Profile, r.IPVersion)}
	f := r.Failure
	if f == nil {
		return list
	}
	list = append(list, f.place(r.File)+": "+f.Text, f.Event)
	for _, l := range f.Expected {
		list = append(list, "expected: "+l)
	}
	for _, l := range f.Actual {
		list = append(list, "actual: "+l)
	}
	return list
}

// end writes what is for all scripts together. The error is the first that there was.
func (o *scriptOutputs) end(results []*scriptResult) error {
	if o.err != nil {
		return o.err
	}
	if o.folders && o.flags.html != "" {
		if err := o.writeIndex(results); err != nil {
			return failf("can't write the pages: %w", err).withHint("choose another folder: --html %s", elsewhere(o.flags.html))
		}
	}
	if o.flags.junit == "" {
		return nil
	}
	report, err := scriptJUnit(results)
	if err != nil {
		return failf("make the report: %w", err)
	}
	if o.flags.junit == standardOutput {
		return write(o.stdout, string(report))
	}
	if err := os.WriteFile(o.flags.junit, report, 0o666); err != nil {
		return reportFailure(o.flags.junit, err)
	}
	return nil
}

// scriptJUnit returns the report of --junit: a case for each script, whose class is its folder.
func scriptJUnit(results []*scriptResult) ([]byte, error) {
	suite := junitSuite{Name: "wsstack script", Tests: len(results)}
	for _, r := range results {
		folder, base := filepath.Split(printable(r.File))
		c := junitCase{Class: strings.TrimSuffix(filepath.ToSlash(folder), "/"), Name: base, Time: r.Seconds}
		c.Class = cmp.Or(c.Class, ".")
		if r.Verdict == scriptPass {
			c.Output = r.summary()
		} else {
			suite.Failures++
			c.Failure = r.junit()
		}
		suite.Cases = append(suite.Cases, c)
	}
	out, err := xml.MarshalIndent(suite, "", "  ")
	if err != nil {
		return nil, err
	}
	return append([]byte(xml.Header), append(out, '\n')...), nil
}

// junit is the message of a script that hasn't passed: what the report has, without its headline.
func (r *scriptResult) junit() *junitMessage {
	var text strings.Builder
	for _, m := range r.Mistakes {
		m.write(&text, r.File, "")
	}
	if r.Failure == nil && r.Kernel != nil {
		r = r.Kernel
	}
	if r.Failure != nil {
		new(scriptReport).failure(&text, r)
		return &junitMessage{Message: shorten(r.Failure.place(r.File)+": "+r.Failure.Text, 200), Text: text.String()}
	}
	return &junitMessage{Message: shorten(r.Mistakes[0].place(r.File)+": "+r.Mistakes[0].Text, 200), Text: text.String()}
}

//go:embed script.html
var scriptHTML string

var scriptTemplate = template.Must(template.Must(verifyTemplate.Clone()).Parse(scriptHTML))

// writeIndex writes the list of all scripts, with links to their pages.
func (o *scriptOutputs) writeIndex(results []*scriptResult) error {
	type entry struct {
		*scriptResult
		Page    string // "": it has none
		Summary string
	}
	index := struct {
		Totals  string
		Scripts []entry
	}{Totals: totals(results, false)}
	for _, r := range results {
		e := entry{r, o.pages[r], ""}
		switch {
		case r.Failure != nil:
			e.Summary = r.Failure.Text
		case r.Kernel != nil && r.Kernel.Failure != nil:
			e.Summary = "on the kernel: " + r.Kernel.Failure.Text
		case len(r.Mistakes) > 0:
			e.Summary = r.Mistakes[0].place(r.File) + ": " + r.Mistakes[0].Text
		default:
			e.Summary = r.summary()
		}
		index.Scripts = append(index.Scripts, e)
	}
	return writePage(filepath.Join(o.flags.html, "index.html"), scriptTemplate, "scripts", index)
}
