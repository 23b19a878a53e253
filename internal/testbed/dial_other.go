//go:build !linux

package testbed

import (
	"context"
	"errors"
	"net"
	"net/netip"

	"github.com/wsstack/wsstack/internal/namespace"
)

// connect is for namespaces, which Linux alone has.
func connect(context.Context, *namespace.Namespace, netip.AddrPort) (net.Conn, error) {
	return nil, errors.ErrUnsupported
}
