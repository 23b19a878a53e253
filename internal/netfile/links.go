package netfile

import (
	"net/netip"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/wsstack/wsstack/internal/inet"
	"github.com/wsstack/wsstack/internal/testbed"
	"github.com/wsstack/wsstack/tun"
)

// A linkDraft is a link as it was read.
type linkDraft struct {
	link   testbed.Link // without its ends
	ends   []endDraft
	impair []setting
	from   []entry[[]setting]

	congestion string
	via        *int // the UDP port, 0 for one that is chosen; nil: nothing is said
}

// An endDraft is an end of a link as it was read.
type endDraft struct {
	host      string
	addresses []netip.Prefix // none: they are chosen
}

// linkForm is a link.
var linkForm = object[linkDraft]{what: "a link", fields: []field[linkDraft]{
	of("ends", endsForm, func(l *linkDraft, v []endDraft) { l.ends = v },
		"The two hosts, each with its address and the length of the prefix, such as {a: 10.0.0.1/24, b: 10.0.0.2/24}. "+
			"Of names alone, as in [a, b], the addresses are chosen.").required(),
	of("mtu", numberForm("a number of bytes", inet.MaxMTU), func(l *linkDraft, v uint64) { l.link.MTU = int(v) },
		"The size of the largest packet in bytes. The default is 1500, and 1420 between machines, where it is the most."),
	of("impair", impairForm, func(l *linkDraft, v []setting) { l.impair = v },
		`What happens to the packets of both directions. "wsstack help impairments" prints all.`),
	of("from", entries[[]setting]{impairForm, "names of hosts"}, func(l *linkDraft, v []entry[[]setting]) { l.from = v },
		"What happens to the packets that a host sends, which goes before impair."),
	of("capture", captureForm, func(l *linkDraft, v string) { l.link.Capture = v },
		"A pcapng file that the packets are recorded in."),
	of("congestion", text("a name such as reno"), func(l *linkDraft, v string) { l.congestion = v },
		"The congestion control of namespaces over this link, such as reno or cubic."),
	of("via", viaForm, func(l *linkDraft, v int) { l.via = &v },
		"wireguard, the way of every link between two machines, optionally with a UDP port on both. The default is the port "+
			"of the machine, plus 1, plus the number of the link in the file from 0."),
}}

// endsForm are the ends of a link.
var endsForm = mapped[[]endDraft, []endDraft]{
	either[[]endDraft]{
		mapping: mapped[[]entry[[]netip.Prefix], []endDraft]{entries[[]netip.Prefix]{list[netip.Prefix]{prefixForm}, "names of hosts"},
			func(_ *reader, _ *yaml.Node, all []entry[[]netip.Prefix]) (ends []endDraft, err error) {
				for _, e := range all {
					ends = append(ends, endDraft{e.key, e.value})
				}
				return ends, nil
			}},
		other: mapped[[]string, []endDraft]{sequence[string]{text("the name of a host")},
			func(_ *reader, _ *yaml.Node, all []string) (ends []endDraft, err error) {
				for _, name := range all {
					ends = append(ends, endDraft{host: name})
				}
				return ends, nil
			}},
	},
	func(r *reader, n *yaml.Node, ends []endDraft) ([]endDraft, error) {
		if len(ends) != 2 {
			return nil, r.mistake(n, "there are %d ends", len(ends)).withHint("a link joins two hosts; a router joins links")
		}
		return ends, nil
	},
}

// A setting is a parameter of an impairment with its value.
type setting struct {
	parameter tun.Parameter
	text      string
}

// impairForm is an impairment, with a field for each parameter.
var impairForm = func() object[[]setting] {
	o := object[[]setting]{what: "an impairment"}
	for _, p := range tun.Parameters() {
		help := strings.ToUpper(p.Help[:1]) + p.Help[1:] + "."
		o.fields = append(o.fields, of(p.Name, parameterForm(p), func(all *[]setting, v string) {
			*all = append(*all, setting{p, v})
		}, help))
	}
	return o
}()

// parameterForm is the value of a parameter.
func parameterForm(p tun.Parameter) form[string] {
	as, what := schema{"type": []string{"string", "number"}}, p.Placeholder+": "+p.Help
	if p.Placeholder == "" {
		as, what = schema{"type": "boolean"}, "true or false"
	}
	return scalar[string]{what: what, as: as, parse: func(r *reader, s string) (string, error) {
		if p.Placeholder == "FILE" {
			s = r.beside(s)
		}
		return s, p.Set(new(tun.Impairment), s)
	}}
}

// apply makes the settings, in their order.
func apply(m *tun.Impairment, all []setting) error {
	for _, s := range all {
		if err := s.parameter.Set(m, s.text); err != nil {
			return err
		}
	}
	return nil
}

// build makes the link.
func (l *linkDraft) build(r *reader, name string) (testbed.Link, error) {
	link := l.link
	link.Name = name
	for _, e := range l.from {
		if !slices.ContainsFunc(l.ends, func(end endDraft) bool { return end.host == e.key }) {
			return link, r.mistake(e.at, "link %s: from: %s is no end of the link", name, e.key).
				withHint("the ends are %s and %s", l.ends[0].host, l.ends[1].host)
		}
	}
	for i, end := range l.ends {
		link.Ends[i] = testbed.End{Host: end.host, Addresses: end.addresses, Congestion: l.congestion}
		sends := &link.Ends[i].Sends
		if err := apply(sends, l.impair); err != nil {
			return link, err
		}
		for _, e := range l.from {
			if e.key != end.host {
				continue
			}
			if err := apply(sends, e.value); err != nil {
				return link, err
			}
		}
	}
	return link, nil
}

// choose gives addresses to the links whose ends have none: subnets of 10.77.0.0/16 and
// fd77::/16 by the number of the link, as far as no other link has them.
func choose(links []testbed.Link) {
	var taken []netip.Prefix
	for _, l := range links {
		for _, e := range l.Ends {
			taken = append(taken, e.Addresses...)
		}
	}
	number := 0
	for i := range links {
		ends := &links[i].Ends
		if len(ends[0].Addresses)+len(ends[1].Addresses) > 0 {
			continue
		}
		for free := false; !free; {
			number++
			ends[0].Addresses, ends[1].Addresses = chosen(number, 1), chosen(number, 2)
			free = !slices.ContainsFunc(taken, func(t netip.Prefix) bool {
				return slices.ContainsFunc(ends[0].Addresses, t.Overlaps)
			})
		}
	}
}

// chosen are the addresses of one end of a link of this number.
func chosen(number int, end byte) []netip.Prefix {
	high, low := byte(number>>8), byte(number)
	return []netip.Prefix{
		netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 77 + high, low, end}), 24),
		netip.PrefixFrom(netip.AddrFrom16([16]byte{0: 0xfd, 1: 0x77, 2: high, 3: low, 15: end}), 64),
	}
}
