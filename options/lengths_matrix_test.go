package options

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/wsstack/wsstack/wsa"
)

// TestLengthMatrix prints what every option answers to every length on every kind of a fresh
// socket, one file for each profile. A changed golden file is a change of behaviour: explain each
// line.
func TestLengthMatrix(t *testing.T) {
	datadriven.Walk(t, "testdata/lengths", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			answer, ok := map[string]func(*testing.T, spec, fake) string{"get": getLengths, "set": setLengths}[d.Cmd]
			if !ok {
				d.Fatalf(t, "unknown command %q", d.Cmd)
			}
			var name string
			d.ScanArgs(t, "profile", &name)
			return lengthGroups(t, matrixProfile(t, name), answer)
		})
	})
}

// matrixLengths are the lengths: NULL, −1, 0 to 16, and one that is enough for any value.
var matrixLengths = func() []int32 {
	all := []int32{null, -1}
	for n := range int32(17) {
		all = append(all, n)
	}
	return append(all, 700)
}()

const null = -1000

// lengthGroups puts the options with the same answers together.
func lengthGroups(t *testing.T, p Profile, answer func(*testing.T, spec, fake) string) string {
	t.Helper()
	var order []string
	members := map[string][]string{}
	for _, s := range specs {
		sockets := map[string][]string{}
		var own []string
		for i, family := range allFamilies {
			for k, kind := range allKinds {
				a := answer(t, s, fake{family: family, kind: kind, profile: p})
				if sockets[a] == nil {
					own = append(own, a)
				}
				sockets[a] = append(sockets[a], "TUR"[k:k+1]+[]string{"", "6"}[i])
			}
		}
		for _, a := range own {
			name := s.symbol
			if s.level == wsa.IPPROTO_IPV6 && !strings.HasPrefix(name, "IPV6_") {
				name += "(IPv6)" // the other level has the same name
			}
			if len(own) > 1 {
				name += ":" + strings.Join(sockets[a], "")
			}
			if members[a] == nil {
				order = append(order, a)
			}
			members[a] = append(members[a], name)
		}
	}
	var b strings.Builder
	for _, a := range order {
		b.WriteString(a + wrapped(members[a]))
	}
	return b.String()
}

// wrapped is a list in lines of 100 columns.
func wrapped(words []string) string {
	text, line := "", "   "
	for _, w := range words {
		if len(line)+1+len(w) > 100 {
			text, line = text+line+"\n", "   "
		}
		line += " " + w
	}
	return text + line + "\n"
}

// bytesOf is a buffer of n bytes, or NULL, and the length that names it.
func bytesOf(b []byte, n int32) ([]byte, int32) {
	if n == null {
		return nil, 4
	}
	return b, n
}

// setLengths has a letter for each length of a valid value.
func setLengths(t *testing.T, s spec, socket fake) string {
	t.Helper()
	line := ""
	for _, n := range matrixLengths {
		ep := newFake(socket.kind)
		ep.family, ep.profile = socket.family, socket.profile
		value := s.value()
		if s.name == wsa.PVD_CONFIG {
			value = withWord(value, 2, uint32(ep.profile))
		}
		value = append(slices.Clone(value), make([]byte, 700)...)
		optval, optlen := bytesOf(value, n)
		line += lengthLetter(t, s, Setsockopt(ep.values(), ep, s.level, s.name, optval, optlen))
	}
	return "  " + line + "\n"
}

// getLengths has three lines with a letter for each length: the error, the number of bytes that are
// written, *optlen.
func getLengths(t *testing.T, s spec, socket fake) string {
	t.Helper()
	var errors, written, after string
	for _, n := range matrixLengths {
		ep := newFake(socket.kind)
		ep.family, ep.profile = socket.family, socket.profile
		b := filled(700)
		optval, optlen := bytesOf(b, n)
		got, err := Getsockopt(ep.values(), ep, s.level, s.name, optval, optlen)
		errors += lengthLetter(t, s, err)
		count := 0
		for i := range b {
			if b[i] != 0xA5 {
				count = i + 1
			}
		}
		written += lengthNumber(count)
		if got == optlen {
			after += "="
		} else {
			after += lengthNumber(int(got))
		}
	}
	return fmt.Sprintf("  %s error\n  %s bytes\n  %s *optlen\n", errors, written, after)
}

func lengthLetter(t *testing.T, s spec, err wsa.Errno) string {
	t.Helper()
	letter, ok := matrixLetters[err]
	if !ok {
		t.Fatalf("%s answers %v, which has no letter", s.symbol, err)
	}
	return letter
}

// lengthNumber is one digit: 0 to 9, a for 10 and so on, and + for more than z.
func lengthNumber(n int) string {
	if n > 35 {
		return "+"
	}
	return strconv.FormatInt(int64(n), 36)
}
