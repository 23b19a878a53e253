package socket

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wsstack/wsstack/wsa"
)

// blocks are those of a Transmission.
func blocks(t *Transmission) (all [][]byte, _ wsa.Errno) {
	t.begin(blockLimit)
	defer t.release()
	for len(t.elements) > 0 && t.failed == 0 {
		t.load()
		if t.loaded {
			all = append(all, bytes.Clone(t.buf[t.from:t.to]))
		}
	}
	return all, t.failed
}

// The blocks of a packet are those that its bytes are cut into; nothing else knows
// elements, files or ends.
func TestTransmissionBlocks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sendSize := rapid.IntRange(1, 10).Draw(t, "size")
		var elements []wsa.TransmitPacketsElement
		var want, packet []byte
		var ends []int
		pack := func(end bool) {
			cut := len(packet) > 0
			for len(packet) > 0 {
				n := min(sendSize, len(packet))
				want, packet = append(want, packet[:n]...), packet[n:]
				ends = append(ends, n)
			}
			if end && !cut {
				ends = append(ends, 0)
			}
		}
		for i := range rapid.IntRange(0, 8).Draw(t, "elements") {
			data := bytes.Repeat([]byte{byte('a' + i)}, rapid.IntRange(0, 25).Draw(t, "length"))
			e := wsa.TransmitPacketsElement{Flags: wsa.TP_ELEMENT_MEMORY, Buffer: data}
			if rapid.Bool().Draw(t, "file") {
				skip := rapid.IntRange(-1, len(data)).Draw(t, "offset")
				length := rapid.IntRange(0, 30).Draw(t, "bytes")
				e = wsa.TransmitPacketsElement{Flags: wsa.TP_ELEMENT_FILE, File: bytes.NewReader(data), Offset: int64(skip), Length: uint32(length)}
				if rapid.Bool().Draw(t, "default") {
					e.Flags = 0
				}
				if rapid.Bool().Draw(t, "plain") { // of unknown size
					e.File = struct{ io.ReaderAt }{e.File}
				}
				data = data[max(skip, 0):]
				if length > 0 {
					data = data[:min(length, len(data))]
				}
			}
			packet = append(packet, data...)
			if rapid.Bool().Draw(t, "end") {
				e.Flags |= wsa.TP_ELEMENT_EOP
				pack(true)
			}
			elements = append(elements, e)
		}
		pack(false)
		s := NewPacketsTransmission(elements, uint32(sendSize), 0)
		require.Zero(t, s.invalid)
		got, failed := blocks(s)
		require.Zero(t, failed)
		require.Equal(t, string(want), string(bytes.Join(got, nil)))
		var lengths []int
		for _, b := range got {
			lengths = append(lengths, len(b))
		}
		require.Equal(t, ends, lengths)
	})
}

// The length of a block is what the caller wants, up to 64 KiB, which is what a call
// that wants nothing has; on datagram sockets a datagram is the longest then.
func TestTransmissionBlockSize(t *testing.T) {
	for _, c := range []struct {
		sendSize   uint32
		most, want int
	}{
		{0, blockLimit, 65536}, {1, blockLimit, 1}, {65536, blockLimit, 65536}, {65537, blockLimit, 65536}, {0xFFFFFFFF, blockLimit, 65536},
		{0, maxDatagram4, maxDatagram4}, {1000, maxDatagram4, 1000}, {0xFFFFFFFF, maxDatagram4, 65536}, // too long for one
	} {
		s := NewFileTransmission(nil, 0, 0, c.sendSize, nil, 0)
		s.begin(c.most)
		require.Equal(t, c.want, s.size, "%d of %d", c.sendSize, c.most)
	}
}

// readerAt is a file that a function is.
type readerAt func(b []byte, offset int64) (int, error)

func (f readerAt) ReadAt(b []byte, offset int64) (int, error) { return f(b, offset) }

// A sized file says how long it is.
type sized int64

func (sized) ReadAt(b []byte, _ int64) (int, error) { return len(b), nil }
func (s sized) Size() int64                         { return int64(s) }

