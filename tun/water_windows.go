package tun

import (
	"net/netip"

	"github.com/songgao/water"
)

// waterConfig asks for the TAP driver of OpenVPN as a TUN. The driver answers for the addresses of
// the network, as nobody else does.
func waterConfig(address netip.Prefix) water.Config {
	c := water.Config{DeviceType: water.TUN}
	c.ComponentID = "tap0901"
	if address.IsValid() {
		c.Network = address.String()
	}
	return c
}
