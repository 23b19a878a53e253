// Package status says what happens in a running network: as data, as a page that shows it live, and
// as a summary at the end.
package status

import (
	"time"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
)

// A Network is what a report is made of.
type Network struct {
	Version string    // the version of wsstack
	Name    string    // the name of the network; "": it has none
	Time    time.Time // when the report is made: rates are by the difference of two of them
	Hosts   []Host    // the hosts that are stacks, in the order in which they are shown
	Links   []Link    // the links, in the order in which they are shown

	// Names are the names, besides those of Hosts, by which browsers may ask for the page: see
	// Guard.
	Names []string
}

// A Host is one host of a Network.
type Host struct {
	Name  string // the name of the host; "": the network is this host alone
	Stack Stack  // the stack of the host
}

// A Stack is the part of a stack.Stack that a report needs.
type Stack interface {
	Sockets() []endpoint.Info
	Stats() stack.Stats
	InterfaceStats() []stack.InterfaceStats
	Profile() options.Profile
}

var _ Stack = (*stack.Stack)(nil)

// A Link is one link of a Network.
type Link struct {
	Name  string    // the name of the link
	Hosts [2]string // the names of the hosts at its ends

	// Device is the device of the link at the side of the first host: what goes out there is what
	// the first host sends. A tun.Impaired has the counters itself. Those of other devices come
	// from the stack of Hosts that has the device.
	Device tun.Device
}

// A Report is a Network at one moment, with names in JSON such as packets_in.
//
// The report of a single host without a name has the members of HostReport itself, and otherwise
// there are Hosts.
type Report struct {
	Version string    `json:"version"`           // the version of wsstack
	Network string    `json:"network,omitempty"` // the name of the network
	Time    time.Time `json:"time"`              // when the report was made
	*HostReport
	Hosts []HostReport `json:"hosts,omitempty"` // the hosts
	Links []LinkReport `json:"links"`           // the links
}

// A HostReport is one host of a Report.
type HostReport struct {
	Name       string      `json:"name,omitempty"` // the name of the host
	Profile    string      `json:"profile"`        // the profile that the sockets follow
	Sockets    []Socket    `json:"sockets"`        // the sockets, the oldest first
	Stats      Counters    `json:"stats"`          // the counters of the stack
	Interfaces []Interface `json:"interfaces"`     // the interfaces, the loopback first
}

// An Interface is an interface of a stack in a Report. A packet counts as a wire would carry it.
type Interface struct {
	Name       string `json:"name"`        // the name of the interface
	MTU        int    `json:"mtu"`         // the MTU of its device in bytes; 0: the loopback
	PacketsIn  uint64 `json:"packets_in"`  // packets that came from the device
	PacketsOut uint64 `json:"packets_out"` // packets that were given to the device
	BytesIn    uint64 `json:"bytes_in"`    // the bytes of PacketsIn
	BytesOut   uint64 `json:"bytes_out"`   // the bytes of PacketsOut
	Dropped    uint64 `json:"dropped"`     // packets from the device that were dropped before IP
}

// NewReport returns the report of a network. A host has at most limit sockets in it, the oldest
// ones; 0 stands for all.
func NewReport(n Network, limit int) Report {
	r := Report{Version: n.Version, Network: n.Name, Time: n.Time, Links: []LinkReport{}}
	for _, h := range n.Hosts {
		r.Hosts = append(r.Hosts, newHostReport(h, limit))
	}
	for _, l := range n.Links {
		r.Links = append(r.Links, newLinkReport(l, n.Hosts))
	}
	if len(r.Hosts) == 1 && r.Hosts[0].Name == "" {
		r.HostReport, r.Hosts = &r.Hosts[0], nil
	}
	return r
}

// All returns the hosts of a report, also where the report is that of a single one.
func (r Report) All() []HostReport {
	if r.HostReport != nil {
		return []HostReport{*r.HostReport}
	}
	return r.Hosts
}

func newHostReport(h Host, limit int) HostReport {
	p := h.Stack.Profile()
	r := HostReport{
		Name: h.Name, Profile: p.String(), Sockets: []Socket{}, Stats: Counters(h.Stack.Stats()), Interfaces: []Interface{},
	}
	for i, info := range h.Stack.Sockets() {
		if limit > 0 && i == limit {
			break
		}
		r.Sockets = append(r.Sockets, NewSocket(info, p))
	}
	for _, i := range h.Stack.InterfaceStats() {
		one := Interface{
			Name: i.Name, PacketsIn: i.PacketsIn, PacketsOut: i.PacketsOut, BytesIn: i.BytesIn, BytesOut: i.BytesOut, Dropped: i.Dropped,
		}
		if i.Device != nil {
			one.MTU = i.Device.MTU()
		}
		r.Interfaces = append(r.Interfaces, one)
	}
	return r
}
