package vocabulary

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// option finds an option by the arguments "level, name".
func option(t testing.TB, v Evaluator, text string) Option {
	t.Helper()
	args := exprs(t, text)
	o, err := v.Option(args[0], args[1])
	require.NoError(t, err, text)
	return o
}

func TestOption(t *testing.T) {
	for _, tt := range []struct {
		v           Evaluator
		text        string
		level, name int32
		typ         string
	}{
		{toStack, "SOL_SOCKET, SO_KEEPALIVE", wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, "BOOL"},
		{toStack, "1, 9", wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, "BOOL"},
		{toWinsock, "0xFFFF, 8", wsa.SOL_SOCKET, wsa.SO_KEEPALIVE, "BOOL"},
		{toStack, "SOL_TCP, TCP_KEEPIDLE", wsa.IPPROTO_TCP, wsa.TCP_KEEPIDLE, "DWORD"},
		{toStack, "IPPROTO_TCP, TCP_KEEPALIVE", wsa.IPPROTO_TCP, wsa.TCP_KEEPIDLE, "DWORD"},
		{toStack, "SOL_TCP, 4", wsa.IPPROTO_TCP, wsa.TCP_KEEPIDLE, "DWORD"},
		{toWinsock, "IPPROTO_TCP, 4", wsa.IPPROTO_TCP, wsa.TCP_MAXSEG, "int"},
		{toStack, "SOL_IP, IP_TOS", wsa.IPPROTO_IP, wsa.IP_TOS, "DWORD"},
		{toStack, "SOL_IP, IP_MTU_DISCOVER", wsa.IPPROTO_IP, wsa.IP_MTU_DISCOVER, "DWORD"},
		{toStack, "SOL_IPV6, IPV6_V6ONLY", wsa.IPPROTO_IPV6, wsa.IPV6_V6ONLY, "BOOL"},
		{toStack, "IPPROTO_IPV6, MCAST_JOIN_GROUP", wsa.IPPROTO_IPV6, wsa.MCAST_JOIN_GROUP, "struct group_req"},
		{toStack, "IPPROTO_IP, MCAST_JOIN_GROUP", wsa.IPPROTO_IP, wsa.MCAST_JOIN_GROUP, "struct group_req"},
		{toStack, "SOL_TCP, TCP_USER_TIMEOUT", wsa.IPPROTO_TCP, wsa.TCP_MAXRTMS, "int"},
		{toStack, "SOL_SOCKET, SO_REUSEPORT", wsa.SOL_SOCKET, wsa.SO_REUSEADDR, "BOOL"},
		{toStack, "SOL_SOCKET, SO_NO_CHECK", wsa.IPPROTO_UDP, wsa.UDP_NOCHECKSUM, "BOOL"},
		{toStack, "SOL_SOCKET, SO_EXCLUSIVEADDRUSE", wsa.SOL_SOCKET, wsa.SO_EXCLUSIVEADDRUSE, "BOOL"},
		{toStack, "SOL_TCP, TCP_CONGESTION", wsa.IPPROTO_TCP, wsa.TCP_CONGESTION_ALGORITHM, "DWORD"},

		// The level is the script's, even where the option is of another one.
		{toStack, "SOL_SOCKET, TCP_NODELAY", wsa.SOL_SOCKET, wsa.TCP_NODELAY, "BOOL"},
		{toStack, "IPPROTO_TCP, SO_REUSEPORT", wsa.IPPROTO_TCP, wsa.SO_REUSEADDR, "BOOL"},
		{toKernel, "IPPROTO_TCP, SO_KEEPALIVE", 6, 9, "int"},
		{toStack, "99, 5", 99, 5, "int"},

		{toKernel, "SOL_SOCKET, SO_KEEPALIVE", 1, 9, "int"},
		{toKernel, "SOL_TCP, TCP_KEEPALIVE", 6, 4, "int"},
		{toKernel, "SOL_TCP, TCP_CORK", 6, 3, "int"},
		{toKernel, "SOL_TCP, 3", 6, 3, "int"},
		{toKernel, "SOL_SOCKET, SO_LINGER", 1, 13, "struct linger"},
		{toKernel, "IPPROTO_IPV6, IPV6_JOIN_GROUP", 41, 20, "struct ipv6_mreq"},
		{Evaluator{For: Linux}, "0xFFFF, 8", 1, 9, "int"},
	} {
		o := option(t, tt.v, tt.text)
		assert.Equal(t, tt.level, o.Level, tt.text)
		assert.Equal(t, tt.name, o.Name, tt.text)
		assert.Equal(t, tt.typ, o.Type, tt.text)
	}
}

