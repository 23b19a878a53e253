package urgent

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gvisor.dev/gvisor/pkg/buffer"

	"github.com/wsstack/wsstack/internal/tcp"
)

// What is announced when AcceptEx has taken a connection over belongs to the socket
// that has it, also where the pump still serves the one that had it.
func TestUrgentTakenOver(t *testing.T) {
	e := tcp.New(tcp.Config{ISS: 100, MSS: 1460, Quota: 1000})
	e.Open(1)
	var out tcp.Segment
	require.True(t, e.Output(1, &out))
	e.Segment(1, &tcp.Segment{Seq: 500, Ack: 101, Flags: tcp.SYN | tcp.ACK, Window: 1000})
	e.Segment(1, &tcp.Segment{Seq: 501, Ack: 101, Flags: tcp.ACK | tcp.URG, Urgent: 1, Window: 1000, Payload: buffer.MakeWithData([]byte("!"))})

	var accepted, into Data
	into.TakeOver(&accepted)
	require.False(t, accepted.Pull(1, e))
	require.True(t, into.Pull(1, e))
	require.True(t, into.Waiting())
}
