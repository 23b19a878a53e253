package keepalive

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/wsstack/wsstack/wsa"
)

// Who ended a connection, from what looks alike on the wire (KA-33, RS-1, RS-2).
func TestVerdict(t *testing.T) {
	for _, tt := range []struct {
		name       string
		evidence   Evidence
		cause      Cause
		inProgress wsa.Errno
	}{
		{"keep-alive drop", Evidence{Dropped: true, TimedOut: true}, Dropped, wsa.WSAENETRESET},
		{"a RST in answer to a probe", Evidence{ResetSeen: true}, PeerReset, wsa.WSAECONNRESET},
		{"retransmission limit", Evidence{TimedOut: true, Unacked: 1}, Retransmitted, wsa.WSAECONNABORTED},
		{"an ICMP error in place of the time-out", Evidence{Unacked: 1}, Retransmitted, wsa.WSAECONNABORTED},
		{"TCP_MAXRT", Evidence{TimedOut: true, UserTimeout: true, Unacked: 1}, UserTimeout, wsa.WSAECONNABORTED},
		{"own reset", Evidence{Aborted: true, ResetSeen: true}, LocalAbort, wsa.WSAECONNABORTED},
	} {
		c := Verdict(tt.evidence)
		assert.Equal(t, tt.cause, c, tt.name)
		assert.Equal(t, tt.inProgress, c.InProgress(), tt.name)
	}
	assert.Zero(t, Alive.InProgress())
}
