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

// Evidence words: how we know what a row says (style.md §4).
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
	tier        byte // 'A', 'B' or 'C' (options.md §0.1)
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
	survivesDrop bool // readable after a drop in every profile: SO_ERROR (KA-32)

	alt []alternative[T]
}

// alternative is what other profiles do with a row, and which conflict of
// spec/conflicts.md it resolves.
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

// compile makes the row ready for a profile.
func (r row[T]) compile(p Profile) *option {
	info := r.describe()
	for _, a := range r.alt {
		for _, in := range a.in {
			if in == p {
				a.change(&r)
			}
		}
	}
	if profileColumns[p].measuredCodecs && r.codec.measured != nil {
		r.codec = *r.codec.measured
	}
	r.fill()
	o := &option{
		info:         info,
		defaultText:  r.defaultText(),
		access:       r.access,
		kinds:        r.kinds,
		families:     [2]families{r.families, r.setOn},
		wrongKind:    r.wrongKind,
		wrongAccess:  r.wrongAccess,
		exists:       r.exists,
		nullable:     r.nullable,
		size:         r.codec.minimum(),
		setSize:      r.codec.setMinimum(),
		length:       r.length,
		setIn:        r.setIn,
		getAfterDrop: r.survivesDrop || profileColumns[p].storedAfterDrop && !r.ofConnection,
		listenerOnly: r.listenerOnly,
		short:        r.codec.short,
		absent:       nothing,
		read:         r.read,
		write:        r.write,
		reset:        r.reset,
	}
	if o.short == nil {
		o.short = nothing
	}
	if r.absent != nil {
		o.absent = func(b []byte) int { return r.codec.encode(b, *r.absent) }
	}
	return o
}

// fill replaces the empty columns by what they stand for.
func (r *row[T]) fill() {
	if r.kinds == 0 {
		r.kinds = AnyKind
	}
	if r.families == 0 {
		r.families = anyFamily
	}
	if r.setOn == 0 {
		r.setOn = r.families
	}
	if r.wrongKind == 0 {
		r.wrongKind = wsa.WSAENOPROTOOPT
	}
	if r.wrongAccess == 0 {
		r.wrongAccess = wsa.WSAENOPROTOOPT
	}
	if r.setIn == 0 {
		r.setIn = AnyState
	}
	if field := r.field; field != nil {
		r.load = func(v *Values) T { return *field(v) }
		r.store = func(v *Values, val T) { *field(v) = val }
	}
	if r.store == nil {
		r.store = func(*Values, T) {}
	}
	if load := r.load; load != nil && r.live == nil {
		r.live = func(v *Values, _ Endpoint) (T, wsa.Errno) { return load(v), 0 }
	}
}

// read is the last step of Get: value, then bytes.
func (r *row[T]) read(v *Values, ep Endpoint, b []byte) (int, wsa.Errno) {
	val, err := r.live(v, ep)
	switch {
	case err == 0:
		return r.codec.encode(b, val), 0
	case r.absent != nil:
		return r.codec.encode(b, *r.absent), err
	}
	return 0, err
}

// write is the last step of Set: bytes, value, endpoint, store. The endpoint
// comes last but one, so that what it refuses is not stored.
func (r *row[T]) write(v *Values, ep Endpoint, b []byte) wsa.Errno {
	val, err := r.codec.decode(b)
	if err != 0 {
		return err
	}
	if r.limit != nil {
		val = r.limit(v, val)
	}
	if r.resolve != nil {
		if val, err = r.resolve(ep, v, val); err != 0 {
			return err
		}
	}
	if r.check != nil {
		if err := r.check(v, val); err != 0 {
			return err
		}
	}
	if r.apply != nil {
		if err := r.apply(ep, v, val); err != 0 {
			return err
		}
	}
	r.store(v, val)
	return 0
}

// reset stores the default of a socket of kind k.
func (r *row[T]) reset(v *Values, k Kind) {
	if k == Stream && r.streamDef != nil {
		r.store(v, *r.streamDef)
		return
	}
	r.store(v, r.def)
}

// minimum is the shortest optval of get by family.
func (c codec[T]) minimum() [2]int {
	if c.min != 0 {
		return [2]int{c.min, c.min}
	}
	if c.size6 != 0 {
		return [2]int{c.size, c.size6}
	}
	return [2]int{c.size, c.size}
}

// setMinimum is the shortest optval of set by family.
func (c codec[T]) setMinimum() [2]int {
	if c.setMin != 0 {
		return [2]int{c.setMin, c.setMin}
	}
	return c.minimum()
}

// nothing is the outcome of a failed get that leaves optval and *optlen alone.
func nothing([]byte) int { return 0 }
