package record_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/internal/record"
)

func TestEvent_String(t *testing.T) {
	names := map[record.Event]string{
		record.Sent: "sent", record.Received: "received", record.Timer: "timer",
		record.State: "state", record.Option: "option", 0: "unknown", 255: "unknown",
	}
	for e, want := range names {
		require.Equal(t, want, e.String())
	}
}
