package kernel

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/wsstack/wsstack/internal/mistake"
	"github.com/wsstack/wsstack/internal/script/syntax"
	"github.com/wsstack/wsstack/internal/script/vocabulary"
)

func prepareRead(i *invocation) system {
	fd := i.descriptor(0)
	n := 0
	b := i.room(i.call.Args[1], i.length(2, maxBuffer), func() int { return n })
	return func() (got int, err error) {
		n, err = unix.Read(fd, b)
		return n, err
	}
}

// prepareReceive prepares recv and recvfrom.
func prepareReceive(i *invocation) system {
	fd := i.descriptor(0)
	n := 0
	b := i.room(i.call.Args[1], i.length(2, maxBuffer), func() int { return n })
	flags := i.number(vocabulary.MsgFlags, 3)
	var from unix.Sockaddr
	if len(i.call.Args) == 6 {
		i.compareAddress(4, func() unix.Sockaddr { return from })
	}
	return func() (got int, err error) {
		n, from, err = unix.Recvfrom(fd, b, flags)
		return n, err
	}
}

func prepareWrite(i *invocation) system {
	fd, b := i.descriptor(0), i.payload(i.call.Args[1], i.length(2, maxBuffer))
	return func() (int, error) { return unix.Write(fd, b) }
}

// prepareSend prepares send and sendto.
func prepareSend(i *invocation) system {
	fd, b := i.descriptor(0), i.payload(i.call.Args[1], i.length(2, maxBuffer))
	flags := i.number(vocabulary.MsgFlags, 3)
	var to unix.Sockaddr
	if len(i.call.Args) == 6 {
		to = i.address(4, i.cfg.Remote)
	}
	return func() (int, error) { return unix.SendmsgN(fd, b, nil, to, flags) }
}

// vector reads the iovecs of an argument, which are to be filled or sent.
func (i *invocation) vector(list []vocabulary.Iovec, pos syntax.Pos) (buffers [][]byte) {
	total := 0
	for _, v := range list {
		if total += v.Length; v.Length < 0 || total > maxBuffer || len(list) > maxVector {
			i.fail(pos, mistake.Errorf(fmt.Sprintf("write at most %d buffers and %d bytes", maxVector, maxBuffer), "buffers that are too large"))
			return nil
		}
		b := i.allocate(v.Length, pos)
		copy(b, v.Bytes)
		buffers = append(buffers, b)
	}
	return buffers
}

// iovecs reads the argument of readv and writev, and the one with their number.
func (i *invocation) iovecs() ([]vocabulary.Iovec, [][]byte) {
	list, err := linux.Iovecs(i.call.Args[1])
	pos := i.call.Args[1].At()
	i.fail(pos, err)
	if n := i.number(vocabulary.Plain, 2); n != len(list) {
		i.fail(pos, mistake.Errorf("write the number of buffers that there are", "the number of buffers is %d, and not %d", len(list), n))
	}
	return list, i.vector(list, pos)
}

func prepareWriteVector(i *invocation) system {
	fd := i.descriptor(0)
	_, buffers := i.iovecs()
	return func() (int, error) { return unix.Writev(fd, buffers) }
}

func prepareReadVector(i *invocation) system {
	fd := i.descriptor(0)
	list, buffers := i.iovecs()
	n := 0
	i.compareVector(list, buffers, &n)
	return func() (got int, err error) {
		n, err = unix.Readv(fd, buffers)
		return n, err
	}
}

// compareVector compares the buffers that have been filled with n bytes.
func (i *invocation) compareVector(list []vocabulary.Iovec, buffers [][]byte, n *int) {
	pos := i.call.Args[1].At()
	i.checks = append(i.checks, func() {
		left := *n
		for k, b := range buffers {
			b = b[:min(left, len(b))]
			left -= len(b)
			if want := list[k].Bytes; want != nil && string(want) != string(b) {
				i.receivedOther(pos, want, b)
			}
		}
	})
}

// message reads the argument of sendmsg and recvmsg. What isn't compared of a message is what comes
// beside it.
func (i *invocation) message() (vocabulary.Msghdr, [][]byte) {
	m, err := linux.Msghdr(i.call.Args[1])
	pos := i.call.Args[1].At()
	i.fail(pos, err)
	if m.Control != nil && !vocabulary.IsAny(m.Control) {
		i.fail(m.Control.At(), mistake.Errorf("leave out msg_control, or write msg_control=...", "control messages aren't supported"))
	}
	return m, i.vector(m.Iovecs, pos)
}

func prepareSendMessage(i *invocation) system {
	fd := i.descriptor(0)
	m, buffers := i.message()
	flags := i.number(vocabulary.MsgFlags, 2)
	var to unix.Sockaddr // none: the call is for a socket that is connected
	if m.Name.IsValid() {
		to = sockaddr(m.Name)
	}
	return func() (int, error) { return unix.SendmsgBuffers(fd, buffers, nil, to, flags) }
}

func prepareReceiveMessage(i *invocation) system {
	fd := i.descriptor(0)
	m, buffers := i.message()
	flags := i.number(vocabulary.MsgFlags, 2)
	n, got := 0, 0
	var from unix.Sockaddr
	i.compareVector(m.Iovecs, buffers, &n)
	pos := i.call.Args[1].At()
	i.checks = append(i.checks, func() {
		if !m.AnyFlags && int64(got) != m.Flags {
			i.differs(pos, "msg_flags", vocabulary.Linux.Text(vocabulary.MsgFlags, m.Flags), vocabulary.Linux.Text(vocabulary.MsgFlags, int64(got)))
		}
		if actual := addrPort(from); m.Name != (netip.AddrPort{}) && actual != m.Name {
			i.differs(pos, "msg_name", vocabulary.TextAddress(m.Name), vocabulary.TextAddress(actual))
		}
	})
	return func() (int, error) {
		var err error
		n, _, got, from, err = unix.RecvmsgBuffers(fd, buffers, make([]byte, maxControl), flags)
		return n, err
	}
}

// maxControl is the room for what comes beside a message, in bytes.
const maxControl = 1024
