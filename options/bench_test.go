package options

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/wsstack/wsstack/wsa"
)

var hotOptions = []struct {
	symbol      string
	level, name int32
}{
	{"SO_KEEPALIVE", sol, wsa.SO_KEEPALIVE},
	{"SO_REUSEADDR", sol, wsa.SO_REUSEADDR},
	{"SO_SNDBUF", sol, wsa.SO_SNDBUF},
	{"SO_LINGER", sol, wsa.SO_LINGER},
	{"TCP_NODELAY", tcp, wsa.TCP_NODELAY},
	{"TCP_KEEPIDLE", tcp, wsa.TCP_KEEPIDLE},
	{"TCP_KEEPCNT", tcp, wsa.TCP_KEEPCNT},
	{"TCP_MAXRT", tcp, wsa.TCP_MAXRT},
	{"IP_TTL", ip, wsa.IP_TTL},
	{"IPV6_UNICAST_IF", ipv6, wsa.IPV6_UNICAST_IF},
	{"IPV6_TCLASS", ipv6, wsa.IPV6_TCLASS},
}

// mute is a fake whose setters cost nothing.
type mute struct{ *fake }

func (mute) SetNoDelay(bool) wsa.Errno        { return 0 }
func (mute) SetKeepAlive(KeepAlive) wsa.Errno { return 0 }

func TestNoAllocation(t *testing.T) {
	ep := mute{newFake(Stream)}
	v := ep.values()
	ep.family = wsa.AF_INET6
	for _, o := range hotOptions {
		b := le(1)
		assert.Zero(t, testing.AllocsPerRun(100, func() { Set(v, ep, o.level, o.name, b) }), "set %s", o.symbol)
		assert.Zero(t, testing.AllocsPerRun(100, func() { Get(v, ep, o.level, o.name, b) }), "get %s", o.symbol)
	}
}

func BenchmarkGet(b *testing.B) {
	for _, o := range hotOptions {
		b.Run(o.symbol, func(b *testing.B) {
			b.ReportAllocs()
			ep := mute{newFake(Stream)}
			ep.family = wsa.AF_INET6
			v, buf := ep.values(), le(1)
			for b.Loop() {
				if _, err := Get(v, ep, o.level, o.name, buf); err != 0 {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSet(b *testing.B) {
	for _, o := range hotOptions {
		b.Run(o.symbol, func(b *testing.B) {
			b.ReportAllocs()
			ep := mute{newFake(Stream)}
			ep.family = wsa.AF_INET6
			v, buf := ep.values(), le(1)
			for b.Loop() {
				if err := Set(v, ep, o.level, o.name, buf); err != 0 {
					b.Fatal(err)
				}
			}
		})
	}
}
