package play

import (
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/wsstack/wsstack/internal/mistake"
	"github.com/wsstack/wsstack/internal/record"
	"github.com/wsstack/wsstack/internal/script/calls"
	"github.com/wsstack/wsstack/internal/script/syntax"
	"github.com/wsstack/wsstack/internal/script/vocabulary"
	"github.com/wsstack/wsstack/provider"
	"github.com/wsstack/wsstack/simnet"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
	"github.com/wsstack/wsstack/wsa"
)

// MaxSteps is how many steps the network of one script may take, a packet or a timer each: a script
// can't run for ever. An hour of keep-alive probes of a second takes some 10,000.
const MaxSteps = 2_000_000

// maxSteps is MaxSteps; a variable for tests.
var maxSteps = MaxSteps

// The names of the two nodes, in recordings and traces.
const (
	stackName = "stack"
	peerName  = "peer"
)

// A virtual is the Ground of a stack of this project, in virtual time. The network does one thing
// at a time, and all that can happen at an instant has happened before the next event of the
// script.
type virtual struct {
	network   *simnet.Network
	begun     time.Time // on the network's clock
	host      *simnet.Host
	wire      *simnet.Wire
	machine   *calls.Machine
	sockets   *sockets
	recording *simnet.Recording // nil: nobody records
	link      tun.Impairment

	inbox []simnet.Packet
	news  int // how many packets have come and calls have returned
	steps int // of the network, and looks at descriptors for epoll_wait
}

// newVirtual makes the Ground of a script.
func newVirtual(s Setup, c Config) (*virtual, error) {
	v := &virtual{}
	v.network = simnet.New(nil, simnet.Seed(s.Seed), simnet.TraceLimit(0))
	v.begun = v.network.Time()
	if c.Record {
		v.recording = v.network.Record()
	}
	if c.Capture != nil {
		v.network.Capture(c.Capture)
	}
	v.host = v.network.HostConfig(stackName, s.stack())
	v.wire = v.network.Wire(v.host, peerName, s.Remote.String())
	p, err := provider.Startup(v.host.Stack, wsa.WINSOCK_VERSION)
	if err != nil {
		return nil, errors.Join(err, v.network.Close())
	}
	local, remote := s.Local.Addr(), s.Remote
	if s.mapped() {
		local, remote = netip.AddrFrom16(local.As16()), netip.AddrFrom16(remote.As16())
	}
	v.machine = calls.New(p, calls.Config{
		Local:  netip.AddrPortFrom(local, s.BindPort),
		Remote: netip.AddrPortFrom(remote, s.ConnectPort),
		Mapped: s.mapped(),

		Sockets: v.host.Sockets,
	})
	v.sockets = &sockets{machine: v.machine, provider: p, host: v.host}
	return v, nil
}

// stack is the configuration of the stack under test.
func (s *Setup) stack() stack.Config {
	return stack.Config{
		Addresses: []netip.Prefix{s.Local},
		MTU:       s.MTU,
		Profile:   s.profile,
		Defaults:  s.defaults,
		ECN:       s.ECN,
	}
}

// Now implements Ground. Nothing happens before the script begins, so that its time is that of the
// network.
func (v *virtual) Now() time.Duration { return v.network.Time().Sub(v.begun) }

// Wait implements Ground.
func (v *virtual) Wait(until time.Duration, early bool) error {
	before := v.news
	found := func() bool {
		v.steps += 1 + v.machine.Look()
		v.take()
		return v.steps > maxSteps || early && v.news > before
	}
	err := v.network.RunUntil(found, max(0, until-v.Now()))
	switch {
	case v.steps > maxSteps:
		return errSteps
	case err != nil && v.Now() < until:
		return err // something runs in circles
	}
	return nil // RunUntil fails where nothing comes, which is none here
}

// errSteps says that MaxSteps have been taken.
var errSteps = mistake.Errorf("cut it into several, or let less happen", "too much happens in the script: more than %d steps of the network", MaxSteps)

// take takes from the wire what has come.
func (v *virtual) take() {
	for {
		p, ok := v.wire.Take()
		if !ok {
			return
		}
		v.inbox = append(v.inbox, p)
		v.news++
	}
}

// Send implements Ground.
func (v *virtual) Send(packet []byte) error {
	v.wire.Inject(packet)
	return nil
}

// Received implements Ground.
func (v *virtual) Received() (at time.Duration, packet []byte, ok bool) {
	if len(v.inbox) == 0 {
		return 0, nil, false
	}
	p := v.inbox[0]
	v.inbox = v.inbox[1:]
	return p.At, p.Data, true
}

// A virtualCall is a Running on a goroutine of the network, which runs only while the network does.
type virtualCall struct {
	outcome calls.Outcome
	at      time.Duration
	done    bool
}

// Outcome implements Running.
func (r *virtualCall) Outcome() (calls.Outcome, time.Duration, bool) { return r.outcome, r.at, r.done }

// Call implements Ground. The call ends by itself, or at Close.
func (v *virtual) Call(c *syntax.Call) Running {
	r := &virtualCall{}
	v.network.Background(c.Name, func() {
		o := v.machine.Do(c)
		r.outcome, r.at, r.done = o, v.network.Now(), true
		v.news++
	})
	return r
}

// Sockets implements Ground.
func (v *virtual) Sockets() vocabulary.Sockets { return v.sockets }

// Link implements Ground. What a link doesn't say stays as it is.
func (v *virtual) Link(l *syntax.Link) error {
	for _, s := range l.Settings {
		if s.Name == seedWord {
			continue // Resolve has it
		}
		if err := setImpairment(&v.link, s); err != nil {
			return err
		}
	}
	v.wire.Set(simnet.Impairment(v.link))
	return nil
}

// record is the recording so far.
func (v *virtual) record() *record.Recording {
	if v.recording == nil {
		return nil
	}
	r := &record.Recording{
		Nodes:       []string{peerName, stackName},
		Packets:     v.recording.Packets(),
		Connections: slices.Clone(v.recording.Connections()),
	}
	r.Left.Packets, r.Left.Samples = v.recording.Left()
	return r
}

// Close implements Ground.
func (v *virtual) Close() error {
	err := v.network.FlushCaptures()
	return errors.Join(err, v.network.Close())
}
