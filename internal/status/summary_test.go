package status

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/stack"
)

// report has two hosts and two links.
func twoLinks() Report {
	return Report{
		Hosts: []HostReport{{Name: "stack", Stats: Counters(stack.Stats{Retransmits: 7})}},
		Links: []LinkReport{
			{Name: "wire", Hosts: [2]string{"stack", "command"},
				There: Direction{Packets: 1000, Bytes: 1234567, Dropped: 3}, Back: Direction{Packets: 12, Bytes: 999}},
			{Name: "other", Hosts: [2]string{"stack", "cloud"}},
		},
	}
}

func TestSummary_Text(t *testing.T) {
	r := twoLinks()
	var out bytes.Buffer
	s := Summarize(r, map[string]uint64{"command": 2}, 1234*time.Millisecond)
	require.NoError(t, s.WriteText(&out))
	require.Equal(t, strings.TrimPrefix(`
   link         in 1.23s  packets      bytes  dropped  retransmitted
   wire  stack → command    1,000  1,234,567        3              7
   wire  command → stack       12        999        0              2
  other    stack → cloud        0          0        0              7
  other    cloud → stack        0          0        0              –
`, "\n"), out.String())
	r.Links = r.Links[:1]
	out.Reset()
	require.NoError(t, Summarize(r, nil, time.Minute).WriteText(&out))
	require.NotContains(t, out.String(), "wire")
}

func TestSummary_JSON(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, Summarize(twoLinks(), map[string]uint64{"command": 2}, time.Second).WriteJSON(&out))
	require.Equal(t, 1, strings.Count(out.String(), "\n"))
	var got struct{ Summary Summary }
	require.NoError(t, json.Unmarshal(out.Bytes(), &got))
	seven := uint64(7)
	require.Equal(t, 1.0, got.Summary.Seconds)
	require.Equal(t, Way{Link: "wire", From: "stack", To: "command", Packets: 1000, Bytes: 1234567, Dropped: 3, Retransmitted: &seven}, got.Summary.Ways[0])
	require.Nil(t, got.Summary.Ways[3].Retransmitted)
	require.Contains(t, out.String(), `"retransmitted":null`)
}

func TestSummary_NoLinks(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, Summarize(Report{}, nil, 0).WriteJSON(&out))
	require.JSONEq(t, `{"summary": {"seconds": 0, "ways": []}}`, out.String())
}

func TestGrouped(t *testing.T) {
	for n, want := range map[uint64]string{0: "0", 999: "999", 1000: "1,000", 123456: "123,456", 1234567: "1,234,567"} {
		require.Equal(t, want, grouped(n))
	}
}

func TestRetransmitted(t *testing.T) {
	got, err := retransmitted(strings.NewReader("Ip: a b\nIp: 1 2\nTcp: RtoMin RetransSegs InErrs\nTcp: 200 42 1\nUdp: RetransSegs\nUdp: 9\n"))
	require.NoError(t, err)
	require.Equal(t, uint64(42), got)
	for _, bad := range []string{"", "Tcp: RetransSegs\n", "Tcp: RetransSegs\nTcp:\n", "Tcp: A RetransSegs\nTcp: 1 -1\n", "Tcp: A\nTcp: 1\n"} {
		_, err := retransmitted(strings.NewReader(bad))
		require.Error(t, err, bad)
	}
}

func TestKernel(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("other systems than Linux have no /proc/net/snmp")
	}
	k, err := OpenKernel(os.Getpid())
	require.NoError(t, err)
	first, err := k.Retransmitted()
	require.NoError(t, err)
	second, err := k.Retransmitted() // the file is read anew
	require.NoError(t, err)
	require.GreaterOrEqual(t, second, first)
	require.NoError(t, k.Close())
	_, err = k.Retransmitted()
	require.ErrorIs(t, err, os.ErrClosed)
	_, err = OpenKernel(1 << 30)
	require.True(t, errors.Is(err, os.ErrNotExist), err)
}
