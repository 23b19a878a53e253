package picture

import (
	"bufio"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
)

// Bounds of a page. A recording of any length makes a page that a browser shows at once.
const (
	pageLadder      = 1500   // packets of a ladder and its list
	pageConnections = 30     // connections that have a view of their own
	pageArrows      = 12_000 // arrows of all views together
	pageSequences   = 12     // connections that have time–sequence diagrams
)

var (
	//go:embed page.html
	pageHTML string
	//go:embed page.css
	pageCSS string
	//go:embed page.js
	pageJS string

	pageTemplate = template.Must(template.New("page").Parse(pageHTML))
)

// A page is what the template shows.
type page struct {
	Title   string
	Summary string
	Remarks []string
	Style   template.CSS
	Script  template.JS
	Views   []view
}

// A view is what the page shows of a connection, or of all packets.
type view struct {
	Name     string
	Pictures []template.HTML
	Rows     []row
}

// A row is a packet of the list.
type row struct {
	Missing string // how many packets were left out before it
	Class   string
	Index   int
	Number  int
	Time    string
	Way     string
	Text    string
	Notes   string
}

// WriteHTML writes a page that stands alone: a ladder of all packets and one for each connection,
// time–sequence diagrams, and the list of packets beside them. Of long recordings it shows a part,
// and says so. The remarks stand at the top; the title and the remarks may hold any text.
func (a *Analysis) WriteHTML(w io.Writer, title string, remarks ...string) error {
	p := page{Title: clean(title, 200), Style: template.CSS(style + pageCSS), Script: template.JS(pageJS)}
	p.Summary = fmt.Sprintf("%s, %s, %s", count(len(a.Recording.Nodes), "node"), count(len(a.Packets), "packet"), count(len(a.Flows), "connection"))
	for _, r := range remarks {
		p.Remarks = append(p.Remarks, clean(r, 2000))
	}
	flows := a.pageFlows()
	if left := len(a.Flows) - len(flows); left > 0 {
		p.Remarks = append(p.Remarks, fmt.Sprintf("The page has the %s with the most packets; %s more have no view of their own.",
			count(len(flows), "connection"), thousands(uint64(left))))
	}
	if left := a.Recording.Left; left.Packets > 0 || left.Samples > 0 {
		p.Remarks = append(p.Remarks, fmt.Sprintf("The recording was full: %s and %s are missing.", count(int(left.Packets), "packet"), count(int(left.Samples), "sample")))
	}
	most := pageLadder
	if len(a.Flows) != 1 || len(a.Flows[0].Packets) != len(a.Packets) {
		most = min(most, pageArrows/(len(flows)+1))
		p.Views = append(p.Views, a.view(-1, most, false))
	}
	for n, flow := range flows {
		p.Views = append(p.Views, a.view(flow, most, n < pageSequences))
	}
	out := bufio.NewWriterSize(w, 1<<16)
	if err := pageTemplate.Execute(out, p); err != nil {
		return err
	}
	return out.Flush()
}

// pageFlows are the connections that have a view, in the order in which they began.
func (a *Analysis) pageFlows() []int {
	list := make([]int, len(a.Flows))
	for i := range list {
		list[i] = i
	}
	slices.SortStableFunc(list, func(x, y int) int { return len(a.Flows[y].Packets) - len(a.Flows[x].Packets) })
	list = list[:min(len(list), pageConnections)]
	slices.Sort(list)
	return list
}

// view makes a view of a connection, or of all packets with -1.
func (a *Analysis) view(flow, most int, sequences bool) view {
	v := view{Name: "all packets: " + a.title(-1)}
	if flow >= 0 {
		v.Name = fmt.Sprintf("%d: %s", flow+1, a.title(flow))
		for _, dir := range a.worthwhile(flow) {
			if sequences {
				v.Pictures = append(v.Pictures, template.HTML(a.sequence(flow, dir, false).String()))
			}
		}
	}
	v.Pictures = append(v.Pictures, template.HTML(a.ladder(flow, most, false).String()))
	v.Rows = a.rows(flow, most)
	return v
}

// worthwhile are the directions of a connection that have a time–sequence diagram on the page, the
// one with more data first: those with several segments of data.
func (a *Analysis) worthwhile(flow int) (list []int) {
	const few = 3
	var segments [2]int
	for _, i := range a.Flows[flow].Packets {
		if p := &a.Packets[i]; p.Segment.Len > 0 && p.Previous < 0 {
			segments[p.Dir]++
		}
	}
	for dir := range segments {
		if segments[dir] >= few || segments[dir] > 0 && segments[dir] >= segments[1-dir] && len(list) == 0 {
			list = append(list, dir)
		}
	}
	if len(list) == 2 && a.Flows[flow].Bytes[1] > a.Flows[flow].Bytes[0] {
		slices.Reverse(list)
	}
	return list
}

// rows are the packets of the list, the same as those of the ladder.
func (a *Analysis) rows(flow, most int) []row {
	whole := a.packetsOf(flow)
	list := a.thin(whole, most)
	missing := gaps(whole, list)
	rows := make([]row, len(list))
	for k, i := range list {
		p := &a.Packets[i]
		r := row{
			Class: p.classes(), Index: i, Number: i + 1, Time: clock(p.At, 6),
			Way: clean(p.From, 40) + " → " + clean(p.To, 40), Text: clean(p.Line, 300), Notes: join(p.notes()),
		}
		if missing[k] > 0 {
			r.Missing = count(missing[k], "packet") + " not shown"
		}
		rows[k] = r
	}
	return rows
}
