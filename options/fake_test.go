package options

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"time"

	"github.com/wsstack/wsstack/wsa"
)

// fake is an Endpoint that answers from its fields and records what it is told.
type fake struct {
	family  int32
	kind    Kind
	state   State
	profile Profile

	getErr, setErr wsa.Errno // ConnectionError
	dropped        bool      // TakeDrop
	pending        wsa.Errno // TakeError
	age            time.Duration
	connected      bool // ConnectedFor and MSS have an answer
	mss            int
	local, remote  netip.AddrPort

	keepAlive  KeepAlive // the stack's defaults; zero: the documented ones
	interfaces []uint32
	addresses  map[netip.Addr]uint32
	groups     Memberships
	keepGroups bool // requests change groups
	icmp       wsa.ICMPErrorInfo
	acceptedBy uint64 // handle of the listener

	refuse map[string]wsa.Errno // setters that fail, by name
	told   map[string]any       // last value each setter took
}

var _ Endpoint = (*fake)(nil)

func newFake(kind Kind) *fake {
	return &fake{
		family: wsa.AF_INET, kind: kind, state: Fresh, told: map[string]any{},
		interfaces: []uint32{1, 2}, addresses: map[netip.Addr]uint32{netip.MustParseAddr("10.0.0.1"): 2},
	}
}

func (f *fake) values() *Values {
	v := Defaults(f.profile, f.family, f.kind)
	return &v
}

func (f *fake) Family() int32    { return f.family }
func (f *fake) Kind() Kind       { return f.kind }
func (f *fake) State() State     { return f.state }
func (f *fake) Profile() Profile { return f.profile }

func (f *fake) Protocol() int32 {
	return map[Kind]int32{Stream: wsa.IPPROTO_TCP, Datagram: wsa.IPPROTO_UDP, Raw: wsa.IPPROTO_ICMP}[f.kind]
}

func (f *fake) ConnectionError(set bool) wsa.Errno {
	if set {
		return f.setErr
	}
	return f.getErr
}

func (f *fake) TakeDrop() bool {
	d := f.dropped
	f.dropped = false
	return d
}

func (f *fake) KeepAliveDefaults() KeepAlive {
	if f.keepAlive != (KeepAlive{}) {
		return f.keepAlive
	}
	return Defaults(f.profile, f.family, f.kind).KeepAlive
}

func (f *fake) TakeError() wsa.Errno {
	e := f.pending
	f.pending = 0
	return e
}

func (f *fake) ConnectedFor() (time.Duration, bool) { return f.age, f.connected }
func (f *fake) MSS() (int, bool)                    { return f.mss, f.connected }
func (f *fake) LocalAddr() netip.AddrPort           { return f.local }
func (f *fake) RemoteAddr() netip.AddrPort          { return f.remote }

func (f *fake) PathMTU() (int, bool)                { return 1500, f.connected }
func (f *fake) AtMark() bool                        { return true }
func (f *fake) ConnectICMPError() wsa.ICMPErrorInfo { return f.icmp }
func (f *fake) HasInterface(index uint32) bool      { return slices.Contains(f.interfaces, index) }

func (f *fake) InterfaceOf(local netip.Addr) (uint32, bool) {
	index, ok := f.addresses[local]
	return index, ok
}

func (f *fake) SetMembership(r MembershipRequest) wsa.Errno {
	if f.keepGroups {
		_, _, err := f.groups.Apply(r, r.Interface)
		return err
	}
	_, _, err := f.groups.Check(r, r.Interface)
	return err
}

func (f *fake) UpdateConnectContext() wsa.Errno {
	if f.state != Connected {
		return wsa.WSAENOTCONN
	}
	return 0
}

func (f *fake) AcceptedFrom(listener uint64) wsa.Errno {
	switch {
	case f.acceptedBy == 0:
		return wsa.WSAENOTCONN
	case f.acceptedBy != listener:
		return wsa.WSAENOTSOCK
	}
	return 0
}

func (f *fake) tell(name string, val any) wsa.Errno {
	if e := f.refuse[name]; e != 0 {
		return e
	}
	f.told[name] = val
	return 0
}

func (f *fake) TCPInfo() wsa.TCPInfo {
	return wsa.TCPInfo{State: 4, Mss: 1460, Cwnd: 14600, SndWnd: 65535}
}
func (f *fake) Handle() uint64 { return 0x1234 }

func (f *fake) Interfaces() []Interface {
	if f.family == wsa.AF_INET6 {
		return []Interface{{Prefix: netip.MustParsePrefix("::1/128"), Loopback: true}, {Prefix: netip.MustParsePrefix("fd00::1/64")}}
	}
	return []Interface{
		{Prefix: netip.MustParsePrefix("127.0.0.1/8"), Loopback: true},
		{Prefix: netip.MustParsePrefix("10.0.0.1/24"), Broadcast: netip.MustParseAddr("10.0.0.255")},
	}
}

func (f *fake) SourceFor(to netip.Addr) (netip.Addr, wsa.Errno) {
	for _, i := range f.Interfaces() {
		if i.Prefix.Contains(to) {
			return i.Prefix.Addr(), 0
		}
	}
	return netip.Addr{}, wsa.WSAENETUNREACH
}

func (f *fake) SetNoDelay(on bool) wsa.Errno        { return f.tell("nodelay", on) }
func (f *fake) SetKeepAlive(k KeepAlive) wsa.Errno  { return f.tell("keepalive", k) }
func (f *fake) SetOOBInline(on bool) wsa.Errno      { return f.tell("oobinline", on) }
func (f *fake) SetSendBuffer(bytes int32) wsa.Errno { return f.tell("sndbuf", bytes) }
func (f *fake) SetRecvBuffer(bytes int32) wsa.Errno { return f.tell("rcvbuf", bytes) }

// le is an int as optval.
func le(n uint32) []byte { return binary.LittleEndian.AppendUint32(nil, n) }

// lingerBytes is a struct linger as optval.
func lingerBytes(on, seconds uint16) []byte {
	return wsa.Linger{OnOff: on, Linger: seconds}.Append(nil)
}

// filled is a buffer that shows which bytes were written.
func filled(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = 0xA5
	}
	return b
}

// getInt reads an int option and wants success.
func getInt(t interface {
	Helper()
	Fatalf(string, ...any)
}, v *Values, ep Endpoint, level, name int32) uint32 {
	t.Helper()
	var b [4]byte
	n, err := Get(v, ep, level, name, b[:])
	if err != 0 || n != 4 {
		t.Fatalf("Get(%#x, %#x) = %d, %v, want 4, success", level, name, n, err)
	}
	return binary.LittleEndian.Uint32(b[:])
}
