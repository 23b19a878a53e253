// Package spare keeps chunks of gVisor's package buffer that nobody refers to any more, for whoever
// fills one next. The pool of package buffer clears each chunk before it gives it away; of a stream
// that was a sixteenth of the processor's time.
package spare

import (
	"sync"

	"gvisor.dev/gvisor/pkg/buffer"
)

// Size is the size of the chunks that are kept, in bytes: the largest that package buffer has a
// pool for.
const Size = buffer.MaxChunkSize

// chunks are empty views, each with a chunk of Size bytes that nobody else refers to. Like every
// sync.Pool it is emptied by the garbage collector.
var chunks sync.Pool

// View returns an empty view with room for Size bytes. What is in the room is whatever was there
// before: nobody sees more of a view than was written to it. View is safe for concurrent use.
func View() *buffer.View {
	if v, ok := chunks.Get().(*buffer.View); ok {
		return v
	}
	return buffer.NewView(Size)
}

// A Keeper releases the views of one owner. The zero Keeper is ready. It is not safe for concurrent
// use.
type Keeper struct {
	pause uint8 // how many chunks are let go without a look after the next one that is shared
	left  uint8 // how many more of them there are
}

// Release releases a view, as its own Release does, and keeps its chunk if that has Size bytes and
// nobody else refers to it. Package buffer doesn't say whether somebody does, but copies a shared
// chunk when it is written to; so a look costs a copy where there was nothing to keep, and a Keeper
// that has found a shared chunk looks at ever fewer, down to one in 256.
func (k *Keeper) Release(v *buffer.View) {
	if v.Capacity() != Size {
		v.Release()
		return
	}
	if k.left > 0 {
		k.left--
		v.Release()
		return
	}
	if alone(v) {
		k.pause = 0
	} else {
		k.pause = 2*k.pause + 1
		k.left = k.pause
	}
	chunks.Put(v) // in either case the chunk is the view's alone by now
}

// alone empties a view, makes its chunk its own, and reports whether it was that before.
func alone(v *buffer.View) bool {
	v.Reset()
	v.Grow(1)
	before := &v.AsSlice()[0]
	_, _ = v.WriteAt([]byte{0}, 0) // can't fail
	after := &v.AsSlice()[0]
	v.Reset()
	return before == after
}
