package options

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"

	"github.com/wsstack/wsstack/wsa"
)

// A TextError says what is wrong with the text of an option.
type TextError struct {
	Problem string // what is wrong
	Advice  string // what would work
}

// Error says what is wrong.
func (e *TextError) Error() string { return e.Problem }

// Hint says what would work.
func (e *TextError) Hint() string { return e.Advice }

func textErrorf(advice, format string, args ...any) error {
	return &TextError{Problem: fmt.Sprintf(format, args...), Advice: advice}
}

// allNames says where all names are.
const allNames = "all names, types and values: wsstack options"

// ParseAssignment reads an option with a value for it, such as "SO_KEEPALIVE=1". Names and types
// are those that "wsstack options" prints; of a name that two levels have, the level stands before
// it, as in "IPPROTO_IPV6/IP_ORIGINAL_ARRIVAL_IF=1". Values are written by type:
//
//	BOOL                       1, 0, TRUE, FALSE, on or off
//	int, DWORD, unsigned int   a number, in decimal or, after 0x, in hexadecimal
//	struct linger              {1, 5}: on or off, and seconds
//	struct ip_mreq             {224.1.1.1, 10.0.0.1}: a group, and an address of the interface
//	struct ipv6_mreq           {ff02::1234, 2}: a group, and the index of the interface
//	bytes                      two hexadecimal digits for each byte, or "empty"
//
// IP_MULTICAST_IF and IP_UNICAST_IF also take an IPv4 address. Whether a socket has the option, in
// its state, and whether the value is in range is up to the socket. The error is a *TextError.
func ParseAssignment(text string) (Assignment, error) {
	name, value, ok := strings.Cut(text, "=")
	name, value = strings.TrimSpace(name), strings.TrimSpace(value)
	if !ok {
		return Assignment{}, textErrorf("write NAME=VALUE, such as SO_KEEPALIVE=1", "%q has no value", text)
	}
	info, err := findByName(name)
	if err != nil {
		return Assignment{}, err
	}
	optval, err := encodeText(info, value)
	if err != nil {
		return Assignment{}, err
	}
	return Assignment{level: info.Level, name: info.Number, optval: optval}, nil
}

// findByName finds the one option that can be set and has this name.
func findByName(name string) (Info, error) {
	level, symbol, leveled := strings.Cut(name, "/")
	if !leveled {
		level, symbol = "", name
	}
	var found []Info
	readOnly := false
	for _, o := range Table() {
		switch {
		case !strings.EqualFold(o.Symbol, symbol) || leveled && !strings.EqualFold(o.LevelName, level):
		case !o.Set || o.Unsupported != "":
			readOnly = true
		default:
			found = append(found, o)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return Info{}, textErrorf(fmt.Sprintf("write %s/%s or %s/%s", found[0].LevelName, symbol, found[1].LevelName, symbol),
			"two levels have an option %s", found[0].Symbol)
	case readOnly:
		return Info{}, textErrorf("what can be set: wsstack options "+symbol, "no socket takes a value of %s", name)
	}
	return Info{}, textErrorf(allNames, "no option %s", name)
}

// valueTypes are the types that a text can be of.
var valueTypes = map[string]struct {
	encode func(o Info, value string) ([]byte, bool)
	wanted string
}{
	"BOOL":             {boolText, "1 or 0"},
	"int":              {numberText, "a whole number"},
	"DWORD":            {numberText, "a whole number"},
	"unsigned int":     {numberText, "a whole number"},
	"struct linger":    {lingerText, "{1, 5}: on or off, and seconds"},
	"struct ip_mreq":   {membershipText, "{224.1.1.1, 10.0.0.1}: a group, and an address of the interface"},
	"struct ipv6_mreq": {membership6Text, "{ff02::1234, 2}: a group, and the index of the interface"},
	"bytes":            {bytesText, "hexadecimal digits, two for each byte, or empty"},
}

// encodeText returns the bytes of a value.
func encodeText(o Info, value string) ([]byte, error) {
	t, ok := valueTypes[o.Type]
	if !ok {
		return nil, textErrorf("set it in a program, with SetSockOpt", "%s is a %s, which can't be written as a text", o.Symbol, o.Type)
	}
	optval, ok := t.encode(o, value)
	if !ok {
		return nil, textErrorf(fmt.Sprintf("%s is a %s; write %s", o.Symbol, o.Type, t.wanted), "%q is no value of %s", value, o.Symbol)
	}
	return optval, nil
}

func boolText(_ Info, value string) ([]byte, bool) {
	switch strings.ToLower(value) {
	case "1", "true", "on":
		return []byte{1, 0, 0, 0}, true
	case "0", "false", "off":
		return []byte{0, 0, 0, 0}, true
	}
	return nil, false
}

// numberText reads a number of 32 bits, whose sign is up to the option. The index of an interface
// is in network order where the option takes it so (C-41).
func numberText(o Info, value string) ([]byte, bool) {
	index := o.Level == wsa.IPPROTO_IP && (o.Number == wsa.IP_MULTICAST_IF || o.Number == wsa.IP_UNICAST_IF)
	if a, err := netip.ParseAddr(value); index && err == nil && a.Is4() {
		return a.AsSlice(), true
	}
	n, err := strconv.ParseInt(value, 0, 64)
	if err != nil || n < math.MinInt32 || n > math.MaxUint32 {
		return nil, false
	}
	if index {
		return binary.BigEndian.AppendUint32(nil, uint32(n)), true
	}
	return binary.LittleEndian.AppendUint32(nil, uint32(n)), true
}

// pairText splits "{a, b}", of which the braces may be left out.
func pairText(value string) (first, second string, ok bool) {
	if inner, braced := strings.CutPrefix(value, "{"); braced {
		if value, ok = strings.CutSuffix(inner, "}"); !ok {
			return "", "", false
		}
	}
	first, second, ok = strings.Cut(value, ",")
	return strings.TrimSpace(first), strings.TrimSpace(second), ok
}

func lingerText(_ Info, value string) ([]byte, bool) {
	first, second, ok := pairText(value)
	on, err1 := strconv.ParseUint(first, 10, 16)
	seconds, err2 := strconv.ParseUint(second, 10, 16)
	l := wsa.Linger{OnOff: uint16(on), Linger: uint16(seconds)}
	return l.Append(nil), ok && err1 == nil && err2 == nil
}

func membershipText(_ Info, value string) ([]byte, bool) {
	first, second, ok := pairText(value)
	group, err1 := netip.ParseAddr(first)
	local, err2 := netip.ParseAddr(second)
	if !ok || err1 != nil || err2 != nil || !group.Is4() || !local.Is4() {
		return nil, false
	}
	return wsa.IPMreq{Multiaddr: group.As4(), Interface: local.As4()}.Append(nil), true
}

func membership6Text(_ Info, value string) ([]byte, bool) {
	first, second, ok := pairText(value)
	group, err1 := netip.ParseAddr(first)
	index, err2 := strconv.ParseUint(second, 10, 32)
	if !ok || err1 != nil || err2 != nil || !group.Is6() || group.Is4In6() || group.Zone() != "" {
		return nil, false
	}
	return wsa.IPv6Mreq{Multiaddr: group.As16(), Interface: uint32(index)}.Append(nil), true
}

func bytesText(_ Info, value string) ([]byte, bool) {
	if value == "empty" {
		return []byte{}, true
	}
	b, err := hex.DecodeString(strings.ReplaceAll(value, " ", ""))
	return b, err == nil && len(b) > 0
}
