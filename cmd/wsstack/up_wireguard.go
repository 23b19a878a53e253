package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wsstack/wsstack/internal/control"
	"github.com/wsstack/wsstack/internal/peers"
	"github.com/wsstack/wsstack/internal/testbed"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
	"github.com/wsstack/wsstack/wg"
)

// tunnelHelp is the part of the help of up about tunnels.
const tunnelHelp = `With --wireguard the stack is at the end of a WireGuard tunnel, and this host gets neither
an interface nor a route: no privilege is needed. FILE (-: standard input) has the form of
wg-quick(8): the stack has its addresses, a route to what each peer may send from
(AllowedIPs), and its name servers; "wsstack wg pair" writes two that fit each other. The
peers find nothing on the stack but what --serve, --files, --forward, --peer and
--services put there; --publish lets programs of this host reach the peers. Commands of
FILE (PostUp and others) aren't run. "wsstack wg show" prints the peers and their last
handshakes.`

// peerName is the name of the only peer of a tunnel, or of all of them.
const peerName = "peer"

// upTunnel runs a stack at the end of a WireGuard tunnel until a signal ends it.
func upTunnel(cmd *cobra.Command, cfg networkConfig, features hostFlags, services []peers.Service, f upFlags) error {
	stderr := cmd.ErrOrStderr()
	tunnel, err := readTunnel(f.wireguard, cmd.InOrStdin(), stderr)
	if err != nil {
		return err
	}
	if len(tunnel.Addresses) == 0 {
		return usagef("%s has no address for the stack", f.wireguard).withHint("write one behind [Interface], such as: Address = 10.88.0.1/24")
	}
	name, err := f.tunnelName()
	if err != nil {
		return err
	}
	cfg.Control.name = name
	cfg.Stack, cfg.MTU = tunnel.Addresses, cmp.Or(tunnel.MTU, wg.DefaultMTU)
	if err := cfg.Wire.Bad.validate(); err != nil {
		return err
	}
	tunnel.Logger = cfg.Log.logger(stderr)
	n, err := cfg.describeTunnel(name, f.wireguard, tunnel, features)
	if err != nil {
		return err
	}
	if err := checkServed(f.wireguard, services); err != nil {
		return err
	}
	if err := checkPublished(f.wireguard, tunnel, services); err != nil {
		return err
	}
	if f.wgSocket {
		n.Hosts[0].Services = append(n.Hosts[0].Services, wgSocketFeature(name))
	}
	return runUp(cmd.OutOrStdout(), stderr, cfg, n, func() error { return nil }, f.serveTunnel)
}

// checkServed refuses to serve the file with the private key to the peers, with the folder around
// it.
func checkServed(file string, services []peers.Service) error {
	for _, s := range services {
		if folder := s.Folder(); folder != "" && within(folder, file) {
			return usagef("%s, with the private key, is in the folder %s that the peers would see", file, folder).
				withHint("make a folder for what they may see: --files 80=public")
		}
	}
	return nil
}

// checkPublished refuses to publish a port of nobody, which only a connection would show.
func checkPublished(file string, tunnel *wg.Config, services []peers.Service) error {
	for _, s := range services {
		switch to, ok := s.Target(); {
		case !ok:
		case !to.IsValid() && onlyHosts(tunnel.Peers) == nil:
			return usagef("--%v: there is no one host that the port could be of", s).
				withHint("write the address of a peer before its port, such as 8080=%v", netip.AddrPortFrom(tunnel.Addresses[0].Addr().Next(), 80))
		case to.IsValid() && !reaches(tunnel, to):
			return usagef("--%v: no peer has the address %v", s, to).
				withHint("their addresses are the AllowedIPs of %s: wsstack wg check prints them", file)
		}
	}
	return nil
}

// reaches reports an address of the stack itself, or one that is sent to a peer.
func reaches(tunnel *wg.Config, a netip.Addr) bool {
	own := func(p netip.Prefix) bool { return p.Addr() == a }
	has := func(p netip.Prefix) bool { return p.Contains(a) }
	return a.IsLoopback() || slices.ContainsFunc(tunnel.Addresses, own) ||
		slices.ContainsFunc(tunnel.Peers, func(p wg.Peer) bool { return slices.ContainsFunc(p.AllowedIPs, has) })
}

// within reports whether a file is below a folder, wherever links lead. What can't be found isn't.
func within(folder, file string) bool {
	for _, name := range []*string{&folder, &file} {
		real, err := filepath.EvalSymlinks(*name)
		if err == nil {
			*name, err = filepath.Abs(real)
		}
		if err != nil {
			return false
		}
	}
	below, err := filepath.Rel(folder, file)
	return err == nil && filepath.IsLocal(below)
}

// tunnelName is the name of the tunnel, as wg-quick(8) makes it of the name of a file.
func (f *upFlags) tunnelName() (string, error) {
	name := cmp.Or(f.name, strings.TrimSuffix(filepath.Base(f.wireguard), ".conf"))
	if name == standardInput {
		return "", usagef("a tunnel from standard input has no name").withHint("give it one: --name wg0")
	}
	if control.CheckName(name) != nil || tun.CheckName(name) != nil {
		return "", usagef("%q can't be the name of a tunnel", name).
			withHint(`choose one of up to 15 letters, digits, ".", "_" and "-", such as --name wg0`)
	}
	return name, nil
}

