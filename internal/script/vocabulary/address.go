package vocabulary

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/wsstack/wsstack/internal/script/syntax"
	"github.com/wsstack/wsstack/wsa"
)

// addressHint is how addresses are written.
const addressHint = `write {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("192.0.2.1")}`

// IP returns the address that inet_addr("192.0.2.1"), inet_pton(AF_INET6, "2001:db8::1"),
// "192.0.2.1", INADDR_ANY or in6addr_any is. The error is an *Error.
func (v Evaluator) IP(e syntax.Expr) (netip.Addr, error) {
	switch e := e.(type) {
	case *syntax.Text:
		addr, err := netip.ParseAddr(e.Value)
		if err != nil {
			return addr, errorf(e, `such as "192.0.2.1"`, "%q is no address", e.Value)
		}
		return addr, nil
	case *syntax.Apply:
		switch e.Name {
		case "inet_addr", "inet_pton", "inet6_addr":
			return addressIn(e)
		case "htonl":
			n, err := v.applied(e)
			return netip.AddrFrom4([4]byte(binary.LittleEndian.AppendUint32(nil, uint32(n)))), err
		}
	case *syntax.Name:
		switch e.Word {
		case "INADDR_ANY":
			return netip.IPv4Unspecified(), nil
		case "INADDR_LOOPBACK":
			return netip.AddrFrom4([4]byte{127, 0, 0, 1}), nil
		case "in6addr_any", "IN6ADDR_ANY_INIT":
			return netip.IPv6Unspecified(), nil
		case "in6addr_loopback", "IN6ADDR_LOOPBACK_INIT":
			return netip.IPv6Loopback(), nil
		}
	}
	return netip.Addr{}, errorf(e, `write inet_addr("192.0.2.1")`, "this isn't an address")
}

// Address returns the address and port of {sa_family=AF_INET, sin_port=htons(80),
// sin_addr=inet_addr("192.0.2.1")}, or of "192.0.2.1:80". wild reports "...". The names of the fields
// of sockaddr_in and sockaddr_in6 are both taken. The error is an *Error.
func (v Evaluator) Address(e syntax.Expr) (addr netip.AddrPort, wild bool, err error) {
	switch e := e.(type) {
	case *syntax.Any:
		return netip.AddrPort{}, true, nil
	case *syntax.Text:
		addr, err := netip.ParseAddrPort(e.Value)
		if err != nil {
			return addr, false, errorf(e, `such as "192.0.2.1:80" or "[2001:db8::1]:80"`, "%q isn't an address with a port", e.Value)
		}
		return addr, false, nil
	case *syntax.Struct:
		addr, err := v.sockaddr(e, netip.AddrPort{})
		return addr, false, err
	}
	return netip.AddrPort{}, false, errorf(e, addressHint, "this isn't an address with a port")
}

// AddressBeside is Address for one that is compared with what a call has given: a field that is "..."
// is as it is there.
func (v Evaluator) AddressBeside(e syntax.Expr, given netip.AddrPort) (addr netip.AddrPort, wild bool, err error) {
	if s, ok := e.(*syntax.Struct); ok {
		addr, err := v.sockaddr(s, given)
		return addr, false, err
	}
	return v.Address(e)
}

// sockaddr reads the fields of a socket address. Those that are "..." are given's, if it is valid.
func (v Evaluator) sockaddr(s *syntax.Struct, given netip.AddrPort) (netip.AddrPort, error) {
	family, port, scope := int64(-1), int64(0), int64(0)
	var addr netip.Addr
	for _, f := range s.Fields {
		var err error
		taken := given.IsValid() && IsAny(f.Value)
		switch f.Name {
		case "sa_family", "sin_family", "sin6_family", "ss_family":
			if taken {
				continue
			}
			family, err = Evaluator{Linux, Linux}.Number(Family, f.Value)
		case "sin_port", "sin6_port":
			if taken {
				port = int64(given.Port())
				continue
			}
			port, err = v.networkPort(f.Value)
		case "sin_addr", "sin6_addr":
			if taken {
				addr = given.Addr()
				continue
			}
			addr, err = v.IP(f.Value)
		case "sin6_flowinfo":
			_, err = v.Number(Plain, f.Value)
		case "sin6_scope_id":
			scope, err = v.within(f.Value, 32)
		default:
			err = &Error{f.Pos, fmt.Sprintf("a socket address has no field %q", f.Name), addressHint}
		}
		if err != nil {
			return netip.AddrPort{}, err
		}
	}
	switch {
	case !addr.IsValid():
		return netip.AddrPort{}, errorf(s, addressHint, "the socket address has no address")
	case family == linuxInet6 && addr.Is4(), family == linuxInet && !addr.Is4():
		return netip.AddrPort{}, errorf(s, addressHint, "%s isn't of the family that sa_family says", addr)
	case scope != 0:
		addr = addr.WithZone(fmt.Sprint(scope))
	}
	return netip.AddrPortFrom(addr, uint16(port)), nil
}

// The families in the numbers of Linux.
const (
	linuxInet  = 2
	linuxInet6 = 10
)

// networkPort returns the port of htons(80).
func (v Evaluator) networkPort(e syntax.Expr) (int64, error) {
	n, err := v.within(e, 16)
	return (n<<8 | n>>8) & 0xFFFF, err
}

// TextAddress is how a script writes an address with a port.
func TextAddress(a netip.AddrPort) string {
	if a.Addr().Is4() {
		return fmt.Sprintf("{sa_family=AF_INET, sin_port=htons(%d), sin_addr=inet_addr(%q)}", a.Port(), a.Addr())
	}
	scope := ""
	if id := wsa.ScopeID(a.Addr()); id != 0 {
		scope = fmt.Sprintf(", sin6_scope_id=%d", id)
	}
	return fmt.Sprintf("{sa_family=AF_INET6, sin6_port=htons(%d), sin6_addr=inet_pton(AF_INET6, %q)%s}",
		a.Port(), a.Addr().WithZone(""), scope)
}

// appendAddress appends sockaddr_in or sockaddr_in6, which the systems have alike but for the number
// of AF_INET6.
func (s System) appendAddress(b []byte, a netip.AddrPort) []byte {
	start := len(b)
	b = wsa.AppendSockaddr(b, a)
	if s == Linux && !a.Addr().Is4() {
		binary.LittleEndian.PutUint16(b[start:], linuxInet6)
	}
	return b
}

// parseAddress reads a socket address.
func (s System) parseAddress(b []byte) (netip.AddrPort, bool) {
	if s == Linux && len(b) >= 2 && binary.LittleEndian.Uint16(b) == linuxInet6 {
		b = append(binary.LittleEndian.AppendUint16(nil, wsa.AF_INET6), b[2:]...)
	}
	addr, code := wsa.ParseSockaddr(b)
	return addr, code == wsa.NO_ERROR
}
