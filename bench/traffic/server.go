// Package traffic measures a way between two processes: a client, which carries out orders and says
// what it has measured, and the server that it talks to. What the way is, they don't know.
package traffic

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"net/http"
)

// The first byte of a connection says what the server does with it.
const (
	modeUp      = 'u' // reads to the end, then says how many bytes there were
	modeDown    = 'd' // writes until the client has enough
	modeBoth    = 'b' // reads and writes until then
	modeEcho    = 'e' // writes what it reads
	modeRequest = 'r' // answers each line
	modeHTTP    = 'h' // is a server of net/http
)

// block is what is written and read at a time, in bytes.
const block = 256 << 10

// answer is what a request is answered with: the size of a small page with its header.
var answer = make([]byte, 1000)

// Serve serves the connections of l until l is closed. Those that there are then end with their
// clients.
func Serve(l net.Listener) {
	web := taken{l, make(chan net.Conn), make(chan struct{})}
	defer close(web.done)
	go func() { // ends when done is closed
		_ = http.Serve(web, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(answer) }))
	}()
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go serve(c, web)
	}
}

// taken is a listener of connections that another listener has accepted.
type taken struct {
	net.Listener
	conns chan net.Conn
	done  chan struct{} // closed when no more come
}

func (t taken) Accept() (net.Conn, error) {
	select {
	case c := <-t.conns:
		return c, nil
	case <-t.done:
		return nil, net.ErrClosed
	}
}

func serve(c net.Conn, web taken) {
	var mode [1]byte
	if _, err := io.ReadFull(c, mode[:]); err != nil {
		_ = c.Close()
		return
	}
	if mode[0] == modeHTTP {
		select {
		case web.conns <- c:
		case <-web.done:
			_ = c.Close()
		}
		return
	}
	defer c.Close()
	switch mode[0] {
	case modeUp:
		n := count(c)
		_, _ = c.Write(binary.BigEndian.AppendUint64(nil, uint64(n)))
	case modeDown:
		fill(c)
	case modeBoth:
		go count(c) // ends with the connection
		fill(c)
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

// fill writes until that fails.
func fill(w io.Writer) {
	b := make([]byte, block)
	for {
		if _, err := w.Write(b); err != nil {
			return
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

// Echo sends back each datagram that p receives, until p is closed.
func Echo(p net.PacketConn) {
	b := make([]byte, 2048)
	for {
		n, from, err := p.ReadFrom(b)
		if err != nil {
			return
		}
		_, _ = p.WriteTo(b[:n], from)
	}
}
