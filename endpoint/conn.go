// Package endpoint has the net faces of sockets: what package stack dials, accepts and listens
// with. A Conn is a net.Conn, a Listener a net.Listener, a PacketConn a net.PacketConn, each with
// the methods of its kin in package net, options by number, and readiness; a Poller tells which of
// many are ready.
package endpoint

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"gvisor.dev/gvisor/pkg/waiter"

	"github.com/wsstack/wsstack/internal/socket"
	"github.com/wsstack/wsstack/internal/wait"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// A Conn is a connected stream socket as a net.Conn, with the methods of
// *net.TCPConn but SyscallConn and File: there is no descriptor, and libraries
// take a connection whose SyscallConn fails for dead. It is safe for concurrent
// use.
//
// Errors are *net.OpError around a wsa.Errno, so errors.Is(err,
// wsa.WSAECONNRESET) works; io.EOF stays bare, an expired deadline is
// os.ErrDeadlineExceeded. After Close or during it errors.Is(err, net.ErrClosed)
// holds, and the text is that of net.ErrClosed. Deadlines are on the stack's
// clock.
//
// A new Conn has Winsock's defaults, not Go's: Nagle's algorithm is on,
// keep-alive is off.
//
// # When keep-alive drops the connection
//
// Read and Write calls in progress fail with wsa.WSAENETRESET, later calls with
// wsa.WSAENOTCONN (KA-30, KA-31); neither is a time-out, io.EOF or
// net.ErrClosed. Close succeeds. What that means for users of a Conn:
//
//   - crypto/tls passes the error of the Conn on. A tls.Conn keeps the first
//     one that is not temporary, so after a Read with WSAENETRESET further Reads
//     have WSAENETRESET, too, while Write has WSAENOTCONN.
//   - net/http's server reads in the background while a handler runs: the read
//     fails with WSAENETRESET and the context of the request ends. A handler
//     that reads the body gets the error itself.
//   - net/http's client: a request that waits for its answer fails with a
//     *url.Error around WSAENETRESET; an idle connection in the pool just goes.
//
// Both sides of net/http leave keep-alive off unless told: in ConnState or with
// SetKeepAlive in the Transport's DialContext.
//
// # When nobody refers to it any more
//
// A Conn, Listener or PacketConn that has become garbage without Close is closed
// some time after the garbage collector has found it, as package net's are. The
// close waits for nothing: where SO_LINGER says that Close waits, the connection is
// closed gracefully. A call in progress, a Registration at a Poller and the
// program's own references keep it; a deadline doesn't. On a stack of simnet, where
// each run is the same, and one that was made in a bubble of testing/synctest
// it stays open.
type Conn struct {
	conn
}

var _ net.Conn = (*Conn)(nil)

// conn is what stream and datagram connections share.
type conn struct {
	sock    *socket.Socket
	network string // as the user named it, or the protocol
	rd, wd  wait.Deadline
	addrs   atomic.Pointer[connAddrs] // nil until somebody asks
	garbage runtime.Cleanup           // closes sock
}

// connAddrs are the addresses of a connection. They don't change, so a
// connection has them once: the pointers are keys of maps.
type connAddrs struct{ local, remote net.Addr }

// NewConn returns the net face of a connected stream socket, which owns the socket
// from then on.
func NewConn(s *socket.Socket, network string) *Conn {
	c := &Conn{conn{sock: s, network: network}}
	c.own()
	return c
}

// opError builds the error of a call of the net faces, as package net does.
func opError(op, network string, source, addr net.Addr, err error) error {
	return &net.OpError{Op: op, Net: network, Source: source, Addr: addr, Err: err}
}

// netAddr is the net.Addr for a network such as "tcp4", nil for no address.
func netAddr(network string, ap netip.AddrPort) net.Addr {
	if !ap.IsValid() {
		return nil
	}
	ap = netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	if len(network) >= 3 && network[:3] == "udp" {
		return net.UDPAddrFromAddrPort(ap)
	}
	return net.TCPAddrFromAddrPort(ap)
}

// named gives the zone of a link-local address the name of the interface, as package net has it.
func (c *conn) named(ap netip.AddrPort) netip.AddrPort {
	if ap.Addr().Zone() == "" {
		return ap
	}
	return netip.AddrPortFrom(c.sock.Host().ZoneName(ap.Addr()), ap.Port())
}

func (c *conn) wrap(op string, err wsa.Errno) error {
	if err == 0 {
		return nil
	}
	return opError(op, c.network, c.LocalAddr(), c.RemoteAddr(), cause(err))
}

// cause is the error in a *net.OpError for a code.
func cause(err wsa.Errno) error {
	switch {
	case err == wait.ErrDeadline:
		return os.ErrDeadlineExceeded
	case err.Is(net.ErrClosed):
		return closedError{err}
	}
	return err
}

