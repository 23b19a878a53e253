//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/wsstack/wsstack/bench"
	"github.com/wsstack/wsstack/internal/picture"
)

// The contenders.
const (
	ours   = "wsstack"
	theirs = "gonet"
)

// title is the name of a contender's row.
func title(name string, count int) string { return fmt.Sprintf("%s, %d", name, count) }

// bounds compare the contenders at each number of connections, and what an exchange and a
// connection cost among the most with what they cost among a hundred: the work is the same, and
// what it touches isn't in a cache.
func bounds(counts []int) (list []bench.Bound) {
	most := slices.Max(counts)
	for _, name := range []string{ours, theirs} {
		for _, c := range []bench.Column{bench.CrowdFewCPU, bench.CrowdBytes} {
			list = append(list, bench.Bound{Column: c, Of: title(name, most), To: title(name, 100)})
		}
	}
	for _, count := range counts {
		for _, c := range []bench.Column{bench.CrowdFew, bench.CrowdAll, bench.CrowdAllP99, bench.CrowdStreams, bench.CrowdBytes} {
			list = append(list, bench.Bound{Column: c, Of: title(ours, count), To: title(theirs, count)})
		}
	}
	return list
}

// A plot is a picture of a column for both contenders.
type plot struct {
	file   string
	title  string
	column bench.Column
	log    bool
}

var plots = []plot{
	{"few.svg", "64 at a time exchange a byte, 1/s", bench.CrowdFew, false},
	{"all.svg", "all exchange a byte, 1/s", bench.CrowdAll, false},
	{"few-cpu.svg", "CPU of an exchange, 64 at a time, µs", bench.CrowdFewCPU, false},
	{"all-p99.svg", "all exchange a byte, 99 % within, µs", bench.CrowdAllP99, true},
	{"streams.svg", "all send what they can, Gbit/s", bench.CrowdStreams, false},
	{"bytes.svg", "an idle connection's memory at an end, bytes", bench.CrowdBytes, true},
	{"idle.svg", "CPU while nothing happens, ms/s", bench.CrowdIdle, true},
	{"probes.svg", "CPU while all are probed, ms/s", bench.CrowdProbes, true},
}

// draw writes the plots, and returns what shows them in Markdown.
func (s *settings) draw(r *bench.Report) (string, error) {
	if err := os.MkdirAll(s.plots, 0o755); err != nil {
		return "", err
	}
	var text strings.Builder
	text.WriteString("\n")
	for _, d := range plots {
		p := picture.Plot{Title: d.title, X: "connections", Log: d.log}
		for _, name := range []string{ours, theirs} {
			l := picture.Line{Name: name}
			for _, row := range r.Rows {
				for _, count := range s.counts {
					if v, ok := row.Medians[d.column]; ok && row.Name == title(name, count) {
						l.Points = append(l.Points, [2]float64{float64(count), v})
					}
				}
			}
			if len(l.Points) > 0 {
				p.Lines = append(p.Lines, l)
			}
		}
		name := filepath.Join(s.plots, d.file)
		f, err := os.Create(name)
		if err == nil {
			err = p.Write(f)
			if closeErr := f.Close(); err == nil {
				err = closeErr
			}
		}
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&text, "![%s](%s)\n", d.title, filepath.ToSlash(name))
	}
	return text.String(), nil
}

const legend = `
Two stacks of one kind in a process, joined by a Pipe with an MTU of 1500; gonet's are the same plain netstacks as above. *idle* is for one end: Go memory, heap and stacks,
half of what a connection takes, before anybody reads; the processor time is that of the whole process in a second. *probes* are TCP keep-alive's, one for each connection in four times the length of
a measurement (gonet has no setter). *few* are exchanges of a byte of 64 connections at a time, each connection in its turn, with a goroutine at both ends that reads; *all* are exchanges of all connections at once, of 10,000 of them where there are more,
in turn: a Pipe holds 16,384 packets. *streams* are as many that send all they can, up to 1,000. *CPU* is for one exchange, both ends.
`
