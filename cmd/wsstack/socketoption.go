package main

import (
	"fmt"
	"reflect"

	"github.com/wsstack/wsstack/options"
)

// optionValue is an option of a socket for the status page.
type optionValue struct {
	Symbol string `json:"symbol"`
	Value  string `json:"value"`
}

// valueSymbols names the fields of options.Values as the documents do. A field
// that isn't here shows under its own name.
var valueSymbols = map[string]string{
	"Debug":              "SO_DEBUG",
	"ReuseAddr":          "SO_REUSEADDR",
	"ExclusiveAddrUse":   "SO_EXCLUSIVEADDRUSE",
	"DontRoute":          "SO_DONTROUTE",
	"Broadcast":          "SO_BROADCAST",
	"OOBInline":          "SO_OOBINLINE",
	"ConditionalAccept":  "SO_CONDITIONAL_ACCEPT",
	"PortScalability":    "SO_PORT_SCALABILITY",
	"V6Only":             "IPV6_V6ONLY",
	"NoDelay":            "TCP_NODELAY",
	"KeepAlive.On":       "SO_KEEPALIVE",
	"KeepAlive.Idle":     "TCP_KEEPIDLE",
	"KeepAlive.Interval": "TCP_KEEPINTVL",
	"KeepAlive.Count":    "TCP_KEEPCNT",
	"Linger.On":          "SO_LINGER",
	"Linger.Timeout":     "SO_LINGER seconds",
	"SendBuffer.Bytes":   "SO_SNDBUF",
	"RecvBuffer.Bytes":   "SO_RCVBUF",
	"SendTimeout":        "SO_SNDTIMEO",
	"RecvTimeout":        "SO_RCVTIMEO",
	"GroupID":            "SO_GROUP_ID",
	"GroupPriority":      "SO_GROUP_PRIORITY",
	"StickyError":        "SO_ERROR",
}

// hiddenValues are fields that say how an option was set, and not its value.
var hiddenValues = map[string]bool{
	"Linger.Established": true,
	"Linger.Fallback":    true,
	"SendBuffer.Set":     true,
	"RecvBuffer.Set":     true,
}

// changedOptions lists the options in v that differ from those in def, the
// defaults. It goes over the fields by reflection, so that an option that is new
// is here without being added.
func changedOptions(v, def options.Values) []optionValue {
	list := []optionValue{}
	walkValues("", reflect.ValueOf(v), reflect.ValueOf(def), func(path string, value any) {
		if hiddenValues[path] {
			return
		}
		symbol := valueSymbols[path]
		if symbol == "" {
			symbol = path
		}
		list = append(list, optionValue{symbol, fmt.Sprint(value)})
	})
	return list
}

// walkValues calls yield for each field of v, nested ones included, that differs
// from the same field of def.
func walkValues(prefix string, v, def reflect.Value, yield func(path string, value any)) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if !field.IsExported() {
			continue
		}
		path, a, b := prefix+field.Name, v.Field(i), def.Field(i)
		_, whole := a.Interface().(fmt.Stringer) // such as netip.Addr
		switch {
		case a.Kind() == reflect.Struct && !whole:
			walkValues(path+".", a, b, yield)
		case !reflect.DeepEqual(a.Interface(), b.Interface()):
			yield(path, a.Interface())
		}
	}
}
