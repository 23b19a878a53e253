package conform

import (
	"bytes"
	"fmt"

	"github.com/wsstack/wsstack/wsa"
)

// An optionOf is an option of a kind of socket.
type optionOf struct{ typ, level, name int32 }

func (o optionOf) String() string { return wsa.OptionName(o.level, o.name) }

const wholeValues = "C-21, C-77: by the pages an optval has the size of its value, or more"

// lengthsScenarios are WL-1 to WL-9: what machines do with an optval that is shorter than its value.
var lengthsScenarios = []Scenario{
	{ID: "WL-1", Title: "Booleans of the socket layer", Source: "observed, C-21", Profiles: measured, Why: wholeValues, Run: layerBooleans},
	{ID: "WL-2", Title: "integers of the socket layer", Source: "observed, C-22, C-77", Profiles: measured, Why: wholeValues, Run: layerIntegers},
	{ID: "WL-3", Title: "the first byte", Source: "observed, C-20, C-22", Profiles: measured, Why: wholeValues, Run: firstBytes},
	{ID: "WL-4", Title: "small values of IP", Source: "observed, C-21", Profiles: measured, Why: wholeValues, Run: smallValues},
	{ID: "WL-5", Title: "DWORDs of the transport", Source: "observed, C-22, C-77", Profiles: measured, Why: wholeValues, Run: transportWords},
	{ID: "WL-6", Title: "l_onoff", Source: "observed, C-87", Run: lingerAsSet},
	{ID: "WL-7", Title: "SO_TYPE set, SO_BROADCAST of a stream", Source: "observed, C-29, C-76", Run: otherKinds},
	{ID: "WL-8", Title: "the level of another transport", Source: "observed, C-81", Run: otherTransports},
	{ID: "WL-9", Title: "structures of the socket", Source: "observed, C-22", Run: structures},
}

// optionSocket is a new socket that has an option.
func (e *Env) optionSocket(o optionOf) handle {
	if o.typ == wsa.SOCK_RAW {
		return e.open(e.P, e.Family, wsa.SOCK_RAW, 200)
	}
	return e.socket(e.P, o.typ)
}

// sets makes a set with the first bytes of b; what a failure is called by names option and length.
func (h handle) sets(o optionOf, b []byte, optlen int32, want ...wsa.Errno) {
	h.as(fmt.Sprintf("SetSockOpt %v, %x, optlen %d", o, b, optlen)).setBytes(o.level, o.name, b, optlen, want...)
}

// gives makes a get with an *optlen of n into a buffer of 8 bytes, and compares what is written and
// the *optlen afterwards.
func (h handle) gives(o optionOf, n int32, value []byte, after int32, want ...wsa.Errno) {
	call := fmt.Sprintf("GetSockOpt %v, *optlen %d", o, n)
	b := bytes.Repeat([]byte{0xEE}, 8)
	h.as(call).getBytes(o.level, o.name, b, &n, want...)
	Equal(h.e, call+" afterwards", n, after)
	Equal(h.e, call+" wrote", fmt.Sprintf("%x", b), fmt.Sprintf("%x%x", value, bytes.Repeat([]byte{0xEE}, 8-len(value))))
}

// word is an int as an optval.
func word(n uint32) []byte { return []byte{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)} }

// belowZero are lengths that no value has.
var belowZero = []int32{-1, -2, -0x80000000}

// layerBooleans is WL-1.
func layerBooleans(e *Env) {
	e.Pair()
	list := []optionOf{
		{wsa.SOCK_STREAM, wsa.SOL_SOCKET, wsa.SO_DONTLINGER}, {wsa.SOCK_STREAM, wsa.SOL_SOCKET, wsa.SO_OOBINLINE},
	}
	for _, typ := range []int32{wsa.SOCK_STREAM, wsa.SOCK_DGRAM, wsa.SOCK_RAW} {
		for _, name := range []int32{wsa.SO_DEBUG, wsa.SO_REUSEADDR, wsa.SO_EXCLUSIVEADDRUSE} {
			list = append(list, optionOf{typ, wsa.SOL_SOCKET, name})
		}
		if typ != wsa.SOCK_STREAM && byProfile(e, !e.v6(), true) {
			list = append(list, optionOf{typ, wsa.SOL_SOCKET, wsa.SO_BROADCAST})
		}
	}
	for _, o := range list {
		s := e.optionSocket(o)
		for _, step := range []struct {
			value  uint32
			optlen int32
			want   byte
		}{{1, 4, 1}, {1, 0, 0}, {1, 1, 1}, {0x100, 1, 0}, {0x100, 2, 1}, {0, 4, 0}, {0x100, -1, 1}, {0, -1, 0}, {0x80000000, 4, 1}} {
			s.sets(o, word(step.value), step.optlen)
			s.gives(o, 8, []byte{step.want, 0, 0, 0}, 4)
		}
		s.gives(o, 1, []byte{1}, 1)
		s.gives(o, 2, []byte{1, 0}, 1)
		s.gives(o, 4, []byte{1, 0, 0, 0}, 4)
		for _, n := range append(belowZero, 0) {
			s.gives(o, n, nil, n, wsa.WSAEFAULT)
		}
	}
	e.Notef("%d options take any length; 2 bytes are written and 1 is reported", len(list))
}

