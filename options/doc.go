// Package options is the socket option table: which options there are, what
// they hold, which sockets have them, and what setsockopt and getsockopt answer
// for every level, number, length, value and state.
//
// An option is a row of facts ([Table] lists them); two functions hold all the
// checks, in one order:
//
//	pointer ─ level ─ option, kind, family, direction ─ length ─ connection ─ state ─ value ─ endpoint ─ store
//
// The values of a socket live in a [Values], which its owner keeps and hands to
// [Set] and [Get] together with an [Endpoint], the socket itself. What differs
// between the documents and real machines is data as well: the alternatives of
// a row, chosen by [Profile].
//
// Go programs that know which option they want use a typed one: [SO_KEEPALIVE]
// and its kin, with Set and Get on a connection. The control codes that share
// state with options are a second, shorter table: [Control].
//
// The package knows nothing of packets. It has no state of its own but the
// table, which never changes after start, so calls on different Values may run
// at the same time.
package options
