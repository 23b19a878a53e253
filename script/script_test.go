package script_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/wsstack/wsstack/script"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// datagram is a script that passes.
const datagram = `
0  socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP) = 3
+0 connect(3, ..., ...) = 0
+1 write(3, "hello", 5) = 5
+0 > udp (5)
`

func TestPlay(t *testing.T) {
	var capture bytes.Buffer
	s, err := script.Config{Capture: &capture, Settings: []string{"--mtu=1400"}}.Parse("datagram.pkt", []byte(datagram))
	require.NoError(t, err)
	r, err := script.Play(s)
	require.NoError(t, err)
	require.Nil(t, r.Failure)
	require.Equal(t, time.Second, r.Took)
	require.Equal(t, 4, r.Events)
	require.Equal(t, 3, r.Calls)
	require.Equal(t, 1, r.Packets)
	require.Contains(t, capture.String(), "hello")
}

func TestPlay_Failure(t *testing.T) {
	s, err := script.Parse("datagram.pkt", []byte(datagram+"+1 > udp (6)\n"))
	require.NoError(t, err)
	r, err := script.Play(s)
	require.ErrorIs(t, err, r.Failure)
	require.Equal(t, 6, r.Failure.Line)
	require.ErrorContains(t, err, "datagram.pkt:6:1: ")
	require.ErrorContains(t, err, "\n  expected: 2.000 > udp (6)\n")
	require.ErrorContains(t, err, "\n  actual:   nothing")
}

func TestParse_Mistakes(t *testing.T) {
	_, err := script.Parse("bad.pkt", []byte("0 socket(\n"))
	require.ErrorContains(t, err, "bad.pkt:")
	_, err = script.Parse("shell.pkt", []byte("0 `true`\n"))
	require.ErrorContains(t, err, "shell.pkt:1:")
	s, err := script.Config{IgnoreShell: true}.Parse("shell.pkt", []byte("0 `true`\n"))
	require.NoError(t, err)
	r, err := script.Play(s)
	require.NoError(t, err)
	require.Equal(t, 1, r.Ignored)
	for _, setting := range []string{"mtu=1400", "--mtu=1\n0 > udp (5)"} {
		_, err = script.Config{Settings: []string{setting}}.Parse("s.pkt", []byte(datagram))
		require.ErrorContains(t, err, "setting", setting)
	}
}

// A folder stands for its files, those of folders in it included.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "deep"), 0o777))
	for _, name := range []string{"a.pkt", "deep/b.pkt"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(datagram), 0o666))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "notes.txt"), []byte("no script"), 0o666))
	script.Run(t, dir, filepath.Join(dir, "a.pkt"))
}
