package options

import "github.com/wsstack/wsstack/wsa"

// defaultCompartment is the routing compartment of every socket: this stack has
// one.
const defaultCompartment = 1

// portRows are the options of SOL_SOCKET about accepting, and about the choice
// and the sharing of ports.
func portRows() []compiler {
	return []compiler{
		row[bool]{
			level: wsa.SOL_SOCKET, name: wsa.SO_PAUSE_ACCEPT, symbol: "SO_PAUSE_ACCEPT", tier: 'B',
			doc:    "W-SOL",
			text:   "A listener answers every SYN with a RST; connections in its queue stay.",
			access: getAndSet, codec: boolean, lengths: classB, kinds: Stream,
			field:        func(v *Values) *bool { return &v.PauseAccept },
			listenerOnly: true,
		},
		row[uint32]{
			level: wsa.SOL_SOCKET, name: wsa.SO_COMPARTMENT_ID, symbol: "SO_COMPARTMENT_ID", tier: 'B',
			doc: "HDR", evidence: byAssumed,
			text:   "The routing compartment; there is one, number 1. Set before bind.",
			access: getAndSet, codec: inRange("DWORD", defaultCompartment, defaultCompartment), lengths: classI,
			field: func(v *Values) *uint32 { return &v.CompartmentID },
			def:   defaultCompartment,
			setIn: Fresh,
		},
		row[bool]{
			level: wsa.SOL_SOCKET, name: wsa.SO_RANDOMIZE_PORT, symbol: "SO_RANDOMIZE_PORT", tier: 'B',
			doc:    "W-SOL",
			text:   "Ephemeral ports are chosen at random, which this stack always does. Set before bind; not with SO_REUSE_UNICASTPORT.",
			access: getAndSet, codec: boolean, lengths: classB, kinds: Stream | Datagram,
			field: func(v *Values) *bool { return &v.RandomizePort },
			check: func(v *Values, _ bool) wsa.Errno { return notBoth(true, v.ReuseUnicastPort) },
			setIn: Fresh,
		},
		row[bool]{
			level: wsa.SOL_SOCKET, name: wsa.SO_REUSE_UNICASTPORT, symbol: "SO_REUSE_UNICASTPORT", tier: 'B',
			doc:    "W-SOL",
			text:   "An ephemeral port is shared by connections to different peers; set before bind. A port that connect chooses is shared without the option, too.",
			access: getAndSet, codec: boolean, lengths: classB, kinds: Stream,
			field: func(v *Values) *bool { return &v.ReuseUnicastPort },
			setIn: Fresh,
		},
		row[uint32]{
			level: wsa.SOL_SOCKET, name: wsa.SO_REUSE_MULTICASTPORT, symbol: "SO_REUSE_MULTICASTPORT", tier: 'B',
			doc:    "W-SOL", // its table says get only, its text describes the set (C-34)
			text:   "1: the socket receives no unicast and shares its port with others that don't; set before bind.",
			access: getAndSet, codec: dwordUpTo("DWORD", 1), lengths: classI, kinds: Datagram,
			field: func(v *Values) *uint32 { return &v.ReuseMulticastPort },
			setIn: Fresh,
		},
	}
}