// layerIntegers is WL-2.
func layerIntegers(e *Env) {
	e.Pair()
	list := []optionOf{{wsa.SOCK_STREAM, wsa.SOL_SOCKET, wsa.SO_LINGER}}
	for _, typ := range []int32{wsa.SOCK_STREAM, wsa.SOCK_DGRAM, wsa.SOCK_RAW} {
		for _, name := range []int32{wsa.SO_RCVBUF, wsa.SO_SNDBUF, wsa.SO_RCVTIMEO, wsa.SO_SNDTIMEO, wsa.SO_OPENTYPE} {
			list = append(list, optionOf{typ, wsa.SOL_SOCKET, name})
		}
	}
	for _, o := range list {
		s := e.optionSocket(o)
		s.sets(o, word(0x20001), 4)
		for n := range int32(3) {
			s.sets(o, word(5), n, wsa.WSAEFAULT)
			var zeroed []byte
			if o.name == wsa.SO_LINGER || o.name == wsa.SO_RCVBUF || o.name == wsa.SO_SNDBUF {
				zeroed = make([]byte, n)
			}
			s.gives(o, n, zeroed, n, wsa.WSAEFAULT)
		}
		s.gives(o, 8, word(0x20001), 4)
		for i, n := range belowZero {
			value := word(0x20001 + uint32(i)<<16)
			s.sets(o, value, n)
			s.gives(o, 4, value, 4)
			if o.name == wsa.SO_OPENTYPE {
				s.gives(o, n, value, 4)
			} else {
				s.gives(o, n, nil, n, wsa.WSAEFAULT)
			}
		}
	}
	e.Notef("WSAEFAULT below 4 bytes, success with -1; three zero a short buffer; SO_OPENTYPE is read with -1")
}

// firstBytes is WL-3.
func firstBytes(e *Env) {
	e.Pair()
	list := []optionOf{
		{wsa.SOCK_STREAM, wsa.SOL_SOCKET, wsa.SO_KEEPALIVE}, {wsa.SOCK_STREAM, wsa.IPPROTO_TCP, wsa.TCP_NODELAY},
		{wsa.SOCK_STREAM, wsa.IPPROTO_TCP, wsa.TCP_FASTOPEN},
	}
	for _, typ := range []int32{wsa.SOCK_STREAM, wsa.SOCK_DGRAM, wsa.SOCK_RAW} {
		list = append(list, optionOf{typ, wsa.SOL_SOCKET, wsa.SO_DONTROUTE}, optionOf{typ, wsa.IPPROTO_IPV6, wsa.IPV6_V6ONLY})
	}
	for _, o := range list {
		s := e.optionSocket(o)
		for n := int32(1); n <= 8; n++ {
			s.sets(o, []byte{1, 0, 0, 0, 0, 0, 0, 0}, n)
			s.gives(o, n, []byte{1}, 1)
			s.sets(o, []byte{0, 1, 1, 1, 1, 1, 1, 1}, n)
			s.gives(o, n, []byte{0}, 1)
		}
		s.sets(o, word(1), 0, wsa.WSAEFAULT)
		for _, n := range belowZero {
			s.sets(o, word(1), n, wsa.WSAENOBUFS)
		}
		for _, n := range append(belowZero, 0) {
			s.gives(o, n, nil, n, wsa.WSAEFAULT)
		}
	}
	s, fastOpen := e.stream(), optionOf{wsa.SOCK_STREAM, wsa.IPPROTO_TCP, wsa.TCP_FASTOPEN}
	s.sets(fastOpen, word(2), 4, wsa.WSAEINVAL)
	s.sets(fastOpen, word(255), 1, wsa.WSAEINVAL)
	s.gives(fastOpen, 4, []byte{0}, 1)
	e.Notef("one byte counts and is written, 0x100 is FALSE; WSAENOBUFS for -1; TCP_FASTOPEN 2 is WSAEINVAL")
}

