package options

import "github.com/wsstack/wsstack/wsa"

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
	if profileColumns[p].measured && r.codec.measured != nil {
		r.codec = *r.codec.measured
	}
	r.fill()
	o := &option{
		info:         info,
		defaultText:  r.defaultText(),
		access:       r.access,
		lengths:      r.lengths.of(p),
		kinds:        [2]Kind{r.kinds, r.setKinds},
		families:     [2]families{r.families, r.setOn},
		wrongKind:    r.wrongKind,
		wrongAccess:  r.wrongAccess,
		exists:       r.exists,
		nullable:     r.nullable,
		size:         r.codec.sizes(),
		length:       r.length,
		setIn:        r.setIn,
		getAfterDrop: r.survivesDrop || profileColumns[p].storedAfterDrop && !r.ofConnection,
		reportsDrop:  r.reportsDrop,
		listenerOnly: r.listenerOnly,
		absent:       nothing,
		read:         r.read,
		write:        r.write,
		reset:        r.reset,
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
	if r.setKinds == 0 {
		r.setKinds = r.kinds
	}
	if r.setOn == 0 {
		r.setOn = r.families
	}
	if r.wrongKind == 0 {
		r.wrongKind = wsa.WSAENOPROTOOPT
	}
	for i := range r.wrongAccess {
		if r.wrongAccess[i] == 0 {
			r.wrongAccess[i] = wsa.WSAENOPROTOOPT
		}
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

// sizes is the size of a value by family.
func (c codec[T]) sizes() [2]int {
	if c.size6 != 0 {
		return [2]int{c.size, c.size6}
	}
	return [2]int{c.size, c.size}
}

// nothing is the outcome of a failed get that leaves optval and *optlen alone.
func nothing([]byte) int { return 0 }
