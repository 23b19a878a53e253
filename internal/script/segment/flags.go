package segment

import (
	"strings"

	"github.com/wsstack/wsstack/internal/mistake"
	"github.com/wsstack/wsstack/internal/trace"
)

// The control bits, as they stand in bytes 12 and 13 of the header of TCP: those of package trace,
// and the ninth one, AE (RFC 9768 §3.1), which has no place there.
type flags uint16

const (
	fin = flags(trace.FIN)
	syn = flags(trace.SYN)
	rst = flags(trace.RST)
	psh = flags(trace.PSH)
	ack = flags(trace.ACK)
	ece = flags(trace.ECE)
	cwr = flags(trace.CWR)
	ae  = flags(0x100)
)

// flagLetters are the letters of scripts in the order in which they write them: the dot last.
var flagLetters = []struct {
	letter byte
	flag   flags
}{
	{'F', fin},
	{'S', syn},
	{'R', rst},
	{'P', psh},
	{'U', flags(trace.URG)},
	{'E', ece},
	{'W', cwr},
	{'A', ae},
	{'.', ack},
}

// parseFlags reads the letters of a script.
func parseFlags(letters string) (flags, error) {
	var f flags
	for i := range len(letters) {
		known := false
		for _, l := range flagLetters {
			if letters[i] == l.letter {
				f |= l.flag
				known = true
			}
		}
		if !known {
			return 0, mistake.Errorf("flags are of the letters F S R P U E W A and the dot, or - for none",
				"no flag of TCP is %q", letters[i])
		}
	}
	return f, nil
}

// String writes flags as scripts do: "S", "S.", "P.", "SE."; "" for none.
func (f flags) String() string {
	var b strings.Builder
	for _, l := range flagLetters {
		if f&l.flag != 0 {
			b.WriteByte(l.letter)
		}
	}
	return b.String()
}
