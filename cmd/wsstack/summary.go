package main

import (
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/wsstack/wsstack/internal/status"
	"github.com/wsstack/wsstack/internal/testbed"
)

// summaryFormats are the words of --summary.
var summaryFormats = []string{"text", "json", "off"}

// summaryFlags say whether a network that has ended says what it has carried.
type summaryFlags struct {
	format string // one of summaryFormats; "": text on a terminal, and nothing elsewhere
}

func (f *summaryFlags) addFlags(flags *pflag.FlagSet) {
	flag := flags.VarPF(newParsed(&f.format, parseSummary), "summary", "",
		"`FORMAT` of the totals: text, json, off (default text on a terminal)")
	flag.NoOptDefVal = "text"
}

func parseSummary(s string) (string, error) {
	if !slices.Contains(summaryFormats, s) {
		return "", errors.New("not one of " + strings.Join(summaryFormats, ", "))
	}
	return s, nil
}

// A summary is what is needed to sum up a network that runs.
type summary struct {
	format  string
	network *testbed.Testbed
	began   time.Time
	kernels map[string]*status.Kernel // of the namespaces, by host
}

// start begins the summary of a network that has been started. terminal says whether standard error
// is one. The result must be printed before the network is closed; it may be nil.
func (f summaryFlags) start(t *testbed.Testbed, terminal bool) *summary {
	format := f.format
	if format == "" && terminal {
		format = "text"
	}
	if format == "" || format == "off" {
		return nil
	}
	s := &summary{format: format, network: t, began: time.Now(), kernels: map[string]*status.Kernel{}}
	for _, h := range t.Hosts() {
		if n := h.Namespace(); n != nil {
			if k, err := status.OpenKernel(n.Pid()); err == nil { // without /proc the number is unknown
				s.kernels[h.Name()] = k
			}
		}
	}
	return s
}

// print writes the summary. A nil summary writes nothing.
func (s *summary) print(w io.Writer) {
	if s == nil {
		return
	}
	again := map[string]uint64{}
	for name, k := range s.kernels {
		if n, err := k.Retransmitted(); err == nil {
			again[name] = n
		}
		_ = k.Close()
	}
	sum := status.Summarize(status.NewReport(networkOf(s.network), 1), again, time.Since(s.began))
	write := sum.WriteText
	if s.format == "json" {
		write = sum.WriteJSON
	}
	_ = write(w) // whoever has closed standard error doesn't want it
}
