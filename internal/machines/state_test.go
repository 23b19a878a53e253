package machines

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// text is an action in words.
func (a action) text(names []string) string {
	switch {
	case a.send != nil:
		return strings.TrimSpace(fmt.Sprintf("to %s: %s", names[a.to], a.send.line()))
	case a.begin:
		return "begin"
	case a.ready != "":
		return "ready " + a.ready
	case a.note != "":
		return "note " + a.note
	}
	return "end"
}

// A step is something that happens to a state, and what it wants done then.
type step struct {
	what func(s *state)
	want []string
}

func from(machine int, line string) func(s *state) {
	return func(s *state) {
		m, err := parse([]byte(line))
		if err != nil {
			panic(err)
		}
		s.received(machine, m)
	}
}

func lost(machine int) func(s *state)     { return func(s *state) { s.lost(machine) } }
func at(now time.Duration) func(s *state) { return func(s *state) { s.tick(now) } }
func wants(status int, text string) func(*state) {
	return func(s *state) { s.want(Ending{Status: status, Text: text}) }
}

// What machines a, b and c do from their beginning to the end.
func TestState(t *testing.T) {
	names := []string{"a", "b", "c"}
	for _, tt := range []struct {
		name  string
		self  int
		steps []step
		end   phase
		how   Ending
	}{
		{"the hub begins when all are there, and relays", 0, []step{
			{at(1 * time.Second), nil},
			{at(2 * time.Second), []string{"note waiting for machines b, c (2s)"}},
			{at(11 * time.Second), nil},
			{from(2, `{"type":"ready","host":"early"}`), nil},
			{from(2, `{"type":"hello","digest":"x"}`), []string{
				`to b: {"type":"missing","missing":["b"]}`, `to c: {"type":"missing","missing":["b"]}`}},
			{at(12500 * time.Millisecond), []string{"note waiting for machine b (12s)"}},
			{from(1, `{"type":"hello","digest":"x"}`), []string{`to b: {"type":"all"}`, `to c: {"type":"all"}`}},
			{from(1, `{"type":"hello","digest":"y"}`), nil},
			{from(1, `{"type":"all"}`), nil},
			{from(1, `{"type":"ready","host":"early"}`), nil},
			{from(2, `{"type":"all"}`), []string{`to b: {"type":"start"}`, `to c: {"type":"start"}`, "begin"}},
			{at(time.Hour), nil},
			{func(s *state) { s.hostReady("mine") }, []string{
				`to b: {"type":"ready","host":"mine"}`, `to c: {"type":"ready","host":"mine"}`}},
			{from(1, `{"type":"ready","host":"web"}`), []string{"ready web", `to c: {"type":"ready","host":"web"}`}},
			{from(1, `{"type":"ready","host":"web"}`), nil},
			{from(1, `{"type":"ready","host":"c's"}`), nil},
			{from(1, `{"type":"ready","host":"mine"}`), nil},
			{from(1, `{"type":"ready","host":"no such host"}`), nil},
			{from(2, `{"type":"ready","host":"c's"}`), []string{"ready c's", `to b: {"type":"ready","host":"c's"}`}},
			{from(1, `{"type":"joke"}`), nil},
			{from(1, `{"type":"stop","status":3,"text":"web has ended"}`), []string{
				`to b: {"type":"stop","status":3,"text":"web has ended"}`, `to c: {"type":"stop","status":3,"text":"web has ended"}`, "end"}},
			{from(2, `{"type":"stop","status":4}`), nil},
			{lost(1), nil},
			{wants(5, ""), nil},
		}, ended, Ending{Status: 3, Text: "web has ended"}},
		{"the hub ends the network with its own command", 0, []step{
			{from(1, `{"type":"hello","digest":"x"}`), []string{`to b: {"type":"missing","missing":["c"]}`, `to c: {"type":"missing","missing":["c"]}`}},
			{wants(2, "early"), []string{`to b: {"type":"stop","status":2,"text":"early"}`, `to c: {"type":"stop","status":2,"text":"early"}`, "end"}},
			{from(2, `{"type":"hello","digest":"x"}`), nil},
		}, ended, Ending{Status: 2, Text: "early"}},
		{"a machine that is lost before the beginning may come back", 0, []step{
			{lost(1), nil},
			{from(1, `{"type":"hello","digest":"x"}`), []string{`to b: {"type":"missing","missing":["c"]}`, `to c: {"type":"missing","missing":["c"]}`}},
			{from(1, `{"type":"hello","digest":"x"}`), nil},
			{lost(1), []string{`to b: {"type":"missing","missing":["b","c"]}`, `to c: {"type":"missing","missing":["b","c"]}`}},
			{from(2, `{"type":"hello","digest":"x"}`), []string{`to b: {"type":"missing","missing":["b"]}`, `to c: {"type":"missing","missing":["b"]}`}},
			{from(1, `{"type":"hello","digest":"x"}`), []string{`to b: {"type":"all"}`, `to c: {"type":"all"}`}},
			{from(1, `{"type":"all"}`), nil},
			{lost(2), []string{`to b: {"type":"stop","status":1,"text":"machine c has vanished","failed":true,"hint":"` + vanished + `"}`,
				`to c: {"type":"stop","status":1,"text":"machine c has vanished","failed":true,"hint":"` + vanished + `"}`, "end"}},
		}, ended, Ending{Status: 1, Text: "machine c has vanished", Failed: true, Hint: vanished}},
		{"another file ends the network", 0, []step{
			{from(2, `{"type":"hello","digest":"y"}`), []string{
				`to b: {"type":"stop","status":1,"text":"the network file of machine c is not that of machine a","failed":true,"hint":"` + otherFile + `"}`,
				`to c: {"type":"stop","status":1,"text":"the network file of machine c is not that of machine a","failed":true,"hint":"` + otherFile + `"}`, "end"}},
		}, ended, Ending{Status: 1, Text: "the network file of machine c is not that of machine a", Failed: true, Hint: otherFile}},
		{"another machine follows the hub", 1, []step{
			{at(2 * time.Second), []string{"note waiting for machine a (2s)"}},
			{func(s *state) { s.connected() }, []string{`to a: {"type":"hello","digest":"x"}`}},
			{from(0, `{"type":"missing","missing":["c"]}`), nil},
			{at(12 * time.Second), []string{"note waiting for machine c (12s)"}},
			{lost(0), nil},
			{at(22 * time.Second), []string{"note waiting for machine a (22s)"}},
			{func(s *state) { s.connected() }, []string{`to a: {"type":"hello","digest":"x"}`}},
			{func(s *state) { s.hostReady("early") }, nil},
			{from(0, `{"type":"start"}`), nil},
			{from(0, `{"type":"all"}`), []string{`to a: {"type":"all"}`}},
			{at(time.Hour), nil},
			{from(0, `{"type":"start"}`), []string{"begin"}},
			{from(0, `{"type":"start"}`), nil},
			{from(0, `{"type":"hello","digest":"y"}`), nil},
			{from(0, `{"type":"ready","host":"c's"}`), []string{"ready c's"}},
			{from(0, `{"type":"ready","host":"c's"}`), nil},
			{from(0, `{"type":"ready","host":"mine"}`), nil},
			{func(s *state) { s.hostReady("mine") }, []string{`to a: {"type":"ready","host":"mine"}`}},
			{wants(7, "mine has ended"), []string{`to a: {"type":"stop","status":7,"text":"mine has ended"}`}},
			{wants(8, ""), nil},
			{from(0, `{"type":"ready","host":"late"}`), nil},
			{from(0, `{"type":"stop","status":3}`), []string{"end"}},
			{func(s *state) { s.connected() }, nil},
		}, ended, Ending{Status: 3}},
		{"a machine that has asked for the end and loses the hub has its own wish", 2, []step{
			{from(0, `{"type":"all"}`), []string{`to a: {"type":"all"}`}},
			{wants(7, "mine"), []string{`to a: {"type":"stop","status":7,"text":"mine"}`}},
			{lost(0), []string{"end"}},
		}, ended, Ending{Status: 7, Text: "mine"}},
		{"a machine without the hub ends alone", 2, []step{
			{wants(7, "mine"), []string{"end"}},
		}, ended, Ending{Status: 7, Text: "mine"}},
		{"the hub vanishes", 2, []step{
			{from(0, `{"type":"all"}`), []string{`to a: {"type":"all"}`}},
			{from(0, `{"type":"start"}`), []string{"begin"}},
			{lost(0), []string{"end"}},
		}, ended, Ending{Status: 1, Text: "machine a has vanished", Failed: true, Hint: vanished}},
		{"the hub vanishes while it lets others start", 2, []step{
			{from(0, `{"type":"all"}`), []string{`to a: {"type":"all"}`}},
			{lost(0), []string{"end"}},
		}, ended, Ending{Status: 1, Text: "machine a has vanished", Failed: true, Hint: vanished}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newState(names, tt.self, "x", map[string]int{"mine": tt.self, "web": 1, "late": 1, "early": 1, "c's": 2})
			for i, step := range tt.steps {
				step.what(s)
				var got []string
				for _, a := range s.take() {
					got = append(got, a.text(names))
				}
				if !slices.Equal(got, step.want) {
					t.Fatalf("step %d:\n%s\nwant\n%s", i, strings.Join(got, "\n"), strings.Join(step.want, "\n"))
				}
			}
			if s.phase != tt.end || s.ending != tt.how {
				t.Errorf("it is %v with %+v, want %v with %+v", s.phase, s.ending, tt.end, tt.how)
			}
		})
	}
}

