package main

import (
	"errors"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// wireConfig says what happens to packets between the two ends of the link, in each direction, and
// where they are recorded. The zero value is a link without impairments and without a record.
type wireConfig struct {
	Pcap string // name of the capture file; "": no capture
	Bad  impairments
	Seed *uint64 // seed of the random numbers; nil: a different one each time
}

// wireHelp is the part of the help that exec and up share.
const wireHelp = `The flags --delay, --jitter, --loss and --rate apply to each packet, in each direction:
--delay 50ms adds 100 ms to a round trip. There are more, such as duplicates, bursts of
losses, or a queue with CoDel; "wsstack help impairments" has them all. --to-stack and
--from-stack have a list for one direction. --pcap records the packets that have passed,
and the lost ones with a comment. --pcap - writes the record to standard output; all
other output then goes to standard error. With any of these flags the device carries
plain packets only, without segmentation and checksum offload.`

// addLinkFlags adds the flags that exec and up share.
func addLinkFlags(cmd *cobra.Command, cfg *networkConfig) {
	f := cmd.Flags()
	f.Var(&prefixList{list: &cfg.Stack}, "address", "address of the stack; repeatable")
	f.Var(mtuValue{&cfg.MTU}, "mtu", "size of the largest packet on the link")
	f.StringVar(&cfg.Congestion, "congestion", "",
		"congestion `CONTROL` of this host's TCP, such as reno, not BBR")
	f.Var(newParsed(&cfg.Profile, parseProfile), "profile",
		"`PROFILE`: documented, windows or legacy (default documented)")
	w := &cfg.Wire
	f.StringVar(&w.Pcap, "pcap", "", "record the packets in `FILE` (pcapng); - is standard output")
	w.Bad.addFlags(f)
	f.Var(newParsed(&w.Seed, parseSeed), "seed", "`NUMBER` that makes what is random repeatable")
	cfg.Log.addFlags(f)
	cfg.Summary.addFlags(f)
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

func parseSeed(s string) (*uint64, error) {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return nil, errors.New("not a whole number from 0 to 18446744073709551615")
	}
	return &n, nil
}
