package picture

import (
	"bufio"
	"encoding/json"
	"io"

	"github.com/wsstack/wsstack/internal/trace"
)

// A jsonPacket is a packet in JSON. Times are in seconds from the start of the recording.
type jsonPacket struct {
	Number      int      `json:"number"`
	At          float64  `json:"at"`
	Arrived     *float64 `json:"arrived,omitempty"`
	From        string   `json:"from"`
	To          string   `json:"to"`
	Source      string   `json:"source,omitempty"`
	Destination string   `json:"destination,omitempty"`
	Protocol    string   `json:"protocol"`
	Size        int      `json:"size"`
	TCP         *jsonTCP `json:"tcp,omitempty"`
	Dropped     bool     `json:"dropped,omitempty"`
	Fate        string   `json:"fate,omitempty"`
	Notes       []string `json:"notes,omitempty"`
	Comment     string   `json:"comment,omitempty"`
	Text        string   `json:"text"`
}

// A jsonTCP is a segment in JSON. The numbers are relative and don't go round.
type jsonTCP struct {
	Connection int     `json:"connection"` // the first is 1
	Direction  int     `json:"direction"`  // 0: of the end that has sent the first packet
	Flags      string  `json:"flags"`
	Seq        uint64  `json:"seq"`
	Ack        *uint64 `json:"ack,omitempty"`
	Len        int     `json:"len"`
	Window     int     `json:"window"`
}

// WriteJSON writes an array of the packets of a connection, of all packets with -1, a line for each.
func (a *Analysis) WriteJSON(w io.Writer, flow int) error {
	out := bufio.NewWriter(w)
	separator := "[\n"
	for _, i := range a.packetsOf(flow) {
		line, err := json.Marshal(a.Packets[i].json())
		if err != nil {
			return err
		}
		out.WriteString(separator)
		out.Write(line)
		separator = ",\n"
	}
	if separator == "[\n" {
		out.WriteByte('[')
	}
	out.WriteString("\n]\n")
	return out.Flush()
}

// json is the packet in JSON.
func (p *Packet) json() jsonPacket {
	j := jsonPacket{
		Number: p.Index + 1, At: p.At.Seconds(), From: clean(p.From, 400), To: clean(p.To, 400),
		Source: endText(p.Source), Destination: endText(p.Dest), Protocol: kindName(p.Kind), Size: p.Size,
		Dropped: p.Fate.Dropped(), Fate: p.Fate.String(), Notes: p.found(), Comment: clean(p.Comment, 1000), Text: clean(p.Line, 400),
	}
	if p.Arrived >= 0 {
		at := p.Arrived.Seconds()
		j.Arrived = &at
	}
	if p.Kind == trace.TCP {
		s := &p.Segment
		j.TCP = &jsonTCP{p.Flow + 1, p.Dir, s.Flags.String(), p.Start, nil, s.Len, p.Window}
		if s.Flags&trace.ACK != 0 {
			j.TCP.Ack = &p.Ack
		}
	}
	return j
}
