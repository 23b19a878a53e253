package simnet

import (
	"fmt"
	"io"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// WritePcapng writes the packets as a pcapng file, which Wireshark reads: each node is an
// interface, and a packet that was lost or changed says so in its comment. The packets are cut off
// behind their headers; Network.Capture writes them whole.
func (r *Recording) WritePcapng(w io.Writer) error {
	s := r.snapshot()
	var file *pcapgo.NgWriter
	ids := map[string]int{}
	for i := range s.Packets {
		p := &s.Packets[i]
		id, ok := ids[p.From]
		if !ok {
			var err error
			if id, file, err = addInterface(w, file, p.From); err != nil {
				return fmt.Errorf("simnet: pcapng: %w", err)
			}
			ids[p.From] = id
		}
		opts := pcapgo.NgPacketOptions{Flags: &pcapgo.NgEpbFlags{Direction: pcapgo.NgEpbFlagDirectionOutbound}}
		for _, comment := range [...]string{fateComment(p.Fate), p.Comment} {
			if comment != "" {
				opts.Comments = append(opts.Comments, comment)
			}
		}
		info := gopacket.CaptureInfo{Timestamp: r.begun.Add(p.At), CaptureLength: len(p.Data), Length: p.Size, InterfaceIndex: id}
		if err := file.WritePacketWithOptions(info, p.Data, opts); err != nil {
			return fmt.Errorf("simnet: pcapng: %w", err)
		}
	}
	if file == nil { // a file without packets has an interface all the same
		var err error
		if _, file, err = addInterface(w, nil, "none"); err != nil {
			return fmt.Errorf("simnet: pcapng: %w", err)
		}
	}
	if err := file.Flush(); err != nil {
		return fmt.Errorf("simnet: pcapng: %w", err)
	}
	return nil
}

// addInterface adds an interface to a file, which it makes where there is none.
func addInterface(w io.Writer, file *pcapgo.NgWriter, name string) (id int, f *pcapgo.NgWriter, err error) {
	in := pcapgo.NgInterface{Name: name, LinkType: layers.LinkTypeRaw}
	if file == nil {
		f, err = pcapgo.NewNgWriterInterface(w, in, pcapgo.NgWriterOptions{SectionInfo: pcapgo.NgSectionInfo{Application: "wsstack"}})
		return 0, f, err
	}
	id, err = file.AddInterface(in)
	return id, file, err
}
