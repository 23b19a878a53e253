package options

// defaultLinger is the time-out in seconds that SO_DONTLINGER FALSE reinstates
// when SO_LINGER never established one. The documents leave it open (S-SET:
// "the time-out used is implementation dependent"); it must not be 0, which
// would silently select a hard close (LG-22).
const defaultLinger = 60

// Linger is the linger record of a socket, one store for SO_LINGER and
// SO_DONTLINGER, which always read as complements.
//
//	SO_LINGER {1, n}     On, Timeout = n, Established
//	SO_LINGER {0, x}     off; Timeout stays, x is ignored
//	SO_DONTLINGER TRUE   off; Timeout stays
//	SO_DONTLINGER FALSE  On; the established Timeout, else Fallback
//
// A close looks at On and Timeout only.
type Linger struct {
	On          bool
	Timeout     uint16 // seconds; 0 while On: hard close
	Established bool   // Timeout came from SO_LINGER
	Fallback    uint16 // seconds; the Timeout of SO_DONTLINGER FALSE when not Established
}

// lingerValue is the struct linger of the documents as an application reads
// and writes it.
type lingerValue struct {
	on      bool
	seconds uint16
}

// value returns what a get of SO_LINGER reports: {0, 0} while off, whatever
// time-out is remembered (LG-20).
func (l *Linger) value() lingerValue {
	if !l.On {
		return lingerValue{}
	}
	return lingerValue{on: true, seconds: l.Timeout}
}

// set stores an SO_LINGER value.
func (l *Linger) set(v lingerValue) {
	l.On = v.on
	if v.on {
		l.Timeout, l.Established = v.seconds, true
	}
}

// setDont stores an SO_DONTLINGER value.
func (l *Linger) setDont(dont bool) {
	l.On = !dont
	if l.On && !l.Established {
		l.Timeout = l.Fallback
	}
}
