package wg

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.zx2c4.com/wireguard/conn"
	"golang.zx2c4.com/wireguard/device"

	"github.com/wsstack/wsstack/tun"
)

// A Device is one end of a tunnel as a packet device. Its methods are safe for concurrent use.
//
// Its engine works in real time with goroutines of its own, so a Device is not for stacks that are
// Stepped, for virtual time or for bubbles of testing/synctest.
//
// The wall clock has one meaning to WireGuard: a handshake that is begun by an end must be later
// than the last one that the same end began, as the other end remembers it. So if the clock of a
// machine is set back, its peers refuse the handshakes that it begins until the old time has come
// again. Those that the peers begin work, for which a PersistentKeepalive of the peers is enough;
// the session that there is goes on for up to 3 minutes; and a peer that is removed and added again
// at the other end begins anew. When a machine wakes up after it has slept, the first packet to a
// peer begins a new session.
type Device struct {
	*stackFace // the device of the stack

	engine  *device.Device
	closed  context.Context // done once Close was called
	close   context.CancelFunc
	workers sync.WaitGroup // watch, calls of Serve and their clients

	mu    sync.Mutex
	order []Key          // of the peers, as they were added
	given map[Key]string // Peer.Endpoint by PublicKey
}

var _ tun.Dropper = (*Device)(nil)

// New opens the tunnel, with sockets in the network namespace of the calling thread. It looks up
// the endpoints that are names, and fails if one has no address. A *ConfigError says what is wrong
// with cfg, and so does the one of a port that somebody else has.
func New(cfg Config) (*Device, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	var settings settings
	settings.own(&cfg)
	for i := range cfg.Peers {
		at, err := resolve(context.Background(), cfg.Peers[i].Endpoint)
		if err != nil {
			return nil, err
		}
		settings.peer(&cfg.Peers[i], at)
	}
	inner := cfg.Bind
	if inner == nil {
		inner = conn.NewDefaultBind()
	}
	mtu := cmp.Or(cfg.MTU, DefaultMTU)
	t := newTUN(mtu)
	b := newBind(t, inner)
	outside := &paths{mtu: mtu, path: b.probe.pathMTU}
	t.look = outside.look
	var opened atomic.Bool
	d := &Device{
		stackFace: (*stackFace)(t),
		engine:    device.NewDevice(t.Tunnel(), b, logger(cfg.Logger, &opened)),
		given:     map[Key]string{},
	}
	d.closed, d.close = context.WithCancel(context.Background())
	d.workers.Go(func() { d.watch(b.watch, outside) })
	err := d.engine.IpcSet(settings.String())
	if err == nil {
		err = d.engine.Up()
	}
	if err != nil {
		d.Close()
		return nil, opening(&cfg, err)
	}
	opened.Store(true)
	for _, p := range cfg.Peers {
		d.remember(p.PublicKey, p.Endpoint)
	}
	return d, nil
}

// opening is the error of a tunnel that couldn't be opened.
func opening(cfg *Config, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return wrong("choose another port, or end the program that has it", "ListenPort %d is taken: %w", cfg.ListenPort, err)
	case cfg.FirewallMark != 0 && errors.Is(err, fs.ErrPermission):
		return wrong("marks need CAP_NET_ADMIN: run as root, or leave the mark out", "the firewall mark can't be set: %w", err)
	}
	return fmt.Errorf("wg: open the tunnel: %w", err)
}

// logger is what a slog.Logger is to the engine. What the engine says about what it does is of
// level debug, and so is what it can't do before the tunnel is open, as New returns the error.
// Later that is of level warn.
func logger(l *slog.Logger, opened *atomic.Bool) *device.Logger {
	if l == nil {
		return &device.Logger{Verbosef: device.DiscardLogf, Errorf: device.DiscardLogf}
	}
	say := func(level slog.Level, format string, args []any) {
		if ctx := context.Background(); l.Enabled(ctx, level) {
			l.Log(ctx, level, fmt.Sprintf(format, args...))
		}
	}
	return &device.Logger{
		Verbosef: func(format string, args ...any) { say(slog.LevelDebug, format, args) },
		Errorf: func(format string, args ...any) {
			level := slog.LevelDebug
			if opened.Load() {
				level = slog.LevelWarn
			}
			say(level, format, args)
		},
	}
}

