package namespace

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/wsstack/wsstack/tun"
)

// fakeSystem is a machine that answers as the test wants.
type fakeSystem struct {
	settings        map[string]string
	tunMode         uint32
	asRoot, seccomp bool
}

func (f fakeSystem) setting(name string) string  { return f.settings[name] }
func (f fakeSystem) mode(string) (uint32, error) { return f.tunMode, nil }
func (f fakeSystem) root() bool                  { return f.asRoot }
func (f fakeSystem) filtered() bool              { return f.seccomp }

func TestNamespaceError(t *testing.T) {
	off := func(name string) fakeSystem { return fakeSystem{settings: map[string]string{name: "0"}} }
	for _, tt := range []struct {
		name string
		err  error
		user bool
		sys  system
		want string // in the hint
	}{
		{"seccomp", syscall.EPERM, true, fakeSystem{seccomp: true}, "seccomp=unconfined"},
		{"max_user_namespaces = 0", syscall.ENOSPC, true, off("user.max_user_namespaces"), "sysctl -w user.max_user_namespaces="},
		{"the same, not needed", syscall.EPERM, false, off("user.max_user_namespaces"), "sudo"},
		{"too many", syscall.ENOSPC, false, fakeSystem{}, "user.max_net_namespaces"},
		{"too deep", syscall.EUSERS, true, fakeSystem{}, "limit"},
		{"Debian's switch", syscall.EPERM, true, off("kernel.unprivileged_userns_clone"), "kernel.unprivileged_userns_clone=1"},
		{"root of a container", syscall.EPERM, true, fakeSystem{asRoot: true}, "--cap-add SYS_ADMIN"},
		{"an ordinary user", syscall.EPERM, true, fakeSystem{}, "sudo"},
		{"an old kernel", syscall.EINVAL, true, fakeSystem{}, "CONFIG_USER_NS"},
		{"anything else", syscall.ENOMEM, true, fakeSystem{}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			checkHint(t, namespaceError(tt.err, tt.user, Use{}, tt.sys), tt.err, tt.want)
		})
	}
}

func TestTUNError(t *testing.T) {
	node := func(err error) error { return &tun.OpenError{Name: "wss0", Path: "/dev/net/tun", Err: err} }
	making := func(err error) error {
		return &tun.OpenError{Name: "wss0", Err: os.NewSyscallError("TUNSETIFF", err)}
	}
	apparmor := fakeSystem{settings: map[string]string{"kernel.apparmor_restrict_unprivileged_userns": "1"}}
	for _, tt := range []struct {
		name string
		err  error
		sys  system
		want string
	}{
		{"the mode of the node", node(syscall.EACCES), fakeSystem{tunMode: 0o600}, "mode 0600, which keeps you out; as root: chmod 0666 /dev/net/tun"},
		{"not the mode", node(syscall.EACCES), fakeSystem{tunMode: 0o666}, "nodev"},
		{"no node", node(syscall.ENOENT), fakeSystem{}, "modprobe tun"},
		{"no driver", node(syscall.ENODEV), fakeSystem{}, "modprobe tun"},
		{"a device control group", node(syscall.EPERM), fakeSystem{}, "--device /dev/net/tun"},
		{"AppArmor", making(syscall.EPERM), apparmor, "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"},
		{"no capability", making(syscall.EPERM), fakeSystem{}, "CAP_NET_ADMIN"},
		{"another failure", errors.New("surprise"), fakeSystem{}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) { checkHint(t, tunError(tt.err, Use{}, tt.sys), tt.err, tt.want) })
	}
}

func TestTUNError_Here(t *testing.T) {
	for _, tt := range []struct {
		name   string
		err    error
		status int
		want   string
	}{
		{"taken", &tun.OpenError{Name: "wss0", Err: tun.ErrNameTaken}, 1, "the program that has wss0"},
		{"not a name", &tun.OpenError{Name: "a/b", Err: tun.ErrName}, 2, "1 to 15 bytes"},
		{"no capability", &tun.OpenError{Name: "wss0", Err: syscall.EPERM}, 1, "wsstack exec"},
		{"the mode", &tun.OpenError{Name: "wss0", Path: "/dev/net/tun", Err: syscall.EACCES}, 1, "sudo wsstack up"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := tunError(tt.err, Use{Command: "up", Here: true}, fakeSystem{tunMode: 0o600})
			if e.status != tt.status || !strings.Contains(e.hint, tt.want) {
				t.Errorf("tunError(%v): status %d, hint %q, want %d, %q", tt.err, e.status, e.hint, tt.status, tt.want)
			}
		})
	}
}

func TestConfigureError(t *testing.T) {
	apparmor := fakeSystem{settings: map[string]string{"kernel.apparmor_restrict_unprivileged_userns": "1"}}
	ipv4 := tun.Config{Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.2/24")}}
	both := tun.Config{Addresses: append([]netip.Prefix{netip.MustParsePrefix("fd00::2/64")}, ipv4.Addresses...)}
	for _, tt := range []struct {
		name string
		err  error
		cfg  tun.Config
		sys  system
		want string
	}{
		{"AppArmor", syscall.EPERM, both, apparmor, "kernel.apparmor_restrict_unprivileged_userns=0"},
		{"no capability", fs.ErrPermission, both, fakeSystem{}, "CAP_NET_ADMIN"},
		{"no IPv6", syscall.EOPNOTSUPP, both, fakeSystem{}, "--address 10.77.0.1/24"},
		{"no IPv6 asked for", syscall.EOPNOTSUPP, ipv4, fakeSystem{}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := fmt.Errorf("tun: configure: %w", tt.err)
			checkHint(t, configureError(err, tt.cfg, Use{}, tt.sys), tt.err, tt.want)
		})
	}
}

func checkHint(t *testing.T, e *Error, cause error, want string) {
	t.Helper()
	if e.status != statusFailed || !errors.Is(e, cause) {
		t.Errorf("error %#v: want status %d and cause %v", e, statusFailed, cause)
	}
	if !strings.Contains(e.hint, want) || (want == "") != (e.hint == "") {
		t.Errorf("hint = %q, want %q in it", e.hint, want)
	}
}