func TestOption_Mistakes(t *testing.T) {
	for _, tt := range []struct {
		v                   Evaluator
		text, problem, hint string
	}{
		{toStack, "SOL_TCP, TCP_CORK", "this stack has nothing like Linux's TCP_CORK", "TCP_NODELAY"},
		{toStack, "SOL_TCP, 3", "nothing like Linux's TCP_CORK", ""},
		{toStack, "SOL_SOCKET, SO_MARK", "nothing like Linux's SO_MARK", "leave it out"},
		{toStack, "SOL_SOCKET, SO_KEPALIVE", "SO_KEPALIVE isn't the name of an option", "did you mean SO_KEEPALIVE?"},
		{toStack, "SOL_SOCKETS, SO_KEEPALIVE", "SOL_SOCKETS isn't a level", "SOL_SOCKET"},
		{toKernel, "SOL_SOCKET, SO_EXCLUSIVEADDRUSE", "Linux has no option SO_EXCLUSIVEADDRUSE", "leave it out"},
	} {
		args := exprs(t, tt.text)
		_, err := tt.v.Option(args[0], args[1])
		requireMistake(t, err, tt.problem, tt.hint)
	}
}

// TestOption_Table finds each option of the option table by its name and by its number, and what
// Linux's options are translated to.
func TestOption_Table(t *testing.T) {
	for _, row := range options.Table() {
		o, err := toWinsock.optionNamed(expr(t, row.Symbol), row.Symbol, row.Level)
		require.NoError(t, err)
		require.Equal(t, row, o.Row, row.Symbol)
		require.Equal(t, row.Level, o.Level, row.Symbol)
		require.Equal(t, row.Number, o.Name, row.Symbol)
	}
	for _, l := range linuxOptions {
		if l.same == "" {
			continue
		}
		_, ok := inTable(l.same, anyLevel)
		require.True(t, ok, "%s stands for %s, which the option table doesn't have", l.symbol, l.same)
	}
	for word, symbol := range others {
		_, ok := inTable(symbol, anyLevel)
		require.True(t, ok, "%s stands for %s", word, symbol)
	}
}

