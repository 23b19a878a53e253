package options

import (
	"cmp"
	"encoding/binary"
	"slices"
	"time"

	"github.com/wsstack/wsstack/wsa"
)

// control is a control code of WSAIoctl: a row of facts, as there is one for each option.
type control struct {
	code        uint32
	symbol      string
	typ         string // type of the input; "": there is no input
	size        int    // size of the input in bytes
	output      string // type of the output; "": there is no output
	outSize     int    // size of the output in bytes; 0: answer checks the size
	text        string // meaning, for OPTIONS.md
	incomplete  string // what is still missing, for OPTIONS.md
	unsupported string // why every call fails with WSAEOPNOTSUPP
	evidence    string // "": byDoc

	kinds     Kind      // kinds of socket that have the code; 0: all
	families  families  // families of sockets that have the code; 0: all
	wrongKind wsa.Errno // error on other kinds; 0: WSAEOPNOTSUPP, as on other families
	exact     bool      // whether a longer input is an error as well
	badSize   wsa.Errno // error of an input of the wrong length; 0: WSAEFAULT
	setIn     State     // states in which the code works; 0: all
	wrongIn   wsa.Errno // error in other states; 0: WSAEINVAL
	def       func(v *Values)

	// apply stores the input, answer writes the output: a code has one of the two functions. A code
	// that has neither is carried out by the caller of Control.
	apply  func(v *Values, ep Endpoint, in []byte) wsa.Errno
	answer func(v *Values, ep Endpoint, in, out []byte) (int, wsa.Errno)
}

// Control is WSAIoctl. in is the input, out is the buffer for the output, and a nil slice stands
// for the NULL pointer. n is the number of bytes that were written to out. ok is false for a code
// that isn't in the table, and for one whose [ControlInfo] says Elsewhere. The caller holds the
// lock that guards v.
//
// The checks are made in the order of [Set]: pointer (WSAEFAULT), kind of socket, lengths,
// connection, state and value (WSAEINVAL). A failed call changes nothing, and n is then 0; but a
// short buffer for SIO_ADDRESS_LIST_QUERY or SIO_GET_INTERFACE_LIST makes n the size that is
// needed.
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

// check makes the checks that are the same for all codes.
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

// A ControlInfo is the description of one control code in plain data, for people and for JSON.
type ControlInfo struct {
	Code        uint32   `json:"code"`                  // number of the code
	Symbol      string   `json:"symbol"`                // name of the code in the SDK
	Type        string   `json:"type"`                  // type of the input; "": no input
	Size        int      `json:"size"`                  // size of the input in bytes
	Output      string   `json:"output,omitempty"`      // type of the output; "": no output
	OutputSize  int      `json:"output_size,omitempty"` // size of the output in bytes; 0: it varies
	Kinds       []string `json:"kinds"`                 // of "stream", "datagram", "raw"
	Evidence    string   `json:"evidence"`              // "doc", "observed" or "assumed"
	Description string   `json:"description"`           // meaning of the code in a sentence or two
	Incomplete  string   `json:"incomplete,omitempty"`  // what is still missing; "": nothing
	Unsupported string   `json:"unsupported,omitempty"` // why every call fails

	// Elsewhere reports whether a call of the socket carries out the code, so that [Control]
	// doesn't know the code.
	Elsewhere bool `json:"-"`
}

// Controls returns the description of every control code that this stack knows.
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

// keepAliveVals is SIO_KEEPALIVE_VALS. A non-zero onoff turns keep-alive on and sets both times; a
// time of 0 stands for the default (assumed: the page is silent). An onoff of 0 turns keep-alive
// off and keeps the times. The probe count isn't changed. Unlike SO_KEEPALIVE, the code works while
// a connect is in progress (assumed: no page restricts that).
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

// initialRTO is SIO_TCP_INITIAL_RTO. The value "unspecified" of a field keeps what is stored for
// it.
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

// compatibilityMode is SIO_SET_COMPATIBILITY_MODE, which restores a behaviour from before Vista:
// that SO_RCVBUF can shrink on a connected socket. In this stack SO_RCVBUF always can (BF-6).
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

// switchOf returns the apply function of a control code that stores a BOOL.
func switchOf(field func(v *Values) *bool) func(v *Values, ep Endpoint, in []byte) wsa.Errno {
	return func(v *Values, _ Endpoint, in []byte) wsa.Errno {
		*field(v) = binary.LittleEndian.Uint32(in) != 0
		return 0
	}
}
