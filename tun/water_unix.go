//go:build !linux && !windows

package tun

import (
	"net/netip"

	"github.com/songgao/water"
)

// waterConfig asks for a TUN; its addresses come later.
func waterConfig(netip.Prefix) water.Config { return water.Config{DeviceType: water.TUN} }
