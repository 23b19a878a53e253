package link

// LoopbackMTU is the MTU that a loopback usually has, in bytes. netstack makes IPv4 packets of
// 65,535 bytes at most.
const LoopbackMTU = 65536

// NewLoopback makes an Endpoint that receives what it sends. The mtu 0 stands for LoopbackMTU.
// Packets go through the ingress queue, like those of a device, and Deliver delivers them;
// opts.Notify runs on the sender's goroutine with a netstack endpoint locked.
//
// The packets that are received share their data with those that were sent. They have real
// checksums, which hooks and raw endpoints may verify; netstack itself skips the verification.
func NewLoopback(mtu uint32, opts Options) *Endpoint {
	opts.Loopback = true
	e := newEndpoint(opts)
	if mtu == 0 {
		mtu = LoopbackMTU
	}
	e.mtu.Store(mtu)
	return e
}
