package main

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/internal/status"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
)

// All stacks and links of a network are in its metrics, which are what Prometheus expects.
func TestMetrics(t *testing.T) {
	da, db := tun.Pipe(1500)
	link, err := tun.Impair(da, tun.ImpairConfig{})
	require.NoError(t, err)
	n := status.Network{Version: "v1", Links: []status.Link{{Name: "wire", Hosts: [2]string{"a", "b"}, Device: link}}}
	for i, d := range []tun.Device{link, db} {
		address := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(1 + i)}), 24)
		s, err := stack.New(stack.Config{Device: d, Addresses: []netip.Prefix{address}})
		require.NoError(t, err)
		defer s.Close()
		n.Hosts = append(n.Hosts, status.Host{Name: string(rune('a' + i)), Stack: s})
	}
	network := func() status.Network { return n }
	registry := prometheus.NewRegistry()
	require.NoError(t, registry.Register(networkCollector(network)))
	problems, err := testutil.GatherAndLint(registry)
	require.NoError(t, err)
	require.Empty(t, problems)

	answer := httptest.NewRecorder()
	request := httptest.NewRequest(http.MethodGet, "http://10.0.0.1/metrics", nil)
	newPage(network).ServeHTTP(answer, request)
	require.Equal(t, http.StatusOK, answer.Code)
	for _, want := range []string{
		`wsstack_build_info{version="v1"} 1`, `wsstack_tcp_segments_total{direction="in",host="a"} 0`,
		`wsstack_tcp_segments_total{direction="in",host="b"} 0`, `wsstack_link_packets_total{direction="out",from="a",link="wire",to="b"} 0`,
	} {
		require.Contains(t, answer.Body.String(), want)
	}
	request.Host = "example.com"
	answer = httptest.NewRecorder()
	newPage(network).ServeHTTP(answer, request)
	require.Equal(t, http.StatusMisdirectedRequest, answer.Code)
}
