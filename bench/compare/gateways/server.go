//go:build linux

package main

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"os"
)

// serverAddress is where the server is, from inside and outside.
const serverAddress = "198.51.100.1"

const serverPort = "9000"

// The first byte of a connection says what the server does with it.
const (
	modeUp      = 'u' // reads to the end, then says how many bytes there were
	modeDown    = 'd' // writes until the client has enough
	modeEcho    = 'e' // writes what it reads
	modeRequest = 'r' // answers each line
)

// block is what is written and read at a time, in bytes.
const block = 256 << 10

// answer is what modeRequest answers: the size of a small page with its header.
var answer = make([]byte, 1000)

// serverRole is the server. It ends with its standard input.
func serverRole([]string) error {
	l, err := net.Listen("tcp", net.JoinHostPort(serverAddress, serverPort))
	if err != nil {
		return err
	}
	u, err := net.ListenPacket("udp", net.JoinHostPort(serverAddress, serverPort))
	if err != nil {
		return err
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serve(c.(*net.TCPConn))
		}
	}()
	go serveDatagrams(u.(*net.UDPConn))
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

func serve(c *net.TCPConn) {
	defer c.Close()
	var mode [1]byte
	if _, err := io.ReadFull(c, mode[:]); err != nil {
		return
	}
	switch mode[0] {
	case modeUp:
		n := count(c)
		_, _ = c.Write(binary.BigEndian.AppendUint64(nil, uint64(n)))
	case modeDown:
		b := make([]byte, block)
		for {
			if _, err := c.Write(b); err != nil {
				return
			}
		}
	case modeEcho:
		b := make([]byte, 64)
		for {
			n, err := c.Read(b)
			if err != nil {
				return
			}
			if _, err := c.Write(b[:n]); err != nil {
				return
			}
		}
	case modeRequest:
		r := bufio.NewReaderSize(c, 512)
		for {
			if _, err := r.ReadSlice('\n'); err != nil {
				return
			}
			if _, err := c.Write(answer); err != nil {
				return
			}
		}
	}
}

// count reads to the end.
func count(r io.Reader) (total int64) {
	b := make([]byte, block)
	for {
		n, err := r.Read(b)
		total += int64(n)
		if err != nil {
			return total
		}
	}
}

func serveDatagrams(u *net.UDPConn) {
	b := make([]byte, 2048)
	for {
		n, from, err := u.ReadFromUDPAddrPort(b)
		if err != nil {
			return
		}
		_, _ = u.WriteToUDPAddrPort(b[:n], from)
	}
}

func prefixes(texts ...string) (list []netip.Prefix) {
	for _, text := range texts {
		list = append(list, netip.MustParsePrefix(text))
	}
	return list
}
