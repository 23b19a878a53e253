//go:build linux

package integration

import (
	"testing"
)

func TestWireGuardEngines(t *testing.T) {
	tu := newTunnelEnds(t, newPath(t), false)
	tu.a.openEngine(t, tu.config(tu.a))
	tu.b.openEngine(t, tu.config(tu.b))
	tu.eachRole(t, func(t *testing.T, r role) { bulkBothWays(t, r, 4<<20) })
	out, in := tu.link.Stats()
	t.Logf("%+v %+v", out, in)
}
