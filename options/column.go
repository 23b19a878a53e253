package options

import (
	"slices"

	"github.com/wsstack/wsstack/wsa"
)

// A Column is what one profile does with an option, in plain data.
type Column struct {
	Profile   string    `json:"profile"`             // name of the profile
	Default   string    `json:"default"`             // value of a new socket; "": none
	Lengths   string    `json:"lengths"`             // class of lengths; see OPTIONS.md
	Get       Direction `json:"get"`                 // what getsockopt does
	Set       Direction `json:"set"`                 // what setsockopt does
	SetNotIn  []string  `json:"set_not_in"`          // states in which set fails with WSAEINVAL
	Deviation []string  `json:"deviation,omitempty"` // differences from the documents, with conflicts
}

// A Direction says which sockets have an option in one direction.
type Direction struct {
	Sockets []string  `json:"sockets"`         // kinds on which the call works
	Fails   []Refusal `json:"fails,omitempty"` // errors on the others
}

// A Refusal is the error of a call on sockets that don't have the option.
type Refusal struct {
	Error   string   `json:"error"`   // symbol, such as "WSAENOPROTOOPT"
	Sockets []string `json:"sockets"` // kinds of sockets, of AF_INET or AF_INET6 alone where that is said
}

// Columns returns what each profile does with the option, the documented profile first. The result
// is nil for an option that isn't in the table.
func (i Info) Columns() []Column {
	var columns []Column
	for p := range profileCount {
		o := tables[p].byKey[optionKey(i.Level, i.Number)]
		if o == nil {
			return nil
		}
		columns = append(columns, o.column(p))
	}
	return columns
}

func (o *option) column(p Profile) Column {
	c := Column{
		Profile: p.String(), Default: o.defaultText, Lengths: o.lengths.String(),
		Get: o.direction(p, getAccess), Set: o.direction(p, setAccess),
		SetNotIn: []string{},
	}
	if o.access&setAccess != 0 {
		c.SetNotIn = append(c.SetNotIn, bitNames(uint8(AnyState&^o.setIn), stateNames)...)
	}
	for _, a := range o.info.Alternatives {
		if slices.Contains(a.Profiles, c.Profile) {
			c.Deviation = append(c.Deviation, a.Text+" ("+a.Conflict+")")
		}
	}
	return c
}

// direction asks the checks of the calls themselves.
func (o *option) direction(p Profile, a access) Direction {
	d := Direction{Sockets: []string{}}
	fails := map[wsa.Errno][]string{}
	var order []wsa.Errno
	for kind, name := range kindNames {
		k := Kind(1 << kind)
		four, six := o.refusedOn(p, wsa.AF_INET, k, a), o.refusedOn(p, wsa.AF_INET6, k, a)
		on := map[wsa.Errno]string{four: name}
		if four != six {
			on = map[wsa.Errno]string{four: name + " of AF_INET", six: name + " of AF_INET6"}
		}
		for _, err := range slices.Compact([]wsa.Errno{four, six}) {
			if err == 0 {
				d.Sockets = append(d.Sockets, on[err])
				continue
			}
			if fails[err] == nil {
				order = append(order, err)
			}
			fails[err] = append(fails[err], on[err])
		}
	}
	for _, err := range order {
		d.Fails = append(d.Fails, Refusal{err.Symbol(), fails[err]})
	}
	return d
}

func (o *option) refusedOn(p Profile, family int32, k Kind, a access) wsa.Errno {
	v := Defaults(p, family, k)
	_, err := find(&v, newcomer{profile: p, family: family, kind: k}, o.info.Level, o.info.Number, a)
	return err
}

// A newcomer is as much of an Endpoint as the checks of kind and family ask for.
type newcomer struct {
	Endpoint
	profile Profile
	family  int32
	kind    Kind
}

func (n newcomer) Profile() Profile { return n.profile }
func (n newcomer) Family() int32    { return n.family }
func (n newcomer) Kind() Kind       { return n.kind }
