// Package peers has what runs on a stack of a test network: services that do what they should, and
// peers that misbehave on purpose. Each is made of a text, the value of a flag or of a line in a
// network file:
//
//	s, err := peers.Parse("peer", "81=reset-after:1000")
//	running, err := s.Start(st, peers.Env{…})
//	err = running.Close()
//
// The kinds are those of Kinds: forward, publish, serve, files and peer. What a peer can do is the
// table of Behaviours. Standard has the services that every stack of the command has.
//
// Whatever a peer sends is bounded: a service has maxConns connections at a time, those beyond wait
// in the accept queue of its socket, and maxSessions of datagrams, of which the oldest gives way. A
// connection on which nothing moves for idleTimeout is closed.
package peers

import "time"

// The bounds of each service.
const (
	maxConns    = 128
	maxPrograms = 32 // of serve, which are processes of this system
	maxSessions = 512
	maxAsking   = 16 // SYNs that wait for the outcome of a connect
	idleTimeout = 2 * time.Minute
	dialTimeout = 10 * time.Second
)
