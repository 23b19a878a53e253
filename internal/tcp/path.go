package tcp

import "github.com/wsstack/wsstack/internal/inet"

// minPath is the least payload of a segment that fits a path, in bytes: the smallest packet of IPv4
// without its headers. An ICMP error that says less is wrong, or a lie.
const minPath = inet.MinMTU4 - 20 - 20

// fit computes the size of a segment from what both sides have announced and what fits the
// path.
func (c *Conn) fit() {
	room := c.cfg.MSS
	if c.cfg.PathMSS != 0 {
		room = min(room, c.cfg.PathMSS)
	}
	mss := c.payload(room)
	if mss == c.snd.mss {
		return
	}
	c.snd.mss = mss
	if c.out.control != nil {
		c.out.control.SetMSS(mss)
	}
}

// payload is the size of a segment where the path has room for so much, counted as Config.MSS is.
func (c *Conn) payload(room int) int {
	mss := min(room, c.snd.peer) - c.cfg.Overhead // RFC 9293 §3.7.1: as IP options do
	if c.stamps {
		mss -= stampSize // RFC 6691: options come off what is sent
	}
	return max(mss, 1)
}

// Unreachable takes an ICMP error that says that the peer can't be reached. With
// Config.FailOnICMP an error that quotes our SYN ends the handshake; another one, and one
// about a connection that was established, is no more than a hint, and changes nothing (RFC
// 5461 §4, RFC 5927 §4). Unreachable reports whether the error has ended the connection.
func (c *Conn) Unreachable(quoted Seq) bool {
	if !c.cfg.FailOnICMP || c.state != SynSent && c.state != SynReceived || quoted != c.cfg.ISS {
		return false
	}
	c.becomeClosed(PeerUnreachable)
	return true
}

// PathMTU takes an ICMP error that says how large a payload fits the path, counted as
// Config.MSS is. The error counts only where it quotes a number that is in flight (RFC 5927
// §7), and PathMTU reports whether it does.
func (c *Conn) PathMTU(room int, quoted Seq) bool {
	switch {
	case !c.state.Synchronized() || !quoted.In(c.snd.una, c.InFlight()):
		return false
	case room < minPath || c.payload(room) >= c.snd.mss:
		return false
	}
	c.timers.path, c.blackHole = 0, blackHole{} // nothing has to be guessed any more
	c.shrink(room)
	return true
}

// shrink makes segments smaller, and has those that were too large sent again.
func (c *Conn) shrink(room int) {
	c.cfg.PathMSS = room
	c.fit()
	c.out.board.split(c.snd.mss, true)
}
