package capture

import (
	"net/netip"
	"slices"

	"github.com/wsstack/wsstack/internal/trace"
)

// nodes finds out between which nodes each packet was on its way. Where the interface names the
// sender, the next node is the one that has sent the packet on, or that has the address; in other
// files the nodes are the addresses.
func (f *File) nodes() {
	named := len(f.Packets) > 0
	for i := range f.Packets {
		named = named && f.Packets[i].From != ""
	}
	parsed := make([]trace.Packet, len(f.Packets))
	for i := range parsed {
		parsed[i] = trace.Parse(f.Packets[i].Data)
	}
	if named {
		f.next(parsed)
	} else {
		for i := range f.Packets {
			f.Packets[i].From, f.Packets[i].To = address(parsed[i].Source), address(parsed[i].Dest)
		}
	}
	seen := map[string]bool{}
	add := func(name string) {
		if name != "" && !seen[name] {
			seen[name] = true
			f.Nodes = append(f.Nodes, name)
		}
	}
	for i := range f.Packets {
		add(f.Packets[i].From)
		add(f.Packets[i].To)
	}
}

// address is the name of a node that has only an address.
func address(a netip.Addr) string {
	if !a.IsValid() {
		return "?"
	}
	return a.String()
}

// maxWaiting is how many equal packets are remembered that a router may send on.
const maxWaiting = 32

// A way is a node and where its packets go to in the end.
type way struct {
	node string
	dest netip.Addr
}

// next finds the receivers of packets whose senders are named.
func (f *File) next(parsed []trace.Packet) {
	owner := map[netip.Addr]string{}
	waiting := map[uint64][]int{} // indexes of packets that may be sent on yet, by identity
	usual := map[way]string{}     // where a router has sent packets on
	for i := range f.Packets {
		p := &f.Packets[i]
		if parsed[i].Kind == trace.Malformed {
			continue
		}
		if _, ok := owner[parsed[i].Source]; !ok {
			owner[parsed[i].Source] = p.From // the first that sends it
		}
		id := parsed[i].Identity(p.Data)
		list := waiting[id]
		if owner[parsed[i].Source] != p.From {
			sentOn := slices.IndexFunc(list, func(k int) bool { return f.Packets[k].From != p.From })
			if sentOn >= 0 {
				before := list[sentOn]
				f.Packets[before].To = p.From
				usual[way{f.Packets[before].From, parsed[i].Dest}] = p.From
				list = slices.Delete(list, sentOn, sentOn+1)
			}
		}
		if !p.Fate.Dropped() {
			list = append(list, i)
		}
		waiting[id] = list[max(0, len(list)-maxWaiting):]
	}
	for i := range f.Packets {
		p := &f.Packets[i]
		if p.To == "" {
			p.To = usual[way{p.From, parsed[i].Dest}]
		}
		if p.To == "" && owner[parsed[i].Dest] != p.From {
			p.To = owner[parsed[i].Dest]
		}
	}
	f.pair()
}

// pair names the receivers that are still unknown where there are only two nodes.
func (f *File) pair() {
	var names []string
	for i := range f.Packets {
		if name := f.Packets[i].From; !slices.Contains(names, name) {
			if names = append(names, name); len(names) > 2 {
				return
			}
		}
	}
	if len(names) != 2 {
		return
	}
	for i := range f.Packets {
		if p := &f.Packets[i]; p.To == "" {
			p.To = names[0]
			if p.From == names[0] {
				p.To = names[1]
			}
		}
	}
}
