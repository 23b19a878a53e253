package gateway

import (
	"maps"
	"slices"
	"sync"
)

// A hostSide is the gateway's side of the host: one goroutine that is told what of the host's
// sockets is ready. The stack's pump tells of the stack's.
type hostSide struct {
	gateway *Gateway
	watch   *watch

	mu     sync.Mutex
	flows  map[*flow]struct{} // nil: closed
	pings  pings
	buffer []byte // for datagrams; of the watch's goroutine
}

func (h *hostSide) open(g *Gateway) (err error) {
	if h.watch, err = newWatch(); err != nil {
		return err
	}
	h.gateway, h.flows = g, map[*flow]struct{}{}
	h.buffer = make([]byte, 64<<10)
	g.work.Go(h.watch.run) // ends with the watch
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
