package wg

import (
	wgtun "golang.zx2c4.com/wireguard/tun"

	"github.com/wsstack/wsstack/tun"
)

// A TUN joins a stack to a device of golang.zx2c4.com/wireguard: it has a face for each, and what
// one writes, the other reads.
type TUN struct{}

// NewTUN returns a TUN whose packets have mtu bytes at most.
func NewTUN(mtu int) *TUN { return &TUN{} }

// Stack is the face for a stack. Closing it closes the other face, too.
func (t *TUN) Stack() tun.Device { return nil }

// Tunnel is the face for a device of golang.zx2c4.com/wireguard. Closing it closes the other face,
// too.
func (t *TUN) Tunnel() wgtun.Device { return nil }