func TestEncodeOption(t *testing.T) {
	for _, tt := range []struct {
		v            Evaluator
		option, text string
		size         int
		want         []byte
	}{
		{toStack, "SOL_SOCKET, SO_KEEPALIVE", "[1]", 4, []byte{1, 0, 0, 0}},
		{toStack, "SOL_SOCKET, SO_KEEPALIVE", "1", -1, []byte{1, 0, 0, 0}},
		{toStack, "SOL_IP, IP_TOS", "[4]", 1, []byte{4}},
		{toStack, "SOL_SOCKET, SO_RCVBUF", "[1]", 6, []byte{1, 0, 0, 0, 0, 0}},
		{toStack, "SOL_SOCKET, SO_RCVBUF", "[-1]", 4, []byte{255, 255, 255, 255}},
		{toStack, "SOL_SOCKET, SO_RCVBUF", "[0xffffffff]", 4, []byte{255, 255, 255, 255}},
		{toStack, "SOL_SOCKET, SO_LINGER", "{onoff=1, linger=5}", 8, []byte{1, 0, 5, 0}},
		{toStack, "SOL_SOCKET, SO_LINGER", "{1, 5}", 4, []byte{1, 0, 5, 0}},
		{toStack, "SOL_SOCKET, SO_LINGER", "[{l_linger=5, l_onoff=1}]", 3, []byte{1, 0, 5}},
		{toKernel, "SOL_SOCKET, SO_LINGER", "{onoff=1, linger=5}", 8, []byte{1, 0, 0, 0, 5, 0, 0, 0}},
		{toStack, "SOL_SOCKET, SO_RCVTIMEO", "{tv_sec=1, tv_usec=500000}", 16, []byte{0xDC, 5, 0, 0}},
		{toStack, "SOL_SOCKET, SO_RCVTIMEO", "[1500]", 4, []byte{0xDC, 5, 0, 0}},
		{toKernel, "SOL_SOCKET, SO_RCVTIMEO", "{tv_sec=1, tv_usec=2}", 16, []byte{1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0}},
		{toStack, "SOL_TCP, TCP_CONGESTION", `"reno"`, 4, []byte{1, 0, 0, 0}},
		{toStack, "SOL_TCP, TCP_CONGESTION", `"cubic"`, 5, []byte{2, 0, 0, 0, 0}},
		{toKernel, "SOL_TCP, TCP_CONGESTION", `"reno"`, 4, []byte("reno")},
		{toStack, "SOL_IP, IP_MTU_DISCOVER", "[IP_PMTUDISC_DONT]", 1, []byte{wsa.IP_PMTUDISC_DONT}},
		{toKernel, "SOL_IP, IP_MTU_DISCOVER", "[IP_PMTUDISC_DONT]", 1, []byte{0}},
		{toStack, "IPPROTO_IP, IP_ADD_MEMBERSHIP", `{imr_multiaddr=inet_addr("224.0.0.9"), imr_interface=INADDR_ANY}`, -1, []byte{224, 0, 0, 9, 0, 0, 0, 0}},
		{toStack, "IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP", `{"224.0.0.9", "1.2.3.4", "5.6.7.8"}`, 12, []byte{224, 0, 0, 9, 1, 2, 3, 4, 5, 6, 7, 8}},
		{toKernel, "IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP", `{"224.0.0.9", "1.2.3.4", "5.6.7.8"}`, 12, []byte{224, 0, 0, 9, 5, 6, 7, 8, 1, 2, 3, 4}},
		{toStack, "IPPROTO_IP, IP_MULTICAST_IF", `[inet_addr("10.0.0.1")]`, 4, []byte{10, 0, 0, 1}},
		{toStack, "IPPROTO_IP, IP_OPTIONS", "[1, 1, 0x44, 0]", -1, []byte{1, 1, 0x44, 0}},
		{toStack, "IPPROTO_IP, IP_OPTIONS", "[]", 0, []byte{}},
		{toStack, "SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT", "[3]", 8, []byte{3, 0, 0, 0, 0, 0, 0, 0}},
	} {
		b, err := tt.v.EncodeOption(option(t, tt.v, tt.option), expr(t, tt.text), tt.size)
		require.NoError(t, err, "%s %s", tt.option, tt.text)
		assert.Equal(t, tt.want, b, "%s %s for %s", tt.option, tt.text, tt.v.For)
	}
}

func TestEncodeOption_IPv6(t *testing.T) {
	want := wsa.IPv6Mreq{Multiaddr: [16]byte{0: 0xFF, 1: 2, 15: 1}, Interface: 2}.Append(nil)
	b, err := toStack.EncodeOption(option(t, toStack, "IPPROTO_IPV6, IPV6_JOIN_GROUP"),
		expr(t, `{ipv6mr_multiaddr=inet_pton(AF_INET6, "ff02::1"), ipv6mr_interface=2}`), -1)
	require.NoError(t, err)
	require.Equal(t, want, b)
}

func TestEncodeOption_Group(t *testing.T) {
	const text = `{gr_interface=2, gr_group={sa_family=AF_INET6, sin6_port=htons(0), sin6_addr=inet_pton(AF_INET6, "ff02::1")}}`
	for v, family := range map[Evaluator]byte{toStack: wsa.AF_INET6, toKernel: 10} {
		o := option(t, v, "IPPROTO_IPV6, MCAST_JOIN_GROUP")
		b, err := v.EncodeOption(o, expr(t, text), -1)
		require.NoError(t, err)
		require.Len(t, b, 136)
		require.Equal(t, []byte{2, 0, 0, 0, 0, 0, 0, 0, family, 0}, b[:10])
		require.Equal(t, byte(0xFF), b[16])
		_, ok, err := v.MatchOption(o, b, expr(t, text))
		require.NoError(t, err)
		require.True(t, ok)
	}
}

