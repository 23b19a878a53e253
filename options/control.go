package options

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/wsstack/wsstack/wsa"
)

// control is a control code of WSAIoctl that shares state with the options: a
// row of facts, as for an option (options.md §9).
type control struct {
	code       uint32
	symbol     string
	typ        string // of the input
	size       int    // bytes of it
	text       string
	incomplete string
	evidence   string // "": byDoc

	kinds     Kind
	wrongKind wsa.Errno // 0: WSAEOPNOTSUPP
	setIn     State     // 0: any
	def       func(v *Values)
	apply     func(v *Values, ep Endpoint, in []byte) wsa.Errno
}

// Control is WSAIoctl for a control code that sets a value of the socket: in
// is its input, nil the NULL pointer. ok is false for a code that isn't one of
// those; [Controls] lists them. The caller holds the lock of v.
//
// The checks run in the order of [Set]: pointer (WSAEFAULT), kind of socket,
// length (WSAEFAULT), connection, state and value (WSAEINVAL). A failed call
// changes nothing.
func Control(v *Values, ep Endpoint, code uint32, in []byte) (err wsa.Errno, ok bool) {
	i := slices.IndexFunc(controls, func(c control) bool { return c.code == code })
	if i < 0 {
		return 0, false
	}
	return controls[i].set(v, ep, in), true
}

// SetKeepAliveVals is the control code SIO_KEEPALIVE_VALS; see [Control].
func SetKeepAliveVals(v *Values, ep Endpoint, in []byte) wsa.Errno {
	err, _ := Control(v, ep, wsa.SIO_KEEPALIVE_VALS, in)
	return err
}

func (c *control) set(v *Values, ep Endpoint, in []byte) wsa.Errno {
	switch {
	case in == nil:
		return wsa.WSAEFAULT
	case c.kinds&ep.Kind() == 0:
		if c.wrongKind != 0 {
			return c.wrongKind
		}
		return wsa.WSAEOPNOTSUPP
	case len(in) < c.size:
		return wsa.WSAEFAULT
	}
	if err := ep.ConnectionError(true); err != 0 {
		return err
	}
	if c.setIn != 0 && c.setIn&ep.State() == 0 {
		return wsa.WSAEINVAL
	}
	return c.apply(v, ep, in)
}

func (c *control) reset(v *Values) {
	if c.def != nil {
		c.def(v)
	}
}

// A ControlInfo describes a control code that [Control] carries out.
type ControlInfo struct {
	Code        uint32   `json:"code"`
	Symbol      string   `json:"symbol"`
	Type        string   `json:"type"`
	Size        int      `json:"size"` // bytes of the input
	Kinds       []string `json:"kinds"`
	Evidence    string   `json:"evidence"`
	Description string   `json:"description"`
	Incomplete  string   `json:"incomplete,omitempty"`
}

// Controls describes the control codes of [Control].
func Controls() []ControlInfo {
	infos := make([]ControlInfo, len(controls))
	for i, c := range controls {
		infos[i] = ControlInfo{c.code, c.symbol, c.typ, c.size, c.kinds.names(), c.evidence, c.text, c.incomplete}
		if c.evidence == "" {
			infos[i].Evidence = byDoc
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
