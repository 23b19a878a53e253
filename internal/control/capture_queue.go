package control

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"
)

// The blocks of a pcapng file begin with a type and a length of four bytes each, as the file's
// writer has them: little-endian.
const (
	blockHeader = 8
	blockPacket = 6       // an enhanced packet block
	maxBlock    = 1 << 20 // bytes of a block; a packet has 64 KiB
)

// maxQueued is how many bytes of packets wait for a slow client. Packets beyond are dropped.
const maxQueued = 8 << 20

var errBlock = errors.New("control: a block of a capture has an impossible length")

// A blockQueue is the writer of a capture file whose reader may be slow: it drops whole packets and
// never waits.
type blockQueue struct {
	mu      sync.Mutex
	partial []byte // the beginning of a block
	ready   []byte // whole blocks
	dropped uint64
	more    chan struct{} // holds a token when ready has become longer
}

func newBlockQueue() *blockQueue { return &blockQueue{more: make(chan struct{}, 1)} }

// Write implements io.Writer.
func (q *blockQueue) Write(b []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.partial = append(q.partial, b...)
	done := 0
	for rest := q.partial; len(rest) >= blockHeader; rest = q.partial[done:] {
		size := int(binary.LittleEndian.Uint32(rest[4:]))
		if size < blockHeader+4 || size > maxBlock {
			return 0, errBlock
		}
		if len(rest) < size {
			break
		}
		if binary.LittleEndian.Uint32(rest) == blockPacket && len(q.ready)+size > maxQueued {
			q.dropped++
		} else {
			q.ready = append(q.ready, rest[:size]...)
		}
		done += size
	}
	q.partial = append(q.partial[:0], q.partial[done:]...)
	if len(q.ready) > 0 {
		select {
		case q.more <- struct{}{}:
		default:
		}
	}
	return len(b), nil
}

// next waits for blocks and takes them; nil: ctx has ended.
func (q *blockQueue) next(ctx context.Context) []byte {
	for {
		q.mu.Lock()
		taken := q.ready
		q.ready = nil
		q.mu.Unlock()
		if len(taken) > 0 {
			return taken
		}
		select {
		case <-q.more:
		case <-ctx.Done():
			return nil
		}
	}
}

// lost is how many packets were dropped.
func (q *blockQueue) lost() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.dropped
}