// A closedError is a code that says the connection was closed here. It reads as
// net.ErrClosed does, because programs look for the words.
type closedError struct{ wsa.Errno }

func (closedError) Error() string { return net.ErrClosed.Error() }

func (e closedError) Unwrap() error { return e.Errno }

// Read reads up to len(b) bytes of a stream, at least one unless b is empty, and
// returns io.EOF after the peer's FIN; or one datagram.
func (c *conn) Read(b []byte) (int, error) {
	n, _, err := c.sock.RecvUntil(b, 0, &c.rd)
	if err == 0 && n == 0 && len(b) > 0 && c.sock.Kind() == options.Stream {
		return 0, io.EOF
	}
	return n, c.wrap("read", err)
}

// Write writes all of b, or fails; to a datagram socket, as one datagram. Bytes
// of a stream are written when the stack has accepted them; Close delivers them
// (LG-2) unless SO_LINGER says otherwise.
func (c *conn) Write(b []byte) (int, error) {
	n, err := c.sock.SendUntil(b, 0, netip.AddrPort{}, &c.wd)
	return n, c.wrap("write", err)
}

// Close closes the socket, as closesocket does: see SO_LINGER. Calls in
// progress end; their error is net.ErrClosed.
func (c *conn) Close() error {
	err := c.wrap("close", c.sock.Close())
	c.garbage.Stop()
	c.rd.Stop()
	c.wd.Stop()
	return err
}

// LocalAddr is the local address, a *net.TCPAddr or *net.UDPAddr: the same pointer
// each time.
func (c *conn) LocalAddr() net.Addr { return c.addresses().local }

// RemoteAddr is the peer's address, the same pointer each time; nil when there is
// none.
func (c *conn) RemoteAddr() net.Addr { return c.addresses().remote }

// String names the connection in logs: its network and its addresses. Package fmt
// would print everything that is in it otherwise.
func (c *conn) String() string {
	if remote := c.RemoteAddr(); remote != nil {
		return c.network + " " + c.LocalAddr().String() + " to " + remote.String()
	}
	return c.network + " " + c.LocalAddr().String()
}

func (c *conn) addresses() *connAddrs {
	if a := c.addrs.Load(); a != nil {
		return a
	}
	c.addrs.CompareAndSwap(nil, &connAddrs{
		netAddr(c.network, c.named(c.sock.LastLocal())), netAddr(c.network, c.named(c.sock.LastRemote())),
	})
	return c.addrs.Load()
}

