package stack

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"gvisor.dev/gvisor/pkg/tcpip/faketime"
)

// What is known of paths is bounded: the one that is over first makes room.
func TestPathMTUsAreBounded(t *testing.T) {
	clock := faketime.NewManualClock()
	var p pathMTUs
	p.init(clock)
	addr := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}) }
	for i := range 2 * pathLimit {
		clock.Advance(1)
		p.learn(addr(i), 1000)
		assert.LessOrEqual(t, len(p.byAddr), pathLimit)
	}
	assert.Zero(t, p.of(addr(pathLimit-1)), "the oldest half is gone")
	assert.EqualValues(t, 1000, p.of(addr(pathLimit)))
	p.learn(addr(pathLimit), 1200)
	assert.EqualValues(t, 1000, p.of(addr(pathLimit)), "an estimate doesn't rise")
	p.learn(addr(pathLimit), 900)
	assert.EqualValues(t, 900, p.of(addr(pathLimit)))
	clock.Advance(pathLife)
	assert.Zero(t, p.of(addr(pathLimit)), "after its life")
	p.learn(addr(pathLimit), 1200)
	assert.EqualValues(t, 1200, p.of(addr(pathLimit)))
	p.learn(netip.MustParseAddr("10.9.9.9"), 1000) // makes room: everything else is over
	assert.Len(t, p.byAddr, 2)
}
