// Package tcp is TCP as a value: a Conn takes segments, calls and the time, and gives back
// segments, the next deadline and events. A Conn holds no clock, no lock, no timer and no
// goroutine, and knows nothing of addresses, ports and checksums.
//
//	            Segment(now, seg)          Output(now, &seg)
//	network ───────────────────▶ Conn ───────────────────▶ network
//	            Send Read Close Abort      Events, Cause
//	socket  ───────────────────▶      ───────────────────▶ socket
//	            Timer(now)                 Deadline()
//	clock   ───────────────────▶      ───────────────────▶ clock
//
// Every time is a reading of a monotonic clock, as a time.Duration since an origin that is
// the caller's. Zero means "no time", so that the origin lies before the first reading.
// Sizes are in bytes.
//
// After each call that may have given the connection something to send the
// caller takes segments with Output until there are none, looks at Events and
// sets its timer to Deadline.
//
// The rules are those of RFC 9293 with RFC 5961 (blind attacks), RFC 7323
// (window scale, timestamps, PAWS), RFC 2018 and 2883 (SACK, D-SACK), RFC 8985
// (RACK-TLP), RFC 9937 (PRR), RFC 5682 and 4015 (spurious time-outs), RFC 6298
// (RTO), RFC 2861 (unused windows), RFC 3168 (ECN), RFC 8201 (path MTU), RFC 6528
// (sequence numbers) and RFC 4987 (SYN cookies).
// Congestion control is package congestion, keep-alive package keepalive.
package tcp
