package picture

import (
	"bufio"
	"encoding/csv"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/wsstack/wsstack/internal/trace"
)

// join lists words.
func join(words []string) string { return strings.Join(words, ", ") }

// WriteText writes a line for each packet of a connection, of all packets with -1, in the form of
// package trace, with what is remarkable about it in parentheses.
func (a *Analysis) WriteText(w io.Writer, flow int) error {
	out := bufio.NewWriter(w)
	for _, i := range a.packetsOf(flow) {
		p := &a.Packets[i]
		out.Write(trace.AppendTime(nil, p.At))
		out.WriteString(" " + clean(p.From, 80) + ">" + clean(p.To, 80) + " " + clean(p.Line, 400))
		if notes := p.notes(); len(notes) > 0 {
			out.WriteString(" (" + join(notes) + ")")
		}
		out.WriteByte('\n')
	}
	return out.Flush()
}

// packetColumns are the columns of WriteCSV. Times are in seconds.
var packetColumns = []string{"at", "arrived", "from", "to", "source", "destination", "protocol", "connection", "flags",
	"seq", "end", "ack", "len", "window", "size", "dropped", "fate", "notes", "comment", "text"}

// WriteCSV writes a table of the packets of a connection, or of all packets with -1 (RFC 4180).
// Cells that a spreadsheet would take for formulas begin with an apostrophe.
func (a *Analysis) WriteCSV(w io.Writer, flow int) error {
	out := csv.NewWriter(w)
	out.Write(packetColumns)
	for _, i := range a.packetsOf(flow) {
		out.Write(a.packetCells(&a.Packets[i]))
	}
	out.Flush()
	return out.Error()
}

// packetCells are the cells of a packet.
func (a *Analysis) packetCells(p *Packet) []string {
	cells := make([]string, 0, len(packetColumns))
	add := func(text ...string) { cells = append(cells, text...) }
	add(seconds(p.At), seconds(p.Arrived), cell(p.From), cell(p.To), endText(p.Source), endText(p.Dest), kindName(p.Kind))
	if p.Kind == trace.TCP {
		ack := ""
		if p.Segment.Flags&trace.ACK != 0 {
			ack = strconv.FormatUint(p.Ack, 10)
		}
		add(strconv.Itoa(p.Flow+1), p.Segment.Flags.String(), strconv.FormatUint(p.Start, 10), strconv.FormatUint(p.End, 10),
			ack, strconv.Itoa(p.Segment.Len), strconv.Itoa(p.Window))
	} else {
		add("", "", "", "", "", "", "")
	}
	add(strconv.Itoa(p.Size), strconv.FormatBool(p.Fate.Dropped()), p.Fate.String(), join(p.found()), cell(p.Comment), cell(p.Line))
	return cells
}

// sampleColumns are the columns of WriteSamples. Times are in seconds, sizes in bytes.
var sampleColumns = []string{"at", "host", "local", "remote", "event", "state", "snd.una", "snd.nxt", "rcv.nxt",
	"snd.wnd", "rcv.wnd", "flight", "cwnd", "ssthresh", "srtt", "rttvar", "rto", "retransmissions", "option"}

// WriteSamples writes a table of the samples of all connections (RFC 4180).
func (a *Analysis) WriteSamples(w io.Writer) error {
	out := csv.NewWriter(w)
	out.Write(sampleColumns)
	for i := range a.Recording.Connections {
		c := &a.Recording.Connections[i]
		for k := range c.Samples {
			s := &c.Samples[k]
			out.Write([]string{
				seconds(s.At), cell(c.Host), endText(c.Local), endText(c.Remote), s.Event.String(), cell(s.State),
				strconv.FormatUint(s.SndUna, 10), strconv.FormatUint(s.SndNxt, 10), strconv.FormatUint(s.RcvNxt, 10),
				strconv.Itoa(s.SendWindow), strconv.Itoa(s.ReceiveWindow), strconv.Itoa(s.InFlight),
				strconv.Itoa(s.CongestionWindow), strconv.Itoa(s.SlowStartThreshold),
				seconds(s.SmoothedRTT), seconds(s.RTTVariance), seconds(s.RTO), strconv.FormatUint(s.Retransmissions, 10), cell(s.Option),
			})
		}
	}
	out.Flush()
	return out.Error()
}

// seconds is a time as a number; what never happened is an empty cell.
func seconds(d time.Duration) string {
	if d < 0 {
		return ""
	}
	return strconv.FormatFloat(d.Seconds(), 'f', -1, 64)
}

// cell is a text of strangers as a cell.
func cell(text string) string {
	text = clean(text, 1000)
	if text != "" && strings.ContainsRune("=+-@", rune(text[0])) {
		return "'" + text
	}
	return text
}

// endText is an address with a port, or the address alone.
func endText(e netip.AddrPort) string {
	switch {
	case !e.Addr().IsValid():
		return ""
	case e.Port() == 0:
		return e.Addr().String()
	}
	return e.String()
}

// kindName names the protocol of a packet.
func kindName(k trace.Kind) string {
	return [...]string{trace.Malformed: "malformed", trace.TCP: "tcp", trace.UDP: "udp", trace.ICMP: "icmp",
		trace.Fragment: "fragment", trace.Other: "other"}[k]
}
