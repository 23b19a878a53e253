package wg

import (
	"time"

	"golang.zx2c4.com/wireguard/device"
)

// watchPause is the time between two looks of watch.
const watchPause = 50 * time.Millisecond

// watch does what the Bind asks for while packets are sent, but can't do on a goroutine of the
// engine, which may be waited for by somebody who has its locks: it looks at the paths to peers,
// and finds out whether the machine has slept. It ends when the device is closed.
func (d *Device) watch(asked <-chan struct{}, p *paths) {
	pause := time.NewTimer(0)
	defer pause.Stop()
	for last := time.Now(); ; {
		select {
		case <-asked:
		case <-d.closed.Done():
			return
		}
		now := time.Now()
		if slept(now.Round(0).Sub(last.Round(0)), now.Sub(last)) {
			d.renew()
		}
		last = now
		p.update(d.state().peers)
		pause.Reset(watchPause)
		select {
		case <-pause.C:
		case <-d.closed.Done():
			return
		}
	}
}

// slept reports whether the machine seems to have been suspended for some while, by the wall clock
// and by the clock of the engine, by which keys get old. The latter stands still while a machine
// sleeps, on Linux for instance. A wall clock that was set forward looks the same.
func slept(wall, engine time.Duration) bool { return wall-engine > device.RejectAfterTime/3 }

// renew has the next packet to each peer wait for a new handshake: the peers have forgotten the
// keys in the meantime. Otherwise the engine would find that out after 15 s without an answer.
func (d *Device) renew() {
	for _, s := range d.state().peers {
		if p := d.engine.LookupPeer(device.NoisePublicKey(s.PublicKey)); p != nil {
			p.ExpireCurrentKeypairs()
		}
	}
}