// smallValues is WL-4.
func smallValues(e *Env) {
	e.Pair()
	ttl, multicastTTL, loop, dontFragment := int32(wsa.IP_TTL), int32(wsa.IP_MULTICAST_TTL), int32(wsa.IP_MULTICAST_LOOP), int32(wsa.IP_DONTFRAGMENT)
	if e.v6() {
		ttl, multicastTTL, loop, dontFragment = wsa.IPV6_UNICAST_HOPS, wsa.IPV6_MULTICAST_HOPS, wsa.IPV6_MULTICAST_LOOP, wsa.IPV6_DONTFRAG
	}
	for _, typ := range []int32{wsa.SOCK_STREAM, wsa.SOCK_DGRAM, wsa.SOCK_RAW} {
		list := []optionOf{{typ, e.level(), ttl}, {typ, e.level(), dontFragment}}
		if !e.v6() {
			list = append(list, optionOf{typ, e.level(), wsa.IP_TOS})
		}
		if typ != wsa.SOCK_STREAM {
			list = append(list, optionOf{typ, e.level(), multicastTTL}, optionOf{typ, e.level(), loop})
		}
		for _, o := range list {
			s, isBool := e.optionSocket(o), o.name == loop || o.name == dontFragment
			for _, n := range []int32{1, 2, 4, 8} {
				want := byte(70 + n)
				s.sets(o, []byte{want, 0, 0, 0, 7, 7, 7, 7}, n)
				if isBool {
					want = 1
				}
				s.gives(o, 1, []byte{want}, 1)
				s.gives(o, 2, []byte{want}, 1)
				s.gives(o, 8, []byte{want, 0, 0, 0}, 4)
			}
			s.sets(o, word(0x100), 4, map[bool]wsa.Errno{false: wsa.WSAEINVAL}[isBool])
			s.sets(o, word(1), 0, wsa.WSAEFAULT)
			for _, n := range belowZero {
				s.sets(o, word(1), n, wsa.WSAENOBUFS)
			}
			for _, n := range append(belowZero, 0) {
				s.gives(o, n, nil, n, wsa.WSAEFAULT)
			}
		}
	}
	e.Notef("1 and 2 bytes are enough, and one is written; 256 is WSAEINVAL, or TRUE; WSAENOBUFS for -1")
}

// transportWords is WL-5.
func transportWords(e *Env) {
	e.Pair()
	list := []optionOf{{wsa.SOCK_STREAM, wsa.IPPROTO_TCP, wsa.TCP_KEEPIDLE}, {wsa.SOCK_STREAM, wsa.IPPROTO_TCP, wsa.TCP_KEEPINTVL}}
	if legacyOr(e, false, true) {
		list = append(list, optionOf{wsa.SOCK_STREAM, wsa.IPPROTO_TCP, wsa.TCP_KEEPCNT}) // C-49
	}
	reports := []int32{wsa.IP_PKTINFO, wsa.IP_RECVTTL, wsa.IP_RECVTOS}
	if e.v6() {
		reports = []int32{wsa.IPV6_PKTINFO, wsa.IPV6_HOPLIMIT, wsa.IPV6_RECVTCLASS}
	}
	for _, typ := range []int32{wsa.SOCK_DGRAM, wsa.SOCK_RAW} {
		for _, name := range reports {
			list = append(list, optionOf{typ, e.level(), name})
		}
	}
	for _, o := range list {
		s := e.optionSocket(o)
		for n := range int32(3) {
			s.sets(o, word(1), n, wsa.WSAEFAULT)
			s.gives(o, n, nil, 0, wsa.WSAEFAULT)
		}
		s.sets(o, []byte{1, 0, 0, 0, 7, 7, 7, 7}, 4)
		s.sets(o, []byte{1, 0, 0, 0, 7, 7, 7, 7}, 8)
		s.gives(o, 4, word(1), 4)
		s.gives(o, 8, word(1), 4)
		for _, n := range belowZero {
			s.sets(o, word(1), n, wsa.WSAENOBUFS)
			s.gives(o, n, nil, n, wsa.WSAEFAULT)
		}
	}
	if legacyOr(e, false, true) {
		s := e.stream()
		s.set(wsa.IPPROTO_TCP, wsa.TCP_KEEPCNT, 255)
		s.as("TCP_KEEPCNT 256").set(wsa.IPPROTO_TCP, wsa.TCP_KEEPCNT, 256, wsa.WSAEINVAL)
	}
	e.Notef("%d options want 4 bytes; a short get leaves the buffer and reports 0; WSAENOBUFS for -1", len(list))
}

