package main

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A file is shown to be read in steps of one percent, and nothing stays of that.
func TestProgress(t *testing.T) {
	var out bytes.Buffer
	p := &progress{&out}
	r := &progressReader{Reader: strings.NewReader(strings.Repeat("x", 1000)), progress: p, name: "a.pcap", total: 1000}
	buf := make([]byte, 3)
	for {
		if _, err := r.Read(buf); err == io.EOF {
			break
		}
	}
	p.end()
	lines := strings.Split(out.String(), "\r\x1b[K")
	require.Len(t, lines, 1+100+1)
	require.Equal(t, "1 % of a.pcap", lines[1])
	require.Equal(t, "100 % of a.pcap", lines[100])
	require.Empty(t, lines[101])
	out.Reset()
	empty := &progressReader{Reader: strings.NewReader("x"), progress: p, name: "a pipe"}
	_, err := io.ReadAll(empty)
	require.NoError(t, err)
	require.Empty(t, out.String())
	newProgress(&out).show("no terminal")
	require.Empty(t, out.String())
}
