package vocabulary

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/wsa"
)

// testSockets has a connection as descriptor 4, which was used last, and options.
type testSockets struct{ values map[string][]byte }

var testInfo = StackInfo{
	Socket: endpoint.Info{State: "ESTABLISHED", SendQueue: 5000, TCP: &endpoint.TCPInfo{
		MSS: 1000, Timestamps: true, SACK: true, Phase: "recovery", Cwnd: 10500, SSThresh: 7000, InFlight: 2500,
		SndWnd: 30000, RcvWnd: 65535, SRTT: 30 * time.Millisecond, RTTVar: 15 * time.Millisecond,
		MinRTT: 20 * time.Millisecond, RTO: 300 * time.Millisecond,
		BytesIn: 100, BytesOut: 5000, BytesAcked: 2500, BytesResent: 1000, Resent: 1, Timeouts: 2, EarlySegments: 3,
	}},
	Winsock: wsa.TCPInfo{State: wsa.TCPSTATE_ESTABLISHED, Cwnd: 10500, RttUs: 30000, SynRetrans: 1, BytesOut: 5000},
}

func (s testSockets) Info(fd int64) (Info, error) {
	if fd != LastUsed && fd != 4 {
		return nil, errors.New("no connection")
	}
	return testInfo, nil
}

func (s testSockets) Option(fd int64, o Option, size int) ([]byte, error) {
	if fd != LastUsed && fd != 4 {
		return nil, wsa.WSAENOTSOCK
	}
	return s.values[o.Symbol][:min(size, len(s.values[o.Symbol]))], nil
}

var socketFour = testSockets{map[string][]byte{
	"SO_RCVBUF": {0, 0, 1, 0}, "SO_KEEPALIVE": {1, 0, 0, 0}, "SO_LINGER": {1, 0, 5, 0},
	"SO_ERROR": {0x4D, 0x27, 0, 0}, "TCP_CONGESTION_ALGORITHM": {2, 0, 0, 0}, "TCP_MAXRTMS": {255, 255, 255, 255},
}}

func TestAssert(t *testing.T) {
	for _, text := range []string{
		"tcpi_snd_cwnd == 10", "tcpi_snd_cwnd(4) == 10", "tcpi_snd_ssthresh == 7", "tcpi_unacked == 3",
		"tcpi_rto == 300000", "25000 <= tcpi_rtt <= 30000", "1 < 2 < 3 < 4", "3 > 2 == 2", "tcpi_rttvar == 15*1000", "tcpi_min_rtt < tcpi_rtt",
		"tcpi_state == TCP_ESTABLISHED", "tcpi_state in [TCP_CLOSE, TCP_ESTABLISHED]", "!(tcpi_state in [2, 3])",
		"tcpi_ca_state == TCP_CA_Recovery", "(tcpi_options & TCPI_OPT_SYN_DATA) == 0",
		"(tcpi_options & (TCPI_OPT_SACK | TCPI_OPT_TIMESTAMPS)) == 3", "tcpi_snd_mss == 1000",
		"tcpi_bytes_sent == 6000 && tcpi_bytes_acked == 2500", "tcpi_total_retrans == 1 || tcpi_foo == 1",
		"tcpi_bytes_retrans == 1000", "tcpi_total_rto == 2", "tcpi_rcv_ooopack == 3", "tcpi_notsent_bytes == 2500",
		"tcpi_snd_wnd == 30000", "tcpi_rcv_wnd == 65535", "tcpi_bytes_received == 100",
		"Cwnd == 10500", "RttUs(4) == 30000", "State == TCPSTATE_ESTABLISHED", "SynRetrans == 1", "BytesOut > 4999",
		"SO_RCVBUF(4) >= 8192", "SO_RCVBUF == 1<<16", "SO_KEEPALIVE", "SO_LINGER(4) == {onoff=1, linger=5}",
		"SO_LINGER != {onoff=0}", "{1, 5} == SO_LINGER", "SO_ERROR == ECONNREFUSED", "SO_ERROR == WSAECONNREFUSED",
		`TCP_CONGESTION == "cubic"`, `TCP_CONGESTION_ALGORITHM(4) == 2`, "TCP_USER_TIMEOUT == -1",
		"7/2 == 3", "7%4 == 3", "(1 ^ 3) == 2", "~0 == -1", "-tcpi_snd_cwnd < 0", "4 >> 1 == 2", "1 > 0 && 1 >= 1 && 1 != 0",
		"htons(80) == 0x5000",
	} {
		a := condition(t, text)
		v, err := toStack.Assert(a, socketFour)
		require.NoError(t, err, text)
		assert.True(t, v.Holds, "%s: %v", text, v.Readings)
	}
}

