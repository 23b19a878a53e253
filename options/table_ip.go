package options

import (
	"math"

	"github.com/wsstack/wsstack/wsa"
)

// The defaults of the IP options.
const (
	defaultTTL          = 128 // observed
	defaultMulticastTTL = 1
	unspecified         = -1 // a protection level, or no checksum
)

// An ipLevel is what the options that exist at both IP levels differ in there.
type ipLevel struct {
	level    int32
	prefix   string // of the symbols
	families families
	doc      string
	values   func(v *Values) *IPValues
}

// IPPROTO_IP is a level of AF_INET6 sockets, too: it governs their IPv4
// traffic. IPPROTO_IPV6 on an AF_INET socket is WSAENOPROTOOPT.
var (
	ip4 = ipLevel{wsa.IPPROTO_IP, "IP_", anyFamily, "W-IP", func(v *Values) *IPValues { return &v.IPv4 }}
	ip6 = ipLevel{wsa.IPPROTO_IPV6, "IPV6_", inet6, "W-IP6", func(v *Values) *IPValues { return &v.IPv6 }}
)

// messageKinds is the sockets that the options about datagrams apply to.
const messageKinds = Datagram | Raw

// ipRow is a row with the columns that every row of a level has.
func ipRow[T any](l ipLevel, name int32, suffix, text string, c codec[T], field func(*IPValues) *T) row[T] {
	return row[T]{
		level: l.level, name: name, symbol: l.prefix + suffix, tier: 'B',
		doc: l.doc, text: text,
		access: getAndSet, codec: c, lengths: classD, families: l.families,
		field: func(v *Values) *T { return field(l.values(v)) },
	}
}

// only limits a row to some kinds of socket. On the others Windows answers
// WSAEINVAL (C-39).
func (r row[T]) only(k Kind) row[T] {
	r.kinds = k
	r.alt = append(r.alt, alternative[T]{
		in: measuredProfiles, conflict: "C-39", text: "WSAEINVAL on other kinds of socket",
		change: func(r *row[T]) { r.wrongKind = wsa.WSAEINVAL },
	})
	return r
}

// of puts a row into another class of lengths than that of most options of IP.
func (r row[T]) of(c lengthClass) row[T] {
	r.lengths = c
	return r
}

// onlyInHeaders marks a row that only the headers have.
func (r row[T]) onlyInHeaders() row[T] {
	r.doc, r.evidence = "HDR", byAssumed
	return r
}

// lacks says what is missing of a row.
func (r row[T]) lacks(what string) row[T] {
	r.incomplete = what
	return r
}

func (r row[T]) initially(def T) row[T] {
	r.def = def
	return r
}

// commonRows are the options that a socket has once for each level.
func (l ipLevel) commonRows() []compiler {
	discover := ipRow(l, wsa.IP_MTU_DISCOVER, "MTU_DISCOVER",
		"Path MTU discovery: 1 do, 2 don't, 3 probe; 0 until set.",
		inRange("DWORD", MTUDiscoverDo, MTUDiscoverProbe), // observed: 0 can't be set
		func(v *IPValues) *uint32 { return &v.MTUDiscover })
	protection := ipRow(l, wsa.IP_PROTECTION_LEVEL, "PROTECTION_LEVEL",
		"Who may connect or send to the socket: 10 anybody, 20 all but Teredo, 30 the same link or site; -1 until set, which counts as 20. Set before bind.",
		oneOf("int", 10, 20, 30), func(v *IPValues) *int32 { return &v.ProtectionLevel }).
		initially(unspecified)
	protection.setIn = Fresh
	protection.alt = []alternative[int32]{{
		in: measuredProfiles, conflict: "C-43", text: "-1 can be set",
		change: func(r *row[int32]) { r.codec = oneOf("int", unspecified, 10, 20, 30) },
	}}
	nrt := ipRow(l, wsa.IP_NRT_INTERFACE, "NRT_INTERFACE",
		"The interface for traffic that isn't in real time, a hint that isn't taken.",
		dword, func(v *IPValues) *uint32 { return &v.NRTInterface }).onlyInHeaders()
	nrt.kinds = Stream | Datagram
	if l.level == wsa.IPPROTO_IP {
		nrt.setIn = untilConnect
		protection.kinds = Stream | Datagram
		protection = protection.onlyInHeaders()
	} else {
		protection.doc = "W-PROT"
	}
	dontFragment := dontFragmentRow(l)
	return []compiler{
		discover, protection, nrt, dontFragment,
		ipRow(l, wsa.IP_USER_MTU, "USER_MTU",
			"Upper bound of the MTU in bytes: what is larger is cut into fragments, or fails when it may not be. Below 68 it is 68, below 1280 on IPv6 1280.",
			dword, func(v *IPValues) *uint32 { return &v.UserMTU }).
			initially(math.MaxUint32).lacks("no effect on streams"),
		ipRow(l, wsa.IP_MULTICAST_LOOP, "MULTICAST_LOOP",
			"The socket receives what this host sends to the groups it has joined.",
			boolean, func(v *IPValues) *bool { return &v.MulticastLoop }).of(classSwitch).initially(true).only(messageKinds),
		hopsRow(l),
		headerIncludedRow(l),
		l.mtuRow(),
		l.redirectRow(wsa.IP_WFP_REDIRECT_RECORDS, "WFP_REDIRECT_RECORDS"),
		l.redirectRow(wsa.IP_WFP_REDIRECT_CONTEXT, "WFP_REDIRECT_CONTEXT"),
	}
}

