//go:build linux

package bench

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"
)

// A Report is the outcome of a comparison.
type Report struct {
	Title    string // of its section
	Command  string // what makes it
	Columns  []Column
	Bounds   []Bound `json:"-"` // Ratios has them
	Legend   string  `json:"-"`
	Machine  string  // the processor
	CPUs     int
	Kernel   string
	Go       string
	TCP      string // the kernel's congestion control
	Date     string
	Rounds   int
	Length   string   // of a transfer
	Others   float64  // share of the processors that other processes used meanwhile
	Missing  []string `json:",omitempty"` // what isn't installed: a line of text each, with the command that installs it
	Rows     []*Row
	Ratios   []Ratio
	Duration string

	start  time.Time
	others time.Duration // of the processors, not of this process and its children; when it started
}

// Save writes everything, samples included, to a file as JSON; without a name it does nothing.
func (r *Report) Save(name string) error {
	if name == "" {
		return nil
	}
	text, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(name, append(text, '\n'), 0o644)
}

// Begin fills in what is known before the first round.
func (r *Report) Begin() {
	r.CPUs, r.Go, r.Date = runtime.NumCPU(), runtime.Version(), today()
	r.Machine, r.Kernel = machine()
	r.TCP = congestion()
	r.start, r.others = time.Now(), busyTime()-familyTime()
}

// Add adds a row for a contender.
func (r *Report) Add(name string) *Row {
	r.Rows = append(r.Rows, &Row{Name: name, Medians: map[Column]float64{}, Samples: map[Column][]float64{}})
	return r.Rows[len(r.Rows)-1]
}

// A Row is what was measured of a contender: one value a round.
type Row struct {
	Name    string
	Group   string // the title of its table; rows of a group follow each other or not
	Version string // empty: none
	Medians map[Column]float64
	Samples map[Column][]float64
}

// Add adds a value to each of some columns.
func (r *Row) Add(values map[Column]float64) {
	for c, v := range values {
		r.Samples[c] = append(r.Samples[c], v)
	}
}

// A Bound is a ratio of two figures of one run, and what it must reach.
type Bound struct {
	Column      Column
	Of, To      string  // contenders; To may be empty: Of's own figure
	Least, Most float64 // zero: none
}

// bounds are the ratios that the project has promised to keep. Those to the loopback of a kernel
// with its default are about a kernel that paces, with BBR.
func bounds(paces bool) []Bound {
	ofPaced := func(least float64) float64 {
		if paces {
			return least
		}
		return 0
	}
	list := []Bound{
		{Out, wsstackOffload + reno, loopback + reno, 0.45, 0},
		{In, wsstackOffload + reno, loopback + reno, 0.65, 0},
		{In, wsstackOffload + reno, gonetWater + reno, 4, 0},
		{In, wsstackOffload + reno, gonetOffload + reno, 0.95, 0},
		{Out, wsstackOffload, loopback, ofPaced(0.9), 0},
		{In, wsstackOffload, loopback, ofPaced(0.5), 0},
		{Out, wsstackOffload, gonetWater, 8, 0},
		{In, wsstackOffload, gonetWater, 4, 0},
		{Out, wsstackPipe, loopback, ofPaced(2), 0},
		{Memory, wsstackPipe, "", 0, idleBytes},
	}
	for _, device := range []string{"offload", "water", "pipe"} {
		ours, theirs, least := "wsstack, "+device, "gonet, "+device, 0.95
		if ours == wsstackPipe {
			least = 1
		}
		for _, c := range []Column{Out, In} {
			list = append(list, Bound{c, ours, theirs, least, 0})
		}
		list = append(list, Bound{Both, ours, theirs, 0.95, 0}, Bound{P50, ours, theirs, 0, 1},
			Bound{Connect, ours, theirs, 1, 0}, Bound{Accept, ours, theirs, 1, 0})
		for _, c := range []Column{EightOut, EightIn, EightBoth, UDP, HTTP, HTTPClose, P99, CPUOut, CPUIn, Memory} {
			list = append(list, Bound{Column: c, Of: ours, To: theirs})
		}
		list = append(list, Bound{Out, ours, ours + noDelay, 0.97, 0})
	}
	return list
}

