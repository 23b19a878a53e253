package mistake

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHintOf(t *testing.T) {
	inner := Errorf("write 1", "%q is no number", "x")
	require.Equal(t, "write 1", HintOf(inner))
	require.Equal(t, "write 1", HintOf(errors.Join(errors.New("first"), fmt.Errorf("line 3: %w", inner))))
	require.Empty(t, HintOf(errors.New("no hint")))
	require.Empty(t, HintOf(nil))
}
