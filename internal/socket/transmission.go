package socket

import (
	"errors"
	"io"
	"io/fs"
	"sync"

	"github.com/wsstack/wsstack/wsa"
)

// blockLimit is the most that a Transmission has in memory, in bytes, however long its
// files are: one block, which is read when the block before it has been accepted.
const blockLimit = 64 << 10

// transmitLimit is the most that one call may transmit, in bytes (API-TransmitFile).
const transmitLimit = 1<<31 - 2

var blockPool = sync.Pool{New: func() any { return new([blockLimit]byte) }}

// A Transmission is what one call of TransmitFile or TransmitPackets sends: elements,
// which it turns into blocks. It knows nothing of sockets.
//
// A block ends with the element that has TP_ELEMENT_EOP, if it isn't full before: on a
// datagram socket each block is a datagram.
type Transmission struct {
	flags    uint32
	sendSize uint32    // the length of a block that the caller wants; 0: the default
	ofFile   bool      // TransmitFile has made it
	invalid  wsa.Errno // what is wrong with the arguments
	total    int64     // bytes, as far as the arguments say; later of all blocks so far
	elements []element // what isn't in a block yet

	// The block belongs to whoever serves the operation, and to the reader of the file
	// while reading is set.
	reading  bool
	buf      *[blockLimit]byte // nil: not needed yet
	size     int               // bytes that make a block full
	from, to int               // the bytes of the block that nobody has accepted
	loaded   bool              // there is a block; it may be empty
	cut      bool              // the block before ended because it was full
	failed   wsa.Errno         // why there are no further blocks
}

// An element is a part of a Transmission: memory or, with a file, the bytes behind an
// offset.
type element struct {
	memory []byte
	file   io.ReaderAt
	offset int64
	left   int64 // bytes of the file; toEnd: all that there are
	end    bool  // TP_ELEMENT_EOP
}

const toEnd = -1

// NewFileTransmission returns what TransmitFile sends. A nil file is none, nil buffers
// are empty ones.
func NewFileTransmission(file io.ReaderAt, offset int64, length, sendSize uint32, buffers *wsa.TransmitFileBuffers, flags uint32) *Transmission {
	const known = wsa.TF_DISCONNECT | wsa.TF_REUSE_SOCKET | wsa.TF_WRITE_BEHIND | wsa.TF_USE_SYSTEM_THREAD | wsa.TF_USE_KERNEL_APC
	t := newTransmission(flags, known, sendSize)
	t.ofFile = true
	if buffers == nil {
		buffers = &wsa.TransmitFileBuffers{}
	}
	t.addMemory(buffers.Head, false)
	if file != nil {
		t.addFile(file, offset, length, false)
	}
	t.addMemory(buffers.Tail, false)
	return t
}

// NewPacketsTransmission returns what TransmitPackets sends.
func NewPacketsTransmission(elements []wsa.TransmitPacketsElement, sendSize, flags uint32) *Transmission {
	const known = wsa.TP_DISCONNECT | wsa.TP_REUSE_SOCKET | wsa.TP_USE_SYSTEM_THREAD | wsa.TP_USE_KERNEL_APC
	t := newTransmission(flags, known, sendSize)
	for _, e := range elements {
		end := e.Flags&wsa.TP_ELEMENT_EOP != 0
		if e.Offset == -1 { // a ReaderAt has no current offset
			e.Offset = 0
		}
		switch kind := e.Flags &^ wsa.TP_ELEMENT_EOP; {
		case kind == wsa.TP_ELEMENT_MEMORY:
			t.addMemory(e.Buffer, end)
		case (kind == wsa.TP_ELEMENT_FILE || kind == 0) && e.File != nil:
			t.addFile(e.File, e.Offset, e.Length, end)
		default:
			t.invalid = wsa.WSAEINVAL
		}
	}
	return t
}

func newTransmission(flags, known, sendSize uint32) *Transmission {
	t := &Transmission{flags: flags, sendSize: sendSize}
	if flags&^known != 0 || flags&(wsa.TF_DISCONNECT|wsa.TF_REUSE_SOCKET) == wsa.TF_REUSE_SOCKET {
		t.invalid = wsa.WSAEINVAL
	}
	return t
}

func (t *Transmission) addMemory(b []byte, end bool) {
	t.elements = append(t.elements, element{memory: b, end: end})
	t.count(int64(len(b)))
}

