package conform

import (
	"fmt"

	"github.com/wsstack/wsstack/wsa"
)

// optionsExistScenarios are WO-1 to WO-7: options that machines have.
var optionsExistScenarios = []Scenario{
	{ID: "WO-1", Title: "header options are empty at first", Source: "W-IP, observed", Run: emptyHeaders},
	{ID: "WO-2", Title: "redirection", Source: "observed, C-89", Run: redirection},
	{ID: "WO-3", Title: "groups of a stream", Source: "observed, C-39", Run: groupsOfStream},
	{ID: "WO-4", Title: "the MTU without a peer", Source: "W-IP, observed, C-39", Run: mtuAlone},
	{ID: "WO-5", Title: "the default protection level", Source: "observed, C-43", Run: protectionSetBack},
	{ID: "WO-6", Title: "DF of a stream", Source: "observed, C-88", Run: dontFragmentStreams},
	{ID: "WO-7", Title: "IPV6_V6ONLY on AF_INET", Source: "observed, C-79", Once: true, Run: v6OnlyElsewhere},
}

// allTypes are the types of sockets.
var allTypes = []int32{wsa.SOCK_STREAM, wsa.SOCK_DGRAM, wsa.SOCK_RAW}

// emptyHeaders is WO-1.
func emptyHeaders(e *Env) {
	e.Pair()
	names := []int32{wsa.IP_OPTIONS}
	if e.v6() {
		names = []int32{wsa.IPV6_HOPOPTS, wsa.IPV6_RTHDR}
	}
	for _, typ := range allTypes {
		for _, name := range names {
			o := optionOf{typ, e.level(), name}
			s := e.optionSocket(o)
			s.gives(o, 8, nil, 0)
			s.sets(o, make([]byte, 8), 0)
			s.gives(o, 1, nil, 0)
		}
	}
	e.Notef("length 0 on every type, which can be set back")
}

// redirection is WO-2.
func redirection(e *Env) {
	e.Pair()
	for _, typ := range allTypes {
		for _, name := range []int32{wsa.IP_WFP_REDIRECT_RECORDS, wsa.IP_WFP_REDIRECT_CONTEXT} { // of the same number for IPv6
			o := optionOf{typ, e.level(), name}
			s, want := e.optionSocket(o), byProfile(e, wsa.WSAENOPROTOOPT, 0)
			if typ == wsa.SOCK_STREAM {
				want = byProfile(e, wsa.WSAENOPROTOOPT, wsa.WSAEINVAL)
			}
			after := int32(8)
			if want == 0 {
				after = 0
			}
			s.gives(o, 8, nil, after, want)
			s.sets(o, make([]byte, 8), 0, want)
			s.sets(o, make([]byte, 8), 8, want)
		}
	}
	e.Notef("%s", byProfile(e, "WSAENOPROTOOPT", "empty on datagram and raw sockets, WSAEINVAL on streams"))
}

// groupsOfStream is WO-3.
func groupsOfStream(e *Env) {
	e.Pair()
	s := e.stream()
	names := []int32{
		wsa.IP_ADD_MEMBERSHIP, wsa.IP_DROP_MEMBERSHIP, // those of IPv6 have the same numbers
		wsa.MCAST_JOIN_GROUP, wsa.MCAST_LEAVE_SOURCE_GROUP,
	}
	for _, name := range names {
		o := optionOf{wsa.SOCK_STREAM, e.level(), name}
		s.gives(o, 8, nil, 8, wsa.WSAENOPROTOOPT)
		s.as(fmt.Sprint(o, " set")).setBytes(o.level, name, make([]byte, 300), 300, byProfile(e, wsa.WSAENOPROTOOPT, wsa.WSAEINVAL))
		e.datagram().gives(o, 8, nil, 8, wsa.WSAENOPROTOOPT)
	}
	e.Notef("get is WSAENOPROTOOPT, as of any option that can only be set; set is %s", byProfile(e, wsa.WSAENOPROTOOPT, wsa.WSAEINVAL).Symbol())
}

// mtuAlone is WO-4.
func mtuAlone(e *Env) {
	e.Pair()
	for _, typ := range allTypes {
		want := wsa.WSAENOTCONN
		if typ == wsa.SOCK_RAW {
			want = byProfile(e, wsa.WSAENOPROTOOPT, wsa.WSAENOTCONN)
		}
		s := e.optionSocket(optionOf{typ: typ})
		Equal(e, "MTU", s.mtuCode(), want)
		s.bind(e.Any(0))
		Equal(e, "MTU, bound", s.mtuCode(), want)
		if typ != wsa.SOCK_STREAM {
			s.connect(e.Addr(2, 9))
			Equal(e, "MTU, connected", s.mtuCode(), map[bool]wsa.Errno{true: want}[want == wsa.WSAENOPROTOOPT])
		}
	}
	e.Notef("WSAENOTCONN without a peer; a raw socket %s", byProfile(e, "hasn't the option", "has the option, too"))
}

// protectionSetBack is WO-5.
func protectionSetBack(e *Env) {
	e.Pair()
	kinds := allTypes
	if !e.v6() {
		kinds = allTypes[:2]
	}
	for _, typ := range kinds {
		o := optionOf{typ, e.level(), wsa.IP_PROTECTION_LEVEL} // of the same number for IPv6
		s := e.optionSocket(o)
		s.gives(o, 4, word(0xFFFFFFFF), 4)
		s.sets(o, word(30), 4)
		s.sets(o, word(0xFFFFFFFF), 4, byProfile(e, wsa.WSAEINVAL, 0))
		s.gives(o, 4, word(byProfile[uint32](e, 30, 0xFFFFFFFF)), 4)
		s.sets(o, word(0xFFFFFFFE), 4, wsa.WSAEINVAL)
	}
	e.Notef("-1 is the default, and set back: %v", byProfile(e, wsa.WSAEINVAL, 0))
}

// dontFragmentStreams is WO-6.
func dontFragmentStreams(e *Env) {
	e.Pair()
	name := int32(wsa.IP_DONTFRAGMENT)
	if e.v6() {
		name = wsa.IPV6_DONTFRAG
	}
	for _, typ := range allTypes {
		s := e.optionSocket(optionOf{typ: typ})
		want := uint32(0)
		if typ == wsa.SOCK_STREAM && (!e.v6() || byProfile(e, false, true)) {
			want = 1
		}
		s.reads(e.level(), name, want)
		for _, n := range []uint32{0, 1, 0} {
			s.set(e.level(), name, n)
			s.reads(e.level(), name, n)
		}
	}
	e.Notef("a stream reads 1 and may be set to 0")
}

// v6OnlyElsewhere is WO-7.
func v6OnlyElsewhere(e *Env) {
	e.Pair()
	for _, typ := range allTypes {
		s := e.optionSocket(optionOf{typ: typ})
		for _, n := range []uint32{0, 1} {
			s.set(wsa.IPPROTO_IPV6, wsa.IPV6_V6ONLY, n)
			s.reads(wsa.IPPROTO_IPV6, wsa.IPV6_V6ONLY, n)
		}
		s.bind(e.Any(0))
		s.as("set on a bound socket").set(wsa.IPPROTO_IPV6, wsa.IPV6_V6ONLY, 1, wsa.WSAEINVAL)
		s.reads(wsa.IPPROTO_IPV6, wsa.IPV6_V6ONLY, 1)
	}
	e.Notef("accepted while the socket is fresh, then WSAEINVAL")
}
