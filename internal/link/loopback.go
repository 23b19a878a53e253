package link

// LoopbackMTU is the MTU a loopback usually has, in bytes. netstack clips IPv4
// packets to 65,535.
const LoopbackMTU = 65536

// NewLoopback makes an Endpoint that receives what it sends. A zero mtu means
// LoopbackMTU. Packets go through the ingress queue, like those of a device, so
// delivery is Deliver's; opts.Notify runs on the sender's goroutine with a netstack
// endpoint locked.
//
// Packets share their data with the sender's. They keep real checksums, which
// hooks and raw endpoints may verify; netstack itself skips the verification.
func NewLoopback(mtu uint32, opts Options) *Endpoint {
	opts.Loopback = true
	e := newEndpoint(opts)
	if mtu == 0 {
		mtu = LoopbackMTU
	}
	e.mtu.Store(mtu)
	return e
}
