package socket

import (
	"encoding/binary"
	"net/netip"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"

	"github.com/wsstack/wsstack/wsa"
)

// readMerged is readMessage with UDP_RECV_MAX_COALESCED_SIZE: datagrams of one
// source and one size that wait one behind the other become one message, with the
// size of each, or 0 when nothing was merged.
func (s *Socket) readMerged(ep tcpip.Endpoint, b []byte, flags int32) (res tcpip.ReadResult, segment int, from netip.AddrPort, err wsa.Errno) {
	s.rmu.Lock()
	defer s.rmu.Unlock()
	res, from, err = s.readMessageRmuLocked(ep, b, flags)
	limit := min(len(b), int(s.opt.filter.Load().coalesce))
	if err != 0 || flags&wsa.MSG_PEEK != 0 || res.Count == 0 || res.Count >= limit {
		return res, 0, from, err
	}
	first := res.Count
	for res.Count < limit {
		n := s.appendNextRmuLocked(ep, b[res.Count:limit], &res, first)
		if n == 0 {
			break
		}
		res.Count += n
		segment = first
		if n < first {
			break // the last one
		}
	}
	res.Total = res.Count
	return res, segment, from, 0
}

// appendNextRmuLocked reads the next datagram into b if it belongs behind those of res,
// and returns its size, else 0.
func (s *Socket) appendNextRmuLocked(ep tcpip.Endpoint, b []byte, res *tcpip.ReadResult, first int) int {
	for {
		s.dst = nil
		next, err := s.readQueuedRmuLocked(ep, tcpip.ReadOptions{Peek: true, NeedRemoteAddr: true})
		switch {
		case !queued(err):
			return 0
		case s.refuseRmuLocked(ep, &next, err, true):
			continue
		case next.RemoteAddr != res.RemoteAddr, next.Total == 0, next.Total > min(first, len(b)), !arrivedAlike(res, &next):
			return 0
		}
		s.dst = b
		next, err = s.readQueuedRmuLocked(ep, tcpip.ReadOptions{})
		s.dst = nil
		if err != nil {
			return 0
		}
		return next.Count
	}
}

// arrivedAlike reports that the control messages of two datagrams would be the
// same.
func arrivedAlike(a, b *tcpip.ReadResult) bool {
	x, y := a.ControlMessages, b.ControlMessages
	x.Timestamp, y.Timestamp = time.Time{}, time.Time{}
	return x == y
}

// putCoalesced appends UDP_COALESCED_INFO to n bytes of control messages.
func putCoalesced(control []byte, n, segment int) (int, bool) {
	w := cmsgWriter{buf: control[:n:len(control)], level: wsa.IPPROTO_UDP, complete: true}
	w.put(true, wsa.UDP_COALESCED_INFO, binary.LittleEndian.AppendUint32(nil, uint32(segment)))
	return len(w.buf), w.complete
}
