// Package control is the control socket of a running network: a server on a Unix socket that speaks
// HTTP with JSON, and its client.
//
//	Listen ──▶ Server ── AddHost, AddLink, Handle, HandleStream ──▶ Start … Close
//	Find   ──▶ Client ── Get, Send, Stream, Dial, Listen
//
// The socket is a file that the user of the network alone may open, in a directory that is this
// user's alone. Who connects must also run as that user, or as root, and in the namespaces that the
// Server itself runs in. So a command in a network can't reach the socket of the network, or that
// of another one, unless Config.Inside lets it.
//
// A stream is a request that becomes a two-way connection (RFC 9110 §7.8). It carries frames, so
// that a half-close, the borders of datagrams, and the errors of the stack at the other end get
// through; see Stream.
package control
