package stack

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"gvisor.dev/gvisor/pkg/tcpip/faketime"

	"github.com/wsstack/wsstack/internal/outside"
)

// No two readings are equal, of a clock that stands still either.
func TestReadingsIncrease(t *testing.T) {
	still := newClock(faketime.NewManualClock(), nil)
	running := newClock(nil, new(outside.Door))
	for range 1000 {
		a, b := still.NowMonotonic(), still.NowMonotonic()
		assert.True(t, b.After(a), "%v after %v", b, a)
		a, b = running.NowMonotonic(), running.NowMonotonic()
		assert.True(t, b.After(a), "%v after %v", b, a)
	}
}
