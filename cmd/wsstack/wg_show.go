package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wsstack/wsstack/internal/control"
	"github.com/wsstack/wsstack/internal/testbed"
	"github.com/wsstack/wsstack/wg"
)

// tunnels is the answer to GET /v1/wireguard.
type tunnels struct {
	Tunnels []tunnelInfo `json:"tunnels"`
}

// A tunnelInfo is what a running tunnel says of itself. It has no secrets.
type tunnelInfo struct {
	Name       string     `json:"name"` // of the link
	PublicKey  string     `json:"public_key"`
	ListenPort int        `json:"listen_port"`
	MTU        int        `json:"mtu"`
	Peers      []peerInfo `json:"peers"`
}

// A peerInfo is what is known of a peer.
type peerInfo struct {
	PublicKey     string         `json:"public_key"`
	Preshared     bool           `json:"preshared"`          // there is a preshared key
	Endpoint      string         `json:"endpoint,omitempty"` // as it was configured
	At            netip.AddrPort `json:"at,omitzero"`        // where the peer was heard of last
	AllowedIPs    []netip.Prefix `json:"allowed_ips"`
	Keepalive     int            `json:"keepalive,omitempty"`     // seconds
	LastHandshake time.Time      `json:"last_handshake,omitzero"` // absent: there was none
	Received      uint64         `json:"received"`                // bytes
	Sent          uint64         `json:"sent"`
}

// tunnelsOf are the tunnels of a network, in the order of its links.
func tunnelsOf(t *testbed.Testbed) tunnels {
	list := []tunnelInfo{}
	for _, l := range t.Links() {
		for end := range 2 {
			if d, ok := l.Device(end).(*wg.Device); ok {
				list = append(list, tunnelOf(l.Name(), d))
			}
		}
	}
	return tunnels{list}
}

// tunnelOf describes a tunnel.
func tunnelOf(name string, d *wg.Device) tunnelInfo {
	info := tunnelInfo{Name: name, PublicKey: d.PublicKey().String(), ListenPort: d.ListenPort(), MTU: d.MTU(), Peers: []peerInfo{}}
	for _, p := range d.Peers() {
		info.Peers = append(info.Peers, peerOf(p))
	}
	return info
}

// peerOf describes a peer.
func peerOf(p wg.PeerStatus) peerInfo {
	return peerInfo{
		PublicKey: p.PublicKey.String(), Preshared: !p.PresharedKey.IsZero(), Endpoint: p.Endpoint, At: p.At,
		AllowedIPs: append([]netip.Prefix{}, p.AllowedIPs...), Keepalive: int(p.PersistentKeepalive / time.Second),
		LastHandshake: p.LastHandshake, Received: p.Received, Sent: p.Sent,
	}
}

func newWGShowCommand() *cobra.Command {
	var n networkFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show [flags]",
		Short: "Print the WireGuard tunnels of a running network: peers, handshakes, bytes",
		Long: `Print the tunnels of a running up or run: the public key and the UDP port of this end, and of
each peer its public key, where it was heard of last, its addresses, the last handshake,
and the bytes of the tunnel's packets.`,
		Example: `  wsstack wg show
  wsstack wg show --json | jq '.tunnels[].peers[].last_handshake'`,
		DisableFlagsInUseLine: true,
		Args:                  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return n.withClient(cmd, func(ctx context.Context, client *control.Client) error {
				var list tunnels
				if err := client.Get(ctx, "/v1/wireguard", &list); err != nil {
					return err
				}
				return printTunnels(cmd.OutOrStdout(), list, client.Network().Name, asJSON, time.Now())
			})
		},
	}
	n.addFlags(cmd.Flags(), false)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// printTunnels prints the tunnels of a network; now is the time that handshakes are measured from.
func printTunnels(w io.Writer, list tunnels, network string, asJSON bool, now time.Time) error {
	if asJSON {
		if err := writeJSON(w, list); err != nil {
			return failf("print the tunnels: %w", err)
		}
		return nil
	}
	if len(list.Tunnels) == 0 {
		return failf("the network %s has no WireGuard tunnels", network).
			withHint("one that has: wsstack up --wireguard laptop.conf")
	}
	var text strings.Builder
	for i, t := range list.Tunnels {
		if i > 0 {
			text.WriteByte('\n')
		}
		fmt.Fprintf(&text, "interface: %s\n  public key: %s\n  listening port: %d\n", t.Name, t.PublicKey, t.ListenPort)
		for _, p := range t.Peers {
			p.print(&text, now)
		}
	}
	return write(w, text.String())
}

// print prints a peer as wg(8) does.
func (p *peerInfo) print(text *strings.Builder, now time.Time) {
	fmt.Fprintf(text, "\npeer: %s\n", p.PublicKey)
	if p.Preshared {
		text.WriteString("  preshared key: (hidden)\n")
	}
	switch {
	case p.At.IsValid():
		fmt.Fprintf(text, "  endpoint: %v\n", p.At)
	case p.Endpoint != "":
		fmt.Fprintf(text, "  endpoint: %s\n", p.Endpoint)
	}
	fmt.Fprintf(text, "  allowed ips: %s\n", cmp.Or(commaList(p.AllowedIPs), "(none)"))
	if !p.LastHandshake.IsZero() {
		fmt.Fprintf(text, "  latest handshake: %v ago\n", max(0, now.Sub(p.LastHandshake)).Round(time.Second))
	}
	if p.Received > 0 || p.Sent > 0 {
		fmt.Fprintf(text, "  transfer: %d bytes received, %d bytes sent\n", p.Received, p.Sent)
	}
	if p.Keepalive > 0 {
		fmt.Fprintf(text, "  persistent keepalive: every %d seconds\n", p.Keepalive)
	}
}
