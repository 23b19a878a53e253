package calls

import (
	"bytes"
	"fmt"
	"net/netip"

	"github.com/wsstack/wsstack/internal/script/syntax"
	"github.com/wsstack/wsstack/internal/script/vocabulary"
	"github.com/wsstack/wsstack/wsa"
)

var transferFunctions = map[string]function{
	"write":       fn(unix, 3, 3, "write(4, ..., 1000) = 1000", (*invocation).send),
	"send":        fn(both, 4, 4, "send(4, ..., 1000, 0) = 1000", (*invocation).send),
	"sendto":      fn(both, 6, 6, "sendto(3, ..., 1000, 0, ..., ...) = 1000", (*invocation).sendTo),
	"writev":      fn(unix, 3, 3, "writev(4, [{..., 1000}, {..., 500}], 2) = 1500", (*invocation).sendVector),
	"sendmsg":     fn(unix, 3, 3, "sendmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 1000}], msg_flags=0}, 0) = 1000", (*invocation).sendMsg),
	"WSASend":     fn(winsock, 5, 7, "WSASend(4, [{..., 1000}], 1, [1000], 0, NULL, NULL) = 0", (*invocation).wsaSend),
	"WSASendTo":   fn(winsock, 7, 9, "WSASendTo(3, [{..., 1000}], 1, [1000], 0, ..., ..., NULL, NULL) = 0", (*invocation).wsaSend),
	"WSASendMsg":  fn(winsock, 4, 6, "WSASendMsg(3, {msg_name(...)=..., msg_iov(1)=[{..., 1000}]}, 0, [1000], NULL, NULL) = 0", (*invocation).wsaSendMsg),
	"read":        fn(unix, 3, 3, "read(4, ..., 1000) = 1000", (*invocation).receive),
	"recv":        fn(both, 4, 4, "recv(4, ..., 1000, 0) = 1000", (*invocation).receive),
	"recvfrom":    fn(both, 6, 6, "recvfrom(3, ..., 1000, 0, ..., ...) = 1000", (*invocation).receive),
	"readv":       fn(unix, 3, 3, "readv(4, [{..., 1000}, {..., 500}], 2) = 1500", (*invocation).receiveVector),
	"recvmsg":     fn(unix, 3, 3, "recvmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 1000}], msg_flags=0}, 0) = 1000", (*invocation).receiveMsg),
	"WSARecv":     fn(winsock, 5, 7, "WSARecv(4, [{..., 1000}], 1, [1000], [0], NULL, NULL) = 0", (*invocation).wsaRecv),
	"WSARecvFrom": fn(winsock, 7, 9, "WSARecvFrom(3, [{..., 1000}], 1, [1000], [0], ..., ..., NULL, NULL) = 0", (*invocation).wsaRecv),
	"WSARecvMsg":  fn(winsock, 3, 5, "WSARecvMsg(3, {msg_name(...)=..., msg_iov(1)=[{..., 1000}]}, [1000], NULL, NULL) = 0", (*invocation).wsaRecvMsg),
}

// unixFlags are the flags of Linux alone that calls of both vocabularies take: not to wait, and to
// raise no signal, which there are none of here.
var unixFlags = []int64{vocabulary.MSG_DONTWAIT, vocabulary.MSG_NOSIGNAL}

// A way is how a call transfers: the socket, the flags, and whether it waits.
type way struct {
	file  *file
	flags int32
	now   bool // MSG_DONTWAIT
}

// way reads the socket and the flags, which are no argument where i is 0.
func (c *invocation) way(i int) way {
	w := way{file: c.file(0, socketFile)}
	if i > 0 {
		var special int64
		w.flags, special = c.flags(i, vocabulary.MsgFlags, unixFlags...)
		w.now = special&vocabulary.MSG_DONTWAIT != 0
	}
	return w
}

// transfer makes a call that moves bytes. With MSG_DONTWAIT the socket is non-blocking while it
// does. Nothing else runs meanwhile, since the call doesn't wait.
func (c *invocation) transfer(w way, call func() (int, error)) result {
	return c.make(func() (int64, error) {
		once := w.now && !w.file.nonblocking && !w.file.closed
		if once {
			if err := c.setMode(w.file.socket, true); err != nil {
				return 0, err
			}
		}
		n, err := call()
		if once {
			if back := c.setMode(w.file.socket, false); err == nil {
				err = back
			}
		}
		return int64(n), err
	})
}

// setMode makes a socket non-blocking, or blocking.
func (m *Machine) setMode(s wsa.SOCKET, nonblocking bool) error {
	in := make([]byte, 4)
	if nonblocking {
		in[0] = 1
	}
	_, err := m.p.Ioctl(s, wsa.FIONBIO, in, nil)
	return err
}

// mode is setMode for a file, which notes it.
func (m *Machine) mode(f *file, nonblocking, unixMode bool) error {
	err := m.setMode(f.socket, nonblocking)
	if err == nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		f.nonblocking, f.unixMode = nonblocking, unixMode
	}
	return err
}

// A buffer is what one argument, or several, have of bytes.
type buffer struct {
	bytes []byte // to be sent, or of the size of what may be received
	null  bool   // a NULL with a length
	said  []syntax.Expr
}

// fault is the failure of a buffer at NULL.
func (b buffer) fault() error {
	if b.null {
		return wsa.WSAEFAULT
	}
	return nil
}

