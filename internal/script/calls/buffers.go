package calls

import (
	"fmt"
	"sync/atomic"

	"github.com/wsstack/wsstack/internal/script/syntax"
)

// MaxBuffers is how many bytes the buffers of all calls in progress have together. One call moves
// at most a quarter of it.
const MaxBuffers = 64 << 20

// Buffers counts the bytes of buffers that a script's calls have at the moment. The zero value
// counts none. It is safe for concurrent use.
type Buffers struct{ used atomic.Int64 }

// Take counts n more bytes, for an argument at a place. The Fault says that they are too many; nil:
// they count until Return.
func (b *Buffers) Take(n int, at syntax.Pos) *Fault {
	if b.used.Add(int64(n)) <= MaxBuffers {
		return nil
	}
	b.used.Add(-int64(n))
	return &Fault{
		Pos: at, What: fmt.Sprintf("the buffers of the calls in progress have more than %d bytes", MaxBuffers),
		Hint: "write smaller lengths, or let calls return before others begin, and overlapped operations end " +
			"with WSAGetOverlappedResult",
	}
}

// Return counts n bytes less.
func (b *Buffers) Return(n int) { b.used.Add(-int64(n)) }
