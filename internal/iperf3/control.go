package iperf3

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// A Error is why a test didn't come to its end.
type Error struct {
	Problem string
	Advice  string // what would help; "": nothing is known
	Cause   error  // may be nil
}

func (e *Error) Error() string {
	if e.Cause != nil {
		return e.Problem + ": " + e.Cause.Error()
	}
	return e.Problem
}

// Hint says what would help.
func (e *Error) Hint() string  { return e.Advice }
func (e *Error) Unwrap() error { return e.Cause }

// A channel is one side of a control connection.
type channel struct{ net.Conn }

// within bounds the reads and writes that follow; 0: they may take any time.
func (c channel) within(d time.Duration) error {
	if d == 0 {
		return c.SetDeadline(time.Time{})
	}
	return c.SetDeadline(time.Now().Add(d))
}

func (c channel) sendState(s state) error {
	_, err := c.Write([]byte{byte(s)})
	return err
}

func (c channel) receiveState() (state, error) {
	var b [1]byte
	_, err := io.ReadFull(c, b[:])
	return state(b[0]), err
}

// expect reads a state that has to be this one.
func (c channel) expect(want state) error {
	got, err := c.receiveState()
	if err != nil {
		return ended(err)
	}
	if got != want {
		return c.unexpected(got)
	}
	return nil
}

// unexpected is the error of a state that comes out of order, or that says why there is no test.
func (c channel) unexpected(s state) error {
	switch s {
	case accessDenied:
		return &Error{Problem: "the server is busy with another test", Advice: "try again when that is over"}
	case serverTerminate:
		return &Error{Problem: "the server has ended the test"}
	case clientTerminate:
		return &Error{Problem: "the client has ended the test"}
	case serverError:
		var b [8]byte // two numbers, of iperf3 and of its system
		_, _ = io.ReadFull(c, b[:])
		return &Error{Problem: fmt.Sprintf("the server reports its error %d", binary.BigEndian.Uint32(b[:]))}
	}
	return &Error{Problem: fmt.Sprintf("message %d is not one that could come now", s), Advice: "is the other side an iperf3?"}
}

// ended is the error of a control connection that ends.
func ended(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &Error{Problem: "the other side has closed the control connection"}
	}
	return &Error{Problem: "the control connection failed", Cause: err}
}

func (c channel) sendJSON(value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	b := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(text)), uint32(len(text)))
	_, err = c.Write(append(b, text...))
	return err
}

// receiveJSON reads a text of at most so many bytes.
func (c channel) receiveJSON(value any, most uint32) error {
	var size [4]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		return ended(err)
	}
	n := binary.BigEndian.Uint32(size[:])
	if n > most {
		return &Error{Problem: fmt.Sprintf("a text of %d bytes is longer than any should be", n), Advice: "is the other side an iperf3?"}
	}
	text, err := io.ReadAll(io.LimitReader(c, int64(n))) // grows as it comes
	if err != nil {
		return ended(err)
	}
	if err := json.Unmarshal(text, value); err != nil {
		return &Error{Problem: "the other side has sent what isn't JSON of iperf3", Cause: err}
	}
	return nil
}
