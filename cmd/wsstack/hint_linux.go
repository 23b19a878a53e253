package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/wsstack/wsstack/tun"
)

// system answers what a hint needs to know about the machine.
type system interface {
	setting(name string) string       // value of a sysctl by its dotted name; "": there is none
	mode(path string) (uint32, error) // permission bits of a file
	root() bool                       // whether the user is root
	filtered() bool                   // whether a seccomp filter applies to this process
}

// capabilities are the options of docker and podman that exec needs.
const capabilities = "--cap-add SYS_ADMIN --cap-add NET_ADMIN --device /dev/net/tun"

// namespaceFailure says why the process in the namespace couldn't be started,
// and names the cause where the machine tells it.
func namespaceFailure(err error, userNamespace bool, sys system) *failure {
	what := "network namespace"
	if userNamespace {
		what = "user and network namespace"
	}
	f := failf("can't create a %s: %w", what, err)
	switch {
	case userNamespace && sys.setting("user.max_user_namespaces") == "0":
		return f.withHint("user namespaces are switched off; as root: sysctl -w user.max_user_namespaces=15000")
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EUSERS):
		return f.withHint("a limit on namespaces is reached; as root: sysctl -w user.max_net_namespaces=15000; see namespaces(7)")
	case errors.Is(err, syscall.EINVAL):
		return f.withHint("this kernel is built without namespaces (CONFIG_NET_NS, CONFIG_USER_NS)")
	case !errors.Is(err, fs.ErrPermission):
		return f
	case sys.setting("kernel.unprivileged_userns_clone") == "0":
		return f.withHint("ordinary users may not create namespaces here; as root: sysctl -w kernel.unprivileged_userns_clone=1")
	case sys.filtered():
		return f.withHint("a seccomp filter forbids it, as in most containers; start the container with: " +
			"docker run --security-opt seccomp=unconfined " + capabilities)
	case sys.root():
		return f.withHint("this root hasn't got the capability CAP_SYS_ADMIN; start its container with: docker run " + capabilities)
	}
	return f.withHint("run it as root: sudo wsstack exec …")
}

// tunFailure says why no TUN device could be opened. Package tun knows what to
// advise, except what takes a look at the machine.
func tunFailure(err error, use purpose, sys system) *failure {
	f := failf("can't open a TUN device: %w", err)
	open := (*tun.OpenError)(nil)
	switch {
	case !errors.As(err, &open):
		return f
	case errors.Is(err, tun.ErrName):
		f.status = statusUsage
	case use == forExec && open.Path == "" && errors.Is(err, fs.ErrPermission): // making the interface
		return f.withHint("%s", deniedHint(use, sys))
	case use == forUp && open.Path != "" && errors.Is(err, syscall.EACCES): // and the interface would need root
		return f.withHint("up makes an interface of this host, as root: sudo wsstack up …; wsstack exec makes a namespace of its own")
	case open.Path != "" && errors.Is(err, syscall.EACCES):
		mode, err := sys.mode(open.Path)
		if err != nil {
			break
		}
		if mode&0o666 == 0o666 {
			return f.withHint("%s has mode %04o, so something else forbids it: a mount with nodev, or a security module",
				open.Path, mode)
		}
		return f.withHint("%s has mode %04o, which keeps you out; as root: chmod 0666 %[1]s; or: sudo wsstack %[3]s …",
			open.Path, mode, use)
	}
	return f.withHint("%s", open.Hint())
}

// configureFailure says why an interface couldn't be set up.
func configureFailure(err error, cfg networkConfig, use purpose, sys system) *failure {
	what := "the network of the namespace"
	if use == forUp {
		what = "the interface"
	}
	f := failf("can't configure %s: %w", what, err)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return f.withHint("%s", deniedHint(use, sys))
	case cfg.hasIPv6() && (errors.Is(err, syscall.EOPNOTSUPP) || errors.Is(err, syscall.EAFNOSUPPORT)):
		return f.withHint("this kernel seems to be without IPv6; IPv4 alone: wsstack %s --address 10.77.0.1/24 …", use)
	case cfg.Congestion != "" && errors.Is(err, syscall.EINVAL):
		return usagef("this kernel has no congestion control %q", cfg.Congestion).
			withHint("it has: %s", sys.setting("net.ipv4.tcp_available_congestion_control"))
	}
	return f
}

// deniedHint names the reason why somebody who has made a namespace has no
// power in it.
func deniedHint(use purpose, sys system) string {
	if name := "kernel.apparmor_restrict_unprivileged_userns"; use == forExec && sys.setting(name) == "1" {
		return fmt.Sprintf("AppArmor leaves ordinary users no privileges in their namespaces; as root: sysctl -w %s=0; "+
			"or: sudo wsstack exec …", name)
	}
	return fmt.Sprintf("the capability CAP_NET_ADMIN is missing; run it as root (sudo wsstack %s …); "+
		"in a container add --cap-add NET_ADMIN", use)
}

// theSystem is the machine that the program runs on.
type theSystem struct{}

func (theSystem) setting(name string) string {
	b, err := os.ReadFile("/proc/sys/" + strings.ReplaceAll(name, ".", "/"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

func (theSystem) mode(path string) (uint32, error) {
	var stat unix.Stat_t
	err := unix.Stat(path, &stat)
	return stat.Mode & 0o7777, err
}

func (theSystem) root() bool { return os.Geteuid() == 0 }

func (theSystem) filtered() bool {
	status, err := os.ReadFile("/proc/self/status")
	return err == nil && strings.Contains(string(status), "\nSeccomp:\t2")
}
