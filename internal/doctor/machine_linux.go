package doctor

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// settings are what the machine says about itself.
type settings interface {
	setting(name string) string // value of a sysctl by its dotted name; "": there is none
	exists(path string) bool
	read(path string) string // "": it can't be read
	mode(path string) os.FileMode
	root() bool
}

// machine is the machine that the program runs on.
type machine struct{}

func (m machine) setting(name string) string {
	return strings.TrimSpace(m.read("/proc/sys/" + strings.ReplaceAll(name, ".", "/")))
}

func (machine) exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func (machine) read(path string) string {
	b, _ := os.ReadFile(path)
	return string(b)
}

func (machine) mode(path string) os.FileMode {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Mode().Perm()
}

func (machine) root() bool { return os.Geteuid() == 0 }

// ordinaryUsers says to root what keeps others from running "wsstack exec". Others are told by the
// attempt itself.
func ordinaryUsers(m settings) Finding {
	ok := Finding{Name: "users", State: OK, Text: "nothing that is known keeps ordinary users from running wsstack exec"}
	if !m.root() {
		ok.Text = "this is an ordinary user"
		return ok
	}
	const sysctl = "as root: sysctl -w "
	note := func(text, hint string) Finding {
		return Finding{Name: "users", State: Note, Text: "ordinary users can't run wsstack exec: " + text, Hint: hint}
	}
	const apparmor = "kernel.apparmor_restrict_unprivileged_userns"
	switch {
	case m.setting("user.max_user_namespaces") == "0":
		return note("user namespaces are switched off", sysctl+"user.max_user_namespaces=15000")
	case m.setting("kernel.unprivileged_userns_clone") == "0":
		return note("they may make no user namespaces", sysctl+"kernel.unprivileged_userns_clone=1")
	case m.setting(apparmor) == "1":
		return note("AppArmor leaves them no privileges in user namespaces (Ubuntu 23.10 and later)", sysctl+apparmor+"=0")
	case m.mode("/dev/net/tun")&0o006 != 0o006:
		return note("the mode of /dev/net/tun keeps them out", "as root: chmod 0666 /dev/net/tun")
	}
	return ok
}

// tunnelBuffer is how many bytes the receive buffer of a tunnel's UDP socket should have at least:
// a window of TCP's own, 1 MiB, fits into it with what the kernel adds to each packet.
const tunnelBuffer = 4 << 20

// wireGuard looks how large the buffers of tunnels are. Root's are as large as they ask for.
func wireGuard(m settings) Finding {
	const sysctl = "net.core.rmem_max"
	f := Finding{Name: "wireguard", State: OK, Text: "wsstack up --wireguard works, and needs no privilege"}
	if most, err := strconv.Atoi(m.setting(sysctl)); err == nil && most < tunnelBuffer && !m.root() {
		f.State = Note
		f.Text = fmt.Sprintf("wsstack up --wireguard works, but bursts are lost where its socket has room for %d bytes alone", most)
		f.Hint = fmt.Sprintf("as root: sysctl -w %s=%d", sysctl, 7<<20) // what the engine asks for
	}
	return f
}

// container names the kind of container that this process runs in; "": none is known.
func container(m settings) string {
	switch {
	case m.exists("/.dockerenv"):
		return "docker"
	case m.exists("/run/.containerenv"):
		return "podman"
	case strings.Contains(m.read("/proc/1/environ"), "container=lxc"):
		return "lxc"
	case m.exists("/var/run/secrets/kubernetes.io"):
		return "kubernetes"
	}
	return ""
}
