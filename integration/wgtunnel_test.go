//go:build linux

package integration

import (
	"bytes"
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"golang.zx2c4.com/wireguard/conn"
	"golang.zx2c4.com/wireguard/device"
	wgtun "golang.zx2c4.com/wireguard/tun"

	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
	"github.com/wsstack/wsstack/wg"
)

// A tunnel joins the machines of a path: at each end is a stack, or the kernel behind WireGuard's
// own TUN device.
type tunnel struct {
	*path
	a, b *tunnelEnd // at the left and at the right machine
	v6   bool       // outside
}

// A tunnelEnd is one end of a tunnel.
type tunnelEnd struct {
	name    string
	machine *machine
	key     wg.Key
	inner   []netip.Prefix
	side    *side

	device *wg.Device // nil where the end is the kernel
	stack  *stack.Stack
}

// tunnelPort is the UDP port of all ends; each is in a namespace of its own.
const tunnelPort = 51820

var (
	leftInner  = prefixes("10.90.0.1/32", "fd90::1/128")
	rightInner = prefixes("10.90.0.2/32", "fd90::2/128")
)

// A tunnelOption changes the configuration of an end before it is opened.
type tunnelOption func(e *tunnelEnd, c *wg.Config, s *stack.Config)

// newTunnel joins two stacks. Only the left end knows where the other one is.
func newTunnel(t testing.TB, p *path, v6 bool, options ...tunnelOption) *tunnel {
	t.Helper()
	tu := newTunnelEnds(t, p, v6)
	tu.b.open(t, tu.config(tu.b), options)
	tu.a.open(t, tu.config(tu.a), options)
	return tu
}

// newTunnelEnds makes the ends of a tunnel, and opens neither.
func newTunnelEnds(t testing.TB, p *path, v6 bool) *tunnel {
	t.Helper()
	return &tunnel{
		path: p, v6: v6,
		a: &tunnelEnd{name: "left", machine: p.left, key: newKey(t), inner: leftInner},
		b: &tunnelEnd{name: "right", machine: p.right, key: newKey(t), inner: rightInner},
	}
}

func newKey(t testing.TB) wg.Key {
	t.Helper()
	k, err := wg.GeneratePrivateKey()
	require.NoError(t, err)
	return k
}

// outer is where an end is reached.
func (tu *tunnel) outer(e *tunnelEnd) netip.AddrPort {
	return netip.AddrPortFrom(e.machine.addr(tu.v6), tunnelPort)
}

// config is that of an end, whose only peer is the other one.
func (tu *tunnel) config(e *tunnelEnd) wg.Config {
	peer := wg.Peer{PublicKey: tu.b.key.PublicKey(), Endpoint: tu.outer(tu.b).String(), AllowedIPs: tu.b.inner}
	if e == tu.b {
		peer = wg.Peer{PublicKey: tu.a.key.PublicKey(), AllowedIPs: tu.a.inner}
	}
	return wg.Config{PrivateKey: e.key, ListenPort: tunnelPort, Addresses: e.inner, Peers: []wg.Peer{peer}}
}

// open opens the device in the namespace of the machine, and joins a stack to it.
func (e *tunnelEnd) open(t testing.TB, c wg.Config, options []tunnelOption) {
	t.Helper()
	var s stack.Config
	for _, o := range options {
		o(e, &c, &s)
	}
	var err error
	e.machine.Do(func() { e.device, err = wg.New(c) })
	require.NoError(t, err)
	at := c.Stack(e.device)
	at.Clock, at.NewWaiter, at.KeepAlive = s.Clock, s.NewWaiter, s.KeepAlive
	e.stack, err = stack.New(at)
	require.NoError(t, err)
	e.side = stackSide(e.stack, e.inner)
	e.side.name = e.name
	t.Cleanup(func() { e.close(t) })
}

// close closes the stack, and the device with it.
func (e *tunnelEnd) close(t testing.TB) {
	within(t, "Stack.Close", func() { require.NoError(t, e.stack.Close()) })
}

// at is where the end hears its only peer.
func (e *tunnelEnd) at() netip.AddrPort { return e.device.Peers()[0].At }

