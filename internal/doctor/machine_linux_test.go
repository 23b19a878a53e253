package doctor

import (
	"os"
	"strings"
	"testing"
)

// fake is a machine that answers as the test wants.
type fake struct {
	settings map[string]string
	files    map[string]string
	tun      os.FileMode
	user     bool
}

func (f fake) setting(name string) string { return f.settings[name] }
func (f fake) exists(path string) bool    { _, ok := f.files[path]; return ok }
func (f fake) read(path string) string    { return f.files[path] }
func (f fake) mode(string) os.FileMode    { return f.tun }
func (f fake) root() bool                 { return !f.user }

func TestOrdinaryUsers(t *testing.T) {
	set := func(name, value string) fake { return fake{settings: map[string]string{name: value}, tun: 0o666} }
	for _, tt := range []struct {
		name  string
		m     fake
		state State
		hint  string
	}{
		{"all well", fake{tun: 0o666}, OK, ""},
		{"no user namespaces", set("user.max_user_namespaces", "0"), Note, "user.max_user_namespaces=15000"},
		{"Debian's switch", set("kernel.unprivileged_userns_clone", "0"), Note, "kernel.unprivileged_userns_clone=1"},
		{"AppArmor", set("kernel.apparmor_restrict_unprivileged_userns", "1"), Note, "kernel.apparmor_restrict_unprivileged_userns=0"},
		{"the mode of the node", fake{tun: 0o600}, Note, "chmod 0666 /dev/net/tun"},
		{"not root", fake{tun: 0o600, user: true}, OK, ""},
	} {
		f := ordinaryUsers(tt.m)
		if f.State != tt.state || !strings.Contains(f.Hint, tt.hint) || (f.Hint == "") != (tt.hint == "") || f.Text == "" {
			t.Errorf("%s: %+v, want %s and %q", tt.name, f, tt.state, tt.hint)
		}
	}
}

func TestWireGuard(t *testing.T) {
	small := map[string]string{"net.core.rmem_max": "212992"}
	for _, tt := range []struct {
		name  string
		m     fake
		state State
		hint  string
	}{
		{"a small buffer", fake{settings: small, user: true}, Note, "as root: sysctl -w net.core.rmem_max=7340032"},
		{"root's is as large as it wants", fake{settings: small}, OK, ""},
		{"a large one", fake{settings: map[string]string{"net.core.rmem_max": "7340032"}, user: true}, OK, ""},
		{"nobody knows", fake{user: true}, OK, ""},
	} {
		if f := wireGuard(tt.m); f.State != tt.state || f.Hint != tt.hint || f.Text == "" {
			t.Errorf("%s: %+v, want %s and %q", tt.name, f, tt.state, tt.hint)
		}
	}
}

func TestContainer(t *testing.T) {
	for want, files := range map[string]map[string]string{
		"":           nil,
		"docker":     {"/.dockerenv": ""},
		"podman":     {"/run/.containerenv": ""},
		"lxc":        {"/proc/1/environ": "a=b\x00container=lxc\x00"},
		"kubernetes": {"/var/run/secrets/kubernetes.io": ""},
	} {
		if got := container(fake{files: files}); got != want {
			t.Errorf("container with %v = %q, want %q", files, got, want)
		}
	}
}
