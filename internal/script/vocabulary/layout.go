package vocabulary

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"

	"github.com/wsstack/wsstack/internal/script/syntax"
	"github.com/wsstack/wsstack/wsa"
)

// A form says how the bytes of a field are written.
type form uint8

const (
	number   form = iota // little-endian
	address4             // inet_addr("…")
	address6             // inet_pton(AF_INET6, "…")
	socketAddress
)

// A field is one of a structure, with its place in the bytes.
type field struct {
	words  []string // its names; the first is the one in messages
	offset int
	size   int
	form   form
}

// A layout is a structure in bytes.
type layout struct {
	size   int
	fields []field
}

// layouts are the structures of each system, by the name that the option table has for the type.
// Fields without names come in the order of the fields here.
var layouts = map[System]map[string]layout{
	Winsock: {
		"struct linger": {wsa.SizeofLinger, []field{
			{[]string{"onoff", "l_onoff"}, 0, 2, number}, {[]string{"linger", "l_linger"}, 2, 2, number}}},
		"struct ip_mreq_source": {12, []field{
			{[]string{"imr_multiaddr"}, 0, 4, address4}, {[]string{"imr_sourceaddr"}, 4, 4, address4},
			{[]string{"imr_interface"}, 8, 4, address4}}},
		"struct tcp_keepalive": {wsa.SizeofTCPKeepalive, []field{
			{[]string{"onoff"}, 0, 4, number}, {[]string{"keepalivetime"}, 4, 4, number},
			{[]string{"keepaliveinterval"}, 8, 4, number}}},
		"TCP_INITIAL_RTO_PARAMETERS": {wsa.SizeofTCPInitialRTOParameters, []field{
			{[]string{"Rtt"}, 0, 2, number}, {[]string{"MaxSynRetransmissions"}, 2, 1, number}}},
		"WSA_COMPATIBILITY_MODE": {wsa.SizeofCompatibilityMode, []field{
			{[]string{"BehaviorId"}, 0, 4, number}, {[]string{"TargetOsVersion"}, 4, 4, number}}},
		"ICMP_ERROR_INFO": {wsa.SizeofICMPErrorInfo, []field{
			{[]string{"srcaddress"}, 0, wsa.SizeofSockaddrInet, socketAddress}, {[]string{"protocol"}, 28, 4, number},
			{[]string{"type"}, 32, 1, number}, {[]string{"code"}, 33, 1, number}}},
		"SOCKADDR":    {wsa.SizeofSockaddrIn6, []field{{[]string{"address"}, 0, wsa.SizeofSockaddrIn6, socketAddress}}},
		"SOCKADDR_IN": {wsa.SizeofSockaddrIn, []field{{[]string{"address"}, 0, wsa.SizeofSockaddrIn, socketAddress}}},
	},
	Linux: {
		"struct linger": {8, []field{
			{[]string{"onoff", "l_onoff"}, 0, 4, number}, {[]string{"linger", "l_linger"}, 4, 4, number}}},
		"struct timeval": {16, []field{
			{[]string{"tv_sec"}, 0, 8, number}, {[]string{"tv_usec"}, 8, 8, number}}},
		"struct ip_mreq_source": {12, []field{
			{[]string{"imr_multiaddr"}, 0, 4, address4}, {[]string{"imr_sourceaddr"}, 8, 4, address4},
			{[]string{"imr_interface"}, 4, 4, address4}}},
	},
}

// common are the structures that both systems have alike, but for the numbers of address families.
var common = map[string]layout{
	"struct ip_mreq": {8, []field{
		{[]string{"imr_multiaddr"}, 0, 4, address4}, {[]string{"imr_interface"}, 4, 4, address4}}},
	"struct ipv6_mreq": {20, []field{
		{[]string{"ipv6mr_multiaddr"}, 0, 16, address6}, {[]string{"ipv6mr_interface"}, 16, 4, number}}},
	"struct group_req": {8 + wsa.SizeofSockaddrStorage, []field{
		{[]string{"gr_interface"}, 0, 4, number}, {[]string{"gr_group"}, 8, wsa.SizeofSockaddrStorage, socketAddress}}},
	"struct group_source_req": {8 + 2*wsa.SizeofSockaddrStorage, []field{
		{[]string{"gsr_interface"}, 0, 4, number}, {[]string{"gsr_group"}, 8, wsa.SizeofSockaddrStorage, socketAddress},
		{[]string{"gsr_source"}, 136, wsa.SizeofSockaddrStorage, socketAddress}}},
}

// layoutOf returns the layout of a type.
func layoutOf(s System, typ string) (layout, bool) {
	if l, ok := layouts[s][typ]; ok {
		return l, true
	}
	l, ok := common[typ]
	return l, ok
}

