package doctor

import (
	"errors"
	"net/netip"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/wsstack/wsstack/internal/namespace"
	"github.com/wsstack/wsstack/tun"
)

// Examine looks at the machine.
func Examine() []Finding {
	list := []Finding{tunNode()}
	list = append(list, execWorks()...)
	list = append(list, upWorks(), ordinaryUsers(machine{}), ping(), wireGuard(machine{}), controlSocket())
	if c := container(machine{}); c != "" {
		list = append(list, Finding{Name: "container", State: Note, Text: "this is a container (" + c + ")",
			Hint: "what it may do its start decides: " + namespace.ContainerOptions})
	}
	return list
}

// tunNode looks whether TUN devices can be had at all.
func tunNode() Finding {
	const path = "/dev/net/tun"
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return failed("tun", Missing, namespace.TUNError(&tun.OpenError{Name: "a TUN device", Path: path, Err: errors.Unwrap(err)}, namespace.Use{}))
	}
	_ = file.Close()
	return Finding{Name: "tun", State: OK, Text: path + " can be opened"}
}

// execWorks makes a namespace as "wsstack exec" does.
func execWorks() []Finding {
	n, ipv6, err := tryNamespace()
	if err != nil {
		return []Finding{failed("exec", Missing, err)}
	}
	defer func() {
		for _, d := range n.Devices() {
			_ = d.Close()
		}
		_ = n.Close()
	}()
	list := []Finding{{Name: "exec", State: OK, Text: "wsstack exec works, in a user namespace of its own"}}
	if n.Limited() {
		list[0] = Finding{Name: "exec", State: Note,
			Text: "wsstack exec works, but the kernel refuses user namespaces: COMMAND is root of this system, with few capabilities",
			Hint: "run it as an ordinary user, or give the container --security-opt seccomp=unconfined"}
	}
	if !n.Covered() {
		list = append(list, Finding{Name: "names", State: Note, Text: "mounting is forbidden, so COMMAND sees this system's resolv.conf and hosts",
			Hint: "use addresses instead of names, or start the container with --security-opt apparmor=unconfined"})
	} else {
		list = append(list, Finding{Name: "names", State: OK, Text: "COMMAND gets its own resolv.conf and hosts"})
	}
	return append(list, ipv6, offload(n.Devices()[0]), congestion(n, machine{}))
}

// tryNamespace makes a namespace with IPv6 or, if that is what is in the way, without it.
func tryNamespace() (*namespace.Namespace, Finding, error) {
	d := namespace.Device{Name: "wsstack0", MTU: 1500,
		Addresses: []netip.Prefix{netip.MustParsePrefix("10.77.0.2/24"), netip.MustParsePrefix("fd77::2/64")}}
	cfg := namespace.Config{Devices: []namespace.Device{d}, Files: []namespace.File{{Path: namespace.ResolvConf, Text: "#\n"}}}
	n, err := namespace.New(cfg)
	if err == nil {
		return n, Finding{Name: "ipv6", State: OK, Text: "namespaces have IPv6"}, nil
	}
	cfg.Devices[0].Addresses = d.Addresses[:1]
	n, without := namespace.New(cfg)
	if without != nil {
		return nil, Finding{}, err
	}
	return n, Finding{Name: "ipv6", State: Note, Text: "there is no IPv6: " + err.Error(),
		Hint: "use IPv4 alone: wsstack exec --address 10.77.0.1/24 …; or start the kernel without ipv6.disable=1"}, nil
}

func offload(d tun.Device) Finding {
	if !d.Offload().TSO4 {
		return Finding{Name: "offload", State: Note, Text: "TUN devices have no segmentation offload, so streams are slower",
			Hint: "a newer kernel has it"}
	}
	return Finding{Name: "offload", State: OK, Text: "TUN devices have segmentation offload"}
}

// congestion looks at the congestion control of a namespace, and of the system for "wsstack up".
func congestion(n *namespace.Namespace, m settings) Finding {
	inside := "unknown"
	if f, err := n.Socket(unix.AF_INET, unix.SOCK_STREAM, 0); err == nil {
		if name, err := unix.GetsockoptString(int(f.Fd()), unix.IPPROTO_TCP, unix.TCP_CONGESTION); err == nil {
			inside = strings.TrimRight(name, "\x00")
		}
		_ = f.Close()
	}
	here := m.setting("net.ipv4.tcp_congestion_control")
	switch {
	case namespace.Paces(inside):
		return Finding{Name: "congestion", State: Note, Text: "namespaces have the congestion control " + inside + ", which paces: streams are slower",
			Hint: "choose another one: wsstack exec --congestion reno …"}
	case namespace.Paces(here):
		return Finding{Name: "congestion", State: Note,
			Text: "this system has the congestion control " + here + ", which paces; namespaces have " + inside,
			Hint: "for streams from this system to wsstack up: wsstack up --congestion " + inside}
	}
	return Finding{Name: "congestion", State: OK, Text: "the congestion control is " + here + ", in namespaces " + inside}
}

// upWorks looks whether this user may make interfaces of this system.
func upWorks() Finding {
	if namespace.MayConfigure() {
		return Finding{Name: "up", State: OK, Text: "wsstack up may make interfaces of this system"}
	}
	return Finding{Name: "up", State: Note, Text: "wsstack up can't make an interface of this system: CAP_NET_ADMIN is missing",
		Hint: "run it as root (sudo wsstack up …); wsstack exec doesn't need that"}
}

// ping looks whether a gateway may pass on echo requests.
func ping() Finding {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.IPPROTO_ICMP)
	if err == nil {
		_ = unix.Close(fd)
		return Finding{Name: "ping", State: OK, Text: "a gateway passes on echo requests (ping)"}
	}
	f := Finding{Name: "ping", State: Note, Text: "a gateway can't pass on echo requests (ping): " + err.Error()}
	if errors.Is(err, syscall.EACCES) {
		f.Hint = `as root: sysctl -w net.ipv4.ping_group_range="0 2147483647"`
	}
	return f
}
