package options

import "github.com/wsstack/wsstack/wsa"

// An Assignment is an option together with a value for it. [Option.With] makes one; [SetAll] and
// the field Defaults of stack.Config take several. The zero Assignment has no option, and setting
// it fails with WSAEINVAL.
type Assignment struct {
	level, name int32
	optval      []byte    // the value in bytes; nil: there is none, for the reason err
	err         wsa.Errno // the error of every set; 0: none
}

// With returns the option together with a value for it.
func (o Option[T]) With(val T) Assignment {
	a := Assignment{level: o.level, name: o.name}
	if a.optval, a.err = o.append(make([]byte, 0, o.size), val); a.err != 0 {
		a.optval = nil
	}
	return a
}

// String returns the symbol of the option, such as "TCP_NODELAY".
func (a Assignment) String() string {
	if a.err == 0 && a.optval == nil {
		return "no option"
	}
	return wsa.OptionName(a.level, a.name)
}

// Set sets the option of c to the value, as [Option.Set] does.
func (a Assignment) Set(c Setter) error {
	if err := a.invalid(); err != 0 {
		return err
	}
	return c.SetSockOpt(a.level, a.name, a.optval)
}

func (a Assignment) invalid() wsa.Errno {
	if a.err == 0 && a.optval == nil {
		return wsa.WSAEINVAL
	}
	return a.err
}

// SetAll sets options of c in the given order, until one of them fails, and returns its error.
func SetAll(c Setter, assignments ...Assignment) error {
	for _, a := range assignments {
		if err := a.Set(c); err != nil {
			return err
		}
	}
	return nil
}

// Assign is [Set] with an Assignment, for defaults that not every socket has. has is false, and
// nothing changes, when sockets of this kind and family don't have the option or nobody can set it;
// err is then the error that Set would return.
func Assign(v *Values, ep Endpoint, a Assignment) (has bool, err wsa.Errno) {
	if err := a.invalid(); err != 0 {
		return true, err
	}
	if _, err := find(v, ep, a.level, a.name, setAccess); err != 0 {
		return false, err
	}
	return true, Set(v, ep, a.level, a.name, a.optval)
}
