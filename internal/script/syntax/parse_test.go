package syntax

import (
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"
)

// What comes of scripts: each as the printer has it, or its mistakes and their hints.
func TestParse(t *testing.T) {
	files, err := filepath.Glob("testdata/parse/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		datadriven.RunTest(t, file, func(t *testing.T, d *datadriven.TestData) string {
			if d.Input != "" {
				d.Input += "\n"
			}
			var o Options
			for _, arg := range d.CmdArgs {
				switch arg.Key {
				case "ignore":
					o = Options{IgnoreShell: true, IgnoreCode: true}
				case "define":
					o.Defines = map[string]string{arg.Vals[0]: arg.Vals[1]}
				case "windows":
					d.Input = "\ufeff" + strings.ReplaceAll(d.Input, "\n", "\r\n")
				}
			}
			return outcome(t, d.Input, o)
		})
	}
}

// outcome is what Parse makes of a script, as text. It sees to it that errors are complete, and that
// what is printed is the script that was read.
func outcome(t testing.TB, text string, o Options) string {
	s, err := Parse("script", []byte(text), o)
	if err == nil {
		again(t, s)
		return s.String()
	}
	require.Nil(t, s)
	var all Errors
	require.ErrorAs(t, err, &all)
	require.NotEmpty(t, all)
	require.LessOrEqual(t, len(all), MaxErrors)
	var b strings.Builder
	for i, e := range all {
		require.ErrorIs(t, err, error(e))
		require.NotEmpty(t, e.Text)
		require.NotEmpty(t, e.Hint)
		require.Equal(t, "script", e.File)
		require.Positive(t, e.Line)
		require.Positive(t, e.Column)
		require.LessOrEqual(t, e.Line, 1+strings.Count(text, "\n"))
		if i > 0 {
			require.GreaterOrEqual(t, e.Line, all[i-1].Line, "the mistakes are in order: %v", all)
		}
		fmt.Fprintf(&b, "%v\n\t%s\n", e, e.Hint)
	}
	return b.String()
}

// again reads what was printed, and compares.
func again(t testing.TB, s *Script) {
	t.Helper()
	text := s.String()
	second, err := Parse(s.Name, []byte(text), Options{IgnoreShell: true, IgnoreCode: true})
	require.NoError(t, err, "%s", text)
	require.Equal(t, text, second.String())
	for _, e := range second.Events {
		require.Equal(t, e.Action.String(), strings.TrimSpace(e.Text), "what is printed is what the script has")
	}
	ignored := second.Ignored
	second.Ignored = s.Ignored // those without a time aren't printed
	require.LessOrEqual(t, ignored, s.Ignored)
	clearPositions(reflect.ValueOf(s))
	clearPositions(reflect.ValueOf(second))
	require.Equal(t, s, second)
}

// clearPositions sets all positions, and the texts of events, to their zero values.
func clearPositions(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			clearPositions(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			clearPositions(v.Index(i))
		}
	case reflect.Struct:
		switch v.Type() {
		case reflect.TypeFor[Pos]():
			v.SetZero()
			return
		case reflect.TypeFor[Event]():
			v.FieldByName("Text").SetZero()
		}
		for i := range v.NumField() {
			clearPositions(v.Field(i))
		}
	}
}

// Errors are one error and each of them.
func TestErrors(t *testing.T) {
	_, err := Parse("a.pkt", []byte("0 close(\n+0 close(3) = 0\n+0 < Z 0:0(0)\n"), Options{})
	require.EqualError(t, err, "a.pkt:1:9: expected a value, not the end of the line\na.pkt:3:6: 'Z' isn't a flag of TCP: Z")
	one, ok := errors.AsType[*Error](err)
	require.True(t, ok)
	require.Equal(t, Pos{1, 9}, one.Pos)
	require.Equal(t, "1:9", one.Pos.String())
}

// What the printer leaves out is in the tree all the same, and where everything is.
func TestPositions(t *testing.T) {
	s, err := Parse("a.pkt", []byte("--mtu=1280 --ecn\n\n\t0 // ü\n /* ü */ close( 3,\n\tA|B ) = -1 EBADF (Bad file)\n+1 > 1 > 2 . 1:2(1) <nop, mss 9>\n"), Options{})
	require.NoError(t, err)
	require.Equal(t, []Setting{{Pos{1, 1}, "mtu", "1280", true}, {Pos{1, 12}, "ecn", "", false}}, s.Settings)
	first := s.Events[0]
	require.Equal(t, Pos{3, 2}, first.Pos)
	require.Equal(t, "close( 3, A|B ) = -1 EBADF (Bad file)", first.Text)
	require.Equal(t, &Call{
		Pos: Pos{4, 10}, Name: "close", Result: &Number{Pos{5, 10}, -1, false}, Error: "EBADF",
		Args: []Expr{&Number{Pos{4, 17}, 3, false}, &Or{Pos{5, 2}, []Expr{&Name{Pos{5, 2}, "A"}, &Name{Pos{5, 4}, "B"}}}},
	}, first.Action)
	for _, e := range first.Action.(*Call).Args {
		require.Positive(t, e.At().Line)
	}
	packet := s.Events[1].Action.(*Packet)
	require.Equal(t, Pos{6, 4}, packet.Pos)
	require.Equal(t, &[2]uint16{1, 2}, packet.Ports)
	require.Equal(t, &Segment{Flags: ".", Start: 1, End: 2, Length: 1, HasRange: true,
		Options: []Option{{Pos: Pos{6, 22}, Name: "nop"}, {Pos: Pos{6, 27}, Name: "mss", Values: []uint32{9}}}}, packet.TCP)
}

