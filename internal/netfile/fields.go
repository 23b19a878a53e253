package netfile

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/wsstack/wsstack/internal/gateway"
	"github.com/wsstack/wsstack/internal/namespace"
	"github.com/wsstack/wsstack/internal/peers"
	"github.com/wsstack/wsstack/internal/testbed"
	"github.com/wsstack/wsstack/options"
)

// A draft is a file as it was read, before hosts and links are put together.
type draft struct {
	seed     *uint64
	names    []entry[[]netip.Addr]
	machines []entry[machineDraft]
	hosts    []entry[hostDraft]
	links    []entry[linkDraft]
}

// fileForm is the whole of a file.
var fileForm = object[draft]{what: "a network", fields: []field[draft]{
	of("hosts", entries[hostDraft]{hostForm, "names of hosts"}, func(d *draft, v []entry[hostDraft]) { d.hosts = v },
		"The hosts by their names. The others find the addresses of a host by its name.").required(),
	of("links", entries[linkDraft]{linkForm, "names of links"}, func(d *draft, v []entry[linkDraft]) { d.links = v },
		"The links by their names, which the interfaces of namespaces have as well."),
	of("names", entries[[]netip.Addr]{list[netip.Addr]{addressForm}, "names"}, func(d *draft, v []entry[[]netip.Addr]) { d.names = v },
		"Further names, each with its addresses. *.example stands for all names that end so."),
	of("machines", entries[machineDraft]{machineForm, "names of machines"}, func(d *draft, v []entry[machineDraft]) { d.machines = v },
		"The machines that the hosts are divided among, by their names. The others are connected to the first one. Without "+
			"machines the network runs where it is started."),
	of("seed", numberForm("a whole number", 0), func(d *draft, v uint64) { d.seed = &v },
		"A number that makes what links do at random the same in each run."),
}}

// A hostDraft is a host as it was read.
type hostDraft struct {
	host        testbed.Host
	kind        *testbed.Kind
	at          atDraft
	missing     error // why the command isn't there
	services    []peers.Service
	standard    *bool
	resolver    *bool
	environment []string
	ofStacks    []string // the fields that only stacks and routers have
	ofCommands  []string // the fields that only commands have
}

func (h *hostDraft) command() *testbed.Command {
	if h.host.Command == nil {
		h.host.Command = new(testbed.Command)
	}
	return h.host.Command
}

// hostForm is a host.
var hostForm = object[hostDraft]{what: "a host", fields: slices.Concat([]field[hostDraft]{
	of("kind", choice(map[string]testbed.Kind{"stack": testbed.Stack, "router": testbed.Router, "namespace": testbed.Namespace}),
		func(h *hostDraft, v testbed.Kind) { h.kind = &v },
		"stack: a wsstack; router: a wsstack that forwards packets between its links; namespace: a Linux network namespace with "+
			"a command. A host with a command is a namespace, and others are stacks, if this isn't given."),
	of("at", atForm, func(h *hostDraft, v atDraft) { h.at = v },
		"The machine that runs the host, in a file with machines. user@machine also says who starts wsstack there."),
}, stackFields(), serviceFields(), []field[hostDraft]{
	ofStack("gateway", gatewayForm, func(h *hostDraft, v *gateway.Config) {
		if v != nil {
			h.host.Gateway = testbed.GatewayFeature(*v)
		}
	}, "A way out of the network through the sockets of this system: true, or where it leads."),
}, commandFields(), []field[hostDraft]{
	of("after", list[string]{text("the name of a host")}, func(h *hostDraft, v []string) { h.host.After = v },
		"The hosts that have to be ready before the command starts."),
	of("until", untilForm, func(h *hostDraft, v testbed.Check) { h.host.Until.Kind, h.host.Until.Target = v.Kind, v.Target },
		"What has to hold before the host is ready, tried from the host itself: tcp ADDRESS:PORT, http URL, or exit, which "+
			"is the end of the command with status 0. Otherwise the host is ready when its command has started."),
	of("within", durationForm, func(h *hostDraft, v time.Duration) { h.host.Until.Within = v },
		"How long it may take until the host is ready. The default is 30s."),
	of("routes", routesForm, func(h *hostDraft, v []testbed.Route) { h.host.Routes = v },
		"Routes that go before those that are computed: prefixes, each with the address of a router beside the host."),
})}

