package link

import "github.com/wsstack/wsstack/tun"

// Receive queues a packet as if the device had brought it, and owns the packet. Forward sees it.
// Like a packet of the device it is dropped where the queue is full.
func (e *Endpoint) Receive(p tun.Packet) {
	one := [1]tun.Packet{p}
	e.receive(one[:])
}
