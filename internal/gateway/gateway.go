// Package gateway is the way out of a stack: whatever its peers connect to, the process that has
// the stack connects to in their place, and passes on what is said.
package gateway

import "log/slog"

// A Config describes a way out. The zero value leads everywhere that its Policy permits.
type Config struct {
	Policy Policy

	// Via is the proxy that connections go by; nil means none. Datagrams and echo
	// requests are prohibited then, for they would go round it.
	Via *Proxy

	// Sessions is how many connections there may be, and as many sessions of UDP beside them;
	// 0 means 4,096. What comes beyond that is dropped.
	Sessions int

	// Log is told, once of each kind, what doesn't work as one may expect; nil means nobody.
	Log *slog.Logger
}