// dontFragmentRow is IP_DONTFRAGMENT and IPV6_DONTFRAG, which differ in their default on streams.
func dontFragmentRow(l ipLevel) row[bool] {
	on, field := true, func(v *IPValues) *bool { return &v.DontFragment }
	if l.level == wsa.IPPROTO_IPV6 {
		r := ipRow(l, wsa.IPV6_DONTFRAG, "DONTFRAG",
			"Datagrams are not fragmented; one above the path MTU fails with WSAEMSGSIZE.", boolean, field).of(classSwitch)
		r.alt = []alternative[bool]{{
			in: measuredProfiles, conflict: "C-88", text: "TRUE on streams",
			change: func(r *row[bool]) { r.streamDef = &on },
		}}
		return r
	}
	r := ipRow(l, wsa.IP_DONTFRAGMENT, "DONTFRAGMENT",
		"Packets have the DF bit; a datagram above the path MTU fails with WSAEMSGSIZE. TRUE on streams.", boolean, field).of(classSwitch)
	r.streamDef = &on
	return r
}

// hopsRow is IP_MULTICAST_TTL and IPV6_MULTICAST_HOPS.
func hopsRow(l ipLevel) row[uint8] {
	suffix := "MULTICAST_TTL"
	if l.level == wsa.IPPROTO_IPV6 {
		suffix = "MULTICAST_HOPS"
	}
	return ipRow(l, wsa.IP_MULTICAST_TTL, suffix, "Time to live of outgoing multicast.",
		octet(0), func(v *IPValues) *uint8 { return &v.MulticastTTL }).of(classY).initially(defaultMulticastTTL).only(messageKinds)
}

// headerIncludedRow is IP_HDRINCL and IPV6_HDRINCL.
func headerIncludedRow(l ipLevel) row[bool] {
	r := ipRow(l, wsa.IP_HDRINCL, "HDRINCL", "The caller supplies the IP header.",
		boolean, func(v *IPValues) *bool { return &v.HeaderIncluded })
	r.kinds = Raw
	conflict := "C-39"
	if l.level == wsa.IPPROTO_IP {
		conflict = "C-40"
	}
	r.alt = append(r.alt, alternative[bool]{
		in: []Profile{Windows}, conflict: conflict, text: "WSAEINVAL on other kinds of socket",
		change: func(r *row[bool]) { r.wrongKind = wsa.WSAEINVAL },
	})
	return r
}

// mtuRow is IP_MTU, 73, and IPV6_MTU, 72.
func (l ipLevel) mtuRow() row[uint32] {
	name := int32(wsa.IP_MTU)
	if l.level == wsa.IPPROTO_IPV6 {
		name = wsa.IPV6_MTU
	}
	r := ipRow(l, name, "MTU", "Path MTU to the peer in bytes; WSAENOTCONN without one.", dword, func(*IPValues) *uint32 { return nil })
	r.access, r.kinds, r.field, r.defText, r.ofConnection = getAccess, Stream|Datagram, nil, "not connected", true
	r.alt = []alternative[uint32]{{
		in: measuredProfiles, conflict: "C-39", text: "on raw sockets as well",
		change: func(r *row[uint32]) { r.kinds = AnyKind },
	}}
	r.live = func(_ *Values, ep Endpoint) (uint32, wsa.Errno) {
		if mtu, ok := ep.PathMTU(); ok {
			return uint32(mtu), 0
		}
		return 0, wsa.WSAENOTCONN
	}
	return r
}

