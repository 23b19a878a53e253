// Package spare keeps chunks of gVisor's package buffer that nobody refers to any more, for whoever
// fills one next. The pool of package buffer clears each chunk before it gives it away, which was a
// sixteenth of the processor's time of a stream over a TUN, and an eighth over a Pipe.
//
// Package buffer doesn't say whether somebody else refers to a chunk, but copies a shared one when it
// is written to. So a look costs a copy where there was nothing to keep, and who finds shared chunks
// looks at ever fewer, down to one in 256.
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

// Back takes a view back that View has returned, and to whose chunk nobody else refers.
func Back(v *buffer.View) {
	v.Reset()
	chunks.Put(v)
}

// A Keeper releases the views of one owner. The zero Keeper is ready. It is not safe for concurrent
// use.
type Keeper struct {
	pause uint8 // how many chunks are let go without a look after the next one that is shared
	left  uint8 // how many more of them there are
}

// Release releases a view, as its own Release does, and keeps its chunk if that has Size bytes and
// nobody else refers to it.
func (k *Keeper) Release(v *buffer.View) {
	if v.Capacity() != Size || k.passes() {
		v.Release()
		return
	}
	k.keep(v)
}

// passes reports whether the next chunk is let go without a look.
func (k *Keeper) passes() bool {
	if k.left == 0 {
		return false
	}
	k.left--
	return true
}

// keep looks at the chunk of a view, which is the view's alone from then on, and keeps it.
func (k *Keeper) keep(v *buffer.View) {
	v.Reset()
	v.Grow(1)
	before := &v.AsSlice()[0]
	_, _ = v.WriteAt([]byte{0}, 0) // can't fail
	if after := &v.AsSlice()[0]; before == after {
		k.pause = 0
	} else {
		k.pause = 2*k.pause + 1
		k.left = k.pause
	}
	Back(v)
}

// depth is how many other views Later lets go in between: 1 MiB of a stream, in all of the process.
const depth = 16

var later struct {
	sync.Mutex // guards the fields below; a leaf
	keeper     Keeper
	views      [depth]*buffer.View
	oldest     int
}

// Later is Release for what others refer to, but hardly for long: a chunk that was acknowledged, and
// that the receiver has by reference and is about to read. It looks only when depth other views have
// come. Later is safe for concurrent use.
func Later(v *buffer.View) {
	if v.Capacity() != Size {
		v.Release()
		return
	}
	later.Lock()
	defer later.Unlock()
	if later.keeper.passes() {
		v.Release()
		return
	}
	place := &later.views[later.oldest]
	later.oldest = (later.oldest + 1) % depth
	v, *place = *place, v
	if v != nil {
		later.keeper.keep(v)
	}
}