func TestEncodeOption_Mistakes(t *testing.T) {
	for _, tt := range []struct{ option, text, problem, hint string }{
		{"SOL_SOCKET, SO_LINGER", "{on=1}", "no field on", "{onoff=0, linger=0}"},
		{"SOL_SOCKET, SO_LINGER", "{1, 2, 3}", "no field", "{onoff=0, linger=0}"},
		{"SOL_SOCKET, SO_LINGER", "{1, 70000}", "70000 doesn't fit", "16 bits"},
		{"SOL_SOCKET, SO_LINGER", `"text"`, "isn't a structure", "{onoff"},
		{"SOL_SOCKET, SO_RCVBUF", "{1, 2}", "not a structure", "one number"},
		{"SOL_SOCKET, SO_RCVBUF", "[0x1ffffffff]", "doesn't fit", "32 bits"},
		{"SOL_SOCKET, SO_RCVBUF", "[0x100000000]", "4294967296 doesn't fit", "32 bits"},
		{"SOL_SOCKET, SO_RCVBUF", "[-2147483649]", "doesn't fit", "32 bits"},
		{"SOL_SOCKET, SO_RCVBUF", "[1, 2]", "isn't the value of an option", "a number"},
		{"SOL_SOCKET, SO_RCVTIMEO", "{tv_sec=-1}", "-1 isn't a time", "0 to"},
		{"SOL_TCP, TCP_CONGESTION", `"bbr"`, `no congestion control "bbr"`, "cubic"},
		{"IPPROTO_IP, IP_ADD_MEMBERSHIP", `{"::1", "1.2.3.4"}`, "wrong family", ""},
	} {
		_, err := toStack.EncodeOption(option(t, toStack, tt.option), expr(t, tt.text), 4)
		requireMistake(t, err, tt.problem, tt.hint)
	}
}

func TestSize(t *testing.T) {
	linger, timeout := option(t, toStack, "SOL_SOCKET, SO_LINGER"), option(t, toStack, "SOL_SOCKET, SO_RCVTIMEO")
	require.Equal(t, 4, toStack.Size(linger, 8))
	require.Equal(t, 3, toStack.Size(linger, 3))
	require.Equal(t, 4, toStack.Size(timeout, 16))
	require.Equal(t, 8, toStack.SizeBack(linger, 8, 4))
	require.Equal(t, 4, toStack.SizeBack(linger, 4, 4))
	require.Equal(t, 8, toKernel.Size(option(t, toKernel, "SOL_SOCKET, SO_LINGER"), 8))
	require.Equal(t, 1, toStack.Size(option(t, toStack, "SOL_IP, IP_TOS"), 1))
}