// redirectRow is an option of the filtering platform. Machines take it without one (observed), as
// a record of no bytes: nothing is ever redirected here.
func (l ipLevel) redirectRow(name int32, suffix string) row[struct{}] {
	r := row[struct{}]{
		level: l.level, name: name, symbol: l.prefix + suffix, tier: 'C',
		doc: l.doc, text: "Redirection by the Windows filtering platform.", unsupported: "there is no filtering platform",
		access: noAccess, families: l.families, codec: noBytes, lengths: classD,
		load: func(*Values) struct{} { return struct{}{} },
	}.only(messageKinds)
	r.alt = append(r.alt, alternative[struct{}]{
		in: measuredProfiles, conflict: "C-89", text: "accepted without effect on datagram and raw sockets; reads as empty",
		change: func(r *row[struct{}]) { r.access = getAndSet },
	})
	return r
}

// reportRows are the options that ask for control messages.
func (l ipLevel) reportRows() []compiler {
	report := func(name int32, suffix, text string, field func(*Report) *bool) row[bool] {
		return ipRow(l, name, suffix, text, boolean,
			func(v *IPValues) *bool { return field(&v.Report) }).only(messageKinds)
	}
	ttl, tos := "RECVTTL", "RECVTOS"
	if l.level == wsa.IPPROTO_IPV6 {
		ttl, tos = "HOPLIMIT", "RECVTCLASS"
	}
	packetInfo := report(wsa.IP_PKTINFO, "PKTINFO", "Reports the destination address and the interface.",
		func(r *Report) *bool { return &r.PacketInfo })
	packetInfo.setIn = AnyState &^ Connecting
	if l.level == wsa.IPPROTO_IP {
		packetInfo.doc = "W-PKTINFO"
	}
	routing := report(wsa.IP_RECVRTHDR, "RECVRTHDR", "Reports the routing header.",
		func(r *Report) *bool { return &r.RoutingHeader }).onlyInHeaders()
	if l.level == wsa.IPPROTO_IP {
		routing.text = "Stored; IPv4 has no routing header."
	} else {
		routing.incomplete = "stored; routing headers are not reported"
	}
	errors := report(wsa.IP_RECVERR, "RECVERR",
		"Keeps ICMP errors, 64 at most, for WSARecvMsg with MSG_ERRQUEUE: with a struct in_recverr, the start of the datagram, and its destination. They fail recv as ever.",
		func(r *Report) *bool { return &r.Errors }).onlyInHeaders()
	errors.kinds = Datagram
	original := report(wsa.IP_ORIGINAL_ARRIVAL_IF, "ORIGINAL_ARRIVAL_IF", "Reports where a tunnelled packet arrived.",
		func(r *Report) *bool { return &r.OriginalInterface })
	original.symbol = "IP_ORIGINAL_ARRIVAL_IF" // at both levels
	return []compiler{
		packetInfo, routing, errors, original,
		report(wsa.IP_RECVTTL, ttl, "Reports the time to live.", func(r *Report) *bool { return &r.HopLimit }),
		report(wsa.IP_RECVTOS, tos, "Reports the type of service.", func(r *Report) *bool { return &r.TrafficClass }),
		report(wsa.IP_RECVIF, "RECVIF", "Reports the interface.", func(r *Report) *bool { return &r.Interface }),
		report(wsa.IP_RECVDSTADDR, "RECVDSTADDR", "Reports the destination address.",
			func(r *Report) *bool { return &r.Destination }).onlyInHeaders(),
		report(wsa.IP_RECVECN, "RECVECN", "Reports the congestion bits.", func(r *Report) *bool { return &r.ECN }),
		report(wsa.IP_PKTINFO_EX, "PKTINFO_EX", "Reports destination, interface and compartment.",
			func(r *Report) *bool { return &r.PacketInfoEx }).onlyInHeaders(),
	}
}
