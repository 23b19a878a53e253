package options

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/wsstack/wsstack/wsa"
)

// TestMatrix prints what every option answers on every kind of socket in every
// state, one file for each profile. A changed golden file is a change of
// behaviour: explain each line.
func TestMatrix(t *testing.T) {
	datadriven.Walk(t, "testdata/matrix", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			var profile, family string
			d.ScanArgs(t, "profile", &profile)
			d.ScanArgs(t, "family", &family)
			ep := newFake(Stream)
			for p := range profileCount {
				if p.String() == profile {
					ep.profile = p
				}
			}
			if family == "AF_INET6" {
				ep.family = wsa.AF_INET6
			}
			call, ok := map[string]func(spec, *fake) wsa.Errno{"get": matrixGet, "set": matrixSet}[d.Cmd]
			if !ok {
				d.Fatalf(t, "unknown command %q", d.Cmd)
			}
			var out strings.Builder
			for _, s := range specs {
				fmt.Fprintln(&out, matrixLine(s, ep, call))
			}
			return out.String()
		})
	})
}

func matrixGet(s spec, ep *fake) wsa.Errno {
	_, err := Get(ep.values(), ep, s.level, s.name, make([]byte, 700))
	return err
}

func matrixSet(s spec, ep *fake) wsa.Errno {
	value := s.value()
	if s.name == wsa.PVD_CONFIG {
		value = withWord(value, 2, uint32(ep.profile))
	}
	return Set(ep.values(), ep, s.level, s.name, value)
}

// matrixLine is one option: the answer of each kind, with the states that
// answer differently in brackets.
func matrixLine(s spec, ep *fake, call func(spec, *fake) wsa.Errno) string {
	symbol := s.symbol
	if s.level == wsa.IPPROTO_IPV6 && !strings.HasPrefix(symbol, "IPV6_") {
		symbol += " (IPv6)" // the other level has the same name
	}
	line := fmt.Sprintf("%-31s", symbol)
	for _, kind := range allKinds {
		ep.kind, ep.state, ep.connected, ep.mss = kind, Fresh, false, 1460
		fresh := matrixCode(call(s, ep))
		line += fmt.Sprintf("  %v %s", kind, fresh)
		for _, ep.state = range allStates {
			ep.connected = ep.state == Connected
			if code := matrixCode(call(s, ep)); code != fresh {
				line += fmt.Sprintf(" (%v %s)", ep.state, code)
			}
		}
	}
	return line
}

func matrixCode(err wsa.Errno) string {
	if err == 0 {
		return "ok"
	}
	return err.Symbol()
}