// addFile adds length bytes of a file, all that follow the offset for 0. A file whose
// size nobody can tell is measured by reading.
func (t *Transmission) addFile(f io.ReaderAt, offset int64, length uint32, end bool) {
	size, known := sizeOf(f)
	left := int64(length)
	if length == 0 {
		left = toEnd
	}
	t.elements = append(t.elements, element{file: f, offset: offset, left: left, end: end})
	switch {
	case offset < 0, known && offset > size:
		t.invalid = wsa.WSAEINVAL // it isn't within the file
	case length != 0:
		t.count(left)
	case known:
		t.count(size - offset)
	}
}

// count adds bytes to the total, which has a limit.
func (t *Transmission) count(n int64) {
	if t.total += n; t.total > transmitLimit {
		t.invalid = wsa.WSAEINVAL
	}
}

// sizeOf is the size of a file, if it says so: those of package os do, and the Readers
// of bytes, strings and io.
func sizeOf(f io.ReaderAt) (size int64, known bool) {
	switch f := f.(type) {
	case interface{ Size() int64 }:
		return f.Size(), true
	case interface{ Stat() (fs.FileInfo, error) }:
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			return info.Size(), true
		}
	}
	return 0, false
}

// begin makes the Transmission ready for a socket whose blocks have a default length, in
// bytes.
func (t *Transmission) begin(size int) {
	t.total = 0
	if t.sendSize != 0 {
		size = int(min(t.sendSize, blockLimit))
	}
	t.size = min(size, blockLimit)
}

// disconnects reports that the sending side of the connection is to end.
func (t *Transmission) disconnects() bool { return t != nil && t.flags&wsa.TF_DISCONNECT != 0 }

// inMemory reports that the next block needs no file.
func (t *Transmission) inMemory() bool {
	n := 0
	for _, e := range t.elements {
		n += len(e.memory)
		switch {
		case e.file != nil:
			return false
		case e.end, n >= t.size:
			return true
		}
	}
	return true
}

// load reads the next block. It waits for the file.
func (t *Transmission) load() {
	if t.buf == nil {
		t.buf = blockPool.Get().(*[blockLimit]byte)
	}
	t.from, t.to = 0, 0
	whole := t.fill()
	// What is left of a packet that was cut may be nothing.
	t.loaded = t.failed == 0 && (t.to > 0 || whole && !t.cut)
	t.cut = !whole
}

// fill fills the block. It reports that the block ends with a packet.
func (t *Transmission) fill() (whole bool) {
	for len(t.elements) > 0 && t.to < t.size {
		e := &t.elements[0]
		n, over, err := e.read(t.buf[t.to:t.size])
		t.to += n
		if t.total += int64(n); err == 0 && t.total > transmitLimit {
			err = wsa.WSAEINVAL
		}
		if err != 0 {
			t.failed = err
			return false
		}
		if !over {
			continue
		}
		whole = e.end
		t.elements = t.elements[1:]
		if whole {
			return true
		}
	}
	return false
}

// read takes bytes of the element, and reports that none are left.
func (e *element) read(b []byte) (n int, over bool, _ wsa.Errno) {
	if e.file == nil {
		n = copy(b, e.memory)
		e.memory = e.memory[n:]
		return n, len(e.memory) == 0, 0
	}
	if e.left != toEnd {
		b = b[:min(int64(len(b)), e.left)]
	}
	n, err := e.file.ReadAt(b, e.offset)
	switch over = errors.Is(err, io.EOF); {
	case n < 0, n > len(b), n == 0 && err == nil:
		return 0, false, wsa.WSASYSCALLFAILURE // no io.ReaderAt does that
	case err != nil && !over:
		return 0, false, readFailed(err)
	}
	e.offset += int64(n)
	if e.left != toEnd {
		e.left -= int64(n)
	}
	return n, over || e.left == 0, 0
}

// readFailed is the code of a file that can't be read (assumed): the error itself if
// it is a code of Winsock.
func readFailed(err error) wsa.Errno {
	var code wsa.Errno
	if errors.As(err, &code) && code != 0 {
		return code
	}
	return wsa.WSASYSCALLFAILURE
}

// release gives the memory of the block back.
func (t *Transmission) release() {
	if t.buf != nil {
		blockPool.Put(t.buf)
		t.buf = nil
	}
}
