package namespace

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/wsstack/wsstack/internal/netns"
	"github.com/wsstack/wsstack/tun"
)

// inNamespace runs f on a thread in a network namespace of its own, and skips the test where there
// can be none.
func inNamespace(t *testing.T, f func()) {
	t.Helper()
	thread, err := netns.NewThread()
	if err != nil {
		t.Skipf("as this user: %v", err)
	}
	defer thread.Close()
	thread.Do(f)
}

// A namespace has IPv6 also where new ones have it switched off.
func TestEnableIPv6(t *testing.T) {
	inNamespace(t, func() {
		for _, name := range []string{"all", "default"} {
			if !writeSetting("net.ipv6.conf."+name+".disable_ipv6", "1") {
				t.Skip("no IPv6, or /proc/sys is read-only")
			}
		}
		device := tun.Config{Addresses: []netip.Prefix{netip.MustParsePrefix("fd77::2/64")}}
		off, err := tun.OpenFiles("off", 1, true)
		if err != nil {
			t.Skip(err)
		}
		defer closeAll(off)
		if err := tun.Configure("off", device); err == nil {
			t.Fatal("IPv6 is off, and an address can be had: the test can't see what it is about")
		}
		enableIPv6()
		on, err := tun.OpenFiles("on", 1, true)
		if err != nil {
			t.Fatal(err)
		}
		defer closeAll(on)
		if err := tun.Configure("on", device); err != nil {
			t.Errorf("after enableIPv6: %v", err)
		}
	})
}

// A namespace doesn't pace, also where the host does.
func TestAvoidPacing(t *testing.T) {
	const name = "net.ipv4.tcp_congestion_control"
	inNamespace(t, func() {
		before := theSystem{}.setting(name)
		avoidPacing(theSystem{})
		switch got := (theSystem{}).setting(name); {
		case Paces(got):
			t.Errorf("the congestion control is %s, as before", got)
		case !Paces(before) && got != before:
			t.Errorf("the congestion control is %s, was %s, which doesn't pace", got, before)
		}
		if !writeSetting(name, "bbr") {
			t.Log("a namespace can't have BBR here, which is the case that matters")
			return
		}
		avoidPacing(theSystem{})
		if got := (theSystem{}).setting(name); got != "reno" && got != "cubic" {
			t.Errorf("instead of bbr the congestion control is %s", got)
		}
	})
}

func TestAttempts(t *testing.T) {
	all := []int{unix.CAP_SETUID, unix.CAP_SETGID, unix.CAP_SETFCAP, unix.CAP_SYS_ADMIN}
	for _, tt := range []struct {
		name string
		uid  int
		caps []int
		want []attempt
	}{
		{"root", 0, all, []attempt{{true, true}, {}}},
		{"root of a container", 0, all[:3], []attempt{{true, true}}},
		{"root that may not map others", 0, all[3:], []attempt{{true, false}, {}}},
		{"an ordinary user", 1000, nil, []attempt{{true, false}}},
		{"a user with capabilities", 1000, all, []attempt{{true, false}, {}}},
	} {
		if got := attempts(tt.uid, func(c int) bool { return slices.Contains(tt.caps, c) }); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestIdentity(t *testing.T) {
	file := t.TempDir() + "/map"
	for text, want := range map[string]string{
		"         0          0 4294967295\n":     "[{0 0 4294967295}]",
		"0 1000 1\n1 100000 65536\n":             "[{0 0 1} {1 1 65536}]",
		"":                                       "[]",
		"0 1\n":                                  "error",
		strings.Repeat("1 1 1\n", 3) + "x y z\n": "error",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		list, err := identity(file)
		got := fmt.Sprint(list)
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("identity of %q = %s, want %s", text, got, want)
		}
	}
}