// stackFields are what only stacks and routers have.
func stackFields() []field[hostDraft] {
	return []field[hostDraft]{
		ofStack("profile", choice(map[string]options.Profile{
			"documented": options.Documented, "windows": options.Windows, "legacy": options.Legacy,
		}), func(h *hostDraft, v options.Profile) { h.host.Config.Profile = v }, "What the sockets of the stack follow. The default is documented."),
		ofStack("sockopt", assignmentsForm, func(h *hostDraft, v []options.Assignment) { h.host.Config.Defaults = v },
			`Options of all sockets of the stack, such as {SO_KEEPALIVE: 1}. "wsstack options" prints all names.`),
		ofStack("ecn", flag, func(h *hostDraft, v bool) { h.host.Config.ECN = v },
			"Whether the TCP of the stack has explicit congestion notification. The default is false."),
		ofStack("resolver", flag, func(h *hostDraft, v bool) { h.resolver = &v },
			"Whether the host has a name server that knows the network. The default is true beside a namespace."),
		ofStack("services", flag, func(h *hostDraft, v bool) { h.standard = &v },
			"Whether there are echo, discard, chargen and a status page on ports that no other service has. The default is true for "+
				"stacks and false for routers."),
	}
}

// commandFields are what only hosts with a command have.
func commandFields() []field[hostDraft] {
	return []field[hostDraft]{
		of("command", commandForm, func(h *hostDraft, v program) {
			h.command().Path, h.command().Args, h.missing = v.path, v.args, v.missing
		},
			"The program of a namespace: a list of the program and its arguments, or a text that sh runs."),
		ofCommand("environment", entries[string]{text("a text"), "names of variables"}, func(h *hostDraft, v []entry[string]) {
			for _, e := range v {
				h.environment = append(h.environment, e.key+"="+e.value)
			}
		}, "Variables of the command, besides those of wsstack."),
		ofCommand("directory", fileNameForm, func(h *hostDraft, v string) { h.command().Dir = v },
			"The working directory of the command. The default is that of wsstack."),
		ofCommand("terminal", flag, func(h *hostDraft, v bool) { h.command().Foreground = v },
			"Whether the command has the input and output of wsstack itself, as a shell needs. One host may."),
		ofCommand("main", flag, func(h *hostDraft, v bool) { h.command().Main = v },
			"Whether the network ends when this command does, with its exit status. The default is the last command of the file."),
		ofCommand("may-fail", flag, func(h *hostDraft, v bool) { h.command().MayFail = v },
			"Whether the network goes on when this command fails. The default is false: the network ends with its exit status."),
	}
}

// serviceFields are the services of a stack, by the names of the flags of exec.
func serviceFields() (fields []field[hostDraft]) {
	for _, k := range peers.Kinds() {
		help := strings.ToUpper(k.Help[:1]) + k.Help[1:]
		fields = append(fields, ofStack(k.Name, servicesForm(k), func(h *hostDraft, v []peers.Service) { h.services = append(h.services, v...) },
			help+". A mapping, or texts such as "+k.Example+"."))
	}
	return fields
}

// ofStack is a field of hosts that are stacks or routers.
func ofStack[V any](key string, f form[V], set func(h *hostDraft, v V), doc string) field[hostDraft] {
	return of(key, f, func(h *hostDraft, v V) {
		h.ofStacks = append(h.ofStacks, key)
		set(h, v)
	}, doc)
}

// ofCommand is a field of hosts with a command.
func ofCommand[V any](key string, f form[V], set func(h *hostDraft, v V), doc string) field[hostDraft] {
	return of(key, f, func(h *hostDraft, v V) {
		h.ofCommands = append(h.ofCommands, key)
		set(h, v)
	}, doc)
}

// servicesForm is one kind of services: the texts of the flag, or a mapping whose keys are what the
// texts have before the =.
func servicesForm(k peers.Kind) form[[]peers.Service] {
	one := scalar[peers.Service]{what: "a text such as " + k.Example, as: schema{"type": "string"},
		parse: func(r *reader, s string) (peers.Service, error) {
			if at, folder, ok := strings.Cut(s, "="); ok && k.Name == "files" {
				s = at + "=" + r.beside(folder)
			}
			return peers.Parse(k.Name, s)
		}}
	return either[[]peers.Service]{mapping: joined(k.Example, one), other: list[peers.Service]{one}}
}

