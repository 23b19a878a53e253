package control

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// A frame is a byte that says what it is, the length of its content in three bytes, the highest
// first, and the content.
//
//	kind  length          content
//	 1      3           0 … maxFrame
const (
	frameReply  = 'R' // the answer to the request, as JSON; the server's first frame
	frameData   = 'D' // bytes of a stream, or a datagram
	framePacket = 'P' // a datagram with an address in front: the length of its text, the text
	frameEnd    = 'E' // the sender sends no more data
	frameFailed = 'F' // an Error as JSON; the stream is over
	frameReset  = 'A' // from a client: the connection of the stack is to be aborted

	frameHeader = 4
	maxFrame    = 1<<16 + 64 // the largest datagram with an address
)

var errFrame = errors.New("control: the other side doesn't send the frames of a stream")

// A Stream is a two-way connection over the control socket. It is a net.Conn, and its addresses are
// those of the connection of the stack at the server's end, if there is one. On a Stream of
// datagrams each Write sends one and each Read receives one.
//
// Errors of the stack come as *Error, around the wsa.Errno. Its methods are safe for concurrent
// use.
type Stream struct {
	conn          net.Conn
	r             *bufio.Reader
	datagrams     bool
	local, remote net.Addr

	reading sync.Mutex // guards r and the next two
	left    int        // bytes of the frame that Read is in
	over    error      // there is nothing more to read

	mu     sync.Mutex // guards writing
	broken error      // a frame was sent in part
	ended  bool
}

var _ net.Conn = (*Stream)(nil)

func newStream(conn net.Conn, r *bufio.Reader) *Stream {
	if r == nil || r.Size() < frameHeader+maxFrame {
		// What a smaller one holds already comes first.
		var first io.Reader = conn
		if r != nil && r.Buffered() > 0 {
			held, _ := r.Peek(r.Buffered())
			first = io.MultiReader(bytes.NewReader(bytes.Clone(held)), conn)
		}
		r = bufio.NewReaderSize(first, frameHeader+maxFrame)
	}
	return &Stream{conn: conn, r: r, local: conn.LocalAddr(), remote: conn.RemoteAddr()}
}

// next returns the kind and the length of the next frame, whose header is read then.
func (s *Stream) next() (kind byte, n int, err error) {
	h, err := s.r.Peek(frameHeader) // a deadline in between loses nothing
	if err != nil {
		return 0, 0, cutOff(err)
	}
	kind, n = h[0], int(binary.BigEndian.Uint32(h)&0xffffff)
	if n > maxFrame {
		return 0, 0, errFrame
	}
	return kind, n, nil
}

// whole returns the content of the next frame, which is read then.
func (s *Stream) whole(n int) ([]byte, error) {
	b, err := s.r.Peek(frameHeader + n)
	if err != nil {
		return nil, cutOff(err)
	}
	_, _ = s.r.Discard(frameHeader + n) // they are buffered; b is valid until the next read
	return b[frameHeader:], nil
}

// Read implements net.Conn. It returns io.EOF after the other side's CloseWrite.
func (s *Stream) Read(b []byte) (int, error) {
	s.reading.Lock()
	defer s.reading.Unlock()
	for s.left == 0 {
		if s.over != nil {
			return 0, s.over
		}
		kind, n, err := s.next()
		if err != nil {
			return 0, err
		}
		if kind == frameData && !s.datagrams {
			_, _ = s.r.Discard(frameHeader)
			s.left = n
			continue
		}
		content, err := s.whole(n)
		if err != nil {
			return 0, err
		}
		if kind == frameData {
			return copy(b, content), nil
		}
		s.over = ending(kind, content)
	}
	n, err := s.r.Read(b[:min(len(b), s.left)])
	s.left -= n
	return n, cutOff(err)
}

