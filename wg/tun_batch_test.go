package wg

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.zx2c4.com/wireguard/conn"
)

// A Read has full batches only where a Bind of this package bounds what is inside of the engine.
func TestTUN_Batches(t *testing.T) {
	const mss, count = 100, 200
	for name, want := range map[string]int{"without a Bind": smallBatch, "with one": conn.IdealBatchSize} {
		t.Run(name, func(t *testing.T) {
			bridge := NewTUN(1420)
			defer bridge.close()
			if want != smallBatch {
				bridge.Bind(conn.NewDefaultBind())
			}
			send(t, bridge.Stack(), segments(count*mss, mss))
			require.Len(t, read(t, bridge.Tunnel(), conn.IdealBatchSize), want)
		})
	}
}
