package names

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/wsstack/wsstack/internal/mistake"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestParseHost(t *testing.T) {
	for text, want := range map[string]string{
		"web=10.77.0.1":                       "web=10.77.0.1",
		"Web.Test.=10.77.0.1":                 "web.test=10.77.0.1",
		"web=10.77.0.1, fd77::1,10.77.0.1":    "web=10.77.0.1,fd77::1",
		"*.Example=::ffff:10.0.0.1":           "*.example=10.0.0.1",
		"_sip._tcp.a-b=127.0.0.1":             "_sip._tcp.a-b=127.0.0.1",
		strings.Repeat("a", 63) + "=10.0.0.1": strings.Repeat("a", 63) + "=10.0.0.1",
	} {
		h, err := ParseHost(text)
		require.NoError(t, err, text)
		require.Equal(t, want, h.String())
	}
}

func TestParseHost_Mistakes(t *testing.T) {
	for text, want := range map[string]string{
		"":                                 "there is no =",
		"web":                              "there is no =",
		"=10.0.0.1":                        "the name is missing",
		".=10.0.0.1":                       "the name is missing",
		"web=":                             "an address is missing",
		"web=10.0.0.1,":                    "an address is missing",
		"web=10.0.0":                       `"10.0.0" is not an IP address`,
		"web=10.0.0.1:80":                  `"10.0.0.1:80" is not an IP address`,
		"web=0.0.0.0":                      "0.0.0.0 is not the address of a host",
		"web=ff02::1":                      "ff02::1 is not the address of a host",
		"web=fe80::1%eth0":                 "fe80::1%eth0 has a zone",
		"10.0.0.1=10.0.0.2":                "the name is an address",
		"localhost=10.0.0.1":               "localhost is always the host that asks",
		"a.LocalHost=10.0.0.1":             "localhost is always the host that asks",
		"a..b=10.0.0.1":                    "an empty part",
		"a.*.b=10.0.0.1":                   "no name has the character '*'",
		"a b=10.0.0.1":                     "no name has the character ' '",
		"a\nb=10.0.0.1":                    `no name has the character '\n'`,
		"-a=10.0.0.1":                      "begins or ends with a hyphen",
		"bücher=10.0.0.1":                  "begins with xn--",
		"web=" + manyAddresses(33):         "33 addresses are more than 32",
		strings.Repeat("a", 64) + "=::1":   "more than 63 characters",
		strings.Repeat("a.", 128) + "=::1": "253",
	} {
		_, err := ParseHost(text)
		require.ErrorContains(t, err, want)
		mistake, ok := errors.AsType[*mistake.Error](err)
		require.True(t, ok)
		require.NotEmpty(t, mistake.Hint())
		require.Equal(t, 2, mistake.ExitStatus())
	}
}

// manyAddresses is a list of n addresses of IPv6.
func manyAddresses(n int) string {
	list := make([]string, n)
	a := netip.MustParseAddr("fd00::1")
	for i := range list {
		list[i], a = a.String(), a.Next()
	}
	return strings.Join(list, ",")
}

func TestHostsOf(t *testing.T) {
	a, b := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	require.Equal(t, []Host{{"a", []netip.Addr{a}}, {"b", []netip.Addr{b}}}, HostsOf(map[string][]netip.Addr{"b": {b}, "a": {a}}))
	require.NoError(t, CheckName("web-1"))
	require.ErrorContains(t, CheckName("web 1"), "' '")
}

func TestNewZone_Bounds(t *testing.T) {
	var hosts []Host
	for range 2 {
		h, err := ParseHost("web=" + manyAddresses(32))
		require.NoError(t, err)
		hosts = append(hosts, h)
	}
	_, err := NewZone(hosts, nil)
	require.NoError(t, err) // the same ones
	hosts[1].Addresses = []netip.Addr{netip.MustParseAddr("10.0.0.1")}
	_, err = NewZone(hosts, nil)
	require.EqualError(t, err, "host web has 33 addresses, more than 32")
}

func TestReversed(t *testing.T) {
	long := "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.7.7.d.f.ip6.arpa"
	for name, want := range map[string]string{
		"1.0.77.10.in-addr.arpa": "10.77.0.1",
		long:                     "fd77::1",
	} {
		address, ok := reversed(name)
		require.True(t, ok, name)
		require.Equal(t, want, address.String())
	}
	for _, name := range []string{
		"", "in-addr.arpa", ".in-addr.arpa", "77.10.in-addr.arpa", "01.0.77.10.in-addr.arpa", "300.0.77.10.in-addr.arpa",
		"1.2.3.4.5.in-addr.arpa", "a.b.c.d.in-addr.arpa", "::1.in-addr.arpa",
		"ip6.arpa", long[2:], "1." + long, strings.Replace(long, "7.7", "777", 1), strings.Replace(long, "d", "g", 1),
		strings.Replace(long, "d.f", "d:f", 1), strings.Replace(long, "1.0", "%.0", 1),
	} {
		address, ok := reversed(name)
		require.False(t, ok, "%s is %v", name, address)
	}
}
