package options

import (
	"cmp"
	"encoding/binary"
	"slices"
	"time"

	"github.com/wsstack/wsstack/wsa"
)

// control is a control code of WSAIoctl: a row of facts, as for an option.
type control struct {
	code        uint32
	symbol      string
	typ         string // of the input; "": none
	size        int    // bytes of it
	output      string // type of the output; "": none
	outSize     int    // bytes of it; 0: answer looks
	text        string
	incomplete  string
	unsupported string // why every call fails with WSAEOPNOTSUPP
	evidence    string // "": byDoc

	kinds     Kind      // 0: any
	families  families  // 0: any
	wrongKind wsa.Errno // 0: WSAEOPNOTSUPP, the answer of a wrong family
	exact     bool      // the input has size bytes, no more
	badSize   wsa.Errno // 0: WSAEFAULT
	setIn     State     // 0: any
	wrongIn   wsa.Errno // in another state; 0: WSAEINVAL
	def       func(v *Values)

	// One of them: what stores the input, or what writes output. A code that
	// has neither is carried out by the caller of Control.
	apply  func(v *Values, ep Endpoint, in []byte) wsa.Errno
	answer func(v *Values, ep Endpoint, in, out []byte) (int, wsa.Errno)
}

// Control is WSAIoctl: in is its input, out the buffer for its output, nil the
// NULL pointer, and n the number of bytes written to out. ok is false for a
// code that isn't known, and for those that [ControlInfo] calls Elsewhere. The
// caller holds the lock of v.
//
// The checks run in the order of [Set]: pointer (WSAEFAULT), kind of socket,
// lengths, connection, state and value (WSAEINVAL). A failed call changes
// nothing; n is then 0, but for SIO_ADDRESS_LIST_QUERY and
// SIO_GET_INTERFACE_LIST, which say what they need.
func Control(v *Values, ep Endpoint, code uint32, in, out []byte) (n int, err wsa.Errno, ok bool) {
	i := slices.IndexFunc(controls, func(c control) bool { return c.code == code })
	if i < 0 || controls[i].elsewhere() {
		return 0, 0, false
	}
	n, err = controls[i].run(v, ep, in, out)
	return n, err, true
}

func (c *control) elsewhere() bool { return c.apply == nil && c.answer == nil && c.unsupported == "" }

func (c *control) run(v *Values, ep Endpoint, in, out []byte) (int, wsa.Errno) {
	if err := c.check(ep, in, out); err != 0 {
		return 0, err
	}
	if c.answer != nil {
		return c.answer(v, ep, in, out)
	}
	return 0, c.apply(v, ep, in)
}

// check holds the checks that are the same for all codes.
func (c *control) check(ep Endpoint, in, out []byte) wsa.Errno {
	switch {
	case c.unsupported != "":
		return wsa.WSAEOPNOTSUPP
	case c.size > 0 && in == nil:
		return wsa.WSAEFAULT
	case c.kinds != 0 && c.kinds&ep.Kind() == 0:
		return cmp.Or(c.wrongKind, wsa.WSAEOPNOTSUPP)
	case c.families != 0 && c.families&familyBit(ep.Family()) == 0:
		return wsa.WSAEOPNOTSUPP
	case len(in) < c.size || c.exact && len(in) != c.size:
		return cmp.Or(c.badSize, wsa.WSAEFAULT)
	case len(out) < c.outSize:
		return wsa.WSAEFAULT
	}
	if err := ep.ConnectionError(c.apply != nil); err != 0 {
		return err
	}
	if c.setIn != 0 && c.setIn&ep.State() == 0 {
		return cmp.Or(c.wrongIn, wsa.WSAEINVAL)
	}
	return 0
}

func (c *control) reset(v *Values) {
	if c.def != nil {
		c.def(v)
	}
}

