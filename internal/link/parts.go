package link

import (
	"github.com/wsstack/wsstack/internal/parts"
	"github.com/wsstack/wsstack/tun"
)

// A part is the share of the ingress that one goroutine delivers.
type part struct {
	queue *tun.Queue               // the packets that were received and aren't delivered yet
	batch [deliverBatch]tun.Packet // the packets that a Deliver under way has in hand
}

// newParts makes n parts, among which the bounds of the queue are divided.
func newParts(n int) []part {
	list := make([]part, n)
	for i := range list {
		list[i].queue = tun.NewQueue(tun.QueuePackets/n, tun.QueueBytes/int64(n))
	}
	return list
}

// partOf is the part, of n parts, that gets a packet.
func partOf(p *tun.Packet, n int) int { return parts.Incoming(&p.Data, n) }
