package fifo

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// A Queue gives back what a slice would, and keeps nothing that was taken.
func TestQueue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var r Queue[*int]
		var model []*int
		t.Repeat(map[string]func(*rapid.T){
			"push many": func(t *rapid.T) {
				for range rapid.IntRange(1, 200).Draw(t, "entries") {
					v := new(int)
					r.Push(v)
					model = append(model, v)
				}
			},
			"pop many": func(t *rapid.T) {
				for range min(len(model), rapid.IntRange(1, 200).Draw(t, "entries")) {
					require.Same(t, model[0], *r.First())
					require.Same(t, model[0], r.Pop())
					model = model[1:]
				}
			},
			"": func(t *rapid.T) {
				require.Equal(t, len(model), r.Len())
				held := 0
				for _, v := range r.room {
					if v != nil {
						held++
					}
				}
				require.Equal(t, len(model), held)
			},
		})
	})
}