// A ControlInfo describes a control code.
type ControlInfo struct {
	Code        uint32   `json:"code"`
	Symbol      string   `json:"symbol"`
	Type        string   `json:"type"`                  // of the input; "": none
	Size        int      `json:"size"`                  // bytes of the input
	Output      string   `json:"output,omitempty"`      // type of the output
	OutputSize  int      `json:"output_size,omitempty"` // bytes of it; 0 where that varies
	Kinds       []string `json:"kinds"`
	Evidence    string   `json:"evidence"`
	Description string   `json:"description"`
	Incomplete  string   `json:"incomplete,omitempty"`
	Unsupported string   `json:"unsupported,omitempty"` // why every call fails
	Elsewhere   bool     `json:"-"`                     // not a code of Control: the socket's calls carry it out
}

// Controls describes the control codes that this stack knows.
func Controls() []ControlInfo {
	infos := make([]ControlInfo, len(controls))
	for i, c := range controls {
		infos[i] = ControlInfo{
			Code: c.code, Symbol: c.symbol, Type: c.typ, Size: c.size, Output: c.output, OutputSize: c.outSize,
			Kinds: cmp.Or(c.kinds, AnyKind).names(), Evidence: cmp.Or(c.evidence, byDoc), Description: c.text,
			Incomplete: c.incomplete, Unsupported: c.unsupported, Elsewhere: c.elsewhere(),
		}
	}
	return infos
}

// keepAliveVals is SIO_KEEPALIVE_VALS: a non-zero onoff turns keep-alive on
// with both times; a time of 0 stands for the default (assumed: the page is
// silent). onoff 0 turns it off and leaves the times alone. The probe count
// stays as it is. Unlike SO_KEEPALIVE it works while a connect is pending
// (assumed: no page restricts it).
func keepAliveVals(v *Values, ep Endpoint, in []byte) wsa.Errno {
	vals, err := wsa.ParseTCPKeepalive(in)
	if err != 0 {
		return err
	}
	k := v.KeepAlive
	k.On = vals.OnOff != 0
	if k.On {
		def := ep.KeepAliveDefaults()
		k.Idle = millis(vals.KeepAliveTime, def.Idle)
		k.Interval = millis(vals.KeepAliveInterval, def.Interval)
	}
	if err := ep.SetKeepAlive(k); err != 0 {
		return err
	}
	v.KeepAlive = k
	return 0
}

func millis(n uint32, zero time.Duration) time.Duration {
	if n == 0 {
		return zero
	}
	return time.Duration(n) * time.Millisecond
}

// initialRTO is SIO_TCP_INITIAL_RTO. "Unspecified" keeps a field.
func initialRTO(v *Values, _ Endpoint, in []byte) wsa.Errno {
	p, err := wsa.ParseTCPInitialRTOParameters(in)
	if err != 0 {
		return err
	}
	if p.Rtt != wsa.TCP_INITIAL_RTO_UNSPECIFIED_RTT {
		v.TCP.InitialRTT = p.Rtt
	}
	if p.MaxSynRetransmissions != wsa.TCP_INITIAL_RTO_UNSPECIFIED_MAX_SYN_RETRANSMISSIONS {
		v.TCP.MaxSynRetransmissions = p.MaxSynRetransmissions
	}
	return 0
}

// compatibilityMode is SIO_SET_COMPATIBILITY_MODE: before Vista, SO_RCVBUF
// could shrink on a connected socket. Here it always can (BF-6).
func compatibilityMode(v *Values, _ Endpoint, in []byte) wsa.Errno {
	m, err := wsa.ParseCompatibilityMode(in)
	if err != 0 {
		return err
	}
	switch m.BehaviorID {
	case wsa.WsaBehaviorAll, wsa.WsaBehaviorReceiveBuffering:
		v.CompatibleRecvBuffer = true
	case wsa.WsaBehaviorAutoTuning:
	default:
		return wsa.WSAEINVAL
	}
	return 0
}

// switchOf is a BOOL that a control code stores.
func switchOf(field func(v *Values) *bool) func(v *Values, ep Endpoint, in []byte) wsa.Errno {
	return func(v *Values, _ Endpoint, in []byte) wsa.Errno {
		*field(v) = binary.LittleEndian.Uint32(in) != 0
		return 0
	}
}