// pattern is how a script writes the structure, for hints.
func (l layout) pattern() string {
	var parts []string
	for _, f := range l.fields {
		value := "0"
		switch f.form {
		case address4:
			value = `inet_addr("192.0.2.1")`
		case address6:
			value = `inet_pton(AF_INET6, "2001:db8::1")`
		case socketAddress:
			value = `{sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("192.0.2.1")}`
		}
		if len(l.fields) == 1 {
			return value
		}
		parts = append(parts, f.words[0]+"="+value)
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// find returns the field that the i-th of a structure in a script stands for.
func (l layout) find(given syntax.Field, i int) (field, bool) {
	if given.Name == "" && i < len(l.fields) {
		return l.fields[i], true
	}
	for _, f := range l.fields {
		if contains(f.words, given.Name) {
			return f, true
		}
	}
	return field{}, false
}

// pairs calls visit for each field of a structure in a script.
func (l layout) pairs(e syntax.Expr, visit func(field, syntax.Expr) error) error {
	s, ok := e.(*syntax.Struct)
	if len(l.fields) == 1 && l.fields[0].form == socketAddress {
		return visit(l.fields[0], e)
	}
	if !ok {
		return errorf(e, "write "+l.pattern(), "this isn't a structure")
	}
	for i, given := range s.Fields {
		f, ok := l.find(given, i)
		if !ok {
			return &Error{given.Pos, fmt.Sprintf("the structure has no field %s", given.Name), "write " + l.pattern()}
		}
		if err := visit(f, given.Value); err != nil {
			return err
		}
	}
	return nil
}

// encode returns the bytes of a structure. Fields that a script leaves out are 0.
func (l layout) encode(v Evaluator, e syntax.Expr) ([]byte, error) {
	b := make([]byte, l.size)
	err := l.pairs(e, func(f field, value syntax.Expr) error {
		return f.put(v, b[f.offset:f.offset+f.size], value)
	})
	return b, err
}

// put writes a value into the bytes of its field.
func (f field) put(v Evaluator, b []byte, e syntax.Expr) error {
	switch f.form {
	case address4, address6:
		addr, err := v.IP(e)
		if err != nil {
			return err
		}
		if addr.Is4() != (f.form == address4) {
			return errorf(e, "the other family has an option of its own", "%s is of the wrong family", addr)
		}
		copy(b, addr.AsSlice())
		return nil
	case socketAddress:
		addr, wild, err := v.Address(e)
		if err == nil && wild {
			err = errorf(e, "write the address", "... stands here for no address")
		}
		if err == nil {
			copy(b, v.For.appendAddress(nil, addr))
		}
		return err
	}
	n, err := v.Number(OptionValue, e)
	if err != nil {
		return err
	}
	return putNumber(b, n, e)
}

// putNumber writes a number of either sign that fits.
func putNumber(b []byte, n int64, e syntax.Expr) error {
	if size := 8 * len(b); size < 64 && (n < -(1<<(size-1)) || n >= 1<<size) {
		return errorf(e, fmt.Sprintf("the field has %d bits", size), "%d doesn't fit", n)
	}
	putLittle(b, n)
	return nil
}

// putLittle writes the lowest bytes of a number.
func putLittle(b []byte, n int64) {
	var wide [8]byte
	binary.LittleEndian.PutUint64(wide[:], uint64(n))
	copy(b, wide[:])
}

// little reads up to 8 bytes; signed says how.
func little(b []byte, signed bool) int64 {
	var wide [8]byte
	copy(wide[:], b)
	n := int64(binary.LittleEndian.Uint64(wide[:]))
	if size := 8 * len(b); signed && size > 0 && size < 64 {
		return n << (64 - size) >> (64 - size)
	}
	return n
}

// text is how a script writes the field.
func (f field) text(s System, b []byte) string {
	switch f.form {
	case address4:
		return fmt.Sprintf("inet_addr(%q)", netip.AddrFrom4([4]byte(b)).String())
	case address6:
		return fmt.Sprintf("inet_pton(AF_INET6, %q)", netip.AddrFrom16([16]byte(b)).String())
	case socketAddress:
		addr, ok := s.parseAddress(b)
		if !ok {
			return "{}"
		}
		return TextAddress(addr)
	}
	return fmt.Sprint(little(b, false))
}

// text is how a script writes the structure.
func (l layout) text(s System, b []byte) string {
	if len(b) < l.size {
		return fmt.Sprintf("{} (%d bytes)", len(b))
	}
	var parts []string
	for _, f := range l.fields {
		t := f.text(s, b[f.offset:f.offset+f.size])
		if len(l.fields) == 1 {
			return t
		}
		parts = append(parts, f.words[0]+"="+t)
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// matches reports whether the bytes have all that a script says of a structure.
func (l layout) matches(v Evaluator, b []byte, e syntax.Expr) (bool, error) {
	if len(b) < l.size {
		return false, nil
	}
	ok := true
	err := l.pairs(e, func(f field, value syntax.Expr) error {
		if IsAny(value) {
			return nil
		}
		want := make([]byte, f.size)
		if err := f.put(v, want, value); err != nil {
			return err
		}
		if string(want) != string(b[f.offset:f.offset+f.size]) {
			ok = false
		}
		return nil
	})
	return ok, err
}
