package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/wsstack/wsstack/internal/testbed"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/tun"
)

// parseWire reads flags as exec and up do.
func parseWire(t *testing.T, args ...string) (wireConfig, error) {
	t.Helper()
	cfg := defaultNetwork()
	cmd := &cobra.Command{}
	addLinkFlags(cmd, &cfg)
	err := cmd.ParseFlags(args)
	return cfg.Wire, err
}

func TestWireFlags(t *testing.T) {
	got, err := parseWire(t, "--pcap", "f", "--delay", "1.5s", "--jitter=10us", "--loss", "1e-2", "--rate", "500k", "--seed", "0")
	if err != nil {
		t.Fatal(err)
	}
	if got.Seed == nil || *got.Seed != 0 {
		t.Errorf("--seed 0 gives %v, want a pointer to 0", got.Seed)
	}
	got.Seed = nil
	want := wireConfig{Pcap: "f", Bad: impairments{Both: "delay=1.5s,jitter=10us,loss=1e-2,rate=500k"}}
	if got != want {
		t.Errorf("the flags give %+v, want %+v", got, want)
	}
	if got, want := want.Bad.String(), "each way: loss=0.01,rate=500k,delay=1.5s,jitter=10µs"; got != want {
		t.Errorf("String() = %q, want %q", got, want)
	}
}

func TestWireFlags_Impossible(t *testing.T) {
	for flag, values := range map[string][]string{
		"delay":  {"", "50", "-1ms", "24h1ns", "99999999h", "x"},
		"jitter": {"", "-1ns", "25h"},
		"loss":   {"", "-0.1", "1.0001", "NaN", "Inf", "1%", "2"},
		"rate":   {"", "-1", "1.5M", "10m", "1GG", "k", "9223372036854775808", "9223372036855M"},
		"seed":   {"", "-1", "18446744073709551616"},

		"loss-correlation":    {"", "1", "-0.1", "NaN"},
		"loss-packets":        {"0", "x", "2-1", "1,,2", "1-", "1-70000", "-1"},
		"burst-enter":         {"", "2"},
		"path-mtu":            {"", "67", "65536", "1k5"},
		"jitter-distribution": {"", "Normal", "cauchy"},
		"queue-discipline":    {"", "red"},
		"queue":               {"", "-1", "9223372036854775808"},
		"rate-trace":          {"", "no/such/file", "a,b"},
		"jitter-reorder":      {"2"},
		"to-stack":            {"", "loss", "los=1", "loss=2", "loss=0.1,", "loss=0.1,7", "loss-packets=1,,2", "mtu=1500"},
	} {
		for _, v := range values {
			_, err := parseWire(t, "--"+flag+"="+v)
			if err == nil || !strings.Contains(err.Error(), `"--`+flag+`" flag: `) || strings.Contains(err.Error(), "strconv") {
				t.Errorf("--%s %q: error %v, want one that names the flag", flag, v, err)
			}
		}
	}
}

// What the flags let through, package tun does.
func TestWireFlags_Extremes(t *testing.T) {
	for _, args := range [][]string{
		{"--delay", "24h", "--jitter", "24h", "--loss", "1", "--rate", "9223372036854775807"},
		{"--delay", "0", "--jitter", "1ns", "--loss", "5e-324", "--rate", "1"},
		{"--rate", "9223372036G"},
	} {
		w, err := parseWire(t, args...)
		if err != nil {
			t.Errorf("%q: %v", args, err)
			continue
		}
		var cfg tun.ImpairConfig
		if cfg.In, cfg.Out, err = w.Bad.directions(); err != nil {
			t.Errorf("directions for %q: %v", args, err)
			continue
		}
		device, err := tun.Impair(tun.NewFunc(1500, nil), cfg)
		if err != nil {
			t.Errorf("Impair for %q: %v", args, err)
			continue
		}
		device.Close()
	}
}

// What the flags say is in the description of the network.
func TestDescribe(t *testing.T) {
	cfg := defaultNetwork()
	seed := uint64(7)
	cfg.Wire = wireConfig{Pcap: "f", Seed: &seed, Bad: impairments{Both: "delay=1ms", ToStack: "loss=0.5"}}
	cfg.MTU, cfg.Congestion, cfg.Profile = 1400, "reno", options.Windows
	n, err := cfg.describe("wss0", testbed.Host{Name: "kernel", Kind: testbed.Namespace}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Check(); err != nil {
		t.Fatal(err)
	}
	l := n.Links[0]
	if l.Name != "wss0" || l.MTU != 1400 || l.Capture != "f" || n.Seed != &seed || n.Hosts[0].Config.Profile != options.Windows {
		t.Errorf("describe gives %+v", n)
	}
	for i, want := range []struct{ host, sends, congestion, address string }{
		{stackName, "delay=1ms", "", "10.77.0.1/24"}, {"kernel", "loss=0.5,delay=1ms", "reno", "10.77.0.2/24"},
	} {
		e := l.Ends[i]
		if e.Host != want.host || e.Sends.String() != want.sends || e.Congestion != want.congestion || e.Addresses[0].String() != want.address {
			t.Errorf("end %d is %+v, want %+v", i, e, want)
		}
	}
}
