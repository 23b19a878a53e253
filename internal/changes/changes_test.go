package changes

import (
	"reflect"
	"strings"
	"testing"

	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

func TestOf(t *testing.T) {
	def := options.Defaults(options.Documented, wsa.AF_INET, options.Stream)
	if got := Of(&def, &def); len(got) != 0 {
		t.Errorf("Of the defaults = %v, want none", got)
	}
	v := def
	v.Linger.On, v.Linger.Timeout, v.Linger.Established = true, 5, true
	v.RecvBuffer = options.Buffer{Bytes: 1024, Set: true}
	want := []Option{{"SO_LINGER", "true"}, {"SO_LINGER seconds", "5"}, {"SO_RCVBUF", "1024"}}
	if got := Of(&v, &def); !reflect.DeepEqual(got, want) {
		t.Errorf("Of() = %v, want %v", got, want)
	}
}

// The names of fields are strings here: they must still be the fields' names.
func TestSymbols(t *testing.T) {
	fields := map[string]bool{} // true: a value, not a structure of some
	var walk func(prefix string, typ reflect.Type)
	walk = func(prefix string, typ reflect.Type) {
		for i := range typ.NumField() {
			f := typ.Field(i)
			fields[prefix+f.Name] = f.IsExported() && f.Type.Kind() != reflect.Struct
			if f.Type.Kind() == reflect.Struct {
				walk(prefix+f.Name+".", f.Type)
			}
		}
	}
	walk("", reflect.TypeFor[options.Values]())
	known := map[string]bool{}
	for _, o := range options.Table() {
		known[o.Symbol] = true
	}
	for _, c := range options.Controls() {
		known[c.Symbol] = true
	}
	for name, value := range fields {
		if _, named := symbols[name]; value && !named && !hidden[name] {
			t.Errorf("symbols has no name for %s", name)
		}
	}
	for name, symbol := range symbols {
		if first, _, _ := strings.Cut(symbol, " "); !known[first] {
			t.Errorf("%s: there is no option %s", name, first)
		}
		if !fields[name] {
			t.Errorf("symbols has %s, which options.Values hasn't", name)
		}
	}
	for name := range hidden {
		if !fields[name] {
			t.Errorf("hidden has %s, which options.Values hasn't", name)
		}
	}
}
