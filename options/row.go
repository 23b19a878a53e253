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

// row is an option whose value has the type T. A row holds facts in columns, and none of the
// checks. An empty column stands for the usual case. The columns hold for the profile Documented;
// alt says what the other profiles change.
type row[T any] struct {
	level, name int32
	symbol      string
	tier        byte   // 'A', 'B' or 'C'; OPTIONS.md says what they mean
	doc         string // labels of the pages, for OPTIONS.md
	evidence    string // "": byDoc
	text        string // meaning in a sentence or two, for OPTIONS.md
	incomplete  string // what is still missing, for OPTIONS.md
	unsupported string // why an option without access has none, for OPTIONS.md

	access   access
	codec    codec[T]
	lengths  lengthClass
	kinds    Kind     // kinds of socket that have the option; 0: all
	families families // families of sockets that have the option; 0: all
	setKinds Kind     // kinds of socket on which set works; 0: kinds
	setOn    families // families of sockets on which set works; 0: families

	// wrongKind is the error on a socket of another kind, wrongAccess that of a direction which
	// access doesn't have: [0] on a stream, [1] on other sockets. 0 stands for WSAENOPROTOOPT, which
	// is the error on a socket of another family.
	wrongKind   wsa.Errno
	wrongAccess [2]wsa.Errno

	// exists reports whether a socket with the values v has the option, where that depends on more
	// than kind and family. Nil: every socket has.
	exists func(v *Values) bool

	// The value is stored in a field, or behind load and store; or it isn't stored and live
	// computes it. absent is the value that a get returns together with the error of live or of the
	// connection check.
	field  func(v *Values) *T
	load   func(v *Values) T
	store  func(v *Values, val T)
	live   func(v *Values, ep Endpoint) (T, wsa.Errno)
	absent *T

	def       T      // default of a stored value
	streamDef *T     // default of a stream; nil: def
	defText   string // default of a value that live computes, for OPTIONS.md

	nullable bool                // whether a NULL optval is one of no bytes (AV-4)
	length   func(v *Values) int // size of the value, where it varies

	setIn State // states in which set works; 0: all

	// limit returns the value that is provided for a request, and resolve does the same where only
	// the endpoint knows. check is the relation to other values. apply tells the endpoint about the
	// new value before the value is stored, so that v still has the old one.
	limit   func(v *Values, val T) T
	resolve func(ep Endpoint, v *Values, val T) (T, wsa.Errno)
	check   func(v *Values, val T) wsa.Errno
	apply   func(ep Endpoint, v *Values, val T) wsa.Errno

	listenerOnly bool // whether an accepted socket starts with the default (IN-3)
	ofConnection bool // whether the value ends with the connection, in every profile (C-12)
	reportsDrop  bool // whether the first set after a drop fails with WSAENETRESET (C-11)
	survivesDrop bool // whether a get works after a drop in every profile, as of SO_ERROR (KA-32)

	alt []alternative[T]
}

// alternative is what other profiles do with a row, with the number of the conflict that the
// difference resolves (docs/conflicts.md).
type alternative[T any] struct {
	in       []Profile
	conflict string
	text     string
	change   func(r *row[T])
}

// option is a row made ready for one profile, without a type parameter and without empty columns.
// An option never changes after the package is initialised.
type option struct {
	info        Info
	defaultText string

	access       access
	lengths      *lengths
	kinds        [2]Kind     // get, set
	families     [2]families // get, set
	wrongKind    wsa.Errno
	wrongAccess  [2]wsa.Errno
	exists       func(v *Values) bool
	nullable     bool
	size         [2]int // size of a value on AF_INET and AF_INET6, in bytes
	length       func(v *Values) int
	setIn        State
	getAfterDrop bool
	reportsDrop  bool
	listenerOnly bool

	// absent writes what a get without a connection returns. read turns the value into bytes, write
	// the bytes into a value. reset stores the default.
	absent func(b []byte) int
	read   func(v *Values, ep Endpoint, b []byte) (int, wsa.Errno)
	write  func(v *Values, ep Endpoint, b []byte) wsa.Errno
	reset  func(v *Values, k Kind)
}

// need is the size of the value that a get returns, in bytes.
func (o *option) need(v *Values, ep Endpoint) int {
	if o.length != nil {
		return o.length(v)
	}
	return ofSocket(o.size, ep)
}

func ofSocket(size [2]int, ep Endpoint) int {
	if size[0] == size[1] || ep.Family() != wsa.AF_INET6 {
		return size[0]
	}
	return size[1]
}

// refusal is the third check of AV-1: the error on a socket, or in a direction, that the option
// doesn't have.
func (o *option) refusal(v *Values, ep Endpoint, a access) wsa.Errno {
	kinds, f := o.kinds[0], o.families[0]
	if a == setAccess {
		kinds, f = o.kinds[1], o.families[1]
	}
	switch {
	case f != anyFamily && f&familyBit(ep.Family()) == 0:
		return wsa.WSAENOPROTOOPT
	case o.access&a == 0:
		return o.wrongAccess[bit(ep.Kind() != Stream)]
	case kinds&ep.Kind() == 0:
		return o.wrongKind
	case o.exists != nil && !o.exists(v):
		return wsa.WSAENOPROTOOPT
	}
	return 0
}
