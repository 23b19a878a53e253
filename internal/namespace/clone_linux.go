package namespace

import (
	"bufio"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// An attempt is a way to clone init into namespaces of its own.
type attempt struct {
	userNamespace bool
	everybody     bool // all users have their numbers in the user namespace, and not the caller alone
}

// attempts returns the ways to try, in order.
//
// A user namespace comes first also for root, so that the command has no capability in the
// namespaces of the host. With all users in it, root of the namespace may do to files what root may
// do. Where root can have no user namespace, as in some containers, the dangerous capabilities
// leave the bounding set instead (see limitCapabilities).
func attempts(uid int, has func(capability int) bool) []attempt {
	// The three that it takes to map everybody (user_namespaces(7)).
	root := uid == 0 && has(unix.CAP_SETUID) && has(unix.CAP_SETGID) && has(unix.CAP_SETFCAP)
	list := []attempt{{userNamespace: true, everybody: root}}
	if has(unix.CAP_SYS_ADMIN) {
		list = append(list, attempt{})
	}
	return list
}

// effective returns a function that tells whether this process has a capability.
func effective() func(capability int) bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return func(int) bool { return false }
	}
	return func(c int) bool { return data[c/32].Effective&(1<<(c%32)) != 0 }
}

// MayConfigure reports whether this process may make and configure interfaces in its own network
// namespace.
func MayConfigure() bool { return effective()(unix.CAP_NET_ADMIN) }

// attributes are the namespaces and capabilities of init.
func (a attempt) attributes() (*syscall.SysProcAttr, error) {
	sys := &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET,
		// Not to end init, which reads of our death at its socket, but to have it
		// run for that if it has been stopped. (The kernel continues an orphaned
		// process group, but not one whose stop is still under way: seen.)
		Pdeathsig: syscall.SIGCONT,
	}
	if !a.userNamespace {
		return sys, nil
	}
	sys.Cloneflags |= syscall.CLONE_NEWUSER
	if a.everybody {
		var err error
		if sys.UidMappings, err = identity("/proc/self/uid_map"); err != nil {
			return nil, err
		}
		if sys.GidMappings, err = identity("/proc/self/gid_map"); err != nil {
			return nil, err
		}
		sys.GidMappingsEnableSetgroups = true
		return sys, nil
	}
	sys.UidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}}
	sys.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}}
	// Without these the capabilities would end with the exec of an
	// ordinary user. They are for init itself and for ip, ping, tcpdump, and
	// servers on ports below 1024. The last one is init's alone: see coverFiles.
	sys.AmbientCaps = []uintptr{unix.CAP_NET_ADMIN, unix.CAP_NET_RAW, unix.CAP_NET_BIND_SERVICE, unix.CAP_SYS_ADMIN}
	return sys, nil
}

// identity maps every number that there is in our own user namespace to itself. file is the map of
// ours, with lines of "inside outside count".
func identity(file string) ([]syscall.SysProcIDMap, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var list []syscall.SysProcIDMap
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var inside, outside, count int
		if _, err := fmt.Sscan(lines.Text(), &inside, &outside, &count); err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
		list = append(list, syscall.SysProcIDMap{ContainerID: inside, HostID: inside, Size: count})
	}
	return list, nil
}

// harmless are the capabilities that a command may have without a user namespace: they are about
// the network, which is its own, and about users and files, where it gains nothing that the user
// who called wsstack hasn't got.
var harmless = []int{
	unix.CAP_CHOWN, unix.CAP_DAC_OVERRIDE, unix.CAP_FOWNER, unix.CAP_FSETID, unix.CAP_KILL, unix.CAP_SETGID, unix.CAP_SETUID,
	unix.CAP_NET_BIND_SERVICE, unix.CAP_NET_ADMIN, unix.CAP_NET_RAW, unix.CAP_SYS_CHROOT, unix.CAP_AUDIT_WRITE,
}

// limitCapabilities takes all but the harmless ones out of the bounding set of the calling thread,
// so that no program that it starts can have them, root or not. The goroutine must own the thread.
func limitCapabilities() error {
	keep := make(map[int]bool)
	for _, c := range harmless {
		keep[c] = true
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return fmt.Errorf("clear the ambient capabilities: %w", err)
	}
	for c := 0; c <= unix.CAP_LAST_CAP; c++ {
		has, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(c), 0, 0, 0)
		if err != nil { // of a newer kernel
			break
		}
		if has == 1 && !keep[c] {
			if err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(c), 0, 0, 0); err != nil {
				return fmt.Errorf("drop capability %d: %w", c, err)
			}
		}
	}
	return nil
}
