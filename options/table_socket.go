package options

import (
	"math"

	"github.com/wsstack/wsstack/wsa"
)

// socketRows are the switches of SOL_SOCKET: what an application turns on and
// off, with the linger record and the groups.
func socketRows() []compiler {
	return []compiler{
		row[bool]{
			level: wsa.SOL_SOCKET, name: wsa.SO_DEBUG, symbol: "SO_DEBUG", tier: 'A',
			doc:    "S-GET S-API S-SET S-SAN W-SOL",
			text:   "Records calls, state changes and segments of the socket, for stack.Config.Logger.",
			access: getAndSet, codec: boolean, lengths: classB,
			field: func(v *Values) *bool { return &v.Debug },
		},
		row[bool]{
			level: wsa.SOL_SOCKET, name: wsa.SO_REUSEADDR, symbol: "SO_REUSEADDR", tier: 'A',
			doc:    "S-GET S-API S-SET W-REUSE",
			text:   "The socket may bind to an address in use; read at bind.",
			access: getAndSet, codec: boolean, lengths: classB,
			field: func(v *Values) *bool { return &v.ReuseAddr },
			check: func(v *Values, on bool) wsa.Errno { return notBoth(on, v.ExclusiveAddrUse) },
		},
		row[bool]{
			level: wsa.SOL_SOCKET, name: wsa.SO_KEEPALIVE, symbol: "SO_KEEPALIVE", tier: 'A',
			doc:    "S-GET S-API S-SET W-KA",
			text:   "Probes an idle connection and drops it when nobody answers.",
			access: getAndSet, codec: boolean, lengths: classF, kinds: Stream,
			field: func(v *Values) *bool { return &v.KeepAlive.On },
			apply: func(ep Endpoint, v *Values, on bool) wsa.Errno {
				k := v.KeepAlive
				k.On = on
				return ep.SetKeepAlive(k)
			},
			setIn: AnyState &^ Connecting,
			alt: []alternative[bool]{{
				in: measuredProfiles, conflict: "C-11", text: "the first set after a drop is WSAENETRESET",
				change: func(r *row[bool]) { r.reportsDrop = true },
			}, {
				in: []Profile{Legacy}, conflict: "C-27", text: "may be set while a connect is pending",
				change: func(r *row[bool]) { r.setIn = AnyState },
			}},
		},
		row[bool]{
			level: wsa.SOL_SOCKET, name: wsa.SO_DONTROUTE, symbol: "SO_DONTROUTE", tier: 'A',
			doc:    "S-GET S-API S-SET W-SOL",
			text:   "Accepted without effect on AF_INET. On AF_INET6, set fails and get returns FALSE.",
			access: getAndSet, codec: boolean, lengths: classF, setOn: inet4,
			field: func(v *Values) *bool { return &v.DontRoute },
			alt: []alternative[bool]{{
				in: measuredProfiles, conflict: "C-28", text: "accepted on AF_INET6 too",
				change: func(r *row[bool]) { r.setOn = anyFamily },
			}},
		},
		row[bool]{
			level: wsa.SOL_SOCKET, name: wsa.SO_BROADCAST, symbol: "SO_BROADCAST", tier: 'A',
			doc:    "S-GET S-API S-SET W-SOL",
			text:   "Permits broadcast: sending, binding, connecting, receiving.",
			access: getAndSet, codec: boolean, lengths: classB, kinds: Datagram | Raw, families: inet4,
			field: func(v *Values) *bool { return &v.Broadcast },
			alt: []alternative[bool]{{
				in: measuredProfiles, conflict: "C-29", text: "FALSE on a stream, where set fails; on AF_INET6 as on AF_INET",
				change: func(r *row[bool]) { r.kinds, r.setKinds, r.families = AnyKind, Datagram|Raw, anyFamily },
			}},
		},
		row[lingerValue]{
			level: wsa.SOL_SOCKET, name: wsa.SO_LINGER, symbol: "SO_LINGER", tier: 'A',
			doc:    "S-GET S-API S-SET W-SOL API-close",
			text:   "What a close does with unsent data: {0, x} sends it in the background, {1, n} waits up to n seconds, {1, 0} resets the connection.",
			access: getAndSet, codec: lingerStruct, lengths: classLinger, kinds: Stream,
			load:  func(v *Values) lingerValue { return v.Linger.value() },
			store: func(v *Values, val lingerValue) { v.Linger.set(val) },
			alt: []alternative[lingerValue]{{
				in: measuredProfiles, conflict: "C-87", text: "l_onoff reads as it was set",
				change: func(r *row[lingerValue]) { r.load = func(v *Values) lingerValue { return v.Linger.asSet() } },
			}},
		},
		row[bool]{
			level: wsa.SOL_SOCKET, name: wsa.SO_OOBINLINE, symbol: "SO_OOBINLINE", tier: 'A',
			doc:    "S-GET S-API S-SET W-OOB",
			text:   "The urgent byte stays in the normal stream.",
			access: getAndSet, codec: boolean, lengths: classB, kinds: Stream,
			field: func(v *Values) *bool { return &v.OOBInline },
			apply: func(ep Endpoint, _ *Values, on bool) wsa.Errno { return ep.SetOOBInline(on) },
		},
		row[bool]{
			level: wsa.SOL_SOCKET, name: wsa.SO_DONTLINGER, symbol: "SO_DONTLINGER", tier: 'A',
			doc:    "S-GET S-API S-SET", // "Reserved" in a table of S-SET (C-67)
			text:   "The opposite of l_onoff of SO_LINGER; FALSE restores the time-out that SO_LINGER set last, or 60 s.",
			access: getAndSet, codec: boolean, lengths: classB, kinds: Stream,
			load:  func(v *Values) bool { return !v.Linger.On },
			store: func(v *Values, dont bool) { v.Linger.setDont(dont) },
			def:   true,
		},
		row[bool]{
			level: wsa.SOL_SOCKET, name: wsa.SO_EXCLUSIVEADDRUSE, symbol: "SO_EXCLUSIVEADDRUSE", tier: 'A',
			doc:    "S-API W-EXCL W-REUSE",
			text:   "Nobody else may bind to this address and port; set before bind.",
			access: getAndSet, codec: boolean, lengths: classB,
			field: func(v *Values) *bool { return &v.ExclusiveAddrUse },
			check: func(v *Values, on bool) wsa.Errno { return notBoth(on, v.ReuseAddr) },
			setIn: Fresh,
			alt: []alternative[bool]{{
				in: measuredProfiles, conflict: "C-30", text: "may be set after bind, without effect",
				change: func(r *row[bool]) { r.setIn = AnyState },
			}},
		},

		row[uint32]{
			level: wsa.SOL_SOCKET, name: wsa.SO_GROUP_ID, symbol: "SO_GROUP_ID", tier: 'A',
			doc:    "S-GET S-API W-SOL DDK",
			text:   "Reserved: the group of the socket, 0 for none.",
			access: getAccess, codec: dwordUpTo("GROUP", math.MaxUint32), lengths: classI,
			field: func(v *Values) *uint32 { return &v.GroupID },
		},
		row[uint32]{
			level: wsa.SOL_SOCKET, name: wsa.SO_GROUP_PRIORITY, symbol: "SO_GROUP_PRIORITY", tier: 'A',
			doc:    "S-GET S-API S-SET S-SAN",
			text:   "Reserved: the priority in the group; 0 is served first. Only a socket in a group has the option.",
			access: getAndSet, codec: dwordUpTo("int", math.MaxInt32), lengths: classI, // not negative: S-API
			exists: func(v *Values) bool { return v.GroupID != 0 },
			field:  func(v *Values) *uint32 { return &v.GroupPriority },
			alt: []alternative[uint32]{{
				in: measuredProfiles, conflict: "C-16", text: "stored on every socket",
				change: func(r *row[uint32]) { r.exists = nil },
			}},
		},
		row[bool]{
			level: wsa.SOL_SOCKET, name: wsa.SO_CONDITIONAL_ACCEPT, symbol: "SO_CONDITIONAL_ACCEPT", tier: 'A',
			doc:    "S-API W-CA DDK",
			text:   "The condition function decides before the SYN is answered; set before listen.",
			access: getAndSet, codec: boolean, lengths: classB, kinds: Stream,
			field:        func(v *Values) *bool { return &v.ConditionalAccept },
			setIn:        AnyState &^ Listening,
			listenerOnly: true,
		},
		row[bool]{
			level: wsa.SOL_SOCKET, name: wsa.SO_PORT_SCALABILITY, symbol: "SO_PORT_SCALABILITY", tier: 'A',
			doc:    "S-API W-PS",
			text:   "Ephemeral ports are allocated per local address; read at bind.",
			access: getAndSet, codec: boolean, lengths: classB, kinds: Stream | Datagram,
			field: func(v *Values) *bool { return &v.PortScalability },
		},
	}
}

// notBoth keeps SO_REUSEADDR and SO_EXCLUSIVEADDRUSE from being TRUE together:
// the second one fails, in either order (observed: C-26; the pages are silent).
func notBoth(on, other bool) wsa.Errno {
	if on && other {
		return wsa.WSAEINVAL
	}
	return 0
}
