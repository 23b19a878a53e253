package segment

import (
	"encoding/binary"
	"fmt"

	"github.com/wsstack/wsstack/internal/inet"
	"github.com/wsstack/wsstack/internal/mistake"
	"github.com/wsstack/wsstack/internal/script/syntax"
)

// The kinds of options that package inet doesn't name.
const (
	optionMD5          = 19     // RFC 2385 §3.0
	optionFastOpen     = 34     // RFC 7413 §4.1.1
	optionExperimental = 254    // RFC 4727 §6
	fastOpenMagic      = 0xf989 // of the experimental option for fast open (RFC 7413 §4.1.1, RFC 6994)
)

// maxOptions is how many bytes of options fit in a header of TCP.
const maxOptions = 40

// An optionForm is an option by its word in a script.
type optionForm struct {
	name string
	kind byte
	size int // of the value in bytes; -1: any
}

// optionForms are all options but unknown.
var optionForms = []optionForm{
	{"eol", inet.OptionEnd, 0},
	{"nop", inet.OptionNop, 0},
	{"mss", inet.OptionMSS, 2},
	{"wscale", inet.OptionScale, 1},
	{"sackOK", inet.OptionSACKPermitted, 0},
	{"sack", inet.OptionSACK, -1},
	{"TS", inet.OptionTimestamps, 8},
	{"md5", optionMD5, 16},
	{"FO", optionFastOpen, -1},
	{"FOEXP", optionExperimental, -1},
}

const unknownOption = "unknown" // the word of an option with a kind of its own

// encodeOptions writes options as they stand in a header. It adds no padding.
func encodeOptions(list []syntax.Option) ([]byte, error) {
	var b []byte
	for i := range list {
		o := &list[i]
		kind, value, err := encodeOption(o)
		if err != nil {
			return nil, err
		}
		b = append(b, kind)
		if o.Name != "nop" && o.Name != "eol" {
			b = append(append(b, byte(2+len(value))), value...)
		}
	}
	if len(b) > maxOptions {
		return nil, mistake.Errorf(fmt.Sprintf("a header has room for %d bytes of options; leave some out", maxOptions),
			"the length of the options is %d", len(b))
	}
	return b, nil
}

// encodeOption is the kind of an option and what stands behind its length.
func encodeOption(o *syntax.Option) (kind byte, value []byte, err error) {
	if o.Name == unknownOption && len(o.Values) == 1 {
		if o.Values[0] <= inet.OptionNop || o.Values[0] > 255 {
			return 0, nil, mistake.Errorf("the kinds 2 to 255 have a length and bytes", "no option with bytes has kind %d", o.Values[0])
		}
		return byte(o.Values[0]), o.Bytes, nil
	}
	for _, form := range optionForms {
		if form.name == o.Name {
			value = form.value(o)
			if form.size >= 0 && len(value) != form.size || o.Name == "sack" && len(value)%8 != 0 {
				return 0, nil, mistake.Errorf("see docs/scripts.md for what it takes", "option %s has the length %d", o.Name, len(value))
			}
			return form.kind, value, nil
		}
	}
	return 0, nil, mistake.Errorf("write unknown, the kind and the bytes", "no option is %q", o.Name)
}

// value is what stands behind the length of an option.
func (form optionForm) value(o *syntax.Option) []byte {
	var b []byte
	if form.name == "FOEXP" {
		b = binary.BigEndian.AppendUint16(b, fastOpenMagic)
	}
	for _, v := range o.Values {
		switch form.size {
		case 1:
			b = append(b, byte(v))
		case 2:
			b = binary.BigEndian.AppendUint16(b, uint16(v))
		default:
			b = binary.BigEndian.AppendUint32(b, v)
		}
	}
	return append(b, o.Bytes...)
}

// decodeOptions is the inverse of encodeOptions. It reports whether the lengths of the options are
// possible; those before the first one that isn't are returned in any case.
func decodeOptions(b []byte) (list []syntax.Option, ok bool) {
	for len(b) > 0 {
		size := 1
		if b[0] > inet.OptionNop {
			if len(b) < 2 || b[1] < 2 || int(b[1]) > len(b) {
				return list, false
			}
			size = int(b[1])
		}
		list = append(list, decodeOption(b[0], b[min(2, size):size]))
		b = b[size:]
	}
	return list, true
}

// decodeOption is the option of a kind. One whose value isn't as long as it should is unknown.
func decodeOption(kind byte, value []byte) syntax.Option {
	for _, form := range optionForms {
		if form.kind == kind && form.fits(value) {
			return form.decode(value)
		}
	}
	return syntax.Option{Name: unknownOption, Values: []uint32{uint32(kind)}, Bytes: value}
}

// fits reports whether a value may be one of the option.
func (form optionForm) fits(value []byte) bool {
	switch form.kind {
	case inet.OptionSACK:
		return len(value) > 0 && len(value)%8 == 0
	case optionExperimental:
		return len(value) >= 2 && binary.BigEndian.Uint16(value) == fastOpenMagic
	case optionFastOpen:
		return true
	case inet.OptionEnd, inet.OptionNop:
		return true
	}
	return len(value) == form.size
}

// decode reads a value that fits.
func (form optionForm) decode(value []byte) syntax.Option {
	o := syntax.Option{Name: form.name}
	switch form.kind {
	case inet.OptionMSS:
		o.Values = []uint32{uint32(binary.BigEndian.Uint16(value))}
	case inet.OptionScale:
		o.Values = []uint32{uint32(value[0])}
	case inet.OptionSACK, inet.OptionTimestamps:
		for ; len(value) > 0; value = value[4:] {
			o.Values = append(o.Values, binary.BigEndian.Uint32(value))
		}
	case optionExperimental:
		o.Bytes = value[2:]
	case optionMD5, optionFastOpen:
		o.Bytes = value
	}
	return o
}
