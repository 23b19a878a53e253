package namespace

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/wsstack/wsstack/tun"
)

// system answers what a hint needs to know about the machine.
type system interface {
	setting(name string) string       // value of a sysctl by its dotted name; "": there is none
	mode(path string) (uint32, error) // permission bits of a file
	root() bool                       // whether the user is root
	filtered() bool                   // whether a seccomp filter applies to this process
}

// ContainerOptions are the options of docker and podman that exec needs.
const ContainerOptions = "--cap-add SYS_ADMIN --cap-add NET_ADMIN --device /dev/net/tun"

// namespaceError says why the process in the namespace couldn't be started,
// and names the cause where the machine tells it.
func namespaceError(err error, userNamespace bool, use Use, sys system) *Error {
	what := "network namespace"
	if userNamespace {
		what = "user and network namespace"
	}
	e := failf("can't create a %s: %w", what, err)
	switch {
	case userNamespace && sys.setting("user.max_user_namespaces") == "0":
		return e.withHint("user namespaces are switched off; as root: sysctl -w user.max_user_namespaces=15000")
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EUSERS):
		return e.withHint("a limit on namespaces is reached; as root: sysctl -w user.max_net_namespaces=15000; see namespaces(7)")
	case errors.Is(err, syscall.EINVAL):
		return e.withHint("this kernel is built without namespaces (CONFIG_NET_NS, CONFIG_USER_NS)")
	case !errors.Is(err, fs.ErrPermission):
		return e
	case sys.setting("kernel.unprivileged_userns_clone") == "0":
		return e.withHint("ordinary users may not create namespaces here; as root: sysctl -w kernel.unprivileged_userns_clone=1")
	case sys.filtered():
		return e.withHint("a seccomp filter forbids it, as in most containers; start the container with: " +
			"docker run --security-opt seccomp=unconfined " + ContainerOptions)
	case sys.root():
		return e.withHint("this root hasn't got the capability CAP_SYS_ADMIN; start its container with: docker run " + ContainerOptions)
	}
	return e.withHint("run it as root: sudo wsstack %s …", use)
}

// TUNError says why no TUN device could be opened. Package tun knows what to
// advise, except what takes a look at the machine.
func TUNError(err error, use Use) *Error { return tunError(err, use, theSystem{}) }

func tunError(err error, use Use, sys system) *Error {
	e := failf("can't open a TUN device: %w", err)
	open := (*tun.OpenError)(nil)
	switch {
	case !errors.As(err, &open):
		return e
	case errors.Is(err, tun.ErrName):
		e.status = statusUsage
	case !use.Here && open.Path == "" && errors.Is(err, fs.ErrPermission): // making the interface
		return e.withHint("%s", deniedHint(use, sys))
	case use.Here && open.Path != "" && errors.Is(err, syscall.EACCES): // and the interface would need root
		return e.withHint("%[1]s makes an interface of this host, as root: sudo wsstack %[1]s …; wsstack exec makes a namespace of its own", use)
	case open.Path != "" && errors.Is(err, syscall.EACCES):
		mode, err := sys.mode(open.Path)
		if err != nil {
			break
		}
		if mode&0o666 == 0o666 {
			return e.withHint("%s has mode %04o, so something else forbids it: a mount with nodev, or a security module",
				open.Path, mode)
		}
		return e.withHint("%s has mode %04o, which keeps you out; as root: chmod 0666 %[1]s; or: sudo wsstack %[3]s …",
			open.Path, mode, use)
	}
	return e.withHint("%s", open.Hint())
}

// configureError says why an interface couldn't be set up as cfg says.
func configureError(err error, cfg tun.Config, use Use, sys system) *Error {
	what := "the network of the namespace"
	if use.Here {
		what = "the interface"
	}
	e := failf("can't configure %s: %w", what, err)
	ipv6 := slices.ContainsFunc(cfg.Addresses, func(p netip.Prefix) bool { return p.Addr().Is6() })
	switch {
	case errors.Is(err, fs.ErrPermission):
		return e.withHint("%s", deniedHint(use, sys))
	case ipv6 && (errors.Is(err, syscall.EOPNOTSUPP) || errors.Is(err, syscall.EAFNOSUPPORT)):
		return e.withHint("this kernel seems to be without IPv6; IPv4 alone: wsstack %s --address 10.77.0.1/24 …", use)
	case cfg.Congestion != "" && errors.Is(err, syscall.EINVAL):
		e = failf("this kernel has no congestion control %q", cfg.Congestion).withStatus(statusUsage)
		return e.withHint("it has: %s", sys.setting("net.ipv4.tcp_available_congestion_control"))
	}
	return e
}

// deniedHint names the reason why somebody who has made a namespace has no
// power in it.
func deniedHint(use Use, sys system) string {
	if name := "kernel.apparmor_restrict_unprivileged_userns"; !use.Here && sys.setting(name) == "1" {
		return fmt.Sprintf("AppArmor leaves ordinary users no privileges in their namespaces; as root: sysctl -w %s=0; "+
			"or: sudo wsstack %s …", name, use)
	}
	return fmt.Sprintf("the capability CAP_NET_ADMIN is missing; run it as root (sudo wsstack %s …); "+
		"in a container add --cap-add NET_ADMIN", use)
}

// theSystem is the machine that the program runs on.
type theSystem struct{}

func (theSystem) setting(name string) string {
	b, err := os.ReadFile(settingFile(name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

func (theSystem) mode(path string) (uint32, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return uint32(info.Mode().Perm()), nil
}

func (theSystem) root() bool { return os.Geteuid() == 0 }

func (theSystem) filtered() bool {
	status, err := os.ReadFile("/proc/self/status")
	return err == nil && strings.Contains(string(status), "\nSeccomp:\t2")
}

// settingFile returns the file of a sysctl.
func settingFile(name string) string { return "/proc/sys/" + strings.ReplaceAll(name, ".", "/") }
