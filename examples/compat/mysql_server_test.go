package compat

import (
	"encoding/binary"
	"io"
	"net"
	"strconv"
	"strings"
)

// Commands and capabilities of MySQL's client/server protocol.
const (
	comQuit  = 0x01
	comQuery = 0x03
	comPing  = 0x0e

	longPassword  = 0x1
	connectWithDB = 0x8
	protocol41    = 0x200
	transactions  = 0x2000
	secureConn    = 0x8000
	pluginAuth    = 0x80000
)

// A mysqlConn is the server's end of a connection, in the text protocol and
// without DEPRECATE_EOF. It lets in everybody.
type mysqlConn struct {
	net.Conn
	sequence byte
}

// serveMySQL answers "SELECT REPEAT('x', n)" with that, and OK to all else.
func serveMySQL(c net.Conn) {
	m := &mysqlConn{Conn: c}
	m.send(greeting())
	if _, err := m.receive(); err != nil {
		return
	}
	m.ok()
	for {
		m.sequence = 0
		command, err := m.receive()
		if err != nil || len(command) == 0 || command[0] == comQuit {
			return
		}
		text, found := strings.CutPrefix(string(command[1:]), "SELECT REPEAT('x', ")
		n, err := strconv.Atoi(strings.TrimSuffix(text, ")"))
		if command[0] == comQuery && found && err == nil {
			m.result("repeat", strings.Repeat("x", n))
			continue
		}
		m.ok()
	}
}

// receive returns the payload of the next packet, less than 16 MiB.
func (m *mysqlConn) receive() ([]byte, error) {
	var header [4]byte
	if _, err := io.ReadFull(m, header[:]); err != nil {
		return nil, err
	}
	m.sequence = header[3] + 1
	payload := make([]byte, int(header[0])|int(header[1])<<8|int(header[2])<<16)
	_, err := io.ReadFull(m, payload)
	return payload, err
}

func (m *mysqlConn) send(payload []byte) {
	n := len(payload)
	m.Write(append([]byte{byte(n), byte(n >> 8), byte(n >> 16), m.sequence}, payload...))
	m.sequence++
}

func (m *mysqlConn) ok()  { m.send([]byte{0, 0, 0, 2, 0, 0, 0}) }
func (m *mysqlConn) eof() { m.send([]byte{0xfe, 0, 0, 2, 0}) }

// result sends one row with one column.
func (m *mysqlConn) result(column, value string) {
	m.send([]byte{1})
	var definition []byte
	for _, s := range []string{"def", "", "", "", column, column} {
		definition = appendText(definition, s)
	}
	// Fixed fields: utf8mb4 (45), length, type VAR_STRING (0xfd), flags, decimals.
	m.send(append(definition, 12, 45, 0, 0xff, 0xff, 0, 0, 0xfd, 0, 0, 0, 0, 0))
	m.eof()
	m.send(appendText(nil, value))
	m.eof()
}

// appendText appends s with its length before it.
func appendText(b []byte, s string) []byte {
	switch n := len(s); {
	case n < 251:
		b = append(b, byte(n))
	case n < 1<<16:
		b = binary.LittleEndian.AppendUint16(append(b, 0xfc), uint16(n))
	default:
		b = append(b, 0xfd, byte(n), byte(n>>8), byte(n>>16))
	}
	return append(b, s...)
}

// greeting is the packet HandshakeV10.
func greeting() []byte {
	const capabilities = longPassword | connectWithDB | protocol41 | transactions | secureConn | pluginAuth
	b := append([]byte{10}, "8.0.0-compat\x00"...)
	b = append(b, 1, 0, 0, 0) // the connection's number
	b = append(b, "8 bytes.\x00"...)
	b = binary.LittleEndian.AppendUint16(b, capabilities&0xffff)
	b = append(b, 45, 2, 0) // utf8mb4, autocommit
	b = binary.LittleEndian.AppendUint16(b, capabilities>>16)
	b = append(b, 21)
	b = append(b, make([]byte, 10)...)
	return append(b, "12 more ones\x00mysql_native_password\x00"...)
}