func TestAssert_Fails(t *testing.T) {
	for _, tt := range []struct {
		text string
		want []Reading
	}{
		{"tcpi_snd_cwnd == 11", []Reading{{"tcpi_snd_cwnd", "10"}}},
		{"tcpi_state(4) == TCP_CLOSE", []Reading{{"tcpi_state(4)", "TCP_ESTABLISHED (1)"}}},
		{"State == TCPSTATE_CLOSED", []Reading{{"State", "TCPSTATE_ESTABLISHED (4)"}}},
		{"tcpi_options == 0", []Reading{{"tcpi_options", "TCPI_OPT_TIMESTAMPS|TCPI_OPT_SACK (3)"}}},
		{"tcpi_rto < tcpi_rtt && SO_RCVBUF", []Reading{{"tcpi_rto", "300000"}, {"tcpi_rtt", "30000"}}},
		{"100 <= tcpi_snd_cwnd <= 200", []Reading{{"tcpi_snd_cwnd", "10"}}},
		{"SO_LINGER(4) == {onoff=0, linger=5}", []Reading{{"SO_LINGER(4)", "{onoff=1, linger=5}"}}},
		{"SO_ERROR == 0", []Reading{{"SO_ERROR", "WSAECONNREFUSED"}}},
		{"3 > 2 > 1 > 4", nil}, {"3 < 2 < 5", nil}, {"1 == 1 == 0", nil},
		{"0", nil},
	} {
		v, err := toStack.Assert(condition(t, tt.text), socketFour)
		require.NoError(t, err, tt.text)
		assert.False(t, v.Holds, tt.text)
		assert.Equal(t, tt.want, v.Readings, tt.text)
	}
}

func TestAssert_Mistakes(t *testing.T) {
	for _, tt := range []struct {
		text, problem, hint string
		early               bool // CheckAssert finds it
	}{
		{"tcpi_snd_cwn == 1", "tcpi_snd_cwn is neither a field, an option nor a constant", "did you mean tcpi_snd_cwnd?", true},
		{"tcpi_reordering == 3", "this stack doesn't know tcpi_reordering", "tcpi_snd_cwnd", false},
		{"TCP_CORK(4) == 1", "nothing like Linux's TCP_CORK", "TCP_NODELAY", false},
		{"tcpi_rto(x) == 1", "x isn't a descriptor", "tcpi_rto(4)", true},
		{"tcpi_rto(4, 5) == 1", "tcpi_rto needs one descriptor", "tcpi_rto(4)", true},
		{"tcpi_rto < 0.3", "a condition is of whole numbers", "microseconds", true},
		{"tcpi_rto / 0 == 1", "a division by 0", "", false},
		{"1 << 64 == 1", "a shift by 64 bits", "0 to 63", false},
		{"tcpi_rto == ...", "isn't of use in a condition", "tcpi_snd_cwnd", true},
		{`tcpi_rto == "x"`, "only an option is compared", "a number", false},
		{"SO_LINGER(4)", "SO_LINGER isn't one number", "SO_LINGER(4) == {onoff=1, linger=5}", false},
		{"SO_LINGER == {on=1}", "no field on", "onoff", false},
	} {
		a := condition(t, tt.text)
		_, err := toStack.Assert(a, socketFour)
		requireMistake(t, err, tt.problem, tt.hint)
		if err := CheckAssert(a); tt.early {
			requireMistake(t, err, tt.problem, tt.hint)
		} else {
			require.NoError(t, err, tt.text)
		}
	}
	_, err := toStack.Assert(condition(t, "tcpi_rto(5) == 1"), socketFour)
	require.EqualError(t, err, "no connection")
	_, err = toStack.Assert(condition(t, "SO_RCVBUF(5) == 1"), socketFour)
	require.ErrorIs(t, err, wsa.WSAENOTSOCK)
}

// TestStackInfo asks for the fields of sockets without a connection.
func TestStackInfo(t *testing.T) {
	for _, name := range knownFields() {
		n, err := StackInfo{Socket: endpoint.Info{State: "bound"}}.Field(name)
		require.NoError(t, err)
		want := map[string]int64{"tcpi_state": 7, "tcpi_snd_ssthresh": 0x7fffffff}[name]
		require.Equal(t, want, n, name)
	}
	for state, n := range linuxStates {
		got, err := StackInfo{Socket: endpoint.Info{State: state}}.Field("tcpi_state")
		require.NoError(t, err)
		require.Equal(t, n, got)
	}
	_, err := StackInfo{}.Field("tcpi_nothing")
	require.ErrorContains(t, err, "isn't the name of a field")
	require.ErrorContains(t, FieldUnknown("Cwnd"), "Linux has no Cwnd")
	require.ErrorContains(t, FieldUnknown("tcpi_rto"), "this kernel doesn't say tcpi_rto")
}
