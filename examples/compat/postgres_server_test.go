package compat

import (
	"encoding/binary"
	"net"
	"strconv"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgproto3"
)

// OIDs of PostgreSQL's types.
const (
	int4 = 23
	int8 = 20
)

// A postgresServer speaks as much of PostgreSQL's protocol as pgx needs for
// prepared statements, simple queries and cancel requests. Whatever the text of a
// prepared statement is, it has one int4 parameter and its result is the square of
// that; the square of 0 never comes.
type postgresServer struct {
	pings     atomic.Int32  // simple queries
	blocked   chan struct{} // closed when the square of 0 is asked for
	cancelled chan uint32   // process IDs of cancel requests
}

func (s *postgresServer) serve(c net.Conn) {
	b := pgproto3.NewBackend(c, c)
	start, err := b.ReceiveStartupMessage()
	if err != nil {
		return
	}
	if m, ok := start.(*pgproto3.CancelRequest); ok {
		s.cancelled <- m.ProcessID
		return
	}
	b.Send(&pgproto3.AuthenticationOk{})
	b.Send(&pgproto3.ParameterStatus{Name: "server_version", Value: "17.0"})
	b.Send(&pgproto3.BackendKeyData{ProcessID: 42, SecretKey: []byte{1, 2, 3, 4}})
	b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})

	var number int64
	for b.Flush() == nil {
		m, err := b.Receive()
		if err != nil {
			return
		}
		switch m := m.(type) {
		case *pgproto3.Query:
			s.pings.Add(1)
			b.Send(&pgproto3.EmptyQueryResponse{})
			b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
		case *pgproto3.Parse:
			b.Send(&pgproto3.ParseComplete{})
		case *pgproto3.Describe:
			if m.ObjectType == 'S' {
				b.Send(&pgproto3.ParameterDescription{ParameterOIDs: []uint32{int4}})
			}
			b.Send(&pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{{
				Name: []byte("square"), DataTypeOID: int8, DataTypeSize: 8, TypeModifier: -1,
			}}})
		case *pgproto3.Bind:
			number = parameter(m)
			b.Send(&pgproto3.BindComplete{})
		case *pgproto3.Execute:
			if number == 0 {
				close(s.blocked)
				for err == nil { // the Sync, and then nothing until the client has gone
					_, err = b.Receive()
				}
				return
			}
			b.Send(&pgproto3.DataRow{Values: [][]byte{binary.BigEndian.AppendUint64(nil, uint64(number*number))}})
			b.Send(&pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")})
		case *pgproto3.Sync:
			b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
		case *pgproto3.Terminate:
			return
		}
	}
}

// parameter is the first parameter, as text or in binary.
func parameter(m *pgproto3.Bind) int64 {
	p := m.Parameters[0]
	if len(m.ParameterFormatCodes) > 0 && m.ParameterFormatCodes[0] == 1 {
		return int64(int32(binary.BigEndian.Uint32(p)))
	}
	n, _ := strconv.ParseInt(string(p), 10, 64)
	return n
}
