// Package transport puts package tcp under a netstack, in place of its TCP.
//
//	  pump ──▶ netstack: IP ──▶ Protocol ──┬─▶ Conn      (a lock, a tcp.Conn, a timer)
//	                                       ├─▶ Listener  (records of half-open connections)
//	                                       ├─▶ TIME-WAIT (records)
//	                                       └─▶ a RST: it belongs to nobody
//	caller ──▶ Conn ──▶ netstack: IP ──▶ device
//
// netstack's demultiplexer knows none of the connections: what it finds no
// endpoint for is Protocol's. A segment runs to completion on the goroutine that
// brings it, and what a call sends leaves on the caller's; nothing here has a
// goroutine of its own. Each connection has one lock. Whoever brings a segment
// while another holds it leaves the segment in the connection's inbox, which the
// holder serves before it goes: so the pump waits for no caller, and two
// connections that face each other on one machine for neither.
//
// Lock order: Conn.mu, then a shard of the table or Listener.mu. Callbacks of
// waiter queues are called without a lock.
package transport
