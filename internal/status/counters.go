package status

import (
	"encoding/json"
	"reflect"
	"strings"
	"unicode"

	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
)

// Counters are the counters of a stack, with names in JSON such as packets_in.
type Counters stack.Stats

// MarshalJSON returns an object with a member for each field.
func (c Counters) MarshalJSON() ([]byte, error) { return json.Marshal(members(c)) }

// UnmarshalJSON reads what MarshalJSON has written. Members that it doesn't know are left out.
func (c *Counters) UnmarshalJSON(b []byte) error {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(b, &all); err != nil {
		return err
	}
	v := reflect.ValueOf(c).Elem()
	for i := range v.NumField() {
		if raw, ok := all[snakeCase(v.Type().Field(i).Name)]; ok {
			if err := json.Unmarshal(raw, v.Field(i).Addr().Interface()); err != nil {
				return err
			}
		}
	}
	return nil
}

// members are the fields of a structure under names in snake_case.
func members(s any) map[string]any {
	v := reflect.ValueOf(s)
	m := make(map[string]any, v.NumField())
	for i := range v.NumField() {
		m[snakeCase(v.Type().Field(i).Name)] = v.Field(i).Interface()
	}
	return m
}

// snakeCase makes packets_in of PacketsIn.
func snakeCase(name string) string {
	var b strings.Builder
	for i, r := range name {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// A LinkReport is a link of a Report.
type LinkReport struct {
	Name  string    `json:"name"`  // the name of the link
	Hosts [2]string `json:"hosts"` // the hosts at its ends
	MTU   int       `json:"mtu"`   // the size of the largest packet in bytes

	There Direction `json:"there"` // what the first host sends
	Back  Direction `json:"back"`  // what the second host sends
}

// A Direction is one direction of a link in a Report.
type Direction struct {
	Impairment string `json:"impairment"` // what is done to packets; "": nothing
	Packets    uint64 `json:"packets"`    // packets that came to the link
	Bytes      uint64 `json:"bytes"`      // bytes of these packets
	Dropped    uint64 `json:"dropped"`    // packets that didn't arrive, for whatever reason

	// Fates are the packets to which something was done, by what that is, such as "lost" or
	// "queue_full". It has no zeros.
	Fates map[string]uint64 `json:"fates"`
}

// newLinkReport takes the counters from the device, or from the stack that has the device.
func newLinkReport(l Link, hosts []Host) LinkReport {
	r := LinkReport{Name: l.Name, Hosts: l.Hosts, MTU: l.Device.MTU()}
	if i, ok := l.Device.(*tun.Impaired); ok {
		there, back := i.Stats()
		mThere, mBack := i.Impairments()
		r.There, r.Back = newDirection(there, mThere), newDirection(back, mBack)
		return r
	}
	for _, h := range hosts {
		for _, i := range h.Stack.InterfaceStats() {
			if i.Device == l.Device {
				r.There = Direction{Packets: i.PacketsOut, Bytes: i.BytesOut, Fates: map[string]uint64{}}
				r.Back = Direction{Packets: i.PacketsIn, Bytes: i.BytesIn, Dropped: i.Dropped, Fates: map[string]uint64{}}
			}
		}
	}
	return r
}

func newDirection(s tun.ImpairStats, m tun.Impairment) Direction {
	d := Direction{Impairment: m.String(), Packets: s.Packets, Bytes: s.Bytes, Dropped: s.Dropped(), Fates: map[string]uint64{}}
	for name, n := range Fates(s) {
		if n > 0 {
			d.Fates[name] = n
		}
	}
	return d
}

// Fates are the counters of one direction by what was done to packets, such as "queue_full".
func Fates(s tun.ImpairStats) map[string]uint64 {
	fates := map[string]uint64{}
	for name, n := range members(s) {
		if name != "packets" && name != "bytes" {
			fates[name] = n.(uint64)
		}
	}
	return fates
}
