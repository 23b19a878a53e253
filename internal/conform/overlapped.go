package conform

import (
	"fmt"

	"github.com/wsstack/wsstack/provider"
	"github.com/wsstack/wsstack/wsa"
)

// outcome waits for an operation and shows it: bytes and code.
func (e *Env) outcome(o *provider.Overlapped) string {
	n, err := o.Wait()
	code, _ := err.(wsa.Errno)
	return fmt.Sprint(n, " ", name(code))
}

// pending ends the scenario when an operation is done.
func (e *Env) pending(what string, o *provider.Overlapped) {
	_, err := o.Result()
	e.Code(what, err, wsa.WSA_IO_INCOMPLETE)
}

// handleBytes is a SOCKET as an optval.
func handleBytes(s handle) []byte {
	b := make([]byte, 8)
	for i := range b {
		b[i] = byte(uint64(s.s) >> (8 * i))
	}
	return b
}

// second and third are the error of a call with one result, and with two.
func second[T any](_ T, err error) error { return err }

func third[T, U any](_ T, _ U, err error) error { return err }
