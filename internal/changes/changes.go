// Package changes says which options of a socket differ, by name and value.
package changes

import (
	"fmt"
	"reflect"

	"github.com/wsstack/wsstack/options"
)

// An Option is an option of a socket with its value.
type Option struct {
	Symbol string `json:"symbol"` // name of the option in the SDK
	Value  string `json:"value"`  // value as Go prints it
}

// String has the name and the value, such as "TCP_NODELAY true".
func (o Option) String() string { return o.Symbol + " " + o.Value }

// Of lists the options whose values in v differ from those in before. It walks over the fields by
// reflection, so a new option is listed without a change here. The list isn't nil.
func Of(v, before *options.Values) []Option {
	list := []Option{}
	walk("", reflect.ValueOf(v).Elem(), reflect.ValueOf(before).Elem(), func(path string, value any) {
		if hidden[path] {
			return
		}
		symbol := symbols[path]
		if symbol == "" {
			symbol = path
		}
		text := fmt.Sprint(value)
		if b, ok := value.(string); ok { // the bytes of a header
			text = fmt.Sprintf("% x", b)
		}
		list = append(list, Option{symbol, text})
	})
	return list
}

// walk calls yield for each field of v, nested ones included, that differs from the same field of
// before.
func walk(prefix string, v, before reflect.Value, yield func(path string, value any)) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if !field.IsExported() {
			continue
		}
		path, a, b := prefix+field.Name, v.Field(i), before.Field(i)
		_, whole := a.Interface().(fmt.Stringer) // such as netip.Addr
		switch {
		case a.Kind() == reflect.Struct && !whole:
			walk(path+".", a, b, yield)
		case !reflect.DeepEqual(a.Interface(), b.Interface()):
			yield(path, a.Interface())
		}
	}
}
