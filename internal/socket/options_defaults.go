package socket

import (
	"fmt"

	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// setDefaults gives a new socket the host's defaults, as setsockopt right after
// its creation would. What the socket doesn't have is passed over; the rest was
// checked by CheckDefaults, so that an error here means that something else has
// changed since, such as the interfaces.
func (s *Socket) setDefaults(defaults []options.Assignment) wsa.Errno {
	if len(defaults) == 0 {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range defaults {
		if has, err := s.assignLocked(a); has && err != 0 {
			s.leaveGroupsLocked()
			return err
		}
	}
	s.applyLocked()
	return 0
}

func (s *Socket) assignLocked(a options.Assignment) (has bool, err wsa.Errno) {
	return options.Assign(&s.values, (*optionView)(s), a)
}

// CheckDefaults reports the first of a list of defaults that new sockets of h
// can't have set: an error names its place, its option and the code that
// setsockopt has for it. An option that only some sockets have needs to be
// valid for those; there must be one of them.
func CheckDefaults(h Host, defaults []options.Assignment) error {
	if len(defaults) == 0 {
		return nil
	}
	probes := probeSockets(h)
	defer func() {
		for _, s := range probes {
			s.leaveGroupsLocked()
		}
	}()
	for i, a := range defaults {
		if err := checkDefault(probes, a); err != nil {
			return fmt.Errorf("[%d], %v: %w", i, a, err)
		}
	}
	return nil
}

// checkDefault sets an option on whichever of the sockets has it.
func checkDefault(probes []*Socket, a options.Assignment) error {
	var missing wsa.Errno // what the first one, a stream, says
	anyHas := false
	for _, s := range probes {
		has, err := s.assignLocked(a)
		switch {
		case has && err != 0:
			return err
		case has:
			anyHas = true
		case missing == 0:
			missing = err
		}
	}
	if !anyHas {
		return fmt.Errorf("no socket can have it set: %w", missing)
	}
	return nil
}

// probeSockets returns a socket of each kind and family, streams first, that
// nobody else knows: they need no lock, and no closing.
func probeSockets(h Host) []*Socket {
	var probes []*Socket
	for _, k := range []struct {
		kind     options.Kind
		protocol int32
	}{{options.Stream, wsa.IPPROTO_TCP}, {options.Datagram, wsa.IPPROTO_UDP}, {options.Raw, wsa.IPPROTO_ICMP}} {
		for _, family := range []int32{wsa.AF_INET, wsa.AF_INET6} {
			probes = append(probes, freshSocket(h, family, k.kind, k.protocol, ""))
		}
	}
	return probes
}