// lingerAsSet is WL-6.
func lingerAsSet(e *Env) {
	e.Pair()
	s := e.stream()
	for _, on := range []uint32{1, 2, 0x100, 0x8000} {
		s.setLinger(on, 7)
		Equal(e, fmt.Sprintf("SO_LINGER after {%#x, 7}", on), s.lingerOf(), [2]uint32{byProfile(e, 1, on), 7})
		s.reads(wsa.SOL_SOCKET, wsa.SO_DONTLINGER, 0)
	}
	s.dontLinger(1)
	s.dontLinger(0)
	Equal(e, "SO_LINGER after SO_DONTLINGER", s.lingerOf(), [2]uint32{1, 7})
	e.Notef("0x100 reads %#x", byProfile(e, 1, 0x100))
}

// otherKinds is WL-7.
func otherKinds(e *Env) {
	e.Pair()
	typeCode := byProfile(e, wsa.WSAENOPROTOOPT, wsa.WSAEINVAL)
	for typ, want := range map[int32]wsa.Errno{
		wsa.SOCK_STREAM: wsa.WSAENOPROTOOPT, wsa.SOCK_DGRAM: typeCode, wsa.SOCK_RAW: typeCode,
	} {
		s := e.optionSocket(optionOf{typ: typ})
		s.as("SO_TYPE set").set(wsa.SOL_SOCKET, wsa.SO_TYPE, uint32(typ), want)
		s.reads(wsa.SOL_SOCKET, wsa.SO_TYPE, uint32(typ))
	}
	s := e.stream()
	s.as("SO_BROADCAST set").set(wsa.SOL_SOCKET, wsa.SO_BROADCAST, 1, wsa.WSAENOPROTOOPT)
	if get := byProfile(e, wsa.WSAENOPROTOOPT, 0); get == 0 {
		s.reads(wsa.SOL_SOCKET, wsa.SO_BROADCAST, 0)
	} else {
		s.as("SO_BROADCAST get").get(wsa.SOL_SOCKET, wsa.SO_BROADCAST, wsa.WSAENOPROTOOPT)
	}
	e.Notef("SO_TYPE: WSAENOPROTOOPT on a stream, %s on others; SO_BROADCAST can't be set on a stream", typeCode.Symbol())
}

// otherTransports is WL-8.
func otherTransports(e *Env) {
	e.Pair()
	want := byProfile(e, wsa.WSAENOPROTOOPT, wsa.WSAEINVAL)
	for typ, levels := range map[int32][]int32{
		wsa.SOCK_STREAM: {wsa.IPPROTO_UDP}, wsa.SOCK_DGRAM: {wsa.IPPROTO_TCP}, wsa.SOCK_RAW: {wsa.IPPROTO_TCP, wsa.IPPROTO_UDP},
	} {
		s := e.optionSocket(optionOf{typ: typ})
		for _, level := range levels {
			for _, name := range []int32{1, 2, 3, 15, 16, 0x7777} {
				s.as(fmt.Sprintf("option %d of level %d set", name, level)).set(level, name, 1, want)
				s.as(fmt.Sprintf("option %d of level %d get", name, level)).get(level, name, want)
				s.as("short").setBytes(level, name, []byte{1}, 0, want)
			}
			s.as("NULL").setBytes(level, wsa.TCP_NODELAY, nil, 4, wsa.WSAEFAULT)
		}
	}
	e.Notef("%s, known options and unknown ones, at any length", want.Symbol())
}

// structures is WL-9.
func structures(e *Env) {
	e.Pair()
	for _, typ := range []int32{wsa.SOCK_STREAM, wsa.SOCK_DGRAM} {
		s := e.optionSocket(optionOf{typ: typ})
		for _, o := range []struct {
			name, size, told int32
		}{
			{wsa.SO_PROTOCOL_INFOA, wsa.SizeofProtocolInfoA, wsa.SizeofProtocolInfoA},
			{wsa.SO_PROTOCOL_INFOW, wsa.SizeofProtocolInfoW, wsa.SizeofProtocolInfoW},
			{wsa.SO_BSP_STATE, int32(wsa.CSAddrInfoLen(e.Family)), 10},
		} {
			name, n := wsa.OptionName(wsa.SOL_SOCKET, o.name), int32(10)
			s.as(name+", short").getBytes(wsa.SOL_SOCKET, o.name, make([]byte, 1000), &n, wsa.WSAEFAULT)
			Equal(e, "*optlen of "+name+", short", n, o.told)
			for _, optlen := range []int32{o.size, o.size + 1, 1000} {
				n = optlen
				s.as(name).getBytes(wsa.SOL_SOCKET, o.name, make([]byte, 1000), &n)
				if o.name == wsa.SO_BSP_STATE {
					o.size = 40 // an unbound socket has no addresses
				}
				Equal(e, "*optlen of "+name, n, byProfile(e, o.size, optlen))
			}
		}
	}
	e.Notef("*optlen of a larger buffer %s", byProfile(e, "becomes the size of the value", "stays"))
}
