package namespace

import "testing"

func TestParseStat(t *testing.T) {
	for _, tt := range []struct {
		stat string
		want process
		ok   bool
	}{
		{"42 (sh) S 7 42 42 0 -1", process{42, 7, false}, true},
		{"42 (a) Z 1 (b)) Z 7 42", process{42, 7, true}, true},
		{"42 (new\nline and spaces) R 1 1", process{42, 1, false}, true},
		{"42 () X 1 1", process{42, 1, true}, true},
		{"42 (sh) S", process{}, false},
		{"42 (sh) S x 1", process{}, false},
		{"", process{}, false},
	} {
		if got, ok := parseStat(42, []byte(tt.stat)); got != tt.want || ok != tt.ok {
			t.Errorf("parseStat(%q) = %v, %v, want %v, %v", tt.stat, got, ok, tt.want, tt.ok)
		}
	}
}
