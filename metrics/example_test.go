package metrics_test

import (
	"bufio"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/wsstack/wsstack/metrics"
	"github.com/wsstack/wsstack/stack"
)

// A stack's counters are served to Prometheus beside whatever else a program has in its registry.
func ExampleNew() {
	s, err := stack.New(stack.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	l, err := s.Listen("tcp4", ":80")
	if err != nil {
		log.Fatal(err)
	}
	defer l.Close()
	registry := prometheus.NewRegistry()
	registry.MustRegister(metrics.New(s))
	handler := promhttp.HandlerFor(registry, promhttp.HandlerOpts{}) // for http.Handle("/metrics", …)

	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "wsstack_sockets{") {
			fmt.Println(lines.Text())
		}
	}
	// Output:
	// wsstack_sockets{network="tcp4",state="LISTEN"} 1
}
