package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gvisor.dev/gvisor/pkg/buffer"

	"github.com/spf13/cobra"

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
		device, _, err := w.decorate(tun.NewFunc(1500, nil), "wss0")
		if err != nil {
			t.Errorf("decorate for %q: %v", args, err)
			continue
		}
		device.Close()
	}
}

func TestWireConfig_NoDecorator(t *testing.T) {
	bare := tun.NewFunc(1500, nil)
	defer bare.Close()
	device, record, err := wireConfig{}.decorate(bare, "wss0")
	if err != nil || device != tun.Device(bare) || record != nil {
		t.Errorf("decorate without flags = %v, %v, %v, want the bare device", device, record, err)
	}
}

// sendNumbered sends numbered packets and returns the numbers that arrive.
func sendNumbered(t *testing.T, w wireConfig, count int) string {
	t.Helper()
	var arrived []byte
	device, record, err := w.decorate(tun.NewFunc(1500, func(p []byte) { arrived = append(arrived, p[0]) }), "wss0")
	if err != nil {
		t.Fatal(err)
	}
	for i := range count {
		p := tun.Packet{Data: buffer.MakeWithData([]byte{byte(i), 0})}
		if err := device.Send([]tun.Packet{p}); err != nil {
			t.Fatal(err)
		}
		p.Data.Release()
	}
	if err := device.Close(); err != nil {
		t.Fatal(err)
	}
	if record != nil {
		if err := record.close(); err != nil {
			t.Fatal(err)
		}
	}
	return string(arrived)
}

func TestWireConfig_Seed(t *testing.T) {
	seeded := func(n uint64) wireConfig { return wireConfig{Bad: impairments{Both: "loss=0.5"}, Seed: &n} }
	first := sendNumbered(t, seeded(1), 200)
	if len(first) < 50 || len(first) > 150 {
		t.Errorf("of 200 packets %d arrive, want about half", len(first))
	}
	if again := sendNumbered(t, seeded(1), 200); again != first {
		t.Errorf("with the same seed other packets arrive: %v, then %v", []byte(first), []byte(again))
	}
	if other := sendNumbered(t, seeded(2), 200); other == first {
		t.Errorf("with another seed the same packets arrive: %v", []byte(first))
	}
}

func TestWireConfig_Capture(t *testing.T) {
	name := filepath.Join(t.TempDir(), "link.pcapng")
	if got := sendNumbered(t, wireConfig{Pcap: name, Bad: impairments{Both: "loss=1"}}, 3); got != "" {
		t.Errorf("with loss 1 arrive %q", got)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(b, []byte{0x0a, 0x0d, 0x0d, 0x0a}) || bytes.Count(b, []byte("dropped: lost")) != 3 {
		t.Errorf("the file is %q, want a section header and 3 lost packets", b)
	}
}

// A long capture can be read while it is written.
func TestCapture_FlushesWhileOpen(t *testing.T) {
	name := filepath.Join(t.TempDir(), "link.pcapng")
	device, record, err := wireConfig{Pcap: name}.decorate(tun.NewFunc(1500, nil), "wss0")
	if err != nil {
		t.Fatal(err)
	}
	defer record.close()
	defer device.Close()
	p := tun.Packet{Data: buffer.MakeWithData([]byte("a packet to look for"))}
	defer p.Data.Release()
	if err := device.Send([]tun.Packet{p}); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if b, err := os.ReadFile(name); err == nil && bytes.Contains(b, []byte("a packet to look for")) {
			return
		}
	}
	t.Error("the packet isn't in the file")
}