func TestMatchOption(t *testing.T) {
	for _, tt := range []struct {
		v               Evaluator
		option          string
		got             []byte
		want, notWant   string
		actual, actual2 string
	}{
		{toStack, "SOL_SOCKET, SO_KEEPALIVE", []byte{1, 0, 0, 0}, "[1]", "[0]", "[1]", "[1]"},
		{toStack, "SOL_SOCKET, SO_KEEPALIVE", []byte{1}, "[TRUE]", "[FALSE]", "[1]", "[1]"},
		{toStack, "SOL_SOCKET, SO_RCVBUF", []byte{0, 1, 0, 0}, "[256]", "[255]", "[256]", "[256]"},
		{toStack, "SOL_SOCKET, SO_ERROR", []byte{0x4D, 0x27, 0, 0}, "[ECONNREFUSED]", "[0]", "[WSAECONNREFUSED]", "[WSAECONNREFUSED]"},
		{toStack, "SOL_SOCKET, SO_ERROR", []byte{0x4D, 0x27, 0, 0}, "[10061]", "[10060]", "[WSAECONNREFUSED]", "[WSAECONNREFUSED]"},
		{toStack, "SOL_SOCKET, SO_ERROR", []byte{0, 0, 0, 0}, "[0]", "[ECONNRESET]", "[0]", "[0]"},
		{toKernel, "SOL_SOCKET, SO_ERROR", []byte{111, 0, 0, 0}, "[ECONNREFUSED]", "[ECONNRESET]", "[ECONNREFUSED]", "[ECONNREFUSED]"},
		{toStack, "SOL_SOCKET, SO_LINGER", []byte{1, 0, 5, 0}, "{onoff=1, linger=5}", "{onoff=..., linger=4}", "{onoff=1, linger=5}", "{onoff=1, linger=5}"},
		{toStack, "SOL_SOCKET, SO_LINGER", []byte{1, 0, 5, 0}, "{..., 5}", "{}", "{onoff=1, linger=5}", ""},
		{toKernel, "SOL_SOCKET, SO_RCVTIMEO", append([]byte{1}, make([]byte, 15)...), "{tv_sec=1, tv_usec=0}", "{tv_sec=2}", "{tv_sec=1, tv_usec=0}", "{tv_sec=1, tv_usec=0}"},
		{toStack, "SOL_SOCKET, SO_RCVTIMEO", []byte{0xDC, 5, 0, 0}, "{tv_sec=1, tv_usec=500000}", "[1]", "{tv_sec=1, tv_usec=500000}", "[1500]"},
		{toStack, "SOL_TCP, TCP_CONGESTION", []byte{2, 0, 0, 0}, `"cubic"`, `"reno"`, `"cubic"`, `"cubic"`},
		{toKernel, "SOL_TCP, TCP_CONGESTION", []byte("cubic\x00\x00\x00"), `"cubic"`, `"reno"`, `"cubic"`, `"cubic"`},
		{toStack, "IPPROTO_IP, IP_OPTIONS", []byte{1, 2}, "[1, 2]", "[1]", "[1, 2]", "[1, 2]"},
		{toStack, "IPPROTO_IP, IP_MTU_DISCOVER", []byte{2, 0, 0, 0}, "[IP_PMTUDISC_DONT]", "[IP_PMTUDISC_DO]", "[IP_PMTUDISC_DONT]", "[IP_PMTUDISC_DONT]"},
	} {
		o := option(t, tt.v, tt.option)
		actual, ok, err := tt.v.MatchOption(o, tt.got, expr(t, tt.want))
		require.NoError(t, err, tt.option)
		assert.True(t, ok, "%s: %s for %s", tt.option, actual, tt.want)
		assert.Equal(t, tt.actual, actual, tt.option)
		if tt.actual2 == "" {
			continue
		}
		actual, ok, err = tt.v.MatchOption(o, tt.got, expr(t, tt.notWant))
		require.NoError(t, err, tt.option)
		assert.False(t, ok, "%s: %s for %s", tt.option, actual, tt.notWant)
		assert.Equal(t, tt.actual2, actual, tt.option)
	}
	actual, ok, err := toStack.MatchOption(option(t, toStack, "SOL_SOCKET, SO_RCVBUF"), []byte{1, 0, 0, 0}, expr(t, "..."))
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, "[1]", actual)
}

func TestControl(t *testing.T) {
	c, err := toWinsock.Control(expr(t, "SIO_KEEPALIVE_VALS"))
	require.NoError(t, err)
	require.EqualValues(t, wsa.SIO_KEEPALIVE_VALS, c.Code)
	b, err := toWinsock.EncodeControl(c, expr(t, "{onoff=1, keepalivetime=5000, keepaliveinterval=1000}"))
	require.NoError(t, err)
	require.Equal(t, wsa.TCPKeepalive{OnOff: 1, KeepAliveTime: 5000, KeepAliveInterval: 1000}.Append(nil), b)

	c, err = toStack.Control(expr(t, "SIOCOUTQ"))
	require.NoError(t, err)
	require.Equal(t, Control{Symbol: "SIOCOUTQ", Output: "int"}, c)
	c, err = toKernel.Control(expr(t, "SIOCINQ"))
	require.NoError(t, err)
	require.Equal(t, Control{Symbol: "SIOCINQ", Code: 0x541B, Output: "int"}, c)
	actual, ok, err := toKernel.MatchControl(c, []byte{5, 0, 0, 0}, expr(t, "[6]"))
	require.NoError(t, err)
	require.False(t, ok)
	require.Equal(t, "[5]", actual)

	c, err = toWinsock.Control(expr(t, "SIO_TCP_SET_ACK_FREQUENCY"))
	require.NoError(t, err)
	b, err = toWinsock.EncodeControl(c, expr(t, "[2]"))
	require.NoError(t, err)
	require.Equal(t, []byte{2}, b)
	_, err = toStack.Control(expr(t, "FIONREED"))
	requireMistake(t, err, "FIONREED isn't the name of a control code", "FIONREAD")
}
