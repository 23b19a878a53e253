package wgnet_test

import (
	"net/netip"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
	wgtun "golang.zx2c4.com/wireguard/tun"
	"golang.zx2c4.com/wireguard/tun/netstack"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"

	"github.com/wsstack/wsstack/endpoint"
	"github.com/wsstack/wsstack/wgnet"
)

// The functions have the types of netstack's.
var (
	_ func(_, _ []netip.Addr, _ int) (wgtun.Device, *netstack.Net, error) = netstack.CreateNetTUN
	_ func(_, _ []netip.Addr, _ int) (wgtun.Device, *wgnet.Net, error)    = wgnet.CreateNetTUN
	_ func(netip.Addr) *netstack.PingAddr                                 = netstack.PingAddrFromAddr
	_ func(netip.Addr) *wgnet.PingAddr                                    = wgnet.PingAddrFromAddr
)

// ours are the types that stand for netstack's.
var ours = map[reflect.Type]reflect.Type{
	reflect.TypeFor[*netstack.Net]():      reflect.TypeFor[*wgnet.Net](),
	reflect.TypeFor[*netstack.PingConn](): reflect.TypeFor[*wgnet.PingConn](),
	reflect.TypeFor[*netstack.PingAddr](): reflect.TypeFor[*wgnet.PingAddr](),
	reflect.TypeFor[netstack.PingAddr]():  reflect.TypeFor[wgnet.PingAddr](),
	reflect.TypeFor[*gonet.TCPConn]():     reflect.TypeFor[*endpoint.Conn](),
	reflect.TypeFor[*gonet.TCPListener](): reflect.TypeFor[*endpoint.Listener](),
	reflect.TypeFor[*gonet.UDPConn]():     reflect.TypeFor[*endpoint.PacketConn](),
}

// missing are the methods that have no counterpart: docs/wireguard.md says so.
var missing = map[string]bool{"*gonet.TCPListener.Shutdown": true}

// Every method of netstack's types is there, with the same parameters and results.
func TestMethods(t *testing.T) {
	count := 0
	for theirs, own := range ours {
		for m := range theirs.Methods() {
			name := theirs.String() + "." + m.Name
			if missing[name] {
				continue
			}
			count++
			got, ok := own.MethodByName(m.Name)
			require.True(t, ok, name)
			require.Equal(t, signature(m.Type, ours), signature(got.Type, nil), name)
		}
	}
	require.Greater(t, count, 50)
}

// signature is the parameters behind the receiver and the results, with types that others stand for
// replaced.
func signature(f reflect.Type, instead map[reflect.Type]reflect.Type) (types [2][]reflect.Type) {
	replaced := func(t reflect.Type) reflect.Type {
		if own, ok := instead[t]; ok {
			return own
		}
		return t
	}
	for i := 1; i < f.NumIn(); i++ {
		types[0] = append(types[0], replaced(f.In(i)))
	}
	for i := range f.NumOut() {
		types[1] = append(types[1], replaced(f.Out(i)))
	}
	return types
}
