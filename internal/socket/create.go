package socket

import (
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// A choice is which provider makes a socket: the family, kind and protocol that the socket has.
type choice struct {
	family   int32
	kind     options.Kind
	protocol int32
}

// chooseProvider decides which of the triples of family, type and protocol a TCP/IP provider
// creates (API-socket: WSAEAFNOSUPPORT, WSAESOCKTNOSUPPORT, WSAEPROTOTYPE, WSAEPROTONOSUPPORT), in
// the order of the checks of the profile (WC-33). Type 0 is that of the first protocol in the
// catalogue that fits (WC-32).
func chooseProvider(rules options.CreationRules, family, typ, protocol int32) (choice, wsa.Errno) {
	if family == wsa.AF_UNSPEC && rules.AnyFamily {
		if protocol == 0 {
			return choice{}, wsa.WSAEINVAL
		}
		family = wsa.AF_INET // the first in the catalogue, with every type and protocol
	}
	known := typ == 0 || typ == wsa.SOCK_STREAM || typ == wsa.SOCK_DGRAM || typ == wsa.SOCK_RAW
	switch {
	case !known && rules.TypeFirst:
		return choice{}, wsa.WSAESOCKTNOSUPPORT
	case family != wsa.AF_INET && family != wsa.AF_INET6:
		return choice{}, wsa.WSAEAFNOSUPPORT
	case !known:
		return choice{}, wsa.WSAESOCKTNOSUPPORT
	}
	if typ == 0 {
		var ok bool
		if typ, ok = wsa.DefaultSocketType(family, protocol); !ok {
			return choice{}, wsa.WSAEPROTONOSUPPORT
		}
	}
	is := choice{family: family, protocol: protocol}
	switch typ {
	case wsa.SOCK_STREAM:
		return is.only(rules, options.Stream, wsa.IPPROTO_TCP)
	case wsa.SOCK_DGRAM:
		return is.only(rules, options.Datagram, wsa.IPPROTO_UDP)
	}
	if is.kind = options.Raw; protocol < 0 || protocol > wsa.IPPROTO_RAW {
		return choice{}, wsa.WSAEPROTONOSUPPORT
	}
	return is, 0
}

// only is the choice for a kind of sockets that has one protocol, which 0 stands for.
func (c choice) only(rules options.CreationRules, kind options.Kind, protocol int32) (choice, wsa.Errno) {
	switch c.protocol {
	case 0, protocol:
		return choice{c.family, kind, protocol}, 0
	case wsa.IPPROTO_TCP, wsa.IPPROTO_UDP:
		return choice{}, rules.OtherType
	}
	return choice{}, wsa.WSAEPROTONOSUPPORT
}
