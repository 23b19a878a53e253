package options

import (
	"math"

	"github.com/wsstack/wsstack/wsa"
)

// contextRows are the options of SOL_SOCKET that belong to the extension
// functions AcceptEx and ConnectEx, and to overlapped sockets.
func contextRows() []compiler {
	return []compiler{
		row[uint32]{
			level: wsa.SOL_SOCKET, name: wsa.SO_OPENTYPE, symbol: "SO_OPENTYPE", tier: 'B',
			doc:        "W-SOL",
			text:       "Whether sockets that this thread creates later are non-overlapped. Obsolete.",
			incomplete: "kept per socket, for goroutines are not threads, and without effect",
			access:     getAndSet, codec: dwordUpTo("int", math.MaxUint32), lengths: classOpenType,
			field: func(v *Values) *uint32 { return &v.OpenType },
		},
		row[uint64]{
			level: wsa.SOL_SOCKET, name: wsa.SO_UPDATE_ACCEPT_CONTEXT, symbol: "SO_UPDATE_ACCEPT_CONTEXT", tier: 'B',
			doc:    "W-SOL API-AcceptEx", // W-SOL types it DWORD (C-35)
			text:   "Gives a socket accepted by AcceptEx the options of the listener, whose handle is the value. After Accept the call has no effect.",
			access: setAccess, codec: socketHandle, lengths: classI, kinds: Stream,
			apply: func(ep Endpoint, _ *Values, listener uint64) wsa.Errno { return ep.AcceptedFrom(listener) },
		},
		row[struct{}]{
			level: wsa.SOL_SOCKET, name: wsa.SO_UPDATE_CONNECT_CONTEXT, symbol: "SO_UPDATE_CONNECT_CONTEXT", tier: 'B',
			doc:    "W-SOL API-ConnectEx", // W-SOL types it DWORD (C-84)
			text:   "Makes the calls of a connected socket work after ConnectEx. After Connect the call has no effect. The value may be NULL.",
			access: setAccess, codec: noValue, lengths: classAct, kinds: Stream, nullable: true,
			apply: func(ep Endpoint, _ *Values, _ struct{}) wsa.Errno { return ep.UpdateConnectContext() },
		},
	}
}
