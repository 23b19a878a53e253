//go:build unix

package control

import (
	"errors"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// sendFile passes a file to the server.
func sendFile(s *Stream, file *os.File) error {
	c, ok := s.conn.(*net.UnixConn)
	if !ok {
		return errors.New("the connection is no Unix socket")
	}
	_, _, err := c.WriteMsgUnix([]byte{0}, unix.UnixRights(int(file.Fd())), nil)
	return err
}

// receiveFile takes the file that a client passes. The client has been told to, so it is next.
func receiveFile(s *Stream, name string) (*os.File, error) {
	c := unixConn(s.conn)
	if c == nil {
		return nil, errors.New("the connection is no Unix socket")
	}
	_ = c.SetReadDeadline(time.Now().Add(requestTime))
	defer c.SetReadDeadline(time.Time{})
	one, oob := make([]byte, 1), make([]byte, unix.CmsgSpace(4*maxPassed))
	_, n, flags, _, err := c.ReadMsgUnix(one, oob)
	if err != nil {
		return nil, err
	}
	var files []int
	messages, err := unix.ParseSocketControlMessage(oob[:n])
	for i := range messages {
		if got, err := unix.ParseUnixRights(&messages[i]); err == nil {
			files = append(files, got...)
		}
	}
	for _, fd := range files {
		unix.CloseOnExec(fd)
	}
	if err != nil || len(files) != 1 || flags&unix.MSG_CTRUNC != 0 {
		for _, fd := range files {
			_ = unix.Close(fd)
		}
		return nil, Errorf(0, "", "the client has to pass one file, and has passed %d", len(files))
	}
	return os.NewFile(uintptr(files[0]), name), nil
}

// maxPassed is how many descriptors are taken at a time, to be closed but for one.
const maxPassed = 4
