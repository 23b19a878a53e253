package conform

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/wsstack/wsstack/internal/trace"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
)

// A departure is what a record of SO_DEBUG and a line of the trace both say of a
// segment that a host has sent.
type departure struct {
	host  string
	at    time.Duration
	flags string
	size  int
}

// departures is a logger that counts the records of them.
type departures struct {
	slog.Handler
	host  string
	start time.Time

	mu   *sync.Mutex
	seen map[departure]int
}

func (departures) Enabled(context.Context, slog.Level) bool { return true }

func (d departures) Handle(_ context.Context, rec slog.Record) error {
	s, left := departure{host: d.host}, false
	rec.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "at":
			s.at = a.Value.Time().Sub(d.start).Truncate(time.Microsecond)
		case "event":
			left = a.Value.String() == "segment out"
		case "flags":
			s.flags = a.Value.String()
		case "len":
			s.size = int(a.Value.Int64())
		}
		return true
	})
	if left {
		d.mu.Lock()
		d.seen[s]++
		d.mu.Unlock()
	}
	return nil
}

// withoutDebug are the scenarios in which sockets have SO_DEBUG off for a while:
// they set every option, or use ConnectEx, after which options have their defaults
// until the context is updated (IN-6), as those of a socket that is used again do (IN-7, IN-8).
var withoutDebug = []string{"KA-32", "KA-33", "RS-1", "CT-3", "MS-4", "IN-6", "IN-7", "IN-8", "TF-4", "EV-2", "WC-3", "WE-10"}

// nobodys reports a RST that answers a segment for which there is no socket. In the
// scenarios of the area CA there always is a listener.
func nobodys(c Case, l simnet.Line) bool {
	f := header.TCPFlags(l.Segment.Flags)
	return area(c.ID) != "CA" && f.Contains(header.TCPFlagRst) && (!f.Contains(header.TCPFlagAck) || l.Segment.Seq == 0)
}

// Every segment that leaves a host has a record (DB-1): in
// each scenario, with SO_DEBUG on all sockets. What the scenarios make of that
// doesn't matter.
func TestEverySegmentIsRecorded(t *testing.T) {
	segments := 0
	for _, c := range Cases(Scenarios(), options.Documented) {
		if c.Family != "IPv4" || slices.Contains(withoutDebug, c.ID) {
			continue
		}
		e := newEnv(c, 1)
		hosts := map[string]bool{}
		log := departures{slog.DiscardHandler, "", e.Net.Clock().Now(), &sync.Mutex{}, map[departure]int{}}
		e.spy = func(name string, cfg *stack.Config) {
			if cfg.Logger != nil {
				return
			}
			hosts[name] = true
			log.host = name
			cfg.Logger = slog.New(log)
			cfg.Defaults = append(cfg.Defaults, options.SO_DEBUG.With(true))
		}
		e.run(c)
		for _, l := range e.Net.Trace() {
			if l.Kind != trace.TCP || !hosts[l.From] || nobodys(c, l) {
				continue
			}
			segments++
			s := departure{l.From, l.At, l.Segment.Flags.String(), l.Segment.Len}
			if log.seen[s]--; log.seen[s] < 0 {
				assert.Fail(t, "no record", "%s %s: %s", c.ID, c.Name(), l.Text)
			}
		}
	}
	require.Greater(t, segments, 30_000)
}
