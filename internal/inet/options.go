package inet

// The kinds of TCP options (RFC 9293 §3.1, RFC 7323 §2 and §3, RFC 2018 §2 and §3).
const (
	OptionEnd           = 0
	OptionNop           = 1
	OptionMSS           = 2
	OptionScale         = 3
	OptionSACKPermitted = 4
	OptionSACK          = 5
	OptionTimestamps    = 8
)

// An OptionScanner walks over the options of a TCP header:
//
//	for s := inet.ScanOptions(header[20:]); s.Next(); {
//		… s.Kind, s.Value …
//	}
type OptionScanner struct {
	Kind      byte   // of the option that Next has found
	Value     []byte // what the option has behind its kind and its length: a part of the header
	Malformed bool   // the list ends with an option whose length is impossible
	rest      []byte
}

// ScanOptions returns a scanner of the options in b.
func ScanOptions(b []byte) OptionScanner { return OptionScanner{rest: b} }

// Next finds the next option and reports whether there is one. OptionEnd ends the list, and
// OptionNop is skipped: neither is found.
func (s *OptionScanner) Next() bool {
	for len(s.rest) > 0 && s.rest[0] == OptionNop {
		s.rest = s.rest[1:]
	}
	if len(s.rest) == 0 || s.rest[0] == OptionEnd {
		return false
	}
	if len(s.rest) < 2 || s.rest[1] < 2 || int(s.rest[1]) > len(s.rest) {
		s.Malformed, s.rest = true, nil
		return false
	}
	size := s.rest[1]
	s.Kind, s.Value, s.rest = s.rest[0], s.rest[2:size], s.rest[size:]
	return true
}
