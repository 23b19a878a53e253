package endpoint_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/stack"
)

// Logs show what a face is, and not what is in it, which changes meanwhile.
func TestString(t *testing.T) {
	st, err := stack.New(stack.Config{})
	require.NoError(t, err)
	defer st.Close()
	l, err := st.Listen("tcp", "127.0.0.1:80")
	require.NoError(t, err)
	c, err := st.Dial("tcp", "127.0.0.1:80")
	require.NoError(t, err)
	defer c.Close()
	accepted, err := l.Accept()
	require.NoError(t, err)
	defer accepted.Close()
	p, err := st.ListenPacket("udp", "127.0.0.1:53")
	require.NoError(t, err)
	defer p.Close()

	require.Equal(t, "tcp 127.0.0.1:80", fmt.Sprint(l))
	require.Equal(t, "tcp "+c.LocalAddr().String()+" to 127.0.0.1:80", fmt.Sprintf("%+v", c))
	require.Equal(t, "tcp 127.0.0.1:80 to "+c.LocalAddr().String(), fmt.Sprintf("%v", accepted))
	require.Equal(t, "udp 127.0.0.1:53", fmt.Sprint(p))
	require.Equal(t, "stack", fmt.Sprint(st), "the loopback is no name")

	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("accepted", "conn", accepted)
	require.Contains(t, log.String(), `conn="tcp 127.0.0.1:80 to 127.0.0.1:`)
}
