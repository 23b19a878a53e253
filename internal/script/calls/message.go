package calls

import (
	"encoding/binary"
	"net/netip"
	"strconv"

	"github.com/wsstack/wsstack/internal/script/syntax"
	"github.com/wsstack/wsstack/internal/script/vocabulary"
	"github.com/wsstack/wsstack/wsa"
)

// maxControl is the size of the buffer for control messages.
const maxControl = 4096

// A message is a struct msghdr, or a WSAMSG.
type message struct {
	vocabulary.Msghdr
	buffer
	control []syntax.Expr // the control messages
	checked bool          // the script says which ones come
}

// message reads the second argument, a struct msghdr.
func (c *invocation) message() message {
	h, err := c.numbers().Msghdr(c.arg(1))
	if !c.check(err, c.arg(1)) {
		return message{}
	}
	m := message{Msghdr: h, buffer: c.joined(h.Iovecs, c.arg(1))}
	switch e := h.Control.(type) {
	case nil, *syntax.Any:
	case *syntax.List:
		m.control, m.checked = e.Items, true
	default:
		if !isNull(e) {
			c.wrong(e.At(), "write ["+controlPattern+"]",
				"%s is no list of control messages", e.String())
		}
	}
	return m
}

// A controlMessage is one of a script.
type controlMessage struct {
	option vocabulary.Option
	data   syntax.Expr
}

// controlPattern is how control messages are written.
const controlPattern = "{cmsg_level=IPPROTO_IP, cmsg_type=IP_TTL, cmsg_data=64}"

// controls reads control messages. Level and type have the names of options.
func (c *invocation) controls(items []syntax.Expr) (messages []controlMessage) {
	for _, item := range items {
		fields := c.fields(item, controlPattern, "cmsg_level", "cmsg_type", "cmsg_data")
		level, typ, data := fields["cmsg_level"], fields["cmsg_type"], fields["cmsg_data"]
		if level == nil || typ == nil || data == nil {
			c.wrong(item.At(), "write "+controlPattern, "a control message has a level, a type and data")
			return nil
		}
		option, err := c.numbers().Option(level, typ)
		if !c.check(err, typ) {
			return nil
		}
		messages = append(messages, controlMessage{option, data})
	}
	return messages
}

// encoded are control messages to be sent, each with a number of four bytes.
func (c *invocation) encoded(messages []controlMessage) (control []byte) {
	for _, m := range messages {
		n, err := c.numbers().Number(vocabulary.OptionValue, m.data)
		c.check(err, m.data)
		control = wsa.AppendCmsg(control, m.option.Level, m.option.Name, binary.LittleEndian.AppendUint32(nil, uint32(n)))
	}
	return control
}

func (c *invocation) sendMsg() result {
	w, m := c.way(2), c.message()
	return c.transfer(w, c.sendingMessage(w, m))
}

// sendingMessage is the call that sends a message, without an address where none is said:
// packetdrill has "..." for the peer that the script connects to.
func (c *invocation) sendingMessage(w way, m message) func() (int, error) {
	control := c.encoded(c.controls(m.control))
	to := m.Name
	return func() (int, error) {
		switch {
		case w.file.stream && len(control) == 0:
			return c.p.Send(w.file.socket, m.bytes, w.flags)
		case !to.IsValid() && !c.connected(w.file):
			to = c.peerAddress()
		}
		return c.p.SendMsg(w.file.socket, m.bytes, control, w.flags, to)
	}
}

func (c *invocation) wsaSendMsg() result {
	w, m := c.way(2), c.message()
	c.unused(4, 5, "the OVERLAPPED of WSASendMsg")
	send := c.sendingMessage(w, m)
	return c.transfer(w, func() (int, error) {
		n, err := send()
		if err == nil {
			c.left(3, int64(n))
		}
		return 0, err
	})
}

func (c *invocation) receiveMsg() result {
	w, m := c.way(2), c.message()
	return c.transfer(w, c.receivingMessage(w, m))
}

func (c *invocation) wsaRecvMsg() result {
	w, m := c.way(0), c.message()
	c.unused(3, 4, "the OVERLAPPED of WSARecvMsg")
	receive := c.receivingMessage(w, m)
	return c.transfer(w, func() (int, error) {
		n, err := receive()
		if err == nil {
			c.left(2, int64(n))
		}
		return 0, err
	})
}

// receivingMessage is the call that receives a message. A stream has neither flags nor control
// messages.
func (c *invocation) receivingMessage(w way, m message) func() (int, error) {
	controls := c.controls(m.control)
	want := m.take()
	return func() (int, error) {
		if w.file.stream {
			n, err := c.p.Recv(w.file.socket, m.bytes, w.flags)
			if err == nil {
				c.received(1, want, m.bytes[:n])
				c.leftMessage(m, 0, netip.AddrPort{})
				c.leftControls(m, controls, nil)
			}
			return n, err
		}
		buf := make([]byte, maxControl)
		got, err := c.p.RecvMsg(w.file.socket, m.bytes, buf, w.flags)
		if c.cutOff(err) {
			err = nil
		}
		if arrived(err) {
			c.received(1, want, m.bytes[:got.N])
			c.leftMessage(m, got.Flags, got.From)
			c.leftControls(m, controls, buf[:got.Control])
		}
		return got.N, err
	}
}

// cutOff reports whether an error is that of a datagram longer than the buffer, and the script one
// of Linux, where the call succeeds with what there is room for.
func (c *invocation) cutOff(err error) bool {
	return !c.winsock && err != nil && errno(err) == wsa.WSAEMSGSIZE
}

// leftMessage compares what a struct msghdr has afterwards.
func (c *invocation) leftMessage(m message, flags int32, from netip.AddrPort) {
	pos := c.arg(1).At()
	if !m.AnyFlags && m.Flags != int64(flags) {
		c.differs(pos, "msg_flags differs", "msg_flags="+c.text(vocabulary.MsgFlags, m.Flags),
			"msg_flags="+c.text(vocabulary.MsgFlags, int64(flags)))
	}
	if m.Name.IsValid() && m.Name != from {
		c.differs(pos, "msg_name differs", vocabulary.TextAddress(m.Name), vocabulary.TextAddress(from))
	}
}

// leftControls compares control messages, in order, where the script says which ones come.
func (c *invocation) leftControls(m message, want []controlMessage, control []byte) {
	got, err := wsa.ParseCmsgs(control)
	if !m.checked || err != 0 {
		return
	}
	pos := c.arg(1).At()
	if len(want) != len(got) {
		c.differs(pos, "the number of control messages differs", strconv.Itoa(len(want)), strconv.Itoa(len(got)))
	}
	for i := range min(len(want), len(got)) {
		c.leftControl(want[i], got[i])
	}
}

func (c *invocation) leftControl(want controlMessage, got wsa.Cmsg) {
	if want.option.Level != got.Level || want.option.Name != got.Type {
		c.differs(want.data.At(), "another control message came", "cmsg_type="+want.option.Symbol,
			"cmsg_type="+wsa.OptionName(got.Level, got.Type))
		return
	}
	if vocabulary.IsAny(want.data) || len(got.Data) != 4 {
		return
	}
	n, err := c.numbers().Number(vocabulary.OptionValue, want.data)
	actual := int64(binary.LittleEndian.Uint32(got.Data))
	if c.check(err, want.data) && n != actual {
		c.differs(want.data.At(), "cmsg_data of "+want.option.Symbol+" differs", "cmsg_data="+want.data.String(),
			"cmsg_data="+strconv.FormatInt(actual, 10))
	}
}
