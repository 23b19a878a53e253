package tcp

import (
	"encoding/binary"

	"github.com/wsstack/wsstack/internal/inet"
)

// MaxScale is the largest window scale (RFC 7323 §2.3).
const MaxScale = 14

// MaxOptions is how many bytes of options fit a header.
const MaxOptions = 40

// NoScale is the Options.Scale of a header without a window scale option.
const NoScale = -1

// stampSize is how many bytes timestamps take in a header, with their padding.
const stampSize = 12

// maxBlocks is how many SACK blocks fit into a header.
const maxBlocks = 4

// A Block is a range of the sequence space that a SACK option names, [Start, End).
type Block struct{ Start, End Seq }

// Options are the options of one segment.
type Options struct {
	MSS           uint16           // the maximum segment size, in bytes; 0: the option is absent
	Scale         int8             // the window scale; NoScale: the option is absent
	SACKPermitted bool             // the SYN permits SACK
	Timestamps    bool             // there are timestamps
	TSVal, TSEcr  uint32           // the timestamp and the one that it echoes; valid with Timestamps
	Blocks        [maxBlocks]Block // the SACK blocks, of which Count are valid
	Count         int              // how many SACK blocks there are
}

// ParseOptions reads the options of a header. What is malformed ends the list:
// the options before it count. MSS, Scale and SACKPermitted are read only where
// syn is true, as they have a meaning in SYNs alone.
func ParseOptions(b []byte, syn bool) Options {
	o := Options{Scale: NoScale}
	for list := inet.ScanOptions(b); list.Next(); {
		o.parse(list.Kind, list.Value, syn)
	}
	return o
}

// parse reads one option with this value.
func (o *Options) parse(kind byte, v []byte, syn bool) {
	switch {
	case kind == inet.OptionMSS && len(v) == 2 && syn:
		o.MSS = binary.BigEndian.Uint16(v)
	case kind == inet.OptionScale && len(v) == 1 && syn:
		o.Scale = int8(min(v[0], MaxScale)) // RFC 7323 §2.3
	case kind == inet.OptionSACKPermitted && len(v) == 0 && syn:
		o.SACKPermitted = true
	case kind == inet.OptionTimestamps && len(v) == 8:
		o.Timestamps = true
		o.TSVal, o.TSEcr = binary.BigEndian.Uint32(v), binary.BigEndian.Uint32(v[4:])
	case kind == inet.OptionSACK && len(v)%8 == 0 && !syn:
		for o.Count = 0; len(v) >= 8 && o.Count < maxBlocks; v = v[8:] {
			o.Blocks[o.Count] = Block{Seq(binary.BigEndian.Uint32(v)), Seq(binary.BigEndian.Uint32(v[4:]))}
			o.Count++
		}
	}
}

// Len is the length of the options in the header, padded to a multiple of 4.
func (o *Options) Len() int {
	n := 0
	if o.MSS != 0 {
		n += 4
	}
	if o.Scale >= 0 {
		n += 4
	}
	switch {
	case o.Timestamps:
		n += stampSize
	case o.SACKPermitted:
		n += 4
	}
	if o.Count > 0 {
		n += 4 + 8*o.Count
	}
	return n
}

// Append appends the options, in the order that most systems use and with the
// padding that keeps the values aligned (RFC 7323 appendix A).
func (o *Options) Append(b []byte) []byte {
	if o.MSS != 0 {
		b = append(b, inet.OptionMSS, 4, byte(o.MSS>>8), byte(o.MSS))
	}
	if o.Scale >= 0 {
		b = append(b, inet.OptionNop, inet.OptionScale, 3, byte(o.Scale))
	}
	switch {
	case o.Timestamps && o.SACKPermitted:
		b = append(b, inet.OptionSACKPermitted, 2)
	case o.Timestamps, o.SACKPermitted:
		b = append(b, inet.OptionNop, inet.OptionNop)
	}
	switch {
	case o.Timestamps:
		b = append(b, inet.OptionTimestamps, 10)
		b = binary.BigEndian.AppendUint32(b, o.TSVal)
		b = binary.BigEndian.AppendUint32(b, o.TSEcr)
	case o.SACKPermitted:
		b = append(b, inet.OptionSACKPermitted, 2)
	}
	if o.Count > 0 {
		b = append(b, inet.OptionNop, inet.OptionNop, inet.OptionSACK, byte(2+8*o.Count))
		for _, k := range o.Blocks[:o.Count] {
			b = binary.BigEndian.AppendUint32(b, uint32(k.Start))
			b = binary.BigEndian.AppendUint32(b, uint32(k.End))
		}
	}
	return b
}
