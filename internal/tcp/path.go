package tcp

import "github.com/wsstack/wsstack/internal/inet"

// minPath is the least payload of a segment that fits a path, in bytes: the smallest packet of IPv4
// without its headers. An ICMP error that says less is wrong, or a lie.
const minPath = inet.MinMTU4 - 20 - 20

// fit computes the segment size from what both sides announced and the path.
func (c *Conn) fit() {
	room := c.cfg.MSS
	if c.cfg.PathMSS != 0 {
		room = min(room, c.cfg.PathMSS)
	}
	mss := min(room, c.snd.peer)
	if c.stamps {
		mss -= 12 // RFC 6691: options come off what is sent
	}
	if mss = max(mss, 1); mss == c.snd.mss {
		return
	}
	c.snd.mss = mss
	if c.out.control != nil {
		c.out.control.SetMSS(mss)
	}
}

// Unreachable takes an ICMP error that says that the peer can't be reached. With
// Config.FailOnICMP it ends a handshake when it quotes our SYN; otherwise, and of a
// connection that was established, it is no more than a hint, and changes nothing
// (RFC 5461 §4, RFC 5927 §4). It reports whether it did.
func (c *Conn) Unreachable(quoted Seq) bool {
	if !c.cfg.FailOnICMP || c.state != SynSent && c.state != SynReceived || quoted != c.cfg.ISS {
		return false
	}
	c.becomeClosed(PeerUnreachable)
	return true
}

// PathMTU takes an ICMP error that says how much fits the path, counted as in
// Config.MSS. It counts only if it quotes what is in flight (RFC 5927 §7).
// It reports whether it did.
func (c *Conn) PathMTU(room int, quoted Seq) bool {
	switch {
	case !c.state.Synchronized() || !quoted.In(c.snd.una, c.InFlight()):
		return false
	case room < minPath || room >= c.snd.mss:
		return false
	}
	c.timers.path, c.blackHole = 0, blackHole{} // this is no guess
	c.shrink(room)
	return true
}

// shrink makes segments smaller, and sends what was too large again.
func (c *Conn) shrink(room int) {
	c.cfg.PathMSS = room
	c.fit()
	c.out.board.split(c.snd.mss)
}
