//go:build linux

package integration

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/wsa"
)

// A closeRow is a row of the close matrix: the stack closes, and the kernel
// receives and sends.
type closeRow struct {
	name    string
	linger  int // seconds; -1: off
	queued  int // bytes sent that the kernel doesn't take
	unread  bool
	drained bool          // the kernel reads while close waits, not when it has returned
	least   time.Duration // that close takes
	wait    wait
	reset   bool // the kernel's recv fails in the end
}

// A wait says whether close waits.
type wait int

const (
	no    wait = iota
	maybe      // for an acknowledgement that may be there already
	yes
)

const closeQueued = 1 << 20

var closeRows = []closeRow{
	{name: "LG-2 nothing queued", linger: -1},
	{name: "LG-2 data queued", linger: -1, queued: closeQueued},
	{name: "LG-3 nothing queued", linger: 0, reset: true},
	{name: "LG-3 data queued", linger: 0, queued: closeQueued, reset: true},
	{name: "LG-4 nothing queued", linger: 5, wait: maybe},
	{name: "LG-5 data queued, drained", linger: 120, queued: closeQueued, drained: true, wait: yes},
	{name: "LG-6 data queued, not drained", linger: 1, queued: closeQueued, least: time.Second, wait: yes, reset: true},
	{name: "LG-13 unread, default", linger: -1, unread: true, reset: true},
	{name: "LG-13 unread and data queued", linger: -1, unread: true, queued: closeQueued, reset: true},
	{name: "LG-13 unread, lingering", linger: 5, unread: true, reset: true},
}

// What Linux's recv and send return for each row of the close matrix (LG-11).
func TestCloseMatrix(t *testing.T) {
	n := newNetwork(t, settings{spy: true})
	n.eachRole(t, func(t *testing.T, r role) {
		for _, row := range closeRows {
			t.Run(row.name, func(t *testing.T) { row.run(t, n, r) })
		}
	})
}

func (row closeRow) run(t *testing.T, n *network, r role) {
	closing, kernel := row.connect(t, r)
	require.NoError(t, kernel.SetDeadline(time.Now().Add(patience)))
	sent := pattern(row.queued)
	if row.queued > 0 {
		_, err := closing.Write(sent)
		require.NoError(t, err)
	}
	if row.unread {
		_, err := kernel.Write([]byte("never read"))
		require.NoError(t, err)
		soon(t, func() bool { return readable(t, closing) == len("never read") }, "the data is there")
	}
	require.NoError(t, closing.SetLinger(row.linger))

	var got []byte
	var recvErr error
	n.waited() // an earlier call
	start := time.Now()
	if row.drained {
		closed := n.blocked(t, closing.Close)
		got, recvErr = io.ReadAll(kernel)
		require.NoError(t, <-closed)
	} else {
		require.NoError(t, closing.Close())
		require.GreaterOrEqual(t, time.Since(start), row.least, "close")
		if waited := n.waited(); row.wait != maybe {
			require.Equal(t, row.wait == yes, waited, "close waits")
		}
		got, recvErr = io.ReadAll(kernel)
	}

	require.True(t, bytes.HasPrefix(sent, got), "what was received is not what was sent")
	if row.reset {
		require.ErrorIs(t, recvErr, syscall.ECONNRESET, "recv, after %d bytes", len(got))
		_, err := kernel.Write([]byte("x"))
		require.ErrorIs(t, err, syscall.EPIPE, "send: the error was shown already")
		return
	}
	require.NoError(t, recvErr, "recv")
	require.Len(t, got, row.queued)
	// The stack has closed both directions: what comes draws a RST.
	_, err := kernel.Write([]byte("too late"))
	require.NoError(t, err, "the first send")
	soon(t, func() bool { _, err := kernel.Write([]byte("x")); return err != nil }, "sending fails")
	_, err = kernel.Write([]byte("x"))
	require.ErrorIs(t, err, syscall.EPIPE, "a later send")
}

// readable is what FIONREAD says of a connection of the stack.
func readable(t *testing.T, c stream) int {
	out := make([]byte, 4)
	_, err := c.(*endpoint.Conn).Ioctl(wsa.FIONREAD, nil, out)
	require.NoError(t, err)
	return int(binary.LittleEndian.Uint32(out))
}

// connect returns the stack's end and the kernel's, whose buffer is small.
func (row closeRow) connect(t *testing.T, r role) (closing stream, kernel *net.TCPConn) {
	client, server := r.connect(t)
	if c, ok := client.(*net.TCPConn); ok {
		closing, kernel = server, c
	} else {
		closing, kernel = client, server.(*net.TCPConn)
	}
	require.NoError(t, kernel.SetReadBuffer(8<<10))
	return closing, kernel
}

// A non-blocking close that lingers with data queued fails and changes
// nothing: Linux goes on receiving, and sees the end after the next close
// (LG-7, LG-9). With nothing queued it sees the end (LG-8).
func TestCloseMatrixNonblocking(t *testing.T) {
	n := newNetwork(t, settings{})
	n.eachRole(t, func(t *testing.T, r role) {
		for _, queued := range []int{0, closeQueued} {
			row := closeRow{queued: queued}
			closing, kernel := row.connect(t, r)
			require.NoError(t, kernel.SetDeadline(time.Now().Add(patience)))
			sent := pattern(queued)
			_, err := closing.Write(sent)
			require.NoError(t, err)
			require.NoError(t, closing.SetLinger(5))
			require.NoError(t, closing.(interface{ SetNonblocking(bool) error }).SetNonblocking(true))
			if err := closing.Close(); queued == 0 {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, wsa.WSAEWOULDBLOCK)
				require.NoError(t, closing.SetLinger(-1))
				require.NoError(t, closing.Close())
			}
			got, err := io.ReadAll(kernel)
			require.NoError(t, err)
			require.True(t, bytes.Equal(sent, got), "%d bytes of %d", len(got), len(sent))
			require.NoError(t, kernel.Close())
		}
	})
}
