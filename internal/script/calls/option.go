package calls

import (
	"encoding/binary"
	"net/netip"

	"github.com/wsstack/wsstack/internal/script/syntax"
	"github.com/wsstack/wsstack/internal/script/vocabulary"
	"github.com/wsstack/wsstack/wsa"
)

var optionFunctions = map[string]function{
	"setsockopt": fn(both, 5, 5, "setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0", (*invocation).setOption),
	"getsockopt": fn(both, 5, 5, "getsockopt(3, SOL_SOCKET, SO_ERROR, [0], [4]) = 0", (*invocation).getOption),
	"fcntl": {vocabulary: unix, least: 2, most: 3, usage: "fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0", run: (*invocation).fcntl,
		result: vocabulary.FileFlags, failure: -1},
	"ioctl":       fn(unix, 2, 3, "ioctl(4, SIOCINQ, [1000]) = 0", (*invocation).ioctl),
	"ioctlsocket": fn(winsock, 3, 3, "ioctlsocket(3, FIONBIO, [1]) = 0", (*invocation).ioctl),
	"WSAIoctl":    fn(winsock, 7, 9, "WSAIoctl(3, SIO_KEEPALIVE_VALS, {onoff=1, keepalivetime=10000, keepaliveinterval=1000}, 12, NULL, 0, ..., NULL, NULL) = 0", (*invocation).wsaIoctl),
}

// maxOption is the size of the largest value of an option or control that a script may ask for.
const maxOption = 1 << 16

// option is the option that two arguments name.
func (c *invocation) option(level, name int) vocabulary.Option {
	o, err := c.numbers().Option(c.arg(level), c.arg(name))
	c.check(err, c.arg(name))
	return o
}

// size is an argument that is the size of a value; -1: any.
func (c *invocation) size(e syntax.Expr) int {
	if e == nil || vocabulary.IsAny(e) {
		return -1
	}
	n, err := c.numbers().Number(vocabulary.Plain, e)
	if !c.check(err, e) {
		return -1
	}
	if n < 0 || n > maxOption {
		c.wrong(e.At(), "", "a value of %d bytes isn't possible: it has %d at most", n, maxOption)
		return -1
	}
	return int(n)
}

func (c *invocation) setOption() result {
	s, o := c.socket(), c.option(1, 2)
	size := c.size(c.arg(4))
	var value []byte
	if c.mistake == nil && !c.null(3) {
		var err error
		value, err = c.numbers().EncodeOption(o, c.arg(3), size)
		c.check(err, c.arg(3))
		value = c.handleIn(o, value)
	}
	return c.status(func() error { return c.p.SetSockOpt(s, o.Level, o.Name, value, int32(len(value))) })
}

// handleIn puts the handle of a socket in the place of its descriptor, in the one value that is one.
func (c *invocation) handleIn(o vocabulary.Option, value []byte) []byte {
	if o.Symbol == "SO_UPDATE_ACCEPT_CONTEXT" && len(value) == 8 {
		fd := int64(binary.LittleEndian.Uint64(value))
		binary.LittleEndian.PutUint64(value, uint64(c.Machine.file(fd).socket))
	}
	return value
}

func (c *invocation) getOption() result {
	s, o := c.socket(), c.option(1, 2)
	size := c.size(c.element(4))
	return c.status(func() error {
		value := make([]byte, maxOption)
		if size >= 0 {
			value = value[:c.numbers().Size(o, size)]
		}
		if c.null(3) {
			value = nil
		}
		n := int32(len(value))
		if err := c.p.GetSockOpt(s, o.Level, o.Name, value, &n); err != nil {
			return err
		}
		c.leftOption(o, value[:n], size)
		return nil
	})
}

// leftOption compares the value of an option, and its size.
func (c *invocation) leftOption(o vocabulary.Option, got []byte, size int) {
	want := c.arg(3)
	if !vocabulary.IsAny(want) {
		actual, same, err := c.numbers().MatchOption(o, got, want)
		if c.check(err, want) && !same {
			c.differs(want.At(), "the value of "+o.Symbol+" differs", want.String(), actual)
		}
	}
	if size >= 0 {
		c.left(4, int64(c.numbers().SizeBack(o, size, len(got))))
	}
}

// fcntl has the commands about the mode and about FD_CLOEXEC, which has no effect here.
func (c *invocation) fcntl() result {
	f, command := c.file(0, socketFile), c.number(1, vocabulary.FcntlCommand)
	kind := vocabulary.FileFlags
	if command == vocabulary.F_SETFD {
		kind = vocabulary.DescriptorFlags
	}
	arg := c.numberOr(2, kind, 0)
	return c.make(func() (int64, error) {
		if f.closed {
			return 0, wsa.WSAENOTSOCK
		}
		switch command {
		case vocabulary.F_GETFD, vocabulary.F_SETFD:
			return 0, nil
		case vocabulary.F_GETFL:
			if f.nonblocking {
				return vocabulary.O_RDWR | vocabulary.O_NONBLOCK, nil
			}
			return vocabulary.O_RDWR, nil
		case vocabulary.F_SETFL:
			return 0, c.mode(f, arg&vocabulary.O_NONBLOCK != 0, true)
		}
		c.wrong(c.arg(1).At(), "use F_GETFL or F_SETFL", "%s isn't supported", c.arg(1))
		return 0, nil
	})
}

