package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/wsstack/wsstack/internal/mistake"
	"github.com/wsstack/wsstack/wsa"
)

// An Error is what the server answers to a request that fails. It has the same form on both sides.
type Error struct {
	Message string    `json:"error"`          // what is wrong
	Advice  string    `json:"hint,omitempty"` // what would work; "": nothing is known
	Op      string    `json:"op,omitempty"`   // the call of the stack that has failed, such as "dial"
	Code    wsa.Errno `json:"code,omitempty"` // the error of the stack; 0: it is none of the stack
	Status  int       `json:"-"`              // the HTTP status; 0 stands for 500
}

// Error says what is wrong.
func (e *Error) Error() string { return e.Message }

// Hint says what would work.
func (e *Error) Hint() string { return e.Advice }

// ExitStatus is the exit status of a command that ends for this error: 2 for a mistake in its own
// words, and otherwise 1.
func (e *Error) ExitStatus() int {
	if e.Status == http.StatusBadRequest {
		return 2
	}
	return 1
}

// Unwrap returns the error of the stack, so that errors.Is finds it on the side of the client, too.
func (e *Error) Unwrap() error {
	if e.Code == 0 {
		return nil
	}
	return e.Code
}

// Errorf returns an Error with an HTTP status.
func Errorf(status int, advice, format string, args ...any) *Error {
	return &Error{Message: fmt.Sprintf(format, args...), Advice: advice, Status: status}
}

// errorOf returns an error in the form that goes over the socket.
func errorOf(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if errors.Is(err, context.Canceled) {
		err = errClosed
	}
	e := &Error{Message: err.Error(), Status: http.StatusUnprocessableEntity, Advice: mistake.HintOf(err)}
	if code, ok := errors.AsType[wsa.Errno](err); ok {
		e.Code = code
	}
	return e
}

// writeError answers a request with an error.
func writeError(w http.ResponseWriter, err error) {
	e := errorOf(err)
	status := e.Status
	if status == 0 {
		status = http.StatusInternalServerError
	}
	writeStatus(w, status, e)
}

// JSON is a handler that answers with what a function returns: a value as JSON, or an error in the
// form of Error.
func JSON(f func(*http.Request) (any, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		value, err := f(r)
		if err != nil {
			writeError(w, err)
			return
		}
		writeJSON(w, value)
	})
}

// writeJSON answers a request with a value.
func writeJSON(w http.ResponseWriter, value any) { writeStatus(w, http.StatusOK, value) }

func writeStatus(w http.ResponseWriter, status int, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"error":"the answer can't be written as JSON"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // the client may be gone
}
