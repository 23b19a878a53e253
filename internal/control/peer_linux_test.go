package control_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/wsstack/wsstack/internal/control"
)

// clientVariable has TestMain ask the network at a path, as a process of its own.
const clientVariable = "WSSTACK_TEST_CLIENT"

// askAsClient is what the process does.
func askAsClient(path string) {
	c, err := control.Open(context.Background(), path)
	if err == nil {
		fmt.Print("it is ", c.Network().Name)
		return
	}
	fmt.Print(err)
	if e := (*control.Error)(nil); errors.As(err, &e) {
		fmt.Print("; ", e.Hint())
	}
}

// ask returns what a client in new namespaces hears from a network.
func ask(t *testing.T, path string, namespaces uintptr) string {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), clientVariable+"="+path)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: namespaces}
	if namespaces&unix.CLONE_NEWUSER != 0 { // everybody as outside, as in a network
		one := []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.UidMappings = one
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}}
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EINVAL) {
		t.Skipf("no new namespaces here: %v", err)
	}
	require.NoError(t, err, out.String())
	return out.String()
}

// Who sits in other namespaces is refused, as the same user, unless that is allowed.
func TestPeerNamespaces(t *testing.T) {
	outside := newBed(t)
	inside := newBedOf(t, control.Config{Name: "open", Inside: true})
	require.Equal(t, "it is test", ask(t, outside.server.Path(), 0))
	const refusal = "is in other namespaces than the stacks of the network; run it outside of the network, or the network with --control-inside"
	for _, namespaces := range []uintptr{unix.CLONE_NEWUSER, unix.CLONE_NEWUSER | unix.CLONE_NEWNET} {
		require.Contains(t, ask(t, outside.server.Path(), namespaces), refusal)
		require.Equal(t, "it is open", ask(t, inside.server.Path(), namespaces))
	}
	if os.Geteuid() == 0 {
		require.Contains(t, ask(t, outside.server.Path(), unix.CLONE_NEWNET), refusal)
	}
}

// Another user is refused even where the modes of files let it through.
func TestPeerUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	b := newBed(t)
	require.NoError(t, os.Chmod(b.dir, 0o755))
	require.NoError(t, os.Chmod(b.server.Path(), 0o666))
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), clientVariable+"="+b.server.Path())
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 12345, Gid: 12345}}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Skipf("another user can't run the test: %v", err) // its directory is root's
	}
	require.Contains(t, string(out), "the network is that of user 0")
}

// A process that has connected, and ended, and left its connection to another is nobody.
func TestPeerHasEnded(t *testing.T) {
	b := newBed(t)
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(pair[0])
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), clientVariable+"=pass:"+b.server.Path())
	theirs := os.NewFile(uintptr(pair[1]), "pair")
	cmd.ExtraFiles = []*os.File{theirs}
	b.server.Close() // nobody accepts while it lives
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: b.server.Path(), Net: "unix"})
	require.NoError(t, err)
	defer l.Close()
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	require.NoError(t, theirs.Close())
	c, err := l.AcceptUnix()
	require.NoError(t, err)
	defer c.Close()
	require.ErrorContains(t, control.CheckPeer(c), "the process has ended")
}

// passConnection connects, gives the connection to whoever has the other end of descriptor 3, and
// ends.
func passConnection(path string) {
	c, err := net.Dial("unix", path)
	if err != nil {
		fmt.Print(err)
		os.Exit(1)
	}
	file, err := c.(*net.UnixConn).File()
	if err == nil {
		err = unix.Sendmsg(3, []byte{0}, unix.UnixRights(int(file.Fd())), nil, 0)
	}
	if err != nil {
		fmt.Print(err)
		os.Exit(1)
	}
}
