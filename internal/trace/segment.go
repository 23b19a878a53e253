package trace

import (
	"encoding/binary"
	"strings"

	"github.com/wsstack/wsstack/internal/inet"
)

// Flags are the control bits of a TCP segment.
type Flags uint8

// The control bits, as they stand in the header.
const (
	FIN Flags = 1 << iota
	SYN
	RST
	PSH
	ACK
	URG
	ECE
	CWR
)

const flagLetters = "FSRP.UEW" // in the order of the bits, as tcpdump has them

// String writes flags as tcpdump does: "S", "S.", "P.", "F.".
func (f Flags) String() string { return string(f.append(nil)) }

// append appends the letters of the flags.
func (f Flags) append(dst []byte) []byte {
	for i := range len(flagLetters) {
		if f&(1<<i) != 0 {
			dst = append(dst, flagLetters[i])
		}
	}
	return dst
}

// ParseFlags is the inverse of String; the letters may come in any order, and "A" is another way to
// write the dot. ok is false where there is another letter.
func ParseFlags(s string) (f Flags, ok bool) {
	for _, r := range strings.ReplaceAll(s, "A", ".") {
		i := strings.IndexRune(flagLetters, r)
		if i < 0 {
			return 0, false
		}
		f |= 1 << i
	}
	return f, true
}

// A Segment is what the header of a TCP segment says.
type Segment struct {
	Flags   Flags
	Seq     uint32 // the sequence number
	Ack     uint32 // the acknowledgement number; valid with ACK
	Window  uint16 // the window as on the wire, not scaled
	Urgent  uint16 // the urgent pointer; valid with URG
	Len     int    // how many bytes of payload there are
	Options Options
}

// Options are the options of a TCP segment.
type Options struct {
	MSS        int          // the maximum segment size in bytes; 0: the option is absent
	WS         int          // the window scale; -1: the option is absent
	SACKOK     bool         // the segment permits SACK
	Timestamps bool         // there are timestamps
	TSVal      uint32       // the timestamp; valid with Timestamps
	TSEcr      uint32       // the timestamp that is echoed; valid with Timestamps
	SACK       [4][2]uint32 // the SACK blocks, start and end, of which Blocks are valid
	Blocks     int          // how many SACK blocks there are
	Unknown    int          // how many options of other kinds there are
	Bad        bool         // an option has an impossible length
	Cut        bool         // the packet was cut off within them, by whoever captured it
}

// ParseOptions reads the options of a TCP header. What is wrong is left out, and noted in Bad.
func ParseOptions(b []byte) Options {
	o := Options{WS: -1}
	list := inet.ScanOptions(b)
	for list.Next() {
		o.parse(list.Kind, list.Value)
	}
	o.Bad = o.Bad || list.Malformed
	return o
}

// parse reads one option with this value.
func (o *Options) parse(kind byte, v []byte) {
	switch {
	case kind == inet.OptionMSS && len(v) == 2:
		o.MSS = int(binary.BigEndian.Uint16(v))
	case kind == inet.OptionScale && len(v) == 1:
		o.WS = int(v[0])
	case kind == inet.OptionSACKPermitted && len(v) == 0:
		o.SACKOK = true
	case kind == inet.OptionTimestamps && len(v) == 8:
		o.Timestamps = true
		o.TSVal, o.TSEcr = binary.BigEndian.Uint32(v), binary.BigEndian.Uint32(v[4:])
	case kind == inet.OptionSACK && len(v)%8 == 0 && len(v) > 0 && len(v) <= 32:
		for o.Blocks = 0; len(v) > 0; v = v[8:] {
			o.SACK[o.Blocks] = [2]uint32{binary.BigEndian.Uint32(v), binary.BigEndian.Uint32(v[4:])}
			o.Blocks++
		}
	case kind <= inet.OptionSACK || kind == inet.OptionTimestamps:
		o.Bad = true // a length that isn't the option's
	default:
		o.Unknown++
	}
}

// Append appends the options as they stand in a header, padded to whole words. Unknown and Bad are
// left out.
func (o Options) Append(dst []byte) []byte {
	start := len(dst)
	if o.MSS != 0 {
		dst = append(dst, inet.OptionMSS, 4, byte(o.MSS>>8), byte(o.MSS))
	}
	if o.SACKOK {
		dst = append(dst, inet.OptionSACKPermitted, 2)
	}
	if o.Timestamps {
		dst = append(dst, inet.OptionTimestamps, 10)
		dst = binary.BigEndian.AppendUint32(dst, o.TSVal)
		dst = binary.BigEndian.AppendUint32(dst, o.TSEcr)
	}
	if o.WS >= 0 {
		dst = append(dst, inet.OptionScale, 3, byte(o.WS))
	}
	if o.Blocks > 0 {
		dst = append(dst, inet.OptionSACK, byte(2+8*o.Blocks))
		for _, b := range o.SACK[:o.Blocks] {
			dst = binary.BigEndian.AppendUint32(dst, b[0])
			dst = binary.BigEndian.AppendUint32(dst, b[1])
		}
	}
	for (len(dst)-start)%4 != 0 {
		dst = append(dst, inet.OptionNop)
	}
	return dst
}
