package main

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/wsstack/wsstack/tun"
)

// wireConfig says what happens to packets between the two ends of the link, in each direction, and
// where they are recorded. The zero value is a link without impairments and without a record.
type wireConfig struct {
	Pcap   string        // name of the capture file; "": no capture
	Delay  time.Duration // time that a packet takes
	Jitter time.Duration // largest deviation from Delay
	Loss   float64       // probability that a packet is lost
	Rate   int64         // speed in bits per second; 0: no limit
	Seed   *uint64       // seed of the random numbers; nil: a different one each time
}

// wireHelp is the part of the help that exec and up share.
const wireHelp = `The flags --delay, --jitter, --loss and --rate apply to each packet, in each direction:
--delay 50ms adds 100 ms to a round trip. --pcap records the packets that have passed,
and the lost ones with a comment. --pcap - writes the record to standard output; all
other output then goes to standard error. With any of these flags the device carries
plain packets only, without segmentation and checksum offload.`

// addLinkFlags adds the flags that exec and up share.
func addLinkFlags(cmd *cobra.Command, cfg *networkConfig) {
	f := cmd.Flags()
	f.Var(&prefixList{list: &cfg.Stack}, "address", "address of the stack with its prefix length; may be repeated")
	f.Var(mtuValue{&cfg.MTU}, "mtu", "size of the largest packet on the link, in bytes")
	f.StringVar(&cfg.Congestion, "congestion", "",
		"congestion `CONTROL` of this host's TCP on the link, such as reno; a host with BBR sends more slowly")
	f.Var(newParsed(&cfg.Profile, parseProfile), "profile",
		"`PROFILE` of the stack: documented, windows or legacy (default documented)")
	w := &cfg.Wire
	f.StringVar(&w.Pcap, "pcap", "", "record the packets in `FILE` (pcapng); - is standard output")
	f.Var(newParsed(&w.Delay, parseDelay), "delay", "time that a packet takes in each direction, as a `DURATION` such as 50ms")
	f.Var(newParsed(&w.Jitter, parseDelay), "jitter", "`DURATION` by which the delay varies, up and down; packets stay in order")
	f.Var(newParsed(&w.Loss, parseProbability), "loss", "`PROBABILITY`, 0 to 1, that a packet is lost")
	f.Var(newParsed(&w.Rate, parseRate), "rate", "`BITS` per second in each direction, such as 500k, 10M or 1G; 0 is no limit")
	f.Var(newParsed(&w.Seed, parseSeed), "seed", "`NUMBER` that makes losses and delays repeatable")
}

// parsed is the value of a flag that is checked when it is read, so that the error names the flag.
// The errors of pflag's own numbers are those of package strconv.
type parsed[T any] struct {
	target *T
	parse  func(string) (T, error)
	text   string
}

func newParsed[T any](target *T, parse func(string) (T, error)) pflag.Value {
	return &parsed[T]{target: target, parse: parse}
}

func (v *parsed[T]) Set(s string) error {
	got, err := v.parse(s)
	if err != nil {
		return err
	}
	*v.target, v.text = got, s
	return nil
}

func (v *parsed[T]) Type() string   { return "value" } // the usage texts have better names
func (v *parsed[T]) String() string { return v.text }

// maxDelay is the most that package tun allows.
const maxDelay = 24 * time.Hour

func parseDelay(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	switch {
	case err != nil:
		return 0, errors.New("not a duration, such as 50ms or 1.5s")
	case d < 0 || d > maxDelay:
		return 0, errors.New("must be from 0 to 24h")
	}
	return d, nil
}

func parseProbability(s string) (float64, error) {
	p, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(p) || p < 0 || p > 1 {
		return 0, errors.New("not a probability, 0 to 1; 0.01 is one packet in a hundred")
	}
	return p, nil
}

// parseRate reads bits per second, with one of the factors k, M and G.
func parseRate(s string) (int64, error) {
	digits, factor := s, int64(1)
	for suffix, f := range map[string]int64{"k": 1e3, "M": 1e6, "G": 1e9} {
		if strings.HasSuffix(s, suffix) {
			digits, factor = strings.TrimSuffix(s, suffix), f
		}
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/factor {
		return 0, errors.New("not a number of bits per second, such as 9600, 500k, 10M or 1G")
	}
	return n * factor, nil
}

func parseSeed(s string) (*uint64, error) {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return nil, errors.New("not a whole number from 0 to 18446744073709551615")
	}
	return &n, nil
}

// impaired reports whether the link delays, loses or slows packets.
func (w wireConfig) impaired() bool {
	return w.Delay != 0 || w.Jitter != 0 || w.Loss != 0 || w.Rate != 0
}

// open makes a TUN interface. The interface has no offloads when packets are impaired or recorded,
// because those are the packets of a wire.
func (w wireConfig) open(name string) (tun.Device, error) {
	if w.impaired() || w.Pcap != "" {
		return tun.OpenWater(name)
	}
	return tun.Open(name)
}

// decorate wraps a device so that its packets are recorded and impaired. The capture is nil when
// nothing is recorded. After an error the caller still owns the device.
func (w wireConfig) decorate(device tun.Device, name string) (_ tun.Device, _ *capture, err error) {
	var record *capture
	if w.Pcap != "" {
		if record, err = createCapture(w.Pcap); err != nil {
			return nil, nil, captureFailure(w.Pcap, err)
		}
		captured, err := tun.Capture(device, record.packets, name)
		if err != nil {
			_ = record.close() // what counts is the failure before
			return nil, nil, captureFailure(w.Pcap, err)
		}
		device = captured
	}
	if !w.impaired() {
		return device, record, nil
	}
	each := tun.Impairment{Delay: w.Delay, Jitter: w.Jitter, Loss: w.Loss, Rate: w.Rate}
	cfg := tun.ImpairConfig{Out: each, In: each}
	if w.Seed != nil {
		cfg.Rand = rand.NewPCG(*w.Seed, 0)
	}
	impaired, err := tun.Impair(device, cfg)
	if err != nil {
		if record != nil {
			_ = record.close()
		}
		return nil, nil, failf("can't impair the link: %w", err)
	}
	return impaired, record, nil
}

func captureFailure(file string, err error) *failure {
	return failf("can't record packets: %w", err).withFileHint("pcap", file)
}

// String describes what the link does to packets. The text is empty for a link without impairments.
func (w wireConfig) String() string {
	var parts []string
	add := func(is bool, format string, arg any) {
		if is {
			parts = append(parts, fmt.Sprintf(format, arg))
		}
	}
	add(w.Delay != 0, "delay %v", w.Delay)
	add(w.Jitter != 0, "jitter %v", w.Jitter)
	add(w.Loss != 0, "loss %v", w.Loss)
	add(w.Rate != 0, "%d bit/s", w.Rate)
	return strings.Join(parts, ", ")
}