// ioctl is ioctl and ioctlsocket, whose argument goes in or comes out.
func (c *invocation) ioctl() result {
	f := c.file(0, socketFile)
	control, err := c.numbers().Control(c.arg(1))
	c.check(err, c.arg(1))
	if control.Symbol == "FIONBIO" {
		return c.setBlocking(f)
	}
	if control.Type != "" {
		c.wrong(c.arg(1).At(), "use WSAIoctl", "%s can't be had with %s", c.arg(1), c.call.Name)
	}
	return c.status(func() error {
		n, err := c.query(f, control)
		if err == nil {
			c.left(2, n)
		}
		return err
	})
}

// setBlocking is FIONBIO. Of ioctl it is as fcntl: accepted sockets don't inherit it.
func (c *invocation) setBlocking(f *file) result {
	on := int64(0)
	if e := c.element(2); e != nil {
		var err error
		on, err = c.numbers().Number(vocabulary.Plain, e)
		c.check(err, e)
	} else if !c.null(2) {
		c.wrong(c.arg(2).At(), "write [1] or [0]", "FIONBIO has no value")
	}
	null := c.null(2)
	return c.status(func() error {
		if null {
			return wsa.WSAEFAULT
		}
		return c.mode(f, on != 0, c.function.vocabulary == unix)
	})
}

// query asks for a number of four bytes. SIOCOUTQ, which only Linux has, has no code here.
func (c *invocation) query(f *file, control vocabulary.Control) (int64, error) {
	if control.Code == 0 {
		return c.sendQueue(f.socket)
	}
	out := make([]byte, 4)
	if _, err := c.p.Ioctl(f.socket, control.Code, nil, out); err != nil {
		return 0, err
	}
	return int64(binary.LittleEndian.Uint32(out)), nil
}

// sendQueue is what the socket has accepted and the peer hasn't acknowledged.
func (c *invocation) sendQueue(s wsa.SOCKET) (int64, error) {
	local, err := c.p.GetSockName(s)
	if err != nil {
		return 0, err
	}
	peer, err := c.p.GetPeerName(s)
	if err != nil {
		return 0, err
	}
	if c.cfg.Sockets != nil {
		for _, i := range c.cfg.Sockets() {
			if unmapped(i.Local) == unmapped(local) && unmapped(i.Remote) == unmapped(peer) {
				return int64(i.SendQueue), nil
			}
		}
	}
	return 0, nil
}

func unmapped(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

// wsaIoctl is WSAIoctl. The third argument goes in, and the fifth comes out.
func (c *invocation) wsaIoctl() result {
	f := c.file(0, socketFile)
	control, err := c.numbers().Control(c.arg(1))
	c.check(err, c.arg(1))
	c.unused(7, 8, "the OVERLAPPED of WSAIoctl")
	in := c.controlInput(control)
	size := c.numberOr(5, vocabulary.Plain, -1)
	if size > maxOption {
		c.wrong(c.arg(5).At(), "", "a buffer of %d bytes isn't possible: it has %d at most", size, maxOption)
		size = 0
	}
	out := c.controlOutput(control, int(size))
	return c.status(func() error {
		n, err := c.p.Ioctl(f.socket, control.Code, in, out)
		if err != nil {
			return err
		}
		if control.Symbol == "FIONBIO" {
			c.mu.Lock()
			f.nonblocking, f.unixMode = in[0] != 0, false
			c.mu.Unlock()
		}
		c.leftControlOutput(control, out[:n])
		c.left(6, int64(n))
		return nil
	})
}

// controlInput is the third argument of WSAIoctl, of the size in the fourth.
func (c *invocation) controlInput(control vocabulary.Control) (in []byte) {
	size := c.size(c.arg(3))
	if c.mistake != nil || c.none(2) {
		return nil
	}
	in, err := c.numbers().EncodeControl(control, c.arg(2))
	c.check(err, c.arg(2))
	switch {
	case size < 0 || size == len(in):
	case size < len(in):
		in = in[:size]
	default:
		in = append(in, make([]byte, size-len(in))...)
	}
	return in
}

// controlOutput is the buffer for the fifth argument of WSAIoctl. NULL is none.
func (c *invocation) controlOutput(control vocabulary.Control, size int) []byte {
	switch {
	case c.null(4):
		return nil
	case size < 0 && control.Output == "":
		return nil
	case size < 0:
		return make([]byte, maxOption)
	}
	return make([]byte, size)
}

func (c *invocation) leftControlOutput(control vocabulary.Control, out []byte) {
	want := c.arg(4)
	if c.none(4) {
		return
	}
	actual, same, err := c.numbers().MatchControl(control, out, want)
	if c.check(err, want) && !same {
		c.differs(want.At(), "the output of "+control.Symbol+" differs", want.String(), actual)
	}
}
