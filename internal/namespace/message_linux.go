package namespace

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// The two processes talk over a pair of Unix sockets, in frames: four bytes with the length of the
// JSON that follows. Descriptors come with the first byte of a frame. Texts are bytes in it, for
// the arguments of a command may be any.
//
// What init says is believed in no more than it could do anyway: COMMAND may be allowed to trace
// init, and to speak in its place.

// A request is what the outer process says to init. One of the fields is set. Setup, Start and
// Socket are answered.
type request struct {
	Setup  *setup        `json:",omitempty"`
	Start  *startRequest `json:",omitempty"` // with the three streams
	Socket *[3]int       `json:",omitempty"` // the arguments of socket(2)
	Signal int           `json:",omitempty"`
	End    bool          `json:",omitempty"` // kill the command and all that it has started
	Close  bool          `json:",omitempty"` // the outer process ends the conversation, and has left nothing over
}

// A setup is the Config as init needs it.
type setup struct {
	Devices  []Device
	Queues   int // how many queues a device may have
	Files    []File
	Hide     []string
	Use      Use
	Leftover []byte
	Bound    bool // there is no user namespace, so the bounding set has to do
}

type startRequest struct {
	Path, Dir  []byte
	Args, Env  [][]byte
	Foreground bool
}

// A reply is the answer to a request: with the descriptors of Setup, the queues and a socket of each
// device, or the one of Socket.
type reply struct {
	Ended bool `json:",omitempty"` // not an answer: the command has ended, with Status

	Uncovered bool  `json:",omitempty"` // of Setup: the files and folders of the host have stayed
	Queues    []int `json:",omitempty"` // of Setup: how many queues each device has

	Failed bool
	Errno  int // the cause, if it is one of the system
	Text   string
	Hint   string
	Status int // exit status
}

// error returns what has failed.
func (r reply) error() *Error {
	e := &Error{text: r.Text, hint: r.Hint, status: r.Status}
	if r.Errno != 0 {
		e.err = syscall.Errno(r.Errno)
	}
	return e
}

// failed is the answer of a failure.
func failed(err error) reply {
	r := reply{Failed: true, Text: err.Error(), Status: statusFailed}
	if e := (*Error)(nil); errors.As(err, &e) {
		r.Hint, r.Status = e.hint, e.status
	}
	if errno := syscall.Errno(0); errors.As(err, &errno) {
		r.Errno = int(errno)
	}
	return r
}

// The bounds of frames in bytes. The kernel's own bound of arguments and environment is 6 MiB.
const (
	maxRequest = 16 << 20
	maxReply   = 64 << 10
)

// send writes a frame.
func send(c *net.UnixConn, message any, files ...*os.File) error {
	body, err := json.Marshal(message)
	if err != nil {
		return err
	}
	frame := append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)
	var oob []byte
	if len(files) > 0 {
		fds := make([]int, len(files))
		for i, f := range files {
			fds[i] = int(f.Fd())
		}
		oob = unix.UnixRights(fds...)
	}
	n, _, err := c.WriteMsgUnix(frame, oob, nil)
	if err == nil && n < len(frame) {
		_, err = c.Write(frame[n:])
	}
	return err
}

// maxDescriptors is how many descriptors the kernel passes on at once (SCM_MAX_FD).
const maxDescriptors = 253

// receive reads a frame of at most limit bytes. The error is io.EOF when the other process has
// ended or has closed its socket.
func receive(c *net.UnixConn, message any, limit int) (files []*os.File, err error) {
	defer func() {
		if err != nil {
			closeAll(files)
			files = nil
		}
	}()
	var length [4]byte
	oob := make([]byte, unix.CmsgSpace(4*maxDescriptors))
	n, oobn, _, _, err := c.ReadMsgUnix(length[:], oob)
	if err != nil {
		return nil, ended(err)
	}
	if files, err = descriptors(oob[:oobn]); err != nil {
		return files, err
	}
	if _, err := io.ReadFull(c, length[n:]); err != nil {
		return files, ended(err)
	}
	size := binary.BigEndian.Uint32(length[:])
	if int64(size) > int64(limit) {
		return files, fmt.Errorf("a message of %d bytes", size)
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(c, body); err != nil {
		return files, ended(err)
	}
	return files, json.Unmarshal(body, message)
}

// ended makes io.EOF of the ways in which the other process may be gone.
func ended(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, unix.ECONNRESET) || errors.Is(err, unix.EPIPE) {
		return io.EOF
	}
	return err
}

// descriptors takes the descriptors of a control message. Go has them closed on exec.
func descriptors(oob []byte) (files []*os.File, err error) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, err
	}
	for i := range messages {
		fds, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			return files, err
		}
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), "received"))
		}
	}
	return files, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}

// socketPair makes the two ends of the conversation. Neither is inherited by accident.
func socketPair() (ours *net.UnixConn, theirs *os.File, err error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	theirs = os.NewFile(uintptr(pair[1]), "control")
	ours, err = unixConn(os.NewFile(uintptr(pair[0]), "control"))
	if err != nil {
		_ = theirs.Close()
	}
	return ours, theirs, err
}

// unixConn makes a connection of a file, which it closes.
func unixConn(file *os.File) (*net.UnixConn, error) {
	defer file.Close()
	c, err := net.FileConn(file)
	if err != nil {
		return nil, err
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		_ = c.Close()
		return nil, fmt.Errorf("not a Unix socket: %v", c.LocalAddr())
	}
	return u, nil
}