// A network of one machine begins at once.
func TestState_Alone(t *testing.T) {
	s := newState([]string{"a"}, 0, "x", nil)
	if got := s.take(); len(got) != 1 || !got[0].begin || s.phase != running {
		t.Errorf("%+v", got)
	}
}

// Any message of the talk fits into a line, and is read again.
func TestMessage(t *testing.T) {
	for _, m := range []message{
		{Type: stop, Ending: Ending{Status: 255, Text: strings.Repeat("ä", 3000), Failed: true}},
		{Type: stop, Ending: Ending{Status: 1, Text: strings.Repeat("\x01", 3000)}},
		{Type: stop, Ending: Ending{Status: 1, Text: "x", Hint: strings.Repeat("<", 3900)}},
		{Type: missing, Missing: slices.Repeat([]string{strings.Repeat("m", 253)}, maxAbsent)},
	} {
		line := m.line()
		got, err := parse(line)
		if len(line) > maxLine || err != nil || got.Type != m.Type || got.Status != m.Status || len(got.Missing) != len(m.Missing) {
			t.Errorf("%d bytes, %v: %+v", len(line), err, got)
		}
	}
	for _, line := range []string{"", "x", "[]", "{}", `{"type":1}`, `{"type":"stop","status":"1"}`} {
		if _, err := parse([]byte(line)); err == nil {
			t.Errorf("%q is a message", line)
		}
	}
	if m, err := parse([]byte(`{"type":"stop","status":4711,"new":[1]}`)); err != nil || m.Status != maxStatus {
		t.Errorf("%+v, %v", m, err)
	}
}