// SetDeadline sets both deadlines; the zero time removes them.
func (c *conn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

// SetReadDeadline bounds Read calls, those in progress included. t is a time
// of the stack's clock.
func (c *conn) SetReadDeadline(t time.Time) error {
	return c.setDeadline(&c.rd, t, waiter.ReadableEvents)
}

// SetWriteDeadline is SetReadDeadline for Write.
func (c *conn) SetWriteDeadline(t time.Time) error {
	return c.setDeadline(&c.wd, t, waiter.WritableEvents)
}

func (c *conn) setDeadline(d *wait.Deadline, t time.Time, mask waiter.EventMask) error {
	if err := c.sock.CheckOpen(); err != 0 {
		return c.wrap("set", err)
	}
	d.Set(c.sock.Host().Clock(), c.sock.Calls(), mask, t)
	return nil
}

// SetNonblocking is FIONBIO: with it, Read and Write fail with WSAEWOULDBLOCK
// where they would wait, and Write may write less than all. It is for event
// loops; see Poller.
func (c *conn) SetNonblocking(on bool) error { return c.wrap("set", c.sock.SetNonblocking(on)) }

// Ready says what the connection is ready for now. See Poller.
func (c *conn) Ready() Readiness { return Readiness(c.sock.Ready()) }

// SetSockOpt is setsockopt. A nil optval is the NULL pointer of the documents.
func (c *conn) SetSockOpt(level, name int32, optval []byte) error {
	return c.wrap("set", c.sock.SetSockOpt(level, name, optval))
}

// GetSockOpt is getsockopt; n is the *optlen that comes out. Some failures
// write, too: see options.Get.
func (c *conn) GetSockOpt(level, name int32, optval []byte) (n int, err error) {
	n, errno := c.sock.GetSockOpt(level, name, optval)
	return n, c.wrap("get", errno)
}

// Ioctl is WSAIoctl: SIO_TCP_INFO, SIO_KEEPALIVE_VALS, SIO_UDP_CONNRESET and the
// other codes of Provider.Ioctl in package provider. n is the number of bytes
// written to out; some failures write, too.
func (c *conn) Ioctl(code uint32, in, out []byte) (n int, err error) {
	n, errno := c.sock.Ioctl(code, in, out)
	return n, c.wrap("ioctl", errno)
}

// SetReadBuffer is SO_RCVBUF, in bytes.
func (c *conn) SetReadBuffer(bytes int) error { return c.setInt(wsa.SOL_SOCKET, wsa.SO_RCVBUF, bytes) }

// SetWriteBuffer is SO_SNDBUF, in bytes.
func (c *conn) SetWriteBuffer(bytes int) error { return c.setInt(wsa.SOL_SOCKET, wsa.SO_SNDBUF, bytes) }

// setInt sets an option of four bytes; a value that doesn't fit is WSAEINVAL.
func (c *conn) setInt(level, name int32, value int) error {
	if int(int32(value)) != value {
		return c.wrap("set", wsa.WSAEINVAL)
	}
	v := uint32(int32(value))
	return c.SetSockOpt(level, name, []byte{byte(v), byte(v >> 8), byte(v >> 16), byte(v >> 24)})
}

func (c *conn) setBool(level, name int32, on bool) error {
	if on {
		return c.setInt(level, name, 1)
	}
	return c.setInt(level, name, 0)
}

// CloseRead is shutdown(SD_RECEIVE): data that is queued, or comes later,
// resets the connection (SH-2).
func (c *Conn) CloseRead() error { return c.wrap("close", c.sock.Shutdown(wsa.SD_RECEIVE)) }

// CloseWrite is shutdown(SD_SEND): what was written is delivered, then FIN.
func (c *Conn) CloseWrite() error { return c.wrap("close", c.sock.Shutdown(wsa.SD_SEND)) }

// SetNoDelay is TCP_NODELAY. The default is false: Nagle's algorithm is on.
func (c *Conn) SetNoDelay(on bool) error { return c.setBool(wsa.IPPROTO_TCP, wsa.TCP_NODELAY, on) }

// SetKeepAlive is SO_KEEPALIVE.
func (c *Conn) SetKeepAlive(on bool) error { return c.setBool(wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, on) }

// SetKeepAlivePeriod sets the idle time before the first probe: TCP_KEEPIDLE,
// in seconds, rounded up.
func (c *Conn) SetKeepAlivePeriod(d time.Duration) error {
	return c.setAll(options.TCP_KEEPIDLE.With(d))
}

// SetKeepAliveConfig sets SO_KEEPALIVE, TCP_KEEPIDLE, TCP_KEEPINTVL and
// TCP_KEEPCNT. As in package net, a zero field means Go's default (15 s, 15 s,
// 9) and a negative one keeps what is set.
func (c *Conn) SetKeepAliveConfig(k net.KeepAliveConfig) error {
	return c.setAll(socket.KeepAliveOptions(k)...)
}

// setAll sets options in order, until one fails.
func (c *conn) setAll(list ...options.Assignment) error {
	err := options.SetAll(c, list...)
	var wrapped *net.OpError
	if errno := wsa.Errno(0); !errors.As(err, &wrapped) && errors.As(err, &errno) { // no optval can hold the value
		return c.wrap("set", errno)
	}
	return err
}

// SetLinger sets SO_LINGER: sec < 0 turns it off, 0 makes Close reset the
// connection, and sec > 0 makes Close wait that long for the peer to
// acknowledge everything. Values above 65535 are WSAEINVAL.
func (c *Conn) SetLinger(sec int) error {
	if sec > 65535 {
		return c.wrap("set", wsa.WSAEINVAL)
	}
	optval := []byte{1, 0, byte(sec), byte(sec >> 8)}
	if sec < 0 {
		optval = []byte{0, 0, 0, 0}
	}
	return c.SetSockOpt(wsa.SOL_SOCKET, wsa.SO_LINGER, optval)
}

// MultipathTCP reports false, as on a connection without it.
func (c *Conn) MultipathTCP() (bool, error) { return false, nil }

// copyBuffers hold the data of ReadFrom and WriteTo.
var copyBuffers = sync.Pool{New: func() any { b := make([]byte, 64<<10); return &b }}

// ReadFrom implements io.ReaderFrom.
func (c *Conn) ReadFrom(r io.Reader) (int64, error) {
	buf := copyBuffers.Get().(*[]byte)
	defer copyBuffers.Put(buf)
	return io.CopyBuffer(onlyWriter{c}, r, *buf)
}

// WriteTo implements io.WriterTo.
func (c *Conn) WriteTo(w io.Writer) (int64, error) {
	buf := copyBuffers.Get().(*[]byte)
	defer copyBuffers.Put(buf)
	return io.CopyBuffer(w, onlyReader{c}, *buf)
}

// onlyWriter and onlyReader hide the methods that io.Copy would call again.
type onlyWriter struct{ io.Writer }
type onlyReader struct{ io.Reader }
