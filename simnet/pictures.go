package simnet

import (
	"fmt"
	"io"
	"net/netip"
	"strings"

	"github.com/wsstack/wsstack/internal/picture"
)

// A PictureOption chooses what is drawn of a Recording.
type PictureOption func(*pictureChoice)

// A pictureChoice is the connection that options choose.
type pictureChoice struct {
	chosen bool
	x, y   netip.AddrPort
}

// Between chooses the connection with these ends. An end that is the zero AddrPort stands for any.
// Of several with the same ends it is the first.
func Between(x, y netip.AddrPort) PictureOption {
	return func(c *pictureChoice) { c.chosen, c.x, c.y = true, x, y }
}

// analyse understands what there is, and finds the connection that the options choose: its index in
// the analysis, or -1 where they choose none.
func (r *Recording) analyse(call string, opts []PictureOption) (a *picture.Analysis, c pictureChoice, flow int, err error) {
	for _, o := range opts {
		o(&c)
	}
	a, flow = picture.Analyse(r.snapshot()), -1
	if !c.chosen {
		return a, c, flow, nil
	}
	if flow = a.Find(c.x, c.y); flow < 0 {
		err = fmt.Errorf("simnet: %s: no connection has the ends %s and %s; %s", call, endName(c.x), endName(c.y), connectionNames(a))
	}
	return a, c, flow, err
}

func endName(e netip.AddrPort) string {
	if !e.IsValid() {
		return "any"
	}
	return e.String()
}

// connectionNames lists the connections for an error.
func connectionNames(a *picture.Analysis) string {
	const most = 10
	var names []string
	for i, f := range a.Flows {
		if i == most {
			names = append(names, fmt.Sprintf("%d more", len(a.Flows)-most))
			break
		}
		names = append(names, fmt.Sprintf("%s and %s", f.Ends[0], f.Ends[1]))
	}
	if len(names) == 0 {
		return "the recording has none"
	}
	return "there are: " + strings.Join(names, ", ")
}

// WriteSVG draws the sequence numbers of one direction of a TCP connection by time, as its sender
// sees them, the way tcptrace does: segments, retransmissions, dropped packets, SACK blocks, what is
// acknowledged, and the edge of the window. Below are congestion window, slow-start threshold and
// bytes in flight, and the round trip. It is the direction from the first end of Between to the
// second, or else the one with the most data of all connections. An error says that there is no such
// connection, or is that of w.
func (r *Recording) WriteSVG(w io.Writer, opts ...PictureOption) error {
	if r.n.tb != nil {
		r.n.tb.Helper()
	}
	a, c, flow, err := r.analyse("WriteSVG", opts)
	if err != nil {
		return r.n.fail(err)
	}
	dir := 0
	if flow < 0 {
		if flow, dir = a.Busiest(); flow < 0 {
			return r.n.fail(fmt.Errorf("simnet: WriteSVG: the recording has no TCP connection; WriteLadder draws other packets"))
		}
	} else if ends := a.Flows[flow].Ends; ends[1] == c.x || !c.x.IsValid() && ends[0] == c.y {
		dir = 1
	}
	return r.n.fail(a.WriteSequence(w, flow, dir))
}

// WriteLadder draws a ladder diagram as an SVG: a line down for each node, and an arrow for each
// packet, from the moment at which it was sent to the one at which it arrived. Lost packets end in a
// cross. Long silences are left out, visibly. It is the diagram of all packets, or of the connection
// that Between chooses; of more than 2,000 packets it shows a part, and says so. An error says that
// there is no such connection, or is that of w.
func (r *Recording) WriteLadder(w io.Writer, opts ...PictureOption) error {
	if r.n.tb != nil {
		r.n.tb.Helper()
	}
	a, _, flow, err := r.analyse("WriteLadder", opts)
	if err == nil {
		err = a.WriteLadder(w, flow)
	}
	return r.n.fail(err)
}

// WriteHTML writes a page that stands alone, for a browser: ladder diagrams, diagrams of sequence
// numbers by time that can be enlarged, and the list of packets beside them, for all packets and for
// each connection. Of many packets it shows a part, and says so: 1,500 in a list, 30 connections. The
// error is that of w.
func (r *Recording) WriteHTML(w io.Writer) error {
	if r.n.tb != nil {
		r.n.tb.Helper()
	}
	title := "network of simnet"
	if t, ok := r.n.tb.(interface{ Name() string }); ok {
		title = t.Name()
	}
	return r.n.fail(picture.Analyse(r.snapshot()).WriteHTML(w, title))
}

// WriteCSV writes a table of the packets (RFC 4180), with a line of names above. Times are in
// seconds since New, and sequence numbers count from 0 at the SYN. The error is that of w.
func (r *Recording) WriteCSV(w io.Writer) error {
	if r.n.tb != nil {
		r.n.tb.Helper()
	}
	return r.n.fail(picture.Analyse(r.snapshot()).WriteCSV(w, -1))
}

// WriteSamplesCSV writes a table of the Samples of all Connections (RFC 4180), with a line of names
// above. Times are in seconds, sizes in bytes. The error is that of w.
func (r *Recording) WriteSamplesCSV(w io.Writer) error {
	if r.n.tb != nil {
		r.n.tb.Helper()
	}
	return r.n.fail((&picture.Analysis{Recording: r.snapshot()}).WriteSamples(w))
}

// WriteText writes a line for each packet, in the form of Network.TraceText, with what is remarkable
// about it: its fate, and whether it is a retransmission, a duplicate acknowledgement or a
// keep-alive. The error is that of w.
func (r *Recording) WriteText(w io.Writer) error {
	if r.n.tb != nil {
		r.n.tb.Helper()
	}
	return r.n.fail(picture.Analyse(r.snapshot()).WriteText(w, -1))
}
