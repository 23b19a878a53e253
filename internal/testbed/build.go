package testbed

import (
	"cmp"

	"github.com/wsstack/wsstack/internal/names"
	"github.com/wsstack/wsstack/internal/namespace"
	"github.com/wsstack/wsstack/stack"
	"github.com/wsstack/wsstack/tun"
)

// build makes namespaces, links and stacks, in this order: what may be refused comes first, and a
// stack takes links that are there.
func (t *Testbed) build() error {
	for i := range t.hosts {
		if err := t.buildKernel(i); err != nil {
			return err
		}
	}
	for i, l := range t.links {
		if l.elsewhere() {
			continue
		}
		if err := l.build(t.options.Records, t.seed(i)); err != nil {
			return err
		}
	}
	for i := range t.hosts {
		if err := t.buildStack(i); err != nil {
			return err
		}
	}
	return nil
}

// buildKernel makes a namespace, or the interfaces of the system, and gives its devices to the
// links.
func (t *Testbed) buildKernel(host int) error {
	h := t.hosts[host]
	kind := h.host.Kind
	if h.host.Remote || kind != Namespace && kind != System {
		return nil
	}
	var devices []namespace.Device
	var ends []*tun.Device
	for i, l := range t.links {
		if end, ok := l.link.end(h.Name()); ok {
			devices = append(devices, t.device(host, i, end))
			ends = append(ends, &l.devices[end])
		}
	}
	opened, err := t.openKernel(h, devices)
	for i, d := range opened {
		*ends[i] = d
	}
	if err != nil {
		return kernelFailure(h, err)
	}
	return nil
}

// openKernel makes the interfaces of a host in the kernel.
func (t *Testbed) openKernel(h *RunningHost, devices []namespace.Device) ([]tun.Device, error) {
	cfg := t.options.Namespace
	cfg.Devices = devices
	if h.host.Kind == System {
		return openHere(devices, cfg.Use)
	}
	cfg.Files = append(t.files(h), cfg.Files...)
	space, err := namespace.New(cfg)
	if err != nil {
		return nil, err
	}
	h.space = space
	return space.Devices(), nil
}

// device describes the interface of a host for a link.
func (t *Testbed) device(host, link, end int) namespace.Device {
	l := &t.network.Links[link]
	d := namespace.Device{
		Name: cmp.Or(l.Ends[end].Interface, l.Name), Addresses: l.Ends[end].Addresses, MTU: l.mtu(), Congestion: l.Ends[end].Congestion,
		Plain: l.worked() && l.Tunnel == nil, // a tunnel gives segments in any case
	}
	for _, r := range t.network.routes(host) {
		if r.link == link {
			d.Routes = append(d.Routes, tun.Route{Destination: r.destination, Gateway: r.via})
		}
	}
	return d
}

// files are the files by which the programs of a namespace find names.
func (t *Testbed) files(h *RunningHost) []namespace.File {
	servers := t.network.nameServers(t.network.index(h.Name()))
	texts := names.FilesOf(servers, names.HostsOf(t.Names()), t.HasGateway())
	var files []namespace.File
	for _, f := range []namespace.File{
		{Path: namespace.ResolvConf, Text: texts.ResolvConf},
		{Path: "/etc/hosts", Text: texts.Hosts},
		{Path: "/etc/nsswitch.conf", Text: texts.Nsswitch},
	} {
		if f.Text != "" {
			files = append(files, f)
		}
	}
	return files
}

// buildStack makes the stack of a host.
func (t *Testbed) buildStack(host int) (err error) {
	h := t.hosts[host]
	if h.host.Remote || h.host.Kind != Stack && h.host.Kind != Router {
		return nil
	}
	cfg := h.host.Config
	cfg.Hosts = t.Names()
	cfg.Forwarding = h.host.Kind == Router
	var links []int
	for i, l := range t.links {
		if _, ok := l.link.end(h.Name()); ok {
			links = append(links, i)
		}
	}
	// Who has one link and hands nothing on needs no routes: the link has no more than one other
	// end.
	if alone := len(links) == 1 && !cfg.Forwarding; alone {
		l := t.links[links[0]]
		end, _ := l.link.end(h.Name())
		cfg.Device, cfg.Addresses, cfg.MTU = l.outer(end), l.link.Ends[end].Addresses, uint32(l.link.mtu())
		links = nil
	} else {
		cfg.Routes = []stack.Route{}
	}
	if h.stack, err = stack.New(cfg); err != nil {
		return failed("can't start the stack: %w", err).of(h.host, "")
	}
	for _, i := range links {
		end, _ := t.links[i].link.end(h.Name())
		if err := h.stack.AddDevice(t.links[i].outer(end), t.links[i].link.Ends[end].Addresses...); err != nil {
			return failed("can't add the link: %w", err).of(h.host, t.links[i].Name())
		}
	}
	return t.addRoutes(host, links)
}

// addRoutes gives a stack with several links its routes.
func (t *Testbed) addRoutes(host int, links []int) error {
	h := t.hosts[host]
	if len(links) == 0 {
		return nil
	}
	for _, r := range t.network.routes(host) {
		end, _ := t.links[r.link].link.end(h.Name())
		route := stack.Route{Destination: r.destination, Gateway: r.via, Device: t.links[r.link].outer(end)}
		if err := h.stack.AddRoute(route); err != nil {
			return failed("can't add the route to %v by %v: %w", r.destination, r.via, err).of(h.host, "routes")
		}
	}
	return nil
}

// defaultMTU is the MTU of links that have none.
const defaultMTU = 1500

// mtu is the size of the largest packet of a link.
func (l *Link) mtu() int {
	if l.MTU == 0 {
		return defaultMTU
	}
	return l.MTU
}
