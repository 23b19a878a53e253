package options

import (
	"net/netip"

	"github.com/wsstack/wsstack/wsa"
)

// blobRows are the options of SOL_SOCKET whose value is a structure.
func blobRows() []compiler {
	return []compiler{
		row[wsa.CSAddrInfo]{
			level: wsa.SOL_SOCKET, name: wsa.SO_BSP_STATE, symbol: "SO_BSP_STATE", tier: 'A',
			doc:    "S-API W-BSP",
			text:   "Local and remote address, socket type and protocol in one CSADDR_INFO.",
			access: getAccess, codec: bspState, lengths: classState, defText: "by socket",
			live: func(_ *Values, ep Endpoint) (wsa.CSAddrInfo, wsa.Errno) {
				return wsa.CSAddrInfo{
					Local:      ofFamily(ep.Family(), ep.LocalAddr()),
					Remote:     ofFamily(ep.Family(), ep.RemoteAddr()),
					SocketType: socketType(ep.Kind()),
					Protocol:   ep.Protocol(),
				}, 0
			},
			ofConnection: true,
		},
		protocolInfoRow(wsa.SO_PROTOCOL_INFOA, "SO_PROTOCOL_INFOA", protocolInfoA,
			"The catalogue entry of the socket. SO_PROTOCOL_INFO is this option without UNICODE."),
		protocolInfoRow(wsa.SO_PROTOCOL_INFOW, "SO_PROTOCOL_INFOW", protocolInfoW,
			"The catalogue entry of the socket with its text in UTF-16. SO_PROTOCOL_INFO is this option with UNICODE."),
		row[config]{
			level: wsa.SOL_SOCKET, name: wsa.PVD_CONFIG, symbol: "PVD_CONFIG", tier: 'A',
			doc:    "S-GET S-API S-SET", // opaque: the layout is ours
			text:   "The configuration of the socket as an opaque object: keep-alive times, linger time-out of SO_DONTLINGER FALSE, buffers and their cap.",
			access: getAndSet, codec: configBlob, lengths: classI, defText: "from the other options",
			live: func(v *Values, ep Endpoint) (config, wsa.Errno) {
				return configOf(v, ep.Profile()), 0
			},
			store: func(v *Values, c config) {
				if c != (config{}) { // the default: leave it to the other rows
					c.store(v)
				}
			},
			apply: func(ep Endpoint, v *Values, c config) wsa.Errno { return c.apply(ep, v) },
		},
	}
}

// bspState is CSADDR_INFO with the two addresses behind it. The buffer must
// have room for both even when there are none (C-64).
var bspState = codec[wsa.CSAddrInfo]{
	typ: "CSADDR_INFO", size: wsa.CSAddrInfoLen(wsa.AF_INET), size6: wsa.CSAddrInfoLen(wsa.AF_INET6),
	encode: func(b []byte, val wsa.CSAddrInfo) int { return len(val.Append(b[:0])) },
}

// ofFamily gives an IPv4 address the form that an AF_INET6 socket reports.
func ofFamily(family int32, ap netip.AddrPort) netip.AddrPort {
	if family == wsa.AF_INET6 && ap.Addr().Is4() {
		return netip.AddrPortFrom(netip.AddrFrom16(ap.Addr().As16()), ap.Port())
	}
	return ap
}

func protocolInfoRow(name int32, symbol string, c codec[wsa.ProtocolInfo], text string) row[wsa.ProtocolInfo] {
	return row[wsa.ProtocolInfo]{
		level: wsa.SOL_SOCKET, name: name, symbol: symbol, tier: 'A',
		doc: "S-GET S-API W-SOL", text: text,
		access: getAccess, codec: c, lengths: classInfo, defText: "by protocol",
		live: func(_ *Values, ep Endpoint) (wsa.ProtocolInfo, wsa.Errno) {
			p, ok := wsa.CatalogEntry(ep.Family(), socketType(ep.Kind()))
			if !ok {
				return wsa.ProtocolInfo{}, wsa.WSAENOPROTOOPT
			}
			return p, 0
		},
	}
}

var (
	protocolInfoA = protocolInfo("WSAPROTOCOL_INFOA", wsa.SizeofProtocolInfoA, wsa.ProtocolInfo.AppendA)
	protocolInfoW = protocolInfo("WSAPROTOCOL_INFOW", wsa.SizeofProtocolInfoW, wsa.ProtocolInfo.AppendW)
)

// protocolInfo is a WSAPROTOCOL_INFO.
func protocolInfo(typ string, size int, put func(wsa.ProtocolInfo, []byte) []byte) codec[wsa.ProtocolInfo] {
	return codec[wsa.ProtocolInfo]{
		typ: typ, size: size,
		encode: func(b []byte, val wsa.ProtocolInfo) int { return len(put(val, b[:0])) },
	}
}
