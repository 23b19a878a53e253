//go:build linux

package integration

import (
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/wsstack/wsstack/wsa"
)

// An urgentEnd is one end of a connection, with urgent data. Its calls wait.
type urgentEnd interface {
	send(text string, urgent bool)
	recv() string // one call
	recvUrgent() string
	atMark() bool
	inline()
}

// Urgent data between the stack and the kernel, both ways, out of line and in
// line: the same byte is urgent at both ends, a recv stops before it, and in line
// SIOCATMARK says the same at the same places.
func TestUrgent(t *testing.T) {
	eachDevice(t, func(t *testing.T, s settings) {
		n := newNetwork(t, s)
		for _, r := range roles(n.kernel, n.winsockSide(t), false) {
			t.Run(r.name, func(t *testing.T) {
				k, w := r.ends(t)
				defer k.Close()
				defer w.Close()
				kernel, wsock := &kernelUrgent{t, k.(*net.TCPConn)}, &wsockUrgent{t, w.(*winsock)}
				within(t, "the exchange", func() {
					outOfLine(t, wsock, kernel)
					outOfLine(t, kernel, wsock)
					long(t, wsock, kernel)
					long(t, kernel, wsock)
					wsock.inline()
					kernel.inline()
					inLine(t, wsock, kernel)
					inLine(t, kernel, wsock)
				})
			})
		}
	})
}

// until reads n bytes and shows where the calls ended.
func until(e urgentEnd, n int) string {
	var calls []string
	for got := 0; got < n; {
		calls = append(calls, e.recv())
		got += len(calls[len(calls)-1])
	}
	return strings.Join(calls, "|")
}

func outOfLine(t *testing.T, from, to urgentEnd) {
	from.send("abcd!", true)
	require.Equal(t, "!", to.recvUrgent())
	require.Equal(t, "abcd", until(to, 4))
	from.send("ef", false)
	require.Equal(t, "ef", until(to, 2))
	from.send("?", true)
	require.Equal(t, "?", to.recvUrgent())
	from.send("g", false)
	require.Equal(t, "g", until(to, 1))
}

// long urgent data is more than one segment, and more than a pointer can say.
func long(t *testing.T, from, to urgentEnd) {
	for _, size := range []int{5000, 20_000, 100_000} {
		done := make(chan struct{})
		go func() {
			defer close(done)
			from.send(strings.Repeat("x", size)+"!", true)
			from.send("end", false)
		}()
		got := strings.ReplaceAll(until(to, size), "|", "")
		require.Equal(t, size, strings.Count(got, "x"), "of %d", size)
		require.Len(t, got, size)
		require.Equal(t, "!", to.recvUrgent())
		require.Equal(t, "end", until(to, 3))
		<-done
	}
}

func inLine(t *testing.T, from, to urgentEnd) {
	from.send("ab!", true)
	from.send("cd", false)
	var before string
	for len(before) < 2 {
		require.False(t, to.atMark(), "after %q", before)
		before += to.recv()
	}
	require.Equal(t, "ab", before)
	require.True(t, to.atMark(), "at the mark")
	rest := strings.ReplaceAll(until(to, 3), "|", "")
	require.Equal(t, "!cd", rest)
}

type wsockUrgent struct {
	t *testing.T
	w *winsock
}

func (e *wsockUrgent) send(text string, urgent bool) {
	flags := int32(0)
	if urgent {
		flags = wsa.MSG_OOB
	}
	n, err := e.w.p.Send(e.w.h, []byte(text), flags)
	require.NoError(e.t, err)
	require.Equal(e.t, len(text), n)
}

func (e *wsockUrgent) call(flags int32) string {
	b := make([]byte, 64<<10)
	n, err := e.w.p.Recv(e.w.h, b, flags)
	require.NoError(e.t, err)
	return string(b[:n])
}

func (e *wsockUrgent) recv() string       { return e.call(0) }
func (e *wsockUrgent) recvUrgent() string { return e.call(wsa.MSG_OOB) }

func (e *wsockUrgent) atMark() bool {
	// A look at the data waits for it: the answer is about what has come.
	e.call(wsa.MSG_PEEK)
	b := make([]byte, 4)
	_, err := e.w.p.Ioctl(e.w.h, wsa.SIOCATMARK, nil, b)
	require.NoError(e.t, err)
	return b[0] == 1
}

func (e *wsockUrgent) inline() {
	require.NoError(e.t, e.w.p.SetSockOpt(e.w.h, wsa.SOL_SOCKET, wsa.SO_OOBINLINE, []byte{1, 0, 0, 0}, 4))
}

type kernelUrgent struct {
	t *testing.T
	c *net.TCPConn
}

// do runs a system call until it would not block.
func (e *kernelUrgent) do(write bool, call func(fd int) error) {
	raw, err := e.c.SyscallConn()
	require.NoError(e.t, err)
	step := func(fd uintptr) bool {
		err = call(int(fd))
		return err != unix.EAGAIN
	}
	wait := raw.Read
	if write {
		wait = raw.Write
	}
	require.NoError(e.t, wait(step))
	require.NoError(e.t, err)
}

func (e *kernelUrgent) send(text string, urgent bool) {
	// Of several calls each would have an urgent byte: the last one gets one.
	if urgent && len(text) > 10 {
		e.send(text[:len(text)-1], false)
		text = text[len(text)-1:]
	}
	flags := 0
	if urgent {
		flags = unix.MSG_OOB
	}
	for b := []byte(text); len(b) > 0; {
		e.do(true, func(fd int) error {
			n, err := unix.SendmsgN(fd, b, nil, nil, flags)
			b = b[max(n, 0):]
			return err
		})
	}
}

func (e *kernelUrgent) recv() (text string) {
	e.do(false, func(fd int) error {
		b := make([]byte, 64<<10)
		n, err := unix.Read(fd, b)
		text = string(b[:max(n, 0)])
		return err
	})
	return text
}

func (e *kernelUrgent) recvUrgent() (text string) {
	// Linux says EINVAL until a byte is announced; the poller of Go doesn't
	// wait for urgent data.
	soon(e.t, func() bool {
		raw, err := e.c.SyscallConn()
		require.NoError(e.t, err)
		b := make([]byte, 1)
		n := 0
		raw.Control(func(fd uintptr) { n, _, err = unix.Recvfrom(int(fd), b, unix.MSG_OOB) })
		text = string(b[:max(n, 0)])
		return err == nil
	}, "an urgent byte")
	return text
}

func (e *kernelUrgent) atMark() (at bool) {
	e.do(false, func(fd int) error {
		b := make([]byte, 1)
		if _, _, err := unix.Recvfrom(fd, b, unix.MSG_PEEK); err != nil {
			return err
		}
		v, err := unix.IoctlGetInt(fd, unix.SIOCATMARK)
		at = v != 0
		return err
	})
	return at
}

func (e *kernelUrgent) inline() {
	e.do(true, func(fd int) error { return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_OOBINLINE, 1) })
}
