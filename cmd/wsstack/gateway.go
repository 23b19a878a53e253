package main

import (
	"slices"

	"github.com/spf13/pflag"

	"github.com/wsstack/wsstack/internal/gateway"
	"github.com/wsstack/wsstack/internal/testbed"
)

// gatewayHelp describes the way out to users.
const gatewayHelp = `With --gateway the stack is the way out: whatever the other side connects to, the host
connects to first, and what the host is told (refused, unreachable, nothing) the other
side is told. UDP goes out, too, and ping where the host has ping sockets
(net.ipv4.ping_group_range). The loopback of the host is reached at the address of
--host-loopback only; link-local addresses, where clouds have the metadata of a machine,
and groups aren't reached. Of --allow and --deny, the longest prefix that has a
destination decides, of two equals --deny; with an --allow, what no prefix has is denied.`

// gatewayFlags are the flags of the way out.
type gatewayFlags struct {
	on    bool
	words gateway.Words
}

func (f *gatewayFlags) addFlags(flags *pflag.FlagSet) {
	flags.BoolVar(&f.on, "gateway", false, "the stack is the way out: to everything that the host reaches")
	flags.StringSliceVar(&f.words.Allow, "allow", nil, "with --gateway: `PREFIX`es that are reached, and no others")
	flags.StringSliceVar(&f.words.Deny, "deny", nil, "with --gateway: `PREFIX`es that aren't reached")
	flags.StringSliceVar(&f.words.HostLoopback, "host-loopback", nil,
		"with --gateway: `ADDRESS` of the host's loopback, such as 10.77.0.3")
	flags.StringVar(&f.words.Via, "via", "", "with --gateway: `URL` of a proxy for TCP, socks5://… or http://…")
}

// leaveProcessor is what a network with a way out does for the programs inside.
func leaveProcessor(n testbed.Network) {
	if slices.ContainsFunc(n.Hosts, func(h testbed.Host) bool { return h.Gateway != nil }) {
		gateway.LeaveProcessor()
	}
}

func (f *gatewayFlags) describe(_ *testbed.Network, h *testbed.Host) error {
	cfg, err := gateway.Parse(f.words)
	if err != nil {
		return err
	}
	if !f.on {
		if f.words.Via != "" || len(f.words.Allow)+len(f.words.Deny)+len(f.words.HostLoopback) > 0 {
			return usagef("--allow, --deny, --host-loopback and --via say something of a way out, and there is none").
				withHint("add --gateway")
		}
		return nil
	}
	for _, r := range h.Config.Routes { // others of the network, which a default route doesn't tell from those outside
		if r.Destination.Bits() > 0 {
			cfg.Inside = append(cfg.Inside, r.Destination)
		}
	}
	h.Gateway = testbed.GatewayFeature(cfg)
	return nil
}
