package main

import (
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/wsstack/wsstack/internal/status"
	"github.com/wsstack/wsstack/internal/testbed"
	"github.com/wsstack/wsstack/metrics"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
)

// networkOf is a network for reports.
func networkOf(t *testbed.Testbed) status.Network {
	n := status.Network{Version: version(), Time: time.Now(), Names: slices.Collect(maps.Keys(t.Names()))}
	for _, h := range t.Hosts() {
		if s := h.Stack(); s != nil {
			n.Hosts = append(n.Hosts, status.Host{Name: h.Name(), Stack: s})
		}
	}
	for _, l := range t.Links() {
		n.Links = append(n.Links, status.Link{Name: l.Name(), Hosts: l.Hosts(), Device: l.Impaired()})
	}
	return n
}

// hostPage serves the status page that a host has itself, with its metrics: it shows the host
// alone, and the links at which it is.
func hostPage(h *testbed.RunningHost) *http.Server {
	return status.NewServer(newPage(func() status.Network {
		n := networkOf(h.Testbed())
		n.Hosts = []status.Host{{Stack: h.Stack()}}
		n.Links = slices.DeleteFunc(n.Links, func(l status.Link) bool { return !slices.Contains(l.Hosts[:], h.Name()) })
		return n
	}))
}

// newPage is the status page of a network, with its metrics.
func newPage(network func() status.Network) http.Handler {
	return status.Handler(network, newMetrics(network))
}

// The bounds of scrapes: beyond them the answer is 503.
const (
	maxScrapes    = 4
	scrapeTimeout = 10 * time.Second
)

// newMetrics serves the metrics of all stacks and links of a network to Prometheus.
func newMetrics(network func() status.Network) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(networkCollector(network))
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: maxScrapes, Timeout: scrapeTimeout})
}

// A networkCollector collects the metrics of a network, whose hosts may be others at each scrape.
// Stacks with a name have it in the label "host"; a link has the names of its ends in "from" and
// "to", where the direction "out" is that from the one to the other.
type networkCollector func() status.Network

// Describe implements prometheus.Collector. Which metrics there are is known only at a scrape.
func (networkCollector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c networkCollector) Collect(ch chan<- prometheus.Metric) {
	n := c()
	info := prometheus.NewDesc("wsstack_build_info", "1, with the version of wsstack.", nil, prometheus.Labels{"version": n.Version})
	ch <- prometheus.MustNewConstMetric(info, prometheus.GaugeValue, 1)
	for _, h := range n.Hosts {
		s, ok := h.Stack.(*stack.Stack)
		if !ok {
			continue
		}
		c := metrics.New(s)
		if h.Name != "" {
			c = prometheus.WrapCollectorWith(prometheus.Labels{"host": h.Name}, c)
		}
		c.Collect(ch)
	}
	for _, l := range n.Links {
		if d, ok := l.Device.(*tun.Impaired); ok {
			labels := prometheus.Labels{"from": l.Hosts[0], "to": l.Hosts[1]}
			prometheus.WrapCollectorWith(labels, metrics.NewLink(l.Name, d)).Collect(ch)
		}
	}
}
