package options

// defaultLinger is the time-out in seconds that SO_DONTLINGER FALSE selects when SO_LINGER has
// never set one. The documents leave the number open (S-SET: "the time-out used is implementation
// dependent"). A time-out of 0 would turn a close into an abortive one (LG-22).
const defaultLinger = 60

// Linger is the linger record of a socket, which SO_LINGER and SO_DONTLINGER share. The values that
// the two options report are always opposites.
//
//	SO_LINGER {1, n}     sets On and Established, and sets Timeout to n
//	SO_LINGER {0, x}     clears On; Timeout stays, and x is ignored
//	SO_DONTLINGER TRUE   clears On; Timeout stays
//	SO_DONTLINGER FALSE  sets On; unless Established, sets Timeout to Fallback
//
// Only On and Timeout have an effect on a close.
type Linger struct {
	On          bool   // whether a close lingers, or is abortive
	Timeout     uint16 // time for which a close lingers, in seconds; 0: an abortive close
	Established bool   // whether Timeout was set by SO_LINGER
	Fallback    uint16 // Timeout that SO_DONTLINGER FALSE sets without Established, in seconds

	onOff uint16 // l_onoff as SO_LINGER set it; 0: 1 while On
}

// lingerValue is the value of SO_LINGER, struct linger, as an application reads and writes it.
type lingerValue struct{ onOff, seconds uint16 }

// value returns the value of SO_LINGER: {0, 0} while On is false, whatever Timeout is (LG-20).
func (l *Linger) value() lingerValue {
	if !l.On {
		return lingerValue{}
	}
	return lingerValue{onOff: 1, seconds: l.Timeout}
}

// asSet returns the value of SO_LINGER with the l_onoff that was set (observed: WL-6).
func (l *Linger) asSet() lingerValue {
	val := l.value()
	if l.On && l.onOff != 0 {
		val.onOff = l.onOff
	}
	return val
}

// set stores a value of SO_LINGER.
func (l *Linger) set(v lingerValue) {
	l.On, l.onOff = v.onOff != 0, v.onOff
	if l.On {
		l.Timeout, l.Established = v.seconds, true
	}
}

// setDont stores a value of SO_DONTLINGER.
func (l *Linger) setDont(dont bool) {
	l.On, l.onOff = !dont, 0
	if l.On && !l.Established {
		l.Timeout = l.Fallback
	}
}