// resolve is the address of an endpoint; zero for "".
func resolve(ctx context.Context, endpoint string) (netip.AddrPort, error) {
	if endpoint == "" {
		return netip.AddrPort{}, nil
	}
	if at, err := netip.ParseAddrPort(endpoint); err == nil {
		return netip.AddrPortFrom(at.Addr().Unmap(), at.Port()), nil
	}
	host, service, err := net.SplitHostPort(endpoint)
	if err != nil {
		return netip.AddrPort{}, err
	}
	port, err := net.DefaultResolver.LookupPort(ctx, "udp", service)
	if err != nil {
		return netip.AddrPort{}, err
	}
	addresses, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		hint := "look for a slip in the name, or write the address"
		if e, ok := errors.AsType[*net.DNSError](err); ok && !e.IsNotFound {
			hint = "write the address, or see whether this host reaches its name servers"
		}
		return netip.AddrPort{}, wrong(hint, "endpoint %s: %w", endpoint, err)
	}
	return netip.AddrPortFrom(addresses[0].Unmap(), uint16(port)), nil
}

// Close closes the tunnel, and the device of the stack with it. Once it has returned, nothing of
// the tunnel is left, calls of Serve included. Close is idempotent.
func (d *Device) Close() error {
	d.mu.Lock() // so that no Serve begins anymore
	d.close()
	d.mu.Unlock()
	d.engine.Close()
	err := d.stackFace.Close()
	d.workers.Wait()
	return err
}

// PublicKey is the public key of this end.
func (d *Device) PublicKey() Key { return d.state().privateKey.PublicKey() }

// ListenPort is the UDP port of the host.
func (d *Device) ListenPort() int { return d.state().listenPort }

// Peers are the peers, in the order in which they were added. The first packet to a peer begins a
// handshake, and LastHandshake says whether there was one: if not, the other end isn't reached, or
// one of the two has a wrong key of the other.
func (d *Device) Peers() []PeerStatus {
	state := d.state()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.order = state.sort(d.order)
	given := d.given
	d.given = map[Key]string{} // without those that are gone
	for i := range state.peers {
		p := &state.peers[i]
		p.Endpoint = given[p.PublicKey]
		d.given[p.PublicKey] = p.Endpoint
		if p.Endpoint == "" && p.At.IsValid() {
			p.Endpoint = p.At.String()
		}
	}
	return state.peers
}

// SetPeer adds a peer, or replaces the one with its public key. A session that there is goes on,
// and without an Endpoint, so does where the peer was heard of last. An allowed IP that another
// peer has moves to this one, as with wg(8). SetPeer looks up an Endpoint that is a name. A
// *ConfigError says what is wrong with p; after Close the error is tun.ErrClosed.
//
// The stack doesn't hear of it: what it has no route for, such as AllowedIPs of a new peer outside
// of the stack's own subnets, needs one by its AddRoute.
func (d *Device) SetPeer(p Peer) error {
	if err := p.check(d.PublicKey()); err != nil {
		return err
	}
	at, err := resolve(d.closed, p.Endpoint)
	if d.closed.Err() != nil {
		return tun.ErrClosed
	}
	if err != nil {
		return err
	}
	var s settings
	s.peer(&p, at)
	if err := d.set(s.String()); err != nil {
		return err
	}
	d.remember(p.PublicKey, p.Endpoint)
	return nil
}

// RemovePeer removes a peer. If there is none with that key, it does nothing.
func (d *Device) RemovePeer(k Key) error {
	var s settings
	s.key("public_key", k)
	s.line("remove", "true")
	return d.set(s.String())
}

// set gives settings to the engine.
func (d *Device) set(settings string) error {
	if d.closed.Err() != nil {
		return tun.ErrClosed
	}
	err := d.engine.IpcSet(settings)
	if err != nil && d.closed.Err() != nil {
		return tun.ErrClosed
	}
	return err
}

// remember keeps what the engine doesn't know of a peer.
func (d *Device) remember(k Key, endpoint string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, known := d.given[k]; !known {
		d.order = append(d.order, k)
	}
	d.given[k] = endpoint
}

// Get writes the state of the tunnel in the form of WireGuard's UAPI (get=1). It has the private
// key.
func (d *Device) Get(w io.Writer) error { return d.engine.IpcGetOperation(w) }

// Set changes the tunnel by a text in the form of WireGuard's UAPI (set=1), which ends with an
// empty line or with r. The text has 4 MiB at most. The lines before one with a mistake are in
// force when Set fails.
func (d *Device) Set(r io.Reader) error {
	text, err := readSettings(bufio.NewReader(r))
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return d.set(text)
}
