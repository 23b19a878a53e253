package options

import "github.com/wsstack/wsstack/wsa"

// access is a set of directions.
type access uint8

const (
	getAccess access = 1 << iota
	setAccess

	noAccess  access = 0 // known, and refused both ways
	getAndSet        = getAccess | setAccess
)

// families is a set of address families.
type families uint8

const (
	inet4 families = 1 << iota
	inet6

	anyFamily = inet4 | inet6
)

func familyBit(family int32) families {
	if family == wsa.AF_INET6 {
		return inet6
	}
	return inet4
}

// Evidence words: how we know what a row says.
const (
	byDoc      = "doc"      // a page says so
	byObserved = "observed" // measured on Windows
	byAssumed  = "assumed"  // nobody says; our choice
)

// row is an option whose value is a T: the facts in columns, none of the
// checks. Zero columns are the usual case. The columns hold for Documented;
// alt says what the other profiles change.
type row[T any] struct {
	level, name int32
	symbol      string
	tier        byte // 'A', 'B' or 'C': OPTIONS.md
	doc         string
	evidence    string // "": byDoc
	text        string // one sentence for OPTIONS.md
	incomplete  string // what is still missing, for OPTIONS.md

	unsupported string // why an option without access has none, for OPTIONS.md

	access   access
	codec    codec[T]
	kinds    Kind     // 0: any
	families families // 0: any
	setOn    families // families of set where they are fewer than those of get

	// wrongKind and wrongAccess answer a socket kind and a direction that the
	// option does not have. 0: WSAENOPROTOOPT, the answer of a wrong family.
	wrongKind, wrongAccess wsa.Errno

	// exists says whether this socket has the option at all, for what depends
	// on neither kind nor family. Nil: it has.
	exists func(v *Values) bool

	// Where the value lives: in a field, or behind load and store, or nowhere
	// because live computes it. A failed live has absent written, if that is
	// set; so does a failed connection check.
	field  func(v *Values) *T
	load   func(v *Values) T
	store  func(v *Values, val T)
	live   func(v *Values, ep Endpoint) (T, wsa.Errno)
	absent *T

	def       T      // of a stored value
	streamDef *T     // of a stream, where that differs
	defText   string // of a live one, for OPTIONS.md

	nullable bool                // a NULL optval is one of no bytes (AV-4)
	length   func(v *Values) int // what get needs of a value of varying length

	setIn   State                                              // states in which set works; 0: any
	limit   func(v *Values, val T) T                           // what is provided of a request
	resolve func(ep Endpoint, v *Values, val T) (T, wsa.Errno) // the same, where only the endpoint knows
	check   func(v *Values, val T) wsa.Errno                   // relation to other values
	apply   func(ep Endpoint, v *Values, val T) wsa.Errno      // tells the endpoint before the store; v is still the old

	listenerOnly bool // an accepted socket starts from the default (IN-3)
	ofConnection bool // the value belongs to the connection: gone after a drop in every profile (C-12)
	reportsDrop  bool // the first set after a drop gets WSAENETRESET (C-11)
	survivesDrop bool // readable after a drop in every profile: SO_ERROR (KA-32)

	alt []alternative[T]
}

// alternative is what other profiles do with a row, and which conflict
// (C-nn) it resolves.
type alternative[T any] struct {
	in       []Profile
	conflict string
	text     string
	change   func(r *row[T])
}

// option is a row made ready for one profile: no type parameter, no empty
// columns. It is never modified after init.
type option struct {
	info        Info
	defaultText string

	access       access
	kinds        Kind
	families     [2]families // get, set
	wrongKind    wsa.Errno
	wrongAccess  wsa.Errno
	exists       func(v *Values) bool
	nullable     bool
	size         [2]int // shortest optval of get on AF_INET and AF_INET6
	setSize      [2]int // the same of set
	length       func(v *Values) int
	setIn        State
	getAfterDrop bool
	reportsDrop  bool
	listenerOnly bool

	short  func(b []byte) int                                      // after a get with a short buffer
	absent func(b []byte) int                                      // after a get that found no connection
	read   func(v *Values, ep Endpoint, b []byte) (int, wsa.Errno) // value to bytes
	write  func(v *Values, ep Endpoint, b []byte) wsa.Errno        // bytes to value
	reset  func(v *Values, k Kind)                                 // stores the default
}

// need is the shortest optval that get takes.
func (o *option) need(v *Values, ep Endpoint) int {
	if o.length != nil {
		return o.length(v)
	}
	return ofSocket(o.size, ep)
}

// setNeed is the shortest optval that set takes.
func (o *option) setNeed(ep Endpoint) int { return ofSocket(o.setSize, ep) }

func ofSocket(size [2]int, ep Endpoint) int {
	if size[0] == size[1] || ep.Family() != wsa.AF_INET6 {
		return size[0]
	}
	return size[1]
}

// refusal is the option check of AV-1: the code for a socket or a direction
// that the option does not have.
func (o *option) refusal(v *Values, ep Endpoint, a access) wsa.Errno {
	f := o.families[0]
	if a == setAccess {
		f = o.families[1]
	}
	switch {
	case f != anyFamily && f&familyBit(ep.Family()) == 0:
		return wsa.WSAENOPROTOOPT
	case o.kinds&ep.Kind() == 0:
		return o.wrongKind
	case o.access&a == 0:
		return o.wrongAccess
	case o.exists != nil && !o.exists(v):
		return wsa.WSAENOPROTOOPT
	}
	return 0
}