// eachRole runs a test in every combination of role and IP version.
func (tu *tunnel) eachRole(t *testing.T, body func(t *testing.T, r role)) {
	t.Helper()
	for _, r := range roles(tu.a.side, tu.b.side, false) {
		t.Run(r.name, func(t *testing.T) { body(t, r) })
	}
}

// connect returns the ends of a connection through the tunnel.
func (tu *tunnel) connect(t testing.TB, v6 bool) (a, b stream) {
	t.Helper()
	return role{client: tu.a.side, server: tu.b.side, v6: v6}.connect(t)
}

// openEngine opens WireGuard's own device in the namespace of the machine, and makes the kernel the
// end of the tunnel.
func (e *tunnelEnd) openEngine(t testing.TB, c wg.Config) {
	t.Helper()
	var face wgtun.Device
	var err error
	e.machine.Do(func() { face, err = wgtun.CreateTUN("wg0", wg.DefaultMTU) })
	require.NoError(t, err)
	bind := threadBind{conn.NewDefaultBind(), e.machine}
	d := device.NewDevice(face, bind, device.NewLogger(device.LogLevelSilent, ""))
	require.NoError(t, d.IpcSet(uapi(c)))
	t.Cleanup(func() { within(t, "Device.Close", d.Close) })
	require.NoError(t, d.Up())
	e.useKernel(t, c)
}

// openKernel opens an interface of the kernel's WireGuard in the namespace of the machine. It skips
// the test where the kernel has none, or there is no wg(8) to configure it.
func (e *tunnelEnd) openKernel(t testing.TB, c wg.Config) {
	t.Helper()
	program, err := exec.LookPath("wg")
	if err != nil {
		t.Skipf("nothing configures the kernel's WireGuard: %v", err)
	}
	e.machine.Do(func() {
		err = netlink.LinkAdd(&netlink.Wireguard{LinkAttrs: netlink.LinkAttrs{Name: "wg0", MTU: wg.DefaultMTU}})
	})
	if err != nil {
		t.Skipf("the kernel has no WireGuard: %v", err)
	}
	c.Addresses = nil // which wg(8) doesn't know
	var file bytes.Buffer
	_, err = c.WriteTo(&file)
	require.NoError(t, err)
	var out []byte
	e.machine.Do(func() {
		cmd := exec.Command(program, "setconf", "wg0", "/dev/stdin")
		cmd.Stdin = &file
		out, err = cmd.CombinedOutput()
	})
	require.NoError(t, err, "%s", out)
	e.useKernel(t, c)
}

// useKernel makes the kernel, behind an interface with a peer of c, the end of the tunnel.
func (e *tunnelEnd) useKernel(t testing.TB, c wg.Config) {
	t.Helper()
	routes := tun.Config{Addresses: e.inner, NoAddrGen: true}
	for _, p := range c.Peers {
		for _, to := range p.AllowedIPs {
			routes.Routes = append(routes.Routes, tun.Route{Destination: to})
		}
	}
	var err error
	e.machine.Do(func() { err = tun.Configure("wg0", routes) })
	require.NoError(t, err)
	e.side = threadSide(e.machine.Thread, e.name+" kernel", e.inner)
}

// A threadBind opens its sockets in the namespace of a machine: WireGuard's device does so on a
// goroutine of its own when it finds its interface up.
type threadBind struct {
	conn.Bind
	machine *machine
}

// Open implements conn.Bind. It must not be called in Do.
func (b threadBind) Open(port uint16) (receive []conn.ReceiveFunc, actual uint16, err error) {
	b.machine.Do(func() { receive, actual, err = b.Bind.Open(port) })
	return receive, actual, err
}

// uapi is a configuration as WireGuard's own device takes it.
func uapi(c wg.Config) string {
	var b strings.Builder
	fmt.Fprintf(&b, "private_key=%x\nlisten_port=%d\n", c.PrivateKey[:], c.ListenPort)
	for _, p := range c.Peers {
		fmt.Fprintf(&b, "public_key=%x\n", p.PublicKey[:])
		if p.Endpoint != "" {
			fmt.Fprintf(&b, "endpoint=%s\n", p.Endpoint)
		}
		for _, a := range p.AllowedIPs {
			fmt.Fprintf(&b, "allowed_ip=%s\n", a)
		}
	}
	return b.String()
}
