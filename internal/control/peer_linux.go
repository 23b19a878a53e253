package control

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"

	"golang.org/x/sys/unix"
)

// checkPeer says why the process at the other end of a connection may not control the network; nil:
// it may. The kernel knows who has connected, and /proc in which namespaces it is.
func checkPeer(c *net.UnixConn, inside bool) *Error {
	forbidden := func(advice, format string, args ...any) *Error {
		return Errorf(http.StatusForbidden, advice, format, args...)
	}
	cred, pidfd, err := peerOf(c)
	if err != nil {
		return forbidden("", "can't find out who has connected: %v", err)
	}
	defer func() {
		if pidfd >= 0 {
			_ = unix.Close(pidfd)
		}
	}()
	own := uint32(os.Geteuid())
	switch {
	case cred.Uid != own && cred.Uid != 0:
		return forbidden("run the client as the user that runs the network", "the network is that of user %d", own)
	case inside, cred.Uid == 0 && own != 0: // a network of ours has no user 0: nobody has mapped it
		return nil
	}
	same, err := sameNamespaces(cred.Pid, pidfd)
	switch {
	case err != nil:
		return forbidden("", "can't find out from where process %d has connected: %v", cred.Pid, err)
	case !same:
		return forbidden("run it outside of the network, or the network with --control-inside",
			"process %d is in other namespaces than the stacks of the network", cred.Pid)
	}
	return nil
}

// peerOf returns the credentials of the process that has connected, and a descriptor of it, which
// is -1 on a kernel before 6.5.
func peerOf(c *net.UnixConn) (cred *unix.Ucred, pidfd int, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, -1, err
	}
	pidfd = -1
	controlled := raw.Control(func(fd uintptr) {
		if cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err != nil {
			return
		}
		pidfd, err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PEERPIDFD)
		switch {
		case errors.Is(err, unix.ENOPROTOOPT):
			// Who has connected and ended since may have another's number by now; the time
			// for that is what passes between connect and accept.
			pidfd, err = unix.PidfdOpen(int(cred.Pid), 0)
		case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ESRCH):
			err = errors.New("the process has ended")
		}
	})
	return cred, pidfd, errors.Join(controlled, err)
}

// sameNamespaces reports whether a process is in our user namespace and our network namespace. A
// process that lives after the look at its entry in /proc is the one whose entry that was.
func sameNamespaces(pid int32, pidfd int) (bool, error) {
	same, err := true, error(nil)
	for _, kind := range []string{"user", "net"} {
		own, err1 := os.Stat("/proc/self/ns/" + kind)
		theirs, err2 := os.Stat(fmt.Sprintf("/proc/%d/ns/%s", pid, kind))
		err = errors.Join(err, err1, err2)
		same = same && err == nil && os.SameFile(own, theirs)
	}
	if dead := unix.PidfdSendSignal(pidfd, 0, nil, 0); dead != nil && !errors.Is(dead, unix.EPERM) {
		return false, errors.New("the process has ended")
	}
	return same, err
}
