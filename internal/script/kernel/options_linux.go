package kernel

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/wsstack/wsstack/internal/mistake"
	"github.com/wsstack/wsstack/internal/script/vocabulary"
)

// maxOption is the largest optlen, in bytes.
const maxOption = 4096

func (i *invocation) option() vocabulary.Option {
	o, err := linux.Option(i.call.Args[1], i.call.Args[2])
	i.fail(i.call.Args[2].At(), err)
	return o
}

func prepareSetOption(i *invocation) system {
	fd, o := i.descriptor(0), i.option()
	value, err := linux.EncodeOption(o, i.call.Args[3], i.length(4, maxOption))
	i.fail(i.call.Args[3].At(), err)
	return func() (int, error) { return 0, unix.SetsockoptString(fd, int(o.Level), int(o.Name), string(value)) }
}

func prepareGetOption(i *invocation) system {
	fd, o, size := i.descriptor(0), i.option(), i.pointed(4, maxOption)
	var got []byte
	want := i.call.Args[3]
	i.checks = append(i.checks, func() {
		if len(got) != size {
			i.differs(i.call.Args[4].At(), "the length of the option", fmt.Sprintf("[%d]", size), fmt.Sprintf("[%d]", len(got)))
			return
		}
		actual, ok, err := linux.MatchOption(o, got, want)
		i.fail(want.At(), err)
		if !ok {
			i.differs(want.At(), o.Symbol, want.String(), actual)
		}
	})
	return func() (n int, err error) {
		got, err = getOption(fd, o, size)
		return 0, err
	}
}

// getOption is getsockopt with a buffer of any size, which package unix doesn't have.
func getOption(fd int, o vocabulary.Option, size int) ([]byte, error) {
	b := make([]byte, max(size, 1))
	length := uint32(size)
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), uintptr(o.Level), uintptr(o.Name),
		uintptr(unsafe.Pointer(&b[0])), uintptr(unsafe.Pointer(&length)), 0)
	if errno != 0 {
		return nil, errno
	}
	return b[:min(int(length), len(b))], nil
}

// prepareControlFile prepares fcntl.
func prepareControlFile(i *invocation) system {
	fd, command, argument := i.descriptor(0), i.number(vocabulary.FcntlCommand, 1), 0
	kind := vocabulary.FileFlags
	if command == unix.F_GETFD || command == unix.F_SETFD {
		kind = vocabulary.DescriptorFlags
	}
	switch command {
	case unix.F_GETFL, unix.F_GETFD:
		i.kind = kind
	case unix.F_SETFL, unix.F_SETFD:
		if len(i.call.Args) == 3 {
			argument = i.number(kind, 2)
		}
	default:
		i.fail(i.call.Args[1].At(), mistake.Errorf("there are F_GETFL, F_SETFL, F_GETFD and F_SETFD", "this command isn't supported"))
	}
	return func() (int, error) { return unix.FcntlInt(uintptr(fd), command, argument) }
}

// prepareControl prepares ioctl.
func prepareControl(i *invocation) system {
	fd := i.descriptor(0)
	c, err := linux.Control(i.call.Args[1])
	i.fail(i.call.Args[1].At(), err)
	if i.fault != nil {
		return nil
	}
	if len(i.call.Args) < 3 {
		return func() (int, error) { return 0, unix.IoctlSetInt(fd, uint(c.Code), 0) }
	}
	value := i.call.Args[2]
	if c.Symbol == "FIONBIO" {
		in, err := linux.EncodeControl(c, value)
		i.fail(value.At(), err)
		b := make([]byte, 4)
		copy(b, in)
		return func() (int, error) {
			return 0, unix.IoctlSetPointerInt(fd, uint(c.Code), int(binary.NativeEndian.Uint32(b)))
		}
	}
	var got int
	i.checks = append(i.checks, func() {
		actual, ok, err := linux.MatchControl(c, binary.NativeEndian.AppendUint32(nil, uint32(got)), value)
		i.fail(value.At(), err)
		if !ok {
			i.differs(value.At(), "what "+c.Symbol+" gives", value.String(), actual)
		}
	})
	return func() (n int, err error) {
		got, err = unix.IoctlGetInt(fd, uint(c.Code))
		return 0, err
	}
}
