package options

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/wsstack/wsstack/wsa"
)

func TestParseAssignment(t *testing.T) {
	for text, want := range map[string]string{
		"SO_KEEPALIVE=1":                          "65535/8 01000000",
		"so_keepalive = off":                      "65535/8 00000000",
		"TCP_NODELAY=TRUE":                        "6/1 01000000",
		"SO_RCVBUF=0x10000":                       "65535/4098 00000100",
		"IP_PROTECTION_LEVEL=-1":                  "0/23 ffffffff",
		"IP_USER_MTU=4294967295":                  "0/76 ffffffff",
		"SO_LINGER={1, 5}":                        "65535/128 01000500",
		"SO_LINGER=1,300":                         "65535/128 01002c01",
		"IP_MULTICAST_IF=2":                       "0/9 00000002",
		"IP_UNICAST_IF=10.0.0.1":                  "0/31 0a000001",
		"IP_ADD_MEMBERSHIP={224.1.1.1, 10.0.0.1}": "0/12 e00101010a000001",
		"IPV6_ADD_MEMBERSHIP={ff02::1234, 2}":     "41/12 ff02000000000000000000000000123402000000",
		"IP_OPTIONS=94 04 00 00":                  "0/1 94040000",
		"IP_OPTIONS=empty":                        "0/1 ",
		"IPPROTO_IPV6/IP_ORIGINAL_ARRIVAL_IF=1":   "41/47 01000000",
	} {
		a, err := ParseAssignment(text)
		if got := fmt.Sprintf("%d/%d %x", a.level, a.name, a.optval); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", text, got, err, want)
		}
	}
}

func TestParseAssignment_Errors(t *testing.T) {
	for text, want := range map[string]string{
		"SO_KEEPALIVE":                          `"SO_KEEPALIVE" has no value`,
		"SO_NOPE=1":                             "no option SO_NOPE",
		"SO_TYPE=1":                             "no socket takes a value of SO_TYPE",
		"SO_SNDLOWAT=1":                         "no socket takes a value of SO_SNDLOWAT",
		"SO_KEEPALIVE=2":                        `"2" is no value of SO_KEEPALIVE`,
		"SO_KEEPALIVE=":                         `"" is no value of SO_KEEPALIVE`,
		"SO_RCVBUF=64k":                         `"64k" is no value of SO_RCVBUF`,
		"SO_RCVBUF=4294967296":                  `"4294967296" is no value of SO_RCVBUF`,
		"SO_LINGER=1":                           `"1" is no value of SO_LINGER`,
		"SO_LINGER={1,70000}":                   `"{1,70000}" is no value of SO_LINGER`,
		"SO_LINGER={1,7":                        `"{1,7" is no value of SO_LINGER`,
		"IP_OPTIONS=9":                          `"9" is no value of IP_OPTIONS`,
		"IP_ORIGINAL_ARRIVAL_IF=1":              "two levels have an option IP_ORIGINAL_ARRIVAL_IF",
		"IP_BLOCK_SOURCE=1":                     "IP_BLOCK_SOURCE is a struct ip_mreq_source, which can't be written as a text",
		"IP_ADD_MEMBERSHIP={ff02::1, 10.0.0.1}": `"{ff02::1, 10.0.0.1}" is no value of IP_ADD_MEMBERSHIP`,
		"IPV6_ADD_MEMBERSHIP={224.0.0.1, 1}":    `"{224.0.0.1, 1}" is no value of IPV6_ADD_MEMBERSHIP`,
	} {
		_, err := ParseAssignment(text)
		var wrong *TextError
		if !errors.As(err, &wrong) || err.Error() != want || wrong.Hint() == "" || strings.Contains(wrong.Hint(), "\n") {
			t.Errorf("%s: %v, want %q and a hint", text, err, want)
		}
	}
}

// The default that the table prints of an option can be set by its text.
func TestParseAssignment_Defaults(t *testing.T) {
	tried := 0
	for _, o := range Table() {
		text := o.LevelName + "/" + o.Symbol + "=" + o.Default.Documented
		_, writable := valueTypes[o.Type]
		if !o.Set || o.Unsupported != "" || o.Default.Documented == "" || !writable {
			continue
		}
		tried++
		a, err := ParseAssignment(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		kind := Stream
		if o.Kinds[0] == "datagram" {
			kind = Datagram
		} else if o.Kinds[0] == "raw" {
			kind = Raw
		}
		c := newConn(kind)
		if o.Level == wsa.IPPROTO_IPV6 {
			c.family = wsa.AF_INET6
		}
		// SO_GROUP_PRIORITY is an option of sockets in groups alone, which there are none of
		// (GP-1).
		if err := a.Set(c); errors.Is(err, wsa.WSAENOPROTOOPT) && o.Symbol != "SO_GROUP_PRIORITY" {
			t.Errorf("%s: %v", text, err)
		}
	}
	if tried < 60 {
		t.Errorf("only %d options tried", tried)
	}
}
