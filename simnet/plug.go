package simnet

import (
	"sync"
	"sync/atomic"

	"github.com/wsstack/wsstack/tun"
)

// A plug is what the stack of a host has as a device: the end of a link, which stays when the stack
// is closed. What the stack has sent before is on its way then, the resets of Close among it, and
// arrives. What comes for the host is dropped from then on.
type plug struct {
	*tun.Impaired
	end    *linkEnd
	pulled atomic.Bool // Close was called

	mu sync.RWMutex // held for reading while the stack receives; Close waits for that
}

// Start implements tun.Device.
func (p *plug) Start(receive func([]tun.Packet)) error {
	return p.Impaired.Start(func(packets []tun.Packet) {
		p.mu.RLock()
		defer p.mu.RUnlock()
		if !p.pulled.Load() {
			receive(packets)
			return
		}
		for i := range packets {
			packets[i].Data.Release()
		}
	})
}

// Send implements tun.Device.
func (p *plug) Send(packets []tun.Packet) error {
	if p.pulled.Load() {
		return tun.ErrClosed
	}
	return p.Impaired.Send(packets)
}

// Close implements tun.Device. The network closes the end itself.
func (p *plug) Close() error {
	p.mu.Lock()
	p.pulled.Store(true)
	p.mu.Unlock()
	p.end.deafen()
	return nil
}