// cutOff returns the error of a read: io.ErrUnexpectedEOF where the other process has closed the
// socket or has ended, as a stream ends with a frame that says so. Linux makes a reset of that where
// there was something left that the process hadn't read.
func cutOff(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// ending returns the error of a frame after which there is no more data.
func ending(kind byte, content []byte) error {
	switch kind {
	case frameEnd:
		return io.EOF
	case frameReset:
		return errReset
	case frameFailed:
		e := new(Error)
		if json.Unmarshal(content, e) == nil && e.Message != "" {
			return e
		}
	}
	return errFrame
}

// errReset is what the server reads after Abort of a client.
var errReset = errors.New("control: the client has aborted the connection")

// Write implements net.Conn.
func (s *Stream) Write(b []byte) (n int, err error) {
	if s.datagrams {
		if len(b) > maxDatagram {
			return 0, Errorf(0, "", "a datagram of %d bytes is larger than any", len(b))
		}
		if err := s.send(frameData, nil, b); err != nil {
			return 0, err
		}
		return len(b), nil
	}
	for n < len(b) {
		part := b[n:min(len(b), n+maxDatagram)]
		if err := s.send(frameData, nil, part); err != nil {
			return n, err
		}
		n += len(part)
	}
	return n, nil
}

// maxDatagram is the size of the content of the largest IP packet, and of the largest frame with
// data.
const maxDatagram = 65535

// send sends a frame whose content is in two parts.
func (s *Stream) send(kind byte, first, second []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.broken != nil:
		return s.broken
	case s.ended:
		return net.ErrClosed
	}
	s.ended = kind == frameEnd || kind == frameFailed || kind == frameReset
	var h [frameHeader]byte
	binary.BigEndian.PutUint32(h[:], uint32(len(first)+len(second)))
	h[0] = kind
	parts := net.Buffers{h[:], first, second}
	if n, err := parts.WriteTo(s.conn); err != nil {
		if n > 0 {
			s.broken = err
		}
		return err
	}
	return nil
}

// sendJSON sends a frame with a value.
func (s *Stream) sendJSON(kind byte, value any) error {
	b, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return s.send(kind, nil, b)
}

// CloseWrite tells the other side that no more data comes.
func (s *Stream) CloseWrite() error { return s.send(frameEnd, nil, nil) }

// Abort ends the Stream, and has the server abort its connection of the stack: the peer gets a RST.
func (s *Stream) Abort() error {
	err := s.send(frameReset, nil, nil)
	if closed := s.conn.Close(); err == nil {
		err = closed
	}
	return err
}

// fail ends the Stream of a server with an error.
func (s *Stream) fail(err error) {
	_ = s.sendJSON(frameFailed, errorOf(err)) // the client may be gone
}

// Close implements net.Conn. The server closes its connection of the stack.
func (s *Stream) Close() error { return s.conn.Close() }

// LocalAddr implements net.Conn.
func (s *Stream) LocalAddr() net.Addr { return s.local }

// RemoteAddr implements net.Conn.
func (s *Stream) RemoteAddr() net.Addr { return s.remote }

// SetDeadline implements net.Conn.
func (s *Stream) SetDeadline(t time.Time) error { return s.conn.SetDeadline(t) }

// SetReadDeadline implements net.Conn.
func (s *Stream) SetReadDeadline(t time.Time) error { return s.conn.SetReadDeadline(t) }

// SetWriteDeadline implements net.Conn. After a write that a deadline has ended in the middle, all
// later ones fail.
func (s *Stream) SetWriteDeadline(t time.Time) error { return s.conn.SetWriteDeadline(t) }

// readPacket receives a datagram with its address.
func (s *Stream) readPacket(b []byte) (int, netip.AddrPort, error) {
	s.reading.Lock()
	defer s.reading.Unlock()
	if s.over != nil {
		return 0, netip.AddrPort{}, s.over
	}
	kind, n, err := s.next()
	if err != nil {
		return 0, netip.AddrPort{}, err
	}
	content, err := s.whole(n)
	switch {
	case err != nil:
		return 0, netip.AddrPort{}, err
	case kind != framePacket:
		s.over = ending(kind, content)
		return 0, netip.AddrPort{}, s.over
	case len(content) == 0 || len(content) < 1+int(content[0]):
		return 0, netip.AddrPort{}, errFrame
	}
	size := 1 + int(content[0])
	addr, err := netip.ParseAddrPort(string(content[1:size]))
	if err != nil {
		return 0, addr, errFrame
	}
	return copy(b, content[size:]), addr, nil
}

// writePacket sends a datagram with an address.
func (s *Stream) writePacket(b []byte, addr netip.AddrPort) error {
	if len(b) > maxDatagram {
		return Errorf(0, "", "a datagram of %d bytes is larger than any", len(b))
	}
	text := addr.String()
	return s.send(framePacket, append([]byte{byte(len(text))}, text...), b)
}
