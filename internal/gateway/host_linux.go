package gateway

import (
	"maps"
	"slices"
	"sync"

	"github.com/wsstack/wsstack/endpoint"
)

// A hostSide is the gateway's side of the host: two goroutines, one that is told what of the
// stack's sockets is ready, and one for the host's.
type hostSide struct {
	gateway *Gateway
	watch   *watch
	poller  *endpoint.Poller

	mu     sync.Mutex
	flows  map[*flow]struct{} // nil: closed
	pings  pings
	buffer []byte // for datagrams; of the watch's goroutine
}

func (h *hostSide) open(g *Gateway) (err error) {
	if h.watch, err = newWatch(); err != nil {
		return err
	}
	h.gateway, h.poller, h.flows = g, g.stack.NewPoller(), map[*flow]struct{}{}
	h.buffer = make([]byte, 64<<10)
	g.work.Go(h.watch.run) // ends with the watch
	g.work.Go(h.poll)      // ends with the Poller, or the stack
	return nil
}

// close ends all flows, then the goroutines.
func (h *hostSide) close() {
	h.mu.Lock()
	flows := slices.Collect(maps.Keys(h.flows))
	h.flows = nil
	h.mu.Unlock()
	for _, f := range flows {
		f.abort()
	}
	h.pings.close()
	h.watch.close()
	_ = h.poller.Close()
}

// add lists a flow. It reports false after close.
func (h *hostSide) add(f *flow) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.flows == nil {
		return false
	}
	h.flows[f] = struct{}{}
	return true
}

func (h *hostSide) remove(f *flow) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.flows, f) // which may be nil
}

// poll tells flows what their near sides are ready for.
func (h *hostSide) poll() {
	var notices [64]endpoint.Notice
	for {
		n, err := h.poller.Wait(notices[:], -1)
		if err != nil {
			return
		}
		for _, notice := range notices[:n] {
			notice.Data.(*flow).nearReady(notice.Ready)
		}
		clear(notices[:n]) // it keeps nobody
	}
}
