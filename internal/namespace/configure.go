package namespace

import (
	"strings"

	"github.com/wsstack/wsstack/internal/inet"
	"github.com/wsstack/wsstack/tun"
)

// Configure gives the kernel's side of a device its addresses and routes and brings it up, in the
// network namespace of the calling thread. Other routes than those of d it hasn't got, so that
// whatever isn't there fails at once instead of after a time-out.
func Configure(d Device, use Use) error {
	sys := theSystem{}
	link := tun.Config{Addresses: d.Addresses, MTU: d.MTU, Congestion: d.Congestion, Routes: d.Routes}
	// A kernel without IPv6, or one that has it off on a link as narrow as
	// this, hasn't got the switch, and generates nothing.
	link.NoAddrGen = (d.MTU == 0 || d.MTU >= inet.MinMTU6) && sys.setting("net.ipv6.conf.all.disable_ipv6") != ""
	if err := setUpInterface(d.Name, link); err != nil {
		return configureError(err, link, use, sys)
	}
	return nil
}

// Paces reports whether a congestion control of Linux paces what it sends.
func Paces(congestion string) bool { return strings.HasPrefix(congestion, "bbr") }

// Congestion returns the name of the congestion control that new connections have in the network
// namespace of this process; empty: nobody knows.
func Congestion() string { return theSystem{}.setting("net.ipv4.tcp_congestion_control") }
