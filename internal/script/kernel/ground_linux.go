package kernel

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"gvisor.dev/gvisor/pkg/buffer"

	"github.com/wsstack/wsstack/internal/mistake"
	"github.com/wsstack/wsstack/internal/namespace"
	"github.com/wsstack/wsstack/internal/script/calls"
	"github.com/wsstack/wsstack/internal/script/play"
	"github.com/wsstack/wsstack/internal/script/syntax"
	"github.com/wsstack/wsstack/internal/script/vocabulary"
	"github.com/wsstack/wsstack/tun"
)

// deviceName is the name of the interface in the namespace, which is the one of packetdrill.
const deviceName = "tun0"

// A ground is a play.Ground: the kernel of the system, in a namespace with one TUN. The other end of
// the TUN is the peer of the script.
type ground struct {
	ns      *namespace.Namespace
	tape    *tape
	device  *tun.Impaired
	machine *machine
	local   netip.Addr
	start   time.Time
	bell    chan struct{} // holds a ring: a packet has come, or a call has returned

	mu    sync.Mutex
	inbox []arrival
}

// An arrival is a packet that the kernel has sent.
type arrival struct {
	at   time.Duration
	data []byte
}

// open makes the namespace of a script.
func open(s play.Setup, t *tape) (play.Ground, error) {
	ns, err := namespace.New(namespace.Config{
		Devices: []namespace.Device{{
			Name: deviceName, Addresses: []netip.Prefix{s.Local}, MTU: int(s.MTU), Plain: true,
			Routes: []tun.Route{{Destination: everything(s.Local.Addr())}},
		}},
		Use: namespace.Use{Command: "script --real"},
	})
	if err != nil {
		return nil, err
	}
	g := &ground{
		ns: ns, tape: t, local: s.Local.Addr(), bell: make(chan struct{}, 1),
		machine: newMachine(ns, calls.Config{
			Local:  netip.AddrPortFrom(asSocket(s, s.Local.Addr()), s.BindPort),
			Remote: netip.AddrPortFrom(asSocket(s, s.Remote), s.ConnectPort),
		}),
	}
	if err := g.attach(ns.Devices()[0]); err != nil {
		return nil, errors.Join(err, g.Close())
	}
	return g, nil
}

// asSocket is an address as sockets of the script have it.
func asSocket(s play.Setup, a netip.Addr) netip.Addr {
	if s.IPVersion == "ipv4-mapped-ipv6" {
		return netip.AddrFrom16(a.As16())
	}
	return a
}

// everything is the network of all addresses of a family.
func everything(a netip.Addr) netip.Prefix {
	if a.Is6() {
		return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
}

// attach begins to receive. The script begins then.
func (g *ground) attach(d tun.Device) error {
	if g.tape.capture != nil {
		captured, err := tun.Capture(d, g.tape.capture, deviceName)
		if err != nil {
			return errors.Join(err, d.Close())
		}
		d = captured
	}
	impaired, err := tun.Impair(d, tun.ImpairConfig{})
	if err != nil {
		return errors.Join(err, d.Close())
	}
	g.device, g.start = impaired, time.Now()
	return g.device.Start(g.receive)
}

// receive takes what the kernel has sent: what isn't of the script, such as the search for
// routers, is left out.
func (g *ground) receive(packets []tun.Packet) {
	at := g.Now()
	g.mu.Lock()
	for i := range packets {
		if data := packets[i].Data.Flatten(); ofScript(data, g.local) {
			g.inbox = append(g.inbox, arrival{at, data})
			g.tape.keep(at, kernelName, peerName, data)
		}
		packets[i].Data.Release()
	}
	g.mu.Unlock()
	g.ring()
}

func (g *ground) ring() {
	select {
	case g.bell <- struct{}{}:
	default: // it has rung
	}
}

// Now implements play.Ground.
func (g *ground) Now() time.Duration { return time.Since(g.start) }

// Wait implements play.Ground.
func (g *ground) Wait(until time.Duration, early bool) error {
	left := until - g.Now()
	if left <= 0 {
		return nil
	}
	bell := g.bell
	if !early {
		bell = nil
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-bell:
	}
	return nil
}

// Send implements play.Ground.
func (g *ground) Send(packet []byte) error {
	g.tape.keep(g.Now(), peerName, kernelName, packet)
	p := tun.Packet{Data: buffer.MakeWithData(packet)}
	defer p.Data.Release()
	return g.device.Send([]tun.Packet{p})
}

// Received implements play.Ground.
func (g *ground) Received() (at time.Duration, packet []byte, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.inbox) == 0 {
		return 0, nil, false
	}
	first := g.inbox[0]
	g.inbox = g.inbox[1:]
	return first.at, first.data, true
}

