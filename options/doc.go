// Package options is the table of socket options: which options exist, which values they hold,
// which sockets have them, and what setsockopt and getsockopt answer for every level, number,
// length, value and state.
//
// An option is a row of facts ([Table] lists the rows). The two functions [Set] and [Get] make all
// the checks, always in this order:
//
//	pointer ─ level ─ option, kind, family, direction ─ length ─ connection ─ state ─ value ─ endpoint ─ store
//
// The values of a socket are stored in a [Values]. The owner of the socket keeps the Values and
// passes it to Set and Get together with an [Endpoint], which is the socket itself. Where real
// machines differ from the documents, the difference is data as well: a [Profile] chooses among
// the alternatives of a row.
//
// A Go program that knows which option it wants uses a typed option, such as [SO_KEEPALIVE], which
// has the methods Set and Get for connections. Control codes (WSAIoctl) that share state with
// options are a second, shorter table; see [Control].
//
// The package knows nothing about packets. Its only state is the table, which doesn't change once
// the package is initialised, so calls on different Values may run at the same time.
package options