// describeTunnel returns the network of up for a tunnel: a stack, and the peers at the other end of
// a link. The configuration is that of file.
func (c networkConfig) describeTunnel(name, file string, tunnel *wg.Config, features hostFlags) (testbed.Network, error) {
	toStack, fromStack, err := c.Wire.Bad.directions()
	if err != nil {
		return testbed.Network{}, usagef("%w", err)
	}
	own := tunnel.Stack(nil)
	n := testbed.Network{
		Hosts: []testbed.Host{
			{Name: stackName, Kind: testbed.Stack, Config: stack.Config{
				Profile: c.Profile, Routes: own.Routes, Nameservers: own.Nameservers,
			}},
			{Name: peerName, Kind: testbed.Stack, Remote: true},
		},
		Links: []testbed.Link{{
			Name: name, MTU: c.MTU, Capture: c.Wire.Pcap,
			Ends: [2]testbed.End{
				{Host: stackName, Addresses: c.Stack, Sends: fromStack},
				{Host: peerName, Addresses: onlyHosts(tunnel.Peers), Sends: toStack},
			},
			Tunnel: func() (tun.Device, error) {
				d, err := wg.New(*tunnel)
				if e, ok := errors.AsType[*wg.ConfigError](err); ok {
					e.File = file
				}
				if err != nil {
					return nil, err // and no device that is a nil pointer
				}
				return d, nil
			},
		}},
		Seed: c.Wire.Seed,
	}
	return n, features.describe(&n, &n.Hosts[0])
}

// onlyHosts are the addresses of the only peer, where the peer is one host: what --publish leads to
// without an address.
func onlyHosts(peers []wg.Peer) (list []netip.Prefix) {
	if len(peers) != 1 {
		return nil
	}
	for _, p := range peers[0].AllowedIPs {
		if !p.IsSingleIP() {
			return nil
		}
		list = append(list, p)
	}
	return list
}

// tunnelAnnouncement is the line of --json for a tunnel.
type tunnelAnnouncement struct {
	tunnelInfo
	Addresses []netip.Prefix `json:"addresses"` // addresses of the stack

	// Profile is the profile of the stack, where it isn't that of the documents.
	Profile string `json:"profile,omitempty"`
}

// serveTunnel says which tunnel the stack is at the end of, until a signal ends it.
func (f upFlags) serveTunnel(stdout io.Writer, cfg networkConfig, t *testbed.Testbed, signals <-chan os.Signal) error {
	info := tunnelsOf(t).Tunnels[0]
	var err error
	if f.json {
		err = writeLine(stdout, tunnelAnnouncement{info, cfg.Stack, cfg.profileName()})
	} else {
		_, err = io.WriteString(stdout, announceTunnel(cfg, info, isTerminal(stdout)))
	}
	if err != nil {
		return failf("print the addresses: %w", err)
	}
	watchTunnel(t, signals, t.Logger())
	return nil
}

// handshakeTime is after how long a peer that doesn't answer is worth a word: the engine has tried
// three times then.
const handshakeTime = 15 * time.Second

// watchTunnel waits for a signal. Where packets go to a peer that has never answered, it says so
// once.
func watchTunnel(t *testbed.Testbed, signals <-chan os.Signal, logger *slog.Logger) {
	look := time.NewTicker(handshakeTime)
	defer look.Stop()
	told := map[string]bool{}
	for {
		select {
		case <-signals:
			return
		case <-look.C:
			tunnelsOf(t).Tunnels[0].silent(told, logger)
		}
	}
}

// silent says which peers have never answered, but for those that it has told of.
func (t tunnelInfo) silent(told map[string]bool, logger *slog.Logger) {
	for _, p := range t.Peers {
		if p.Sent == 0 || !p.LastHandshake.IsZero() || told[p.PublicKey] {
			continue
		}
		told[p.PublicKey] = true
		logger.Warn("a peer doesn't answer", "peer", p.PublicKey, "endpoint", cmp.Or(p.Endpoint, p.At.String()),
			"hint", "it runs, is reached by UDP at this address, and has the public key of this end, "+t.PublicKey+"?")
	}
}

// announceTunnel says in one line that the stack is there. To a person it also says who the peers
// are, and what to do.
func announceTunnel(cfg networkConfig, info tunnelInfo, person bool) string {
	var text strings.Builder
	peers := fmt.Sprintf("%d peers", len(info.Peers))
	if len(info.Peers) == 1 {
		peers = "1 peer"
	}
	fmt.Fprintf(&text, "%s is up: the stack is %s, %s, UDP port %d, public key %s, MTU %d",
		info.Name, hostList(cfg.Stack), peers, info.ListenPort, info.PublicKey, info.MTU)
	if profile := cfg.profileName(); profile != "" {
		fmt.Fprintf(&text, ", profile %s", profile)
	}
	text.WriteByte('\n')
	if !person {
		return text.String()
	}
	cfg.Wire.announce(&text)
	for _, p := range info.Peers {
		at := "wherever it speaks from"
		if p.Endpoint != "" {
			at = "at " + p.Endpoint
		}
		fmt.Fprintf(&text, "  peer %s %s: %s\n", p.PublicKey, at, cmp.Or(commaList(p.AllowedIPs), "no addresses"))
	}
	text.WriteString("\nTry in another terminal:\n  wsstack wg show\n  wsstack stat\n")
	for _, p := range info.Peers {
		if len(p.AllowedIPs) > 0 && p.AllowedIPs[0].IsSingleIP() {
			fmt.Fprintf(&text, "  wsstack connect %v 80\n", p.AllowedIPs[0].Addr())
			break
		}
	}
	text.WriteString("\n^C ends it.\n")
	return text.String()
}