// A call is a play.Running.
type call struct {
	done    chan struct{} // closed when the call has returned
	outcome calls.Outcome
	at      time.Duration
}

// Outcome implements play.Running.
func (c *call) Outcome() (o calls.Outcome, at time.Duration, done bool) {
	select {
	case <-c.done:
		return c.outcome, c.at, true
	default:
		return o, 0, false
	}
}

// Call implements play.Ground. It returns when the call has returned or sleeps, so that what comes
// next in the script finds it waiting.
func (g *ground) Call(c *syntax.Call) play.Running {
	running := &call{done: make(chan struct{})}
	thread := g.machine.start(c, func(o calls.Outcome) {
		running.outcome, running.at = o, g.Now()
		close(running.done)
		g.ring()
	})
	if c.Name == "socket" { // it asks the namespace, which takes its time, and never waits for the network
		<-running.done
		return running
	}
	for range maxLooks {
		select {
		case <-running.done:
			return running
		case <-time.After(lookEvery):
		}
		if asleep(thread) {
			break
		}
	}
	return running
}

// How often Call looks whether a thread sleeps.
const (
	maxLooks  = 20
	lookEvery = 50 * time.Microsecond
)

// asleep reports whether a thread of this process sleeps (proc(5)).
func asleep(thread int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/stat", thread))
	_, state, found := strings.Cut(string(text), ") ")
	return err == nil && found && strings.HasPrefix(state, "S")
}

// Sockets implements play.Ground.
func (g *ground) Sockets() vocabulary.Sockets { return sockets{g.machine} }

// Link implements play.Ground. The link is one on the outside of the TUN.
func (g *ground) Link(l *syntax.Link) error {
	m, _ := g.device.Impairments()
	for _, s := range l.Settings {
		if s.Name == "seed" {
			return mistake.Errorf("leave out the seed", "what a real link loses is different each time")
		}
		text := s.Name
		if s.HasValue {
			text += "=" + s.Value
		}
		if err := m.Set(text); err != nil {
			return err
		}
	}
	return errors.Join(g.device.SetOut(m), g.device.SetIn(m))
}

// Close implements play.Ground.
func (g *ground) Close() (err error) {
	g.machine.close()
	if g.device != nil {
		err = g.device.Close()
	}
	return errors.Join(err, g.ns.Close())
}

// ofScript reports whether a packet is one that a program has to do with: TCP, UDP or ICMP from the
// address of the script. The neighbour discovery of IPv6 and group memberships aren't.
func ofScript(packet []byte, local netip.Addr) bool {
	switch {
	case len(packet) >= 20 && packet[0]>>4 == 4:
		protocol := packet[9]
		return netip.AddrFrom4([4]byte(packet[12:16])) == local && (protocol == protoTCP || protocol == protoUDP || protocol == protoICMP)
	case len(packet) > 40 && packet[0]>>4 == 6:
		protocol := packet[6]
		return netip.AddrFrom16([16]byte(packet[8:24])) == local &&
			(protocol == protoTCP || protocol == protoUDP || protocol == protoICMPv6 && !neighbour(packet[40]))
	}
	return false
}

// neighbour reports whether a type of ICMPv6 is one of multicast listener discovery or neighbour
// discovery (RFC 2710, RFC 4861, RFC 9777).
func neighbour(typ byte) bool { return typ >= 130 && typ <= 137 || typ == 143 }

// The protocols of the packets of a script.
const (
	protoICMP   = 1
	protoTCP    = 6
	protoUDP    = 17
	protoICMPv6 = 58
)
