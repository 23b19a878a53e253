package options

import "github.com/wsstack/wsstack/wsa"

// unsupportedRows are the options of SOL_SOCKET that no TCP/IP provider has.
// They have rows so that the table names them and says why they fail.
func unsupportedRows() []compiler {
	const osi = "User data of OSI and DECnet connections."
	rows := []compiler{
		lowWaterRow(wsa.SO_USELOOPBACK, "SO_USELOOPBACK", 'C', "W-SOL", "BOOL", "BSD option, not supported."),
	}
	for _, r := range []struct {
		name                   int32
		symbol, doc, typ, text string
	}{
		{wsa.SO_TIMESTAMP, "SO_TIMESTAMP", "HDR", "control message", "Control message of received datagrams; not an option."},
		{wsa.SO_TIMESTAMP_ID, "SO_TIMESTAMP_ID", "HDR", "control message", "Control message of sent datagrams; not an option."},
		{wsa.SO_ORIGINAL_DST, "SO_ORIGINAL_DST", "HDR", "sockaddr", "Destination of a redirected connection."},
		{wsa.SO_RECEIVED_HOPLIMIT, "SO_RECEIVED_HOPLIMIT", "HDR", "int", "Not documented."},
		{wsa.SO_RECEIVED_PROCESSOR, "SO_RECEIVED_PROCESSOR", "HDR", "struct", "Not documented."},
		{wsa.SO_CONNDATA, "SO_CONNDATA", "W-SOL", "bytes", osi},
		{wsa.SO_CONNOPT, "SO_CONNOPT", "W-SOL", "bytes", osi},
		{wsa.SO_DISCDATA, "SO_DISCDATA", "W-SOL", "bytes", osi},
		{wsa.SO_DISCOPT, "SO_DISCOPT", "W-SOL", "bytes", osi},
		{wsa.SO_CONNDATALEN, "SO_CONNDATALEN", "W-SOL", "int", osi},
		{wsa.SO_CONNOPTLEN, "SO_CONNOPTLEN", "W-SOL", "int", osi},
		{wsa.SO_DISCDATALEN, "SO_DISCDATALEN", "W-SOL", "int", osi},
		{wsa.SO_DISCOPTLEN, "SO_DISCOPTLEN", "W-SOL", "int", osi},
		{wsa.SO_MAX_RDMA_SIZE, "SO_MAX_RDMA_SIZE", "DDK HDR", "DWORD", "SAN providers only."},
		{wsa.SO_RDMA_THRESHOLD_SIZE, "SO_RDMA_THRESHOLD_SIZE", "DDK HDR", "DWORD", "SAN providers only."},
	} {
		tier := byte('C')
		if r.typ == "control message" {
			tier = 'B'
		}
		rows = append(rows, unsupportedRow(r.name, r.symbol, tier, r.doc, r.typ, r.text))
	}
	return rows
}

// unsupportedRow is an option that fails in both directions on every socket.
func unsupportedRow(name int32, symbol string, tier byte, doc, typ, text string) row[struct{}] {
	return row[struct{}]{
		level: wsa.SOL_SOCKET, name: name, symbol: symbol, tier: tier,
		doc: doc, text: text, unsupported: text,
		access: noAccess, codec: codec[struct{}]{typ: typ},
	}
}

// lowWaterRow is one of the three options that fail differently since Vista.
func lowWaterRow(name int32, symbol string, tier byte, doc, typ, text string) row[struct{}] {
	r := unsupportedRow(name, symbol, tier, doc, typ, text)
	r.alt = []alternative[struct{}]{{
		in: []Profile{Windows}, conflict: "C-15", text: "fails with WSAEINVAL",
		change: func(r *row[struct{}]) { r.wrongAccess = [2]wsa.Errno{wsa.WSAEINVAL, wsa.WSAEINVAL} },
	}}
	return r
}
