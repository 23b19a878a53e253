package socket

import (
	"strconv"

	"github.com/wsstack/wsstack/internal/changes"
	"github.com/wsstack/wsstack/options"
)

// What follows tells who records connections which options have changed (transport.Conn.Note).

// valuesLocked returns a copy of the values for noteLocked. It is nil where nobody records, or
// where there is no connection to tell of.
func (s *Socket) valuesLocked() *options.Values {
	if s.conn == nil || !s.host.TCP().Recording() {
		return nil
	}
	before := s.values
	return &before
}

// noteLocked tells of the values that differ from those before, if these aren't nil.
func (s *Socket) noteLocked(before *options.Values) {
	if before == nil || s.conn == nil || *before == s.values {
		return
	}
	for _, o := range changes.Of(&s.values, before) {
		s.conn.Note(o.String())
	}
}

// noteAllLocked tells of the values with which a connection begins, as far as they aren't the
// defaults of the profile.
func (s *Socket) noteAllLocked() {
	if s.valuesLocked() == nil {
		return
	}
	defaults := options.Defaults(s.host.Profile(), s.family, s.Kind())
	s.noteLocked(&defaults)
}

// noteModeLocked tells of FIONBIO, which isn't among the values.
func (s *Socket) noteModeLocked(on bool) {
	if s.conn == nil || !s.host.TCP().Recording() || s.nonblocking.Load() == on {
		return
	}
	s.conn.Note(changes.Option{Symbol: "FIONBIO", Value: strconv.FormatBool(on)}.String())
}