// buffer reads a buffer and its length: "...", a text, or NULL. What is sent of "..." are zeros, as
// behind the end of a text that is shorter than the length.
func (c *invocation) buffer(i int) buffer {
	n := c.length(i + 1)
	b := buffer{bytes: c.allocate(n, c.arg(i+1).At()), null: c.null(i) && n > 0}
	switch e := c.arg(i).(type) {
	case *syntax.Any:
	case *syntax.Text:
		copy(b.bytes, e.Value)
		b.said = []syntax.Expr{e}
	default:
		if !c.null(i) {
			c.wrong(e.At(), `write "..." for any bytes, or a text in quotes`, "%s is no buffer", e.String())
		}
	}
	return b
}

// vector reads buffers in brackets, the second argument, "[{..., 1000}, {"abc", 3}]", and their
// number, the third.
func (c *invocation) vector() buffer {
	iovecs, err := c.numbers().Iovecs(c.arg(1))
	if !c.check(err, c.arg(1)) {
		return buffer{}
	}
	if n := c.numberOr(2, vocabulary.Plain, int64(len(iovecs))); int(n) != len(iovecs) {
		c.wrong(c.arg(2).At(), fmt.Sprintf("write %d", len(iovecs)), "the number of buffers is %d, and not %d", len(iovecs), n)
	}
	return c.joined(iovecs, c.arg(1))
}

// joined is the buffer that several make up.
func (c *invocation) joined(iovecs []vocabulary.Iovec, at syntax.Expr) (b buffer) {
	total := 0
	for _, v := range iovecs {
		if v.Length < 0 || v.Length > maxTransfer-total {
			c.wrong(at.At(), "", "the lengths aren't possible: a call moves at most %d bytes", maxTransfer)
			return buffer{}
		}
		total += v.Length
	}
	b.bytes = c.allocate(total, at.At())
	rest := b.bytes
	for _, v := range iovecs {
		copy(rest[:min(v.Length, len(rest))], v.Bytes)
		rest = rest[min(v.Length, len(rest)):]
		if v.Bytes != nil {
			b.said = append(b.said, &syntax.Text{Pos: at.At(), Value: string(v.Bytes)})
		} else {
			b.said = append(b.said, &syntax.Any{Pos: at.At()})
		}
	}
	return b
}

func (c *invocation) send() result {
	flags := 3
	if c.call.Name == "write" {
		flags = 0
	}
	w, b := c.way(flags), c.buffer(1)
	return c.transfer(w, func() (int, error) {
		if b.null {
			return 0, b.fault()
		}
		return c.p.Send(w.file.socket, b.bytes, w.flags)
	})
}

func (c *invocation) sendTo() result {
	w, b := c.way(3), c.buffer(1)
	to := c.address(4, c.peerAddress())
	return c.transfer(w, func() (int, error) {
		if b.null {
			return 0, b.fault()
		}
		return c.p.SendTo(w.file.socket, b.bytes, w.flags, to)
	})
}

func (c *invocation) sendVector() result {
	w, b := c.way(0), c.vector()
	return c.transfer(w, func() (int, error) { return c.p.Send(w.file.socket, b.bytes, w.flags) })
}

func (c *invocation) receive() result {
	flags := 3
	if c.call.Name == "read" {
		flags = 0
	}
	w, b := c.way(flags), c.buffer(1)
	want := b.take()
	return c.transfer(w, func() (n int, err error) {
		var from netip.AddrPort
		switch {
		case b.null:
			return 0, b.fault()
		case c.call.Name == "recvfrom":
			n, from, err = c.p.RecvFrom(w.file.socket, b.bytes, w.flags)
		default:
			n, err = c.p.Recv(w.file.socket, b.bytes, w.flags)
		}
		if c.cutOff(err) {
			err = nil
		}
		if arrived(err) {
			c.received(1, want, b.bytes[:n])
		}
		if arrived(err) && from.IsValid() {
			c.leftAddress(4, from)
			c.leftLength(5, from)
		}
		return n, err
	})
}

// A text is what a script says of bytes.
type text struct {
	bytes []byte
	said  bool // without, they may be anything
	more  bool // others may follow
}

// take empties a buffer of what is expected in it, and returns that.
func (b *buffer) take() (want text) {
	for _, e := range b.said {
		t, ok := e.(*syntax.Text)
		if !ok {
			return text{}
		}
		want = text{append(want.bytes, t.Value...), true, t.More}
	}
	clear(b.bytes)
	return want
}

// received compares the bytes that have come with those of the script.
func (c *invocation) received(i int, want text, got []byte) {
	actual := got
	if want.more {
		actual = got[:min(len(got), len(want.bytes))]
	}
	if want.said && !bytes.Equal(want.bytes, actual) {
		expected, came := syntax.Beside(want.bytes, got)
		c.differs(c.arg(i).At(), "other bytes were received", expected, came)
	}
}

func (c *invocation) receiveVector() result {
	w, b := c.way(0), c.vector()
	want := b.take()
	return c.transfer(w, func() (int, error) {
		n, err := c.p.Recv(w.file.socket, b.bytes, w.flags)
		if c.cutOff(err) {
			err = nil
		}
		if arrived(err) {
			c.received(1, want, b.bytes[:n])
		}
		return n, err
	})
}