// A Ratio is a bound with what was measured.
type Ratio struct {
	Bound
	Interval
	Verdict string // "holds", "missed", or "" where there is no bound
}

// judge says that a bound is missed only when the whole interval is beyond.
func judge(b Bound, i Interval) Ratio {
	r := Ratio{Bound: b, Interval: i}
	switch {
	case b.Least == 0 && b.Most == 0:
	case b.Least != 0 && i.High < b.Least, b.Most != 0 && i.Low > b.Most:
		r.Verdict = "missed"
	default:
		r.Verdict = "holds"
	}
	return r
}

// ratio divides round by round: what slows one contender slows its neighbours.
func (r *Report) ratio(b Bound) (Ratio, bool) {
	of := r.samples(b.Of, b.Column)
	if len(of) == 0 {
		return Ratio{}, false
	}
	values := append([]float64(nil), of...)
	if b.To != "" {
		to := r.samples(b.To, b.Column)
		if len(to) != len(of) {
			return Ratio{}, false
		}
		for i := range values {
			values[i] /= to[i]
		}
	}
	return judge(b, MedianInterval(values)), true
}

func (r *Report) samples(name string, c Column) []float64 {
	for _, row := range r.Rows {
		if row.Name == name {
			return row.Samples[c]
		}
	}
	return nil
}

// Finish computes medians and ratios. The children of the process have been waited for.
func (r *Report) Finish() {
	elapsed := time.Since(r.start)
	r.Duration = elapsed.Round(time.Second).String()
	r.Others = max(0, (busyTime()-familyTime()-r.others).Seconds()/elapsed.Seconds()/float64(r.CPUs))
	for _, row := range r.Rows {
		for c, s := range row.Samples {
			row.Medians[c] = MedianInterval(s).Median
		}
	}
	for _, b := range r.Bounds {
		if ratio, ok := r.ratio(b); ok {
			r.Ratios = append(r.Ratios, ratio)
		}
	}
}

