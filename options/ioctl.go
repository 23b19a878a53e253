package options

import (
	"time"

	"github.com/wsstack/wsstack/wsa"
)

// SetKeepAliveVals is the control code SIO_KEEPALIVE_VALS: in is a struct
// tcp_keepalive, and it writes the keep-alive record of the socket. A nil in is
// the NULL pointer. The caller holds the lock of v.
//
// A non-zero onoff turns keep-alive on with both times; a time of 0 stands for
// the default (assumed: the page is silent). onoff 0 turns it off and leaves
// the times alone. The probe count stays as it is. Unlike SO_KEEPALIVE it
// works while a connect is pending (assumed: no page restricts it).
func SetKeepAliveVals(v *Values, ep Endpoint, in []byte) wsa.Errno {
	if in == nil {
		return wsa.WSAEFAULT
	}
	if ep.Kind() != Stream {
		return wsa.WSAENOPROTOOPT
	}
	vals, err := wsa.ParseTCPKeepalive(in)
	if err != 0 {
		return err
	}
	if err := ep.ConnectionError(true); err != 0 {
		return err
	}
	k := v.KeepAlive
	k.On = vals.OnOff != 0
	if k.On {
		def := Defaults(ep.Profile(), ep.Family(), ep.Kind()).KeepAlive
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