// assignmentsForm are options with values: NAME=VALUE, or a mapping.
var assignmentsForm = func() form[[]options.Assignment] {
	const example = "SO_KEEPALIVE=1"
	one := parsed("a text such as "+example, schema{"type": "string"}, options.ParseAssignment)
	return either[[]options.Assignment]{mapping: joined(example, one), other: list[options.Assignment]{one}}
}()

// joined is a mapping whose keys and values, with = between them, are texts of a form.
func joined[V any](example string, one scalar[V]) form[[]V] {
	key, value, _ := strings.Cut(example, "=")
	return mapped[[]entry[string], []V]{entries[string]{text("a text such as " + value), "texts such as " + key},
		func(r *reader, _ *yaml.Node, all []entry[string]) (values []V, err error) {
			for _, e := range all {
				text := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: e.key + "=" + e.value, Line: e.at.Line, Column: e.at.Column}
				v, err := one.read(r, text)
				if err != nil {
					return nil, err
				}
				values = append(values, v)
			}
			return values, nil
		}}
}

// gatewayForm is a way out: true or false, or where it leads.
var gatewayForm = either[*gateway.Config]{
	other: mapped[bool, *gateway.Config]{flag, func(_ *reader, _ *yaml.Node, v bool) (*gateway.Config, error) {
		if v {
			return new(gateway.Config), nil
		}
		return nil, nil
	}},
	mapping: mapped[gateway.Words, *gateway.Config]{
		object[gateway.Words]{what: "a gateway", fields: []field[gateway.Words]{
			of("allow", list[string]{text("a prefix")}, func(w *gateway.Words, v []string) { w.Allow = v },
				"Prefixes or addresses that the way out leads to. The default is all."),
			of("deny", list[string]{text("a prefix")}, func(w *gateway.Words, v []string) { w.Deny = v },
				"Prefixes or addresses that it doesn't lead to."),
			of("host-loopback", list[string]{text("an address")}, func(w *gateway.Words, v []string) { w.HostLoopback = v },
				"An address that stands for the loopback address of this system. The default is none."),
			of("via", text("a URL"), func(w *gateway.Words, v string) { w.Via = v },
				"The URL of a SOCKS5 or HTTP proxy that connections go by."),
		}},
		func(r *reader, n *yaml.Node, w gateway.Words) (*gateway.Config, error) {
			cfg, err := gateway.Parse(w)
			if err != nil {
				return nil, r.wrap(n, err)
			}
			return &cfg, nil
		},
	},
}

// routesForm is a mapping of prefixes to routers.
var routesForm = mapped[[]entry[netip.Addr], []testbed.Route]{entries[netip.Addr]{addressForm, "prefixes"},
	func(r *reader, _ *yaml.Node, all []entry[netip.Addr]) (routes []testbed.Route, err error) {
		for _, e := range all {
			p, err := parsePrefix(e.key)
			if err != nil {
				return nil, r.mistake(e.at, "%v", err).withHint("write a prefix such as 10.0.0.0/8; 0.0.0.0/0 is everything")
			}
			routes = append(routes, testbed.Route{Destination: p, Via: e.value})
		}
		return routes, nil
	}}

// A program is the command of a host.
type program struct {
	path    string
	args    []string
	missing error // why it isn't on this machine, which another one may run it on
}

// commandForm is a command: the words of it, or a text that sh runs. The program is looked for.
type commandText struct{}

var commandForm form[program] = commandText{}

func (commandText) read(r *reader, n *yaml.Node) (c program, err error) {
	words := sequence[string]{text("a text")}
	if n, err = r.follow(n); err != nil {
		return c, err
	}
	if n.Kind == yaml.SequenceNode {
		c.args, err = words.read(r, n)
	} else {
		var line string
		line, err = text("a list of a program and its arguments, or a text for sh").read(r, n)
		if strings.TrimSpace(line) != "" {
			c.args = []string{"sh", "-c", line}
		}
	}
	switch {
	case err != nil:
		return c, err
	case len(c.args) == 0 || c.args[0] == "":
		return c, r.mistake(n, "the command is empty").withHint("write a program and its arguments, such as [curl, -s, http://server/]")
	}
	if c.path, err = namespace.LookCommand(c.args[0]); err != nil {
		c.missing = r.wrap(n, err)
	}
	return c, nil
}

func (commandText) schema() schema {
	return schema{"anyOf": []schema{{"type": "string"}, sequence[string]{text("")}.schema()}}
}
