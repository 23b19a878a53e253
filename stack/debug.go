package stack

import (
	"context"
	"log/slog"
	"sync"

	"github.com/wsstack/wsstack/internal/socket"

	"github.com/wsstack/wsstack/internal/trace"
)

// debugLimit bounds the records of SO_DEBUG that wait for the logger. Beyond it
// they are lost, which the next one that is written says.
const debugLimit = 4096

// debugRecords holds what SO_DEBUG has recorded until the pump writes it to
// Config.Logger: segments are recorded with their connection's lock held, and calls
// with their socket's, so neither may wait for a logger. A slow logger slows the pump. It
// must not wait for the stack that it logs for.
type debugRecords struct {
	log *slog.Logger

	mu      sync.Mutex // a leaf
	records []socket.Record
	lost    int
	writing []socket.Record // reused by the pump
}

// add keeps a record, if there is room.
func (d *debugRecords) add(r socket.Record) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.records) < debugLimit {
		d.records = append(d.records, r)
	} else {
		d.lost++
	}
}

func (d *debugRecords) waiting() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.records) > 0
}

// write writes what has been recorded, and returns how much it was.
func (d *debugRecords) write() int {
	d.mu.Lock()
	d.writing, d.records = d.records, d.writing[:0]
	lost := d.lost
	d.lost = 0
	d.mu.Unlock()
	for _, r := range d.writing {
		d.log.LogAttrs(context.Background(), slog.LevelDebug, "SO_DEBUG", debugAttrs(r)...)
	}
	if lost > 0 {
		d.log.LogAttrs(context.Background(), slog.LevelWarn, "SO_DEBUG records lost", slog.Int("count", lost))
	}
	return len(d.writing)
}

func debugAttrs(r socket.Record) []slog.Attr {
	attrs := []slog.Attr{slog.Time("at", r.Time), slog.Uint64("socket", r.Socket), slog.String("event", r.Event)}
	if r.State != 0 {
		attrs = append(attrs, slog.String("state", r.State.String()))
	}
	if r.Err != 0 {
		attrs = append(attrs, slog.String("error", r.Err.Symbol()))
	}
	if r.Segment {
		attrs = append(attrs, slog.Any("seq", r.Seq), slog.Any("ack", r.Ack),
			slog.String("flags", trace.Flags(r.Flags).String()), slog.Int("len", r.Len))
	}
	return attrs
}
