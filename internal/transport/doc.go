// Package transport puts package tcp under a netstack, in place of netstack's TCP.
//
//	  pump ──▶ netstack: IP ──▶ Protocol ──┬─▶ Conn      (a lock, a tcp.Conn, a timer)
//	                                       ├─▶ Listener  (records of half-open connections)
//	                                       ├─▶ TIME-WAIT (records)
//	                                       └─▶ a RST: it belongs to nobody
//	caller ──▶ Conn ──▶ netstack: IP ──▶ device
//
// netstack's demultiplexer knows none of the connections: it gives Protocol each segment that it
// finds no endpoint for. A segment is processed to the end on the goroutine that brings it, and
// what a call sends leaves on the goroutine of the caller; nothing here has a goroutine of its own.
// Each connection has one lock. Whoever brings a segment while another goroutine holds the lock
// leaves the segment in the connection's inbox, which the holder serves before it goes on: so the
// pump waits for no caller, and neither of two connections that face each other on one machine
// waits for the other.
//
// # Locks
//
// The order is Conn.mu or Listener.mu, then the records of TIME-WAIT, then a leaf: a
// shard of the table of connections, the listeners' table, the list of orphans, an
// inbox. Nobody locks two connections, two listeners, or one of each. A caller may hold
// locks of its own that come before all of these, if no function that is called from here
// takes them. These functions are:
//
//	called                        with these locked                  and may
//	Owner.ConnChanged             nothing of this package            store and signal
//	ListenConfig.Arrived          nothing of this package            call this package
//	ListenConfig.Make, Ask, Lost  the Listener                       take leaf locks of its own
//	Tap                           the Conn or the Listener, maybe    take leaf locks of its own
//	Recorder, Log                 Conn, Listener or TIME-WAIT        take leaf locks of its own
//	Conn.AfterEnd's function      the Conn, maybe                    take leaf locks of its own
//	Hooks.Freed                   a Conn or TIME-WAIT, maybe         take leaf locks of its own
//	Hooks.PathMTU                 a Conn                             take leaf locks of its own
//	Conn.Do's function            the Conn                           take leaf locks of its own
//
// They are called on whatever goroutine comes by: one that brings a segment, a timer's, or a
// caller's, which may hold locks of its own then. Conn.ID, State, Queued, Readable, Unreachable and
// SetOwner take no lock, so that each function of the list may call them.
//
// # Bounds
//
// An inbox holds 1,024 segments, and the list of a burst holds each connection once. A listener has
// 4,096 half-open connections, after which SYNs are answered by cookies that need no record, and
// 1,024 requests that wait for a decision, after which SYNs are dropped. There are 4,096 orphans at
// most, which hold 256 MiB at most unless there is only one, and 262,144 records of TIME-WAIT;
// beyond these bounds the oldest goes. The owners bound how many connections they have: see Arrived
// and Dial.
package transport