// The times of a script are exact.
func TestTimes(t *testing.T) {
	for text, want := range map[string]Time{
		"0":                   {},
		".000000001":          {From: 1, To: 1},
		"0.1":                 {From: 100 * time.Millisecond, To: 100 * time.Millisecond},
		"+3600.25000000000":   {Kind: Relative, From: time.Hour + 250*time.Millisecond, To: time.Hour + 250*time.Millisecond},
		"+0~+.5":              {Kind: Relative, To: time.Second / 2},
		"1~2":                 {From: time.Second, To: 2 * time.Second},
		"0....5":              {Blocks: true, Until: time.Second / 2},
		"+.1...+.2":           {Kind: Relative, From: 100 * time.Millisecond, To: 100 * time.Millisecond, Blocks: true, Until: 200 * time.Millisecond},
		"00000000000000000.5": {From: time.Second / 2, To: time.Second / 2},
	} {
		action := " > . 1:1(0)"
		if want.Blocks {
			action = " close(3) = 0"
		}
		s, err := Parse("", []byte(text+action), Options{})
		require.NoError(t, err, text)
		require.Equal(t, want, s.Events[0].Time, text)
	}
}

// Bounds hold, and what is just within them is read.
func TestBounds(t *testing.T) {
	_, err := Parse("", make([]byte, MaxScript+1), Options{})
	require.ErrorContains(t, err, "the script has 1048577 bytes")

	sum := func(n int) string { return "0 assert 1" + strings.Repeat("+1", n) + " == 1" }
	_, err = Parse("", []byte(sum(MaxOperators-1)), Options{})
	require.NoError(t, err)
	_, err = Parse("", []byte(sum(MaxOperators)), Options{})
	require.ErrorContains(t, err, "too many operators")

	nested := func(n int) string {
		return "0 f" + strings.Repeat("(", n) + "1" + strings.Repeat(")", n)
	}
	_, err = Parse("", []byte(nested(MaxNesting)), Options{})
	require.NoError(t, err)
	_, err = Parse("", []byte(nested(MaxNesting+1)), Options{})
	require.ErrorContains(t, err, "nests too deeply")

	events := func(n int) string { return strings.Repeat("0 f()\n", n) }
	s, err := Parse("", []byte(events(MaxEvents)), Options{})
	require.NoError(t, err)
	require.Len(t, s.Events, MaxEvents)
	_, err = Parse("", []byte(events(MaxEvents+1)), Options{})
	require.ErrorContains(t, err, "too many events")

	_, err = Parse("", []byte(strings.Repeat("0 x\n", 50)), Options{})
	require.Len(t, err, MaxErrors)
}

// What stands for a word comes from the script, and from Options before that.
func TestDefines(t *testing.T) {
	script := []byte("--define=TFO=00ff --define=MSS=9\n0 < S 0:0(0) win 1 <FO TFO,mss MSS>\n")
	s, err := Parse("", script, Options{Defines: map[string]string{"TFO": "0a", "X": "1"}})
	require.NoError(t, err)
	require.Equal(t, "< S 0:0(0) win 1 <FO 0a,mss 9>", s.Events[0].Action.String())
	require.Equal(t, "< S 0:0(0) win 1 <FO TFO,mss MSS>", s.Events[0].Text)
	require.Empty(t, s.Settings)
	_, err = Parse("", script, Options{Defines: map[string]string{"TFO": "0a 1"}})
	require.ErrorContains(t, err, `2:24: what TFO is defined as: "0a 1" isn't one word`)
}

// What Options leave out stays as an event, so that times count from it.
func TestIgnore(t *testing.T) {
	script := []byte("`init`\n0 %{ a\n\tb }%\n+1 `x`\n+1 close(3) = 0\n`end`")
	s, err := Parse("", script, Options{IgnoreShell: true, IgnoreCode: true})
	require.NoError(t, err)
	require.Equal(t, 4, s.Ignored)
	require.Len(t, s.Events, 3)
	require.Equal(t, &Ignored{Pos: Pos{2, 3}, Text: "a b"}, s.Events[0].Action)
	require.Equal(t, &Ignored{Pos: Pos{4, 4}, Shell: true, Text: "x"}, s.Events[1].Action)
	require.Equal(t, "%{ a b }%", s.Events[0].Text)

	_, err = Parse("", script, Options{IgnoreShell: true})
	require.ErrorContains(t, err, "2:3: code in another language isn't run")
	require.Len(t, err, 1)
	_, err = Parse("", script, Options{IgnoreCode: true})
	require.Len(t, err, 3)
}
