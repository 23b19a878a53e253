//go:build linux

package integration

import (
	"bytes"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/wsa"
)

// A closeRow is a row of the close matrix: the stack closes, and the kernel
// receives and sends.
type closeRow struct {
	name   string
	linger int // seconds; -1: off
	queued int // bytes sent that the kernel doesn't take
	unread bool
	// The kernel begins to read after this, or when the stack's close has
	// returned.
	reads     time.Duration
	least     time.Duration // that close takes
	reset     bool          // the kernel's recv fails in the end
	unlimited bool          // close may take longer than least plus a second
}

const closeQueued = 1 << 20

var closeRows = []closeRow{
	{name: "LG-2 nothing queued", linger: -1},
	{name: "LG-2 data queued", linger: -1, queued: closeQueued},
	{name: "LG-3 nothing queued", linger: 0, reset: true},
	{name: "LG-3 data queued", linger: 0, queued: closeQueued, reset: true},
	{name: "LG-4 nothing queued", linger: 5},
	{name: "LG-5 data queued, drained", linger: 20, queued: closeQueued, reads: 300 * time.Millisecond, least: 250 * time.Millisecond, unlimited: true},
	{name: "LG-6 data queued, not drained", linger: 1, queued: closeQueued, least: time.Second, reset: true},
	{name: "LG-13 unread, default", linger: -1, unread: true, reset: true},
	{name: "LG-13 unread and data queued", linger: -1, unread: true, queued: closeQueued, reset: true},
	{name: "LG-13 unread, lingering", linger: 5, unread: true, reset: true},
}

// What Linux's recv and send return for each row of the close matrix (LG-11).
func TestCloseMatrix(t *testing.T) {
	n := newNetwork(t, settings{})
	n.eachRole(t, func(t *testing.T, r role) {
		for _, row := range closeRows {
			t.Run(row.name, func(t *testing.T) { row.run(t, r) })
		}
	})
}

func (row closeRow) run(t *testing.T, r role) {
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
		time.Sleep(50 * time.Millisecond) // until it is there
	}
	require.NoError(t, closing.SetLinger(row.linger))

	type result struct {
		got []byte
		err error
	}
	read := make(chan result, 1)
	receive := func() {
		got, err := io.ReadAll(kernel)
		read <- result{got, err}
	}
	if row.reads > 0 {
		go func() { time.Sleep(row.reads); receive() }()
	}
	start := time.Now()
	require.NoError(t, closing.Close())
	took := time.Since(start)
	require.GreaterOrEqual(t, took, row.least, "close")
	if !row.unlimited {
		require.Less(t, took, row.least+time.Second, "close")
	}
	if row.reads == 0 {
		time.Sleep(20 * time.Millisecond) // until the RST is there
		receive()
	}

	in := <-read
	require.True(t, bytes.HasPrefix(sent, in.got), "what was received is not what was sent")
	if row.reset {
		require.ErrorIs(t, in.err, syscall.ECONNRESET, "recv, after %d bytes", len(in.got))
		_, err := kernel.Write([]byte("x"))
		require.ErrorIs(t, err, syscall.EPIPE, "send: the error was shown already")
		return
	}
	require.NoError(t, in.err, "recv")
	require.Len(t, in.got, row.queued)
	// The stack has closed both directions: what comes draws a RST.
	_, err := kernel.Write([]byte("too late"))
	require.NoError(t, err, "the first send")
	soon(t, func() bool { _, err := kernel.Write([]byte("x")); return err != nil }, "sending fails")
	_, err = kernel.Write([]byte("x"))
	require.ErrorIs(t, err, syscall.EPIPE, "a later send")
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
