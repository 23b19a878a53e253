package namespace

import (
	"maps"
	"os"
	"strconv"
	"sync"
)

// family tells the children of this process apart: those that somebody else has started, the inits
// of namespaces, and the orphans of an init that was killed.
var family = &childProcesses{}

type childProcesses struct {
	mu     sync.Mutex
	begun  bool
	others map[int]bool // those of whoever exec'ed wsstack; not ours to kill
	inits  map[int]bool // that run
}

// begin makes this process the reaper of orphans, once.
func (c *childProcesses) begin() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.begun {
		return nil
	}
	others := children(os.Getpid())
	if err := becomeSubreaper(); err != nil {
		return err
	}
	c.begun, c.others, c.inits = true, others, make(map[int]bool)
	return nil
}

// start starts an init. Nobody takes it for an orphan meanwhile.
func (c *childProcesses) start(fork func() (int, error)) (pid int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if pid, err = fork(); err == nil {
		c.inits[pid] = true
	}
	return pid, err
}

// forget is called when an init has ended, before its number is free.
func (c *childProcesses) forget(pid int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.inits, pid)
}

// killOrphans ends the processes whose init was killed, and returns how many it couldn't end. They
// are the children in other network namespaces, and what is below those: a command has no power to
// leave its namespace for ours, and what else this process starts is in ours.
func (c *childProcesses) killOrphans() (left int) {
	here := networkOf(os.Getpid())
	killed := make(map[int]bool) // a zombie is in no namespace; these are to be reaped
	return killAll(os.Getpid(), func() []process {
		c.mu.Lock()
		defer c.mu.Unlock()
		spared := maps.Clone(c.others)
		maps.Copy(spared, c.inits)
		for pid := range children(os.Getpid()) {
			switch network := networkOf(pid); network {
			case here, "":
				spared[pid] = spared[pid] || !killed[pid]
			default:
				killed[pid] = true
			}
		}
		return descendants(os.Getpid(), spared)
	})
}

// networkOf identifies the network namespace of a process; "": nobody knows.
func networkOf(pid int) string {
	name, _ := os.Readlink("/proc/" + strconv.Itoa(pid) + "/ns/net")
	return name
}

// Sweep kills all processes that stem from this one, except those that were there before the first
// New and what stems from them, and returns how many it couldn't end. A program whose only
// children are in namespaces calls it before it exits.
func Sweep() (left int) {
	family.mu.Lock()
	others := maps.Clone(family.others)
	family.mu.Unlock()
	return killDescendants(others)
}