func TestTransmissionArguments(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, []byte("hello"), 0o600))
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	const most = transmitLimit
	ten := &wsa.TransmitFileBuffers{Head: make([]byte, 7), Tail: make([]byte, 3)}
	for name, c := range map[string]struct {
		file          io.ReaderAt
		offset        int64
		length, flags uint32
		buffers       *wsa.TransmitFileBuffers
		want          wsa.Errno
	}{
		"nothing":                      {},
		"every flag":                   {flags: 0x37},
		"an unknown flag":              {flags: 8, want: wsa.WSAEINVAL},
		"another":                      {flags: 1 << 31, want: wsa.WSAEINVAL},
		"reuse without disconnect":     {flags: wsa.TF_REUSE_SOCKET, want: wsa.WSAEINVAL},
		"at the end of the file":       {file: file, offset: 5},
		"behind the end of the file":   {file: file, offset: 6, want: wsa.WSAEINVAL},
		"a negative offset":            {file: file, offset: -1, want: wsa.WSAEINVAL},
		"behind one of unknown size":   {file: readerAt(nil), offset: 1 << 40},
		"more than there is":           {file: file, length: 6},
		"the largest file":             {file: sized(most)},
		"a larger one":                 {file: sized(most + 1), want: wsa.WSAEINVAL},
		"a larger one from an offset":  {file: sized(most + 1), offset: 1},
		"a part of it":                 {file: sized(most + 1), length: most},
		"too much of it":               {file: sized(most + 1), length: most + 1, want: wsa.WSAEINVAL},
		"the largest with buffers":     {file: sized(most - 10), buffers: ten},
		"a larger one with buffers":    {file: sized(most - 9), buffers: ten, want: wsa.WSAEINVAL},
		"the most of unknown size":     {file: readerAt(nil), length: most - 10, buffers: ten},
		"too much of unknown size":     {file: readerAt(nil), length: most - 9, buffers: ten, want: wsa.WSAEINVAL},
		"more than a signed one holds": {file: readerAt(nil), length: 1 << 31, want: wsa.WSAEINVAL},
	} {
		require.Equal(t, c.want, NewFileTransmission(c.file, c.offset, c.length, 0, c.buffers, c.flags).invalid, name)
	}
	for name, c := range map[string]struct {
		e    wsa.TransmitPacketsElement
		want wsa.Errno
	}{
		"a file":               {wsa.TransmitPacketsElement{File: file}, 0},
		"from its beginning":   {wsa.TransmitPacketsElement{File: file, Offset: -1}, 0},
		"before its beginning": {wsa.TransmitPacketsElement{File: file, Offset: -2}, wsa.WSAEINVAL},
		"behind its end":       {wsa.TransmitPacketsElement{File: file, Offset: 6}, wsa.WSAEINVAL},
		"no file":              {wsa.TransmitPacketsElement{Flags: wsa.TP_ELEMENT_FILE}, wsa.WSAEINVAL},
		"no memory":            {wsa.TransmitPacketsElement{Flags: wsa.TP_ELEMENT_MEMORY}, 0},
		"both":                 {wsa.TransmitPacketsElement{Flags: wsa.TP_ELEMENT_MEMORY | wsa.TP_ELEMENT_FILE, File: file}, wsa.WSAEINVAL},
		"an unknown flag":      {wsa.TransmitPacketsElement{Flags: 8, File: file}, wsa.WSAEINVAL},
	} {
		require.Equal(t, c.want, NewPacketsTransmission([]wsa.TransmitPacketsElement{c.e}, 0, 0).invalid, name)
	}
	for flags, want := range map[uint32]wsa.Errno{
		wsa.TP_DISCONNECT | wsa.TP_REUSE_SOCKET | wsa.TP_USE_SYSTEM_THREAD | wsa.TP_USE_KERNEL_APC: 0,
		wsa.TP_REUSE_SOCKET: wsa.WSAEINVAL, wsa.TF_WRITE_BEHIND: wsa.WSAEINVAL,
	} {
		require.Equal(t, want, NewPacketsTransmission(nil, 0, flags).invalid, "flags %#x", flags)
	}
}

// What is wrong with a file ends the transmission; blocks before it are sent.
func TestTransmissionFailures(t *testing.T) {
	disk := errors.New("disk on fire")
	at := func(offset int64, n int, err error) readerAt { // a file that ends badly
		return func(b []byte, o int64) (int, error) {
			if o < offset {
				return copy(b[:min(int64(len(b)), offset-o)], bytes.Repeat([]byte{'x'}, len(b))), nil
			}
			return n, err
		}
	}
	for name, c := range map[string]struct {
		file  io.ReaderAt
		bytes int
		want  wsa.Errno
	}{
		"the end":                {at(25, 0, io.EOF), 25, 0},
		"the end, wrapped":       {at(25, 0, fmt.Errorf("file: %w", io.EOF)), 25, 0},
		"the end with bytes":     {at(20, 5, io.EOF), 25, 0},
		"a failure":              {at(25, 0, disk), 20, wsa.WSASYSCALLFAILURE},
		"a failure with bytes":   {at(20, 5, disk), 20, wsa.WSASYSCALLFAILURE},
		"a code":                 {at(20, 0, &fs.PathError{Op: "read", Err: wsa.WSAEACCES}), 20, wsa.WSAEACCES},
		"no code":                {at(20, 0, wsa.NO_ERROR), 20, wsa.WSASYSCALLFAILURE},
		"no progress":            {at(20, 0, nil), 20, wsa.WSASYSCALLFAILURE},
		"more bytes than wanted": {at(20, 11, nil), 20, wsa.WSASYSCALLFAILURE},
		"fewer than none":        {at(20, -1, io.EOF), 20, wsa.WSASYSCALLFAILURE},
	} {
		got, failed := blocks(NewFileTransmission(c.file, 0, 0, 10, nil, 0))
		require.Equal(t, c.want, failed, name)
		require.Len(t, bytes.Join(got, nil), c.bytes, name)
	}
}

// A file whose size nobody knows is measured as it is read.
func TestTransmissionLimit(t *testing.T) {
	s := NewFileTransmission(sized(0).plain(), 0, 0, 0, nil, 0)
	s.begin(blockLimit)
	defer s.release()
	s.total = transmitLimit - blockLimit // so much was sent
	s.load()
	require.Zero(t, s.failed)
	require.True(t, s.loaded)
	s.load()
	require.Equal(t, wsa.WSAEINVAL, s.failed)
	require.False(t, s.loaded)
}

// plain is a file that doesn't say how long it is.
func (s sized) plain() io.ReaderAt { return readerAt(s.ReadAt) }