// Figures writes the report: for each group of contenders a table, with a row for each figure that
// one of them has.
func (r *Report) Figures(w io.Writer) error {
	var b strings.Builder
	r.header(&b)
	var titles []string
	for _, row := range r.Rows {
		if !slices.Contains(titles, row.Group) {
			titles = append(titles, row.Group)
		}
	}
	slices.SortStableFunc(titles, func(x, y string) int { return slices.Index(groups, x) - slices.Index(groups, y) })
	for _, title := range titles {
		r.table(&b, title)
	}
	for _, line := range r.Missing {
		fmt.Fprintf(&b, "\n- %s", line)
	}
	if len(r.Missing) > 0 {
		b.WriteString("\n")
	}
	b.WriteString(r.Legend)
	r.ratios(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

// table writes the medians of a group: a column for each contender.
func (r *Report) table(b *strings.Builder, group string) {
	b.WriteString("\n")
	if group != "" {
		fmt.Fprintf(b, "### %s\n\n", group)
	}
	line := func(name string, cell func(*Row) string) {
		fmt.Fprintf(b, "|%s |", strings.TrimRight(" "+name, " "))
		for _, row := range r.Rows {
			if row.Group == group {
				fmt.Fprintf(b, " %s |", cell(row))
			}
		}
		b.WriteString("\n")
	}
	line("", func(row *Row) string { return row.Name })
	b.WriteString("|---|")
	versions := false
	for _, row := range r.Rows {
		if row.Group == group {
			b.WriteString("---:|")
			versions = versions || row.Version != ""
		}
	}
	b.WriteString("\n")
	if versions {
		line("version", func(row *Row) string { return cmp.Or(brief(row.Version), "–") })
	}
	for _, c := range r.Columns {
		if slices.ContainsFunc(r.Rows, func(row *Row) bool { return row.Group == group && row.Medians[c] != 0 }) {
			line(string(c), func(row *Row) string { return digits(row.Medians[c]) })
		}
	}
}

// pseudo is a version of Go modules that is a commit: its date, and its hash.
var pseudo = regexp.MustCompile(`^v.*[.-](\d{4})(\d\d)(\d\d)\d{6}-([0-9a-f]{12})$`)

// brief is a version that a column is wide enough for.
func brief(version string) string {
	if m := pseudo.FindStringSubmatch(version); m != nil {
		return fmt.Sprintf("%s-%s-%s %.7s", m[1], m[2], m[3], m[4])
	}
	return version
}

func (r *Report) header(b *strings.Builder) {
	fmt.Fprintf(b, "## %s\n\nMade by `%s` in %s on %s.\n\n", r.Title, r.Command, r.Duration, r.Date)
	fmt.Fprintf(b, "%s, %d processors; Linux %s, TCP congestion control %s; %s. Medians of %d interleaved rounds of %s for each transfer.\n",
		r.Machine, r.CPUs, r.Kernel, r.TCP, r.Go, r.Rounds, r.Length)
	fmt.Fprintf(b, "Other processes used %.0f %% of the processors meanwhile%s.\n", 100*r.Others, busy(r.Others))
}

func (r *Report) ratios(b *strings.Builder) {
	if len(r.Ratios) == 0 {
		return
	}
	b.WriteString("\n### Ratios\n\nWith the 95 % interval of the median. A bound is missed only when the whole interval lies beyond it.\n\n")
	b.WriteString("| figure | of | to | ratio | interval | bound | |\n|---|---|---|---:|---:|---:|---|\n")
	for _, x := range r.Ratios {
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s … %s | %s | %s |\n", x.Column, x.Of, x.To, digits(x.Median), digits(x.Low), digits(x.High), x.limit(), x.Verdict)
	}
}

const legend = `
*out* and *in* are those of the near side, which *wsstack* and *gonet* are. Over a TUN the far side is the kernel; in memory it is a
second stack of the same kind, and elsewhere both sides are the kernel. A pipe, a channel and a TUN have an MTU of 1500, loopback has 65536.

- *wsstack* has its defaults: Nagle's algorithm on, but for *no delay*. *offload* is a TUN of segments of 64 KiB, *water* one of plain packets.
- *gonet* is a plain netstack with gVisor's own adapter, *wireguard-go netstack* two of wireguard-go's, whose TUNs are joined without a tunnel.
  *lneto* has nobody who wakes up who waits: that one looks again and again. Its windows aren't scaled.
- *net.Pipe* and *bufconn*, with buffers of 256 KiB, are no network: the floor.
- With *Reno*, the kernel's sockets use that and not its default. Where that is BBR, it paces what a TUN brings in and what loopback carries.

Streams write and read 256 KiB at a time. *UDP* has eight sockets with eight datagrams of 1200 bytes under way each, *net/http* eight requests at a
time, answers of 1000 bytes, client and server in the same process. *idle* is Go memory (heap and stacks) for one connection at the near side, and
both sides where both are stacks, divided by two; the kernel's memory isn't in it. *CPU* is that of the process, with both
sides, for one stream. Each contender has a process of its own, and so no garbage but its own, which is collected before each measure.
`

func (b Bound) limit() string {
	switch {
	case b.Least != 0:
		return "≥ " + digits(b.Least)
	case b.Most != 0:
		return "≤ " + digits(b.Most)
	}
	return ""
}

func busy(share float64) string {
	if share > 0.1 {
		return ": **the machine was busy, and the figures are too low**"
	}
	return ""
}

// digits prints three significant digits.
func digits(v float64) string {
	switch {
	case v == 0 || math.IsNaN(v) || math.IsInf(v, 0):
		return "–"
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	case v >= 1:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.3f", v)
}

// today is the date of a report.
func today() string { return time.Now().UTC().Format(time.DateOnly) }
