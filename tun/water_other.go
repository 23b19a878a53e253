//go:build !linux

package tun

import (
	"errors"
	"net"
	"net/netip"
	"sync"

	"github.com/songgao/water"
	"gvisor.dev/gvisor/pkg/buffer"
)

// port is water's interface. Whether close ends a read that waits is water's
// doing on these systems; on macOS it does.
type port struct {
	ifce    *water.Interface
	scratch []byte

	writeMu sync.Mutex // guards out
	out     []byte
}

// openPort makes the interface. How a name is chosen differs between systems,
// and on most it can't be.
func openPort(name string, address netip.Prefix) (_ *port, actual string, err error) {
	if name != "" {
		return nil, "", &OpenError{Name: name, Err: errNameNotChosen}
	}
	ifce, err := water.New(waterConfig(address))
	if err != nil {
		return nil, "", &OpenError{Err: err}
	}
	return &port{
		ifce:    ifce,
		scratch: make([]byte, maxPacket),
		out:     make([]byte, maxPacket),
	}, ifce.Name(), nil
}

func (p *port) read(batch []Packet) (int, error) {
	n, err := p.ifce.Read(p.scratch)
	if err != nil {
		return 0, err
	}
	batch[0] = Packet{Data: buffer.MakeWithData(p.scratch[:n])}
	return 1, nil
}

func (p *port) write(packet *Packet) error {
	p.writeMu.Lock()
	defer p.writeMu.Unlock()
	_, err := p.ifce.Write(p.out[:flatten(p.out[:packet.Data.Size()], &packet.Data)])
	return err
}

// packetError can't know the errors of these systems: a device that is gone
// ends the reader, which is how Send learns of it.
func packetError(err error) bool { return !errors.Is(err, net.ErrClosed) }

func (p *port) mtu() int {
	ifce, err := net.InterfaceByName(p.ifce.Name())
	if err != nil {
		return 1500
	}
	return ifce.MTU
}

func (p *port) offload() Offload { return Offload{} }

// stop closes: water has no other way to end a read.
func (p *port) stop() error { return p.ifce.Close() }

func (p *port) close() error { return nil }
