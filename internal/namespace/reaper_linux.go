package namespace

import (
	"bytes"
	"os"
	"slices"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// becomeSubreaper makes this process the parent of descendants that lose
// theirs, daemons included, so that it can find them.
func becomeSubreaper() error {
	return unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
}

// killTimeout bounds killDescendants. A killed process ends within
// milliseconds, unless it is stuck in the kernel (in a file system that
// doesn't answer, say); nobody can end it then.
const killTimeout = 10 * time.Second

// killDescendants kills all processes that stem from this one, except the
// children in spared and what stems from them, and returns how many it couldn't
// end.
func killDescendants(spared map[int]bool) (left int) {
	root := os.Getpid()
	return killAll(root, func() []process { return descendants(root, spared) })
}

// killLiving kills all descendants and leaves it to somebody else to reap them.
func killLiving() {
	killAll(0, func() []process {
		return slices.DeleteFunc(descendants(os.Getpid(), nil), func(p process) bool { return p.zombie })
	})
}

// killAll kills the processes that find returns and reaps those that are
// children of root, which is this process, or none. It repeats until none is left: a process may
// start another between the look and the kill, and each one that dies hands its
// children to us.
func killAll(root int, find func() []process) (left int) {
	pause := 500 * time.Microsecond
	for deadline := time.Now().Add(killTimeout); ; {
		procs := find()
		if len(procs) == 0 || time.Now().After(deadline) {
			return len(procs)
		}
		for _, p := range procs {
			switch {
			case !p.zombie:
				_ = syscall.Kill(p.pid, syscall.SIGKILL) // gone already, mostly, if it fails
			case p.parent == root:
				_, _ = syscall.Wait4(p.pid, nil, syscall.WNOHANG, nil)
			}
		}
		time.Sleep(pause)
		pause = min(2*pause, 20*time.Millisecond)
	}
}

// process is what /proc tells about one.
type process struct {
	pid, parent int
	zombie      bool
}

// children returns the direct children of a process.
func children(parent int) map[int]bool {
	found := make(map[int]bool)
	for _, p := range processes() {
		if p.parent == parent {
			found[p.pid] = true
		}
	}
	return found
}

// descendants returns all processes below root, except the children in spared
// and everything below them.
func descendants(root int, spared map[int]bool) []process {
	byParent := make(map[int][]process)
	for _, p := range processes() {
		byParent[p.parent] = append(byParent[p.parent], p)
	}
	var found []process
	for _, p := range byParent[root] {
		if !spared[p.pid] {
			found = append(found, p)
		}
	}
	for i := 0; i < len(found); i++ { // found grows
		found = append(found, byParent[found[i].pid]...)
	}
	return found
}

// processes reads the process table. A process that ends meanwhile is left out.
func processes() []process {
	proc, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer proc.Close()
	names, _ := proc.Readdirnames(-1) // as many as could be read
	var list []process
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		stat, err := os.ReadFile("/proc/" + name + "/stat")
		if err != nil {
			continue
		}
		if p, ok := parseStat(pid, stat); ok {
			list = append(list, p)
		}
	}
	return list
}

// parseStat reads the state and the parent from /proc/PID/stat, proc(5):
// "42 (name) S 1 …". The name may hold anything, parentheses included.
func parseStat(pid int, stat []byte) (process, bool) {
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 2 {
		return process{}, false
	}
	parent, err := strconv.Atoi(string(fields[1]))
	if err != nil {
		return process{}, false
	}
	state := fields[0][0]
	return process{pid: pid, parent: parent, zombie: state == 'Z' || state == 'X'}, true
}
