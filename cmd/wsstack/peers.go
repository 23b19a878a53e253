package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/wsstack/wsstack/internal/peers"
	"github.com/wsstack/wsstack/internal/testbed"
	"github.com/wsstack/wsstack/options"
)

// serviceFlags are the services of the stack, and the options of its sockets.
type serviceFlags struct {
	services []peers.Service
	options  []options.Assignment
	bare     bool // the stack has no services but those of flags
}

func (f *serviceFlags) addFlags(flags *pflag.FlagSet) {
	for _, k := range peers.Kinds() {
		flags.Var(&serviceFlag{kind: k, list: &f.services}, k.Name, k.Help)
	}
	flags.Var(&optionFlag{list: &f.options}, "sockopt",
		"option of sockets, as TCP_NODELAY=1; \"wsstack options\" has all")
}

// describe adds the services. Those that a stack has by itself give way to others on their ports.
func (f *serviceFlags) describe(_ *testbed.Network, h *testbed.Host) error {
	if err := peers.Check(f.services); err != nil {
		return err
	}
	h.Config.Defaults = append(h.Config.Defaults, f.options...)
	if !f.bare {
		h.Services = append(h.Services, testbed.StandardFeature(hostPage, f.services))
	}
	for _, s := range f.services {
		h.Services = append(h.Services, testbed.ServiceFeature(s))
	}
	return nil
}

// A serviceFlag is the flag of a kind of services, which may be repeated.
type serviceFlag struct {
	kind peers.Kind
	list *[]peers.Service
}

func (v *serviceFlag) Set(text string) error {
	s, err := peers.Parse(v.kind.Name, text)
	if err == nil {
		*v.list = append(*v.list, s)
	}
	return err
}

func (v *serviceFlag) Type() string { return v.kind.Placeholder }

func (v *serviceFlag) String() string {
	var texts []string
	if v.list != nil {
		for _, s := range *v.list {
			if text, ok := strings.CutPrefix(s.String(), v.kind.Name+" "); ok {
				texts = append(texts, text)
			}
		}
	}
	return strings.Join(texts, " ")
}

// An optionFlag is an option of sockets, which may be repeated.
type optionFlag struct {
	list  *[]options.Assignment
	texts []string
}

func (v *optionFlag) Set(text string) error {
	a, err := options.ParseAssignment(text)
	if err == nil {
		*v.list = append(*v.list, a)
		v.texts = append(v.texts, text)
	}
	return err
}

func (v *optionFlag) Type() string   { return "NAME=VALUE" }
func (v *optionFlag) String() string { return strings.Join(v.texts, " ") }

// newPeersTopic makes the help topic about services, and about what peers can do.
func newPeersTopic() *cobra.Command {
	return &cobra.Command{
		Use:   "peers",
		Short: "What the stack of exec, up and run can serve, and how it can misbehave",
		Long:  peersHelp(),
	}
}

// peersHelp is the text of the help topic.
func peersHelp() string {
	var text strings.Builder
	text.WriteString(`What runs on the stack of exec and up, by flags that may be repeated, and of a host in a
network file. Without an ADDRESS a PORT is one of every address of the stack, and of
127.0.0.1 where it is one of this system (publish). A service on port 7, 9, 19 or 80 takes
the place of echo, discard, chargen or the page.

`)
	for _, k := range peers.Kinds() {
		fmt.Fprintf(&text, "  --%s %s\n      %s\n", k.Name, k.Form, k.Help)
	}
	text.WriteString(`
A forward connects to HOST before it answers the peer: a refusal is passed on. Without a
way out (--gateway), forwards are all that the other side reaches of this system. Programs
of serve run outside of the network, by /bin/sh, with REMOTE_ADDR, REMOTE_PORT, SERVER_ADDR
and SERVER_PORT in their environment; at most 32 at a time, and they are killed when the
network ends. Files are served without what links lead to outside of the directory.

BEHAVIOUR is one of these. SIZE and RATE are bytes and bytes a second, and may end in k, M
or G, for factors of 1000; times are such as 500ms or 10s.

`)
	for _, datagram := range []bool{false, true} {
		if datagram {
			text.WriteString("\nOver UDP:\n\n")
		}
		for _, b := range peers.Behaviours() {
			if b.Datagram == datagram {
				fmt.Fprintf(&text, "  %s\n      %s\n", b.Usage(), b.Help)
			}
		}
	}
	text.WriteString(`
A service has 128 connections at a time; others wait. One on which nothing moves for two
minutes is closed, except with keepalive, closed-window, silent, and programs.`)
	return text.String()
}

// behaviourNames are what a shell completes a behaviour to, after a port.
func behaviourNames() []string {
	var names []string
	for _, b := range peers.Behaviours() {
		names = append(names, "81="+b.Example)
	}
	slices.Sort(names)
	return names
}
