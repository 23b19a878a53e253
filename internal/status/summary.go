package status

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// A Summary says what a network has carried.
type Summary struct {
	Seconds float64 `json:"seconds"` // how long the network has run
	Ways    []Way   `json:"ways"`    // the directions of all links
}

// A Way is one direction of a link in a Summary.
type Way struct {
	Link    string `json:"link"`    // the name of the link
	From    string `json:"from"`    // the host that sends
	To      string `json:"to"`      // the host that receives
	Packets uint64 `json:"packets"` // packets that came to the link
	Bytes   uint64 `json:"bytes"`   // bytes of these packets, IP headers included
	Dropped uint64 `json:"dropped"` // packets that didn't arrive

	// Retransmitted are the TCP segments that From has sent again, over all its links; nil: nobody
	// has counted them.
	Retransmitted *uint64 `json:"retransmitted"`
}

// Summarize makes the summary of a report. The kernels have the segments that hosts which are no
// stacks have sent again, by their names.
func Summarize(r Report, kernels map[string]uint64, took time.Duration) Summary {
	s := Summary{Seconds: took.Seconds(), Ways: []Way{}}
	resent := map[string]*uint64{}
	for name, n := range kernels {
		resent[name] = &n
	}
	for _, h := range r.All() {
		n := h.Stats.Retransmits
		resent[h.Name] = &n
	}
	for _, l := range r.Links {
		for k := range 2 {
			w := newWay(l, k)
			s.Ways = append(s.Ways, Way{
				Link: w.Name, From: w.From, To: w.To, Packets: w.Packets, Bytes: w.Bytes, Dropped: w.Dropped, Retransmitted: resent[w.From],
			})
		}
	}
	return s
}

// WriteText writes the summary as a table. The column with the name of the link is there where
// there are several.
func (s Summary) WriteText(w io.Writer) error {
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	several := len(s.Ways) > 2
	row := func(link, way string, cells ...string) {
		if several {
			fmt.Fprintf(table, "%s\t", link)
		}
		fmt.Fprintf(table, "%s\t%s\t\n", way, strings.Join(cells, "\t"))
	}
	took := time.Duration(s.Seconds * float64(time.Second)).Round(10 * time.Millisecond)
	row("link", "in "+took.String(), "packets", "bytes", "dropped", "retransmitted")
	for _, w := range s.Ways {
		again := "–"
		if w.Retransmitted != nil {
			again = grouped(*w.Retransmitted)
		}
		row(w.Link, w.From+" → "+w.To, grouped(w.Packets), grouped(w.Bytes), grouped(w.Dropped), again)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// WriteJSON writes the summary as one line: an object with the member "summary".
func (s Summary) WriteJSON(w io.Writer) error {
	b, err := json.Marshal(map[string]Summary{"summary": s})
	if err != nil {
		return err
	}
	_, err = w.Write(append(b, '\n'))
	return err
}

// grouped writes a number with commas between groups of three digits.
func grouped(n uint64) string {
	text := strconv.FormatUint(n, 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
