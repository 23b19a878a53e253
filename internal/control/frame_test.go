package control

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A stream whose other side ends without a frame that says so is cut off, and not at its end:
// wherever that happens, and with or without something that the other side hadn't read.
func TestStream_CutOff(t *testing.T) {
	for _, c := range []struct {
		what      string
		datagrams bool
		sent      []byte
	}{
		{"nothing", false, nil},
		{"a part of a header", false, []byte{frameData, 0}},
		{"a part of the data", false, []byte{frameData, 0, 0, 3, 'a'}},
		{"a part of a datagram", true, []byte{frameData, 0, 0, 3, 'a'}},
		{"a part of an error", false, []byte{frameFailed, 0, 0, 3, '{'}},
	} {
		for _, unread := range []bool{false, true} {
			client, server := socketPair(t)
			s := newStream(client, nil)
			s.datagrams = c.datagrams
			if unread {
				_, err := client.Write([]byte("not read"))
				require.NoError(t, err)
			}
			_, err := server.Write(c.sent)
			require.NoError(t, err)
			require.NoError(t, server.Close())
			_, err = io.ReadAll(s)
			require.ErrorIs(t, err, io.ErrUnexpectedEOF, "%s, unread: %v", c.what, unread)
			require.NoError(t, s.Close())
		}
	}
}

// socketPair is the two ends of a connection over a Unix socket.
func socketPair(t *testing.T) (client, server net.Conn) {
	t.Helper()
	dir, err := os.MkdirTemp("", "wc") //nolint:usetesting // that of TempDir has the test's name in it
	require.NoError(t, err)
	defer func() { require.NoError(t, os.RemoveAll(dir)) }()
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	require.NoError(t, err)
	defer l.Close()
	client, err = net.Dial("unix", l.Addr().String())
	require.NoError(t, err)
	server, err = l.Accept()
	require.NoError(t, err)
	return client, server
}
