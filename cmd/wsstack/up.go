package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wsstack/wsstack/options"
)

// upFlags are the flags of up but for those of the link.
type upFlags struct {
	name string
	json bool
}

func newUpCommand() *cobra.Command {
	cfg := defaultNetwork()
	var f upFlags
	cmd := &cobra.Command{
		Use:   "up [flags]",
		Short: "Run a wsstack on a TUN device of this host, until interrupted",
		Long: `Make a TUN device of this host and run a wsstack on it. The stack has the services of
"wsstack exec": a page that shows its sockets on port 80, and echo (7), discard (9)
and chargen (19), each over TCP and UDP. This host gets the next address of each
subnet. The other routes of the host, and its name service, stay as they are.

The command needs Linux and the capability CAP_NET_ADMIN; "wsstack exec" works without
the capability. The device disappears with the program. The exit status is 0 after ^C
or SIGTERM.

` + wireHelp,
		Example: `  sudo wsstack up
  sudo wsstack up --name wsstack1 --address 10.78.0.1/24
  sudo wsstack up --delay 40ms --jitter 5ms --loss 0.01 --pcap bad-link.pcapng
  sudo wsstack up --json`,
		DisableFlagsInUseLine: true,
		Args:                  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := cfg.validate(); err != nil {
				return err
			}
			return up(cmd.OutOrStdout(), cmd.ErrOrStderr(), cfg, f)
		},
	}
	cmd.Flags().StringVar(&f.name, "name", tunName, "`NAME` of the device")
	cmd.Flags().BoolVar(&f.json, "json", false, "print name, addresses of both ends and MTU as one line of JSON")
	addLinkFlags(cmd, &cfg)
	return cmd
}

// announcement is the line of --json.
type announcement struct {
	Name      string         `json:"name"`           // name of the interface
	Addresses []netip.Prefix `json:"addresses"`      // addresses of the stack
	Host      []netip.Prefix `json:"host_addresses"` // addresses of this host, in the same order
	MTU       int            `json:"mtu"`            // MTU of the link in bytes

	// Profile is the profile of the stack, where it isn't that of the documents.
	Profile string `json:"profile,omitempty"`
}

// announce says in one line that the stack is there. To a person it also says what to do with it.
func announce(w io.Writer, cfg networkConfig, name string, asJSON, person bool) error {
	peers, err := cfg.kernelAddresses()
	if err != nil {
		return err
	}
	profile := ""
	if cfg.Profile != options.Documented {
		profile = cfg.Profile.String()
	}
	if asJSON {
		encoder := json.NewEncoder(w)
		encoder.SetEscapeHTML(false)
		return encoder.Encode(announcement{Name: name, Addresses: cfg.Stack, Host: peers, MTU: cfg.MTU, Profile: profile})
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s is up: the stack is %s, this host %s, MTU %d", name, hostList(cfg.Stack), hostList(peers), cfg.MTU)
	if profile != "" {
		fmt.Fprintf(&text, ", profile %s", profile)
	}
	text.WriteByte('\n')
	if person {
		if bad := cfg.Wire.Bad.String(); bad != "" {
			text.WriteString(bad + "\n")
		}
		switch cfg.Wire.Pcap {
		case "":
		case standardOutput:
			text.WriteString("packets go to standard output\n")
		default:
			fmt.Fprintf(&text, "packets are recorded in %s\n", cfg.Wire.Pcap)
		}
		text.WriteString("\nTry in another terminal:\n")
		for _, a := range cfg.hosts() {
			fmt.Fprintf(&text, "  curl %s\n", pageURL(a))
		}
		fmt.Fprintf(&text, "  ping %v\n\n^C ends it and removes the device.\n", cfg.hosts()[0])
	}
	_, err = io.WriteString(w, text.String())
	return err
}

func hostList(list []netip.Prefix) string {
	words := make([]string, len(list))
	for i, p := range list {
		words[i] = p.Addr().String()
	}
	return strings.Join(words, " and ")
}

// pageURL returns the address of the status page in a form for shells: brackets are a pattern in
// zsh, so they are quoted.
func pageURL(a netip.Addr) string {
	if a.Is6() {
		return fmt.Sprintf("'http://[%v]/'", a)
	}
	return fmt.Sprintf("http://%v/", a)
}
