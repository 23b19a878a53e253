package namespace

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// nscd has the socket of the name service cache daemon, whom the C library asks before it looks
// into any file. It is the host's, and knows the host's names.
const nscd = "/run/nscd"

// coverFiles gives the calling thread, and what it starts, a mount namespace in
// which the files have the texts and the hidden folders nothing. Everything else is mounted
// as before; later mounts of the host show, and those of the command end with it.
//
// The goroutine must own its thread. Where mounting is forbidden, as in many
// containers, all stays as it is, and covered is false. In the end the command has no power to
// mount that it wouldn't have had otherwise.
func coverFiles(files []File, hide []string) (covered bool) {
	// Slave mounts first, lest the host sees what is mounted here.
	if unix.Unshare(unix.CLONE_NEWNS) == nil && unix.Mount("", "/", "", unix.MS_SLAVE|unix.MS_REC, "") == nil {
		covered = true
		for _, f := range files {
			err := coverFile(f.Path, f.Text)
			covered = covered && (err == nil || errors.Is(err, fs.ErrNotExist))
		}
		for _, folder := range append(slices.Clip(hide), nscd) {
			err := unix.Mount("wsstack", folder, "tmpfs", unix.MS_NODEV|unix.MS_NOSUID|unix.MS_RDONLY, "size=4k,mode=555")
			covered = covered && (err == nil || errors.Is(err, fs.ErrNotExist))
		}
	}
	// Fails where it isn't there: root's exec makes no ambient capabilities.
	_ = unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_LOWER, unix.CAP_SYS_ADMIN, 0, 0)
	return covered
}

// coverFile mounts a file with this text over another one. The file is made in a
// file system of its own, for there may be no folder that this user may write; it
// stands over /tmp for that moment, which nobody else sees.
func coverFile(name, text string) error {
	const folder = "/tmp"
	if err := unix.Mount("wsstack", folder, "tmpfs", unix.MS_NODEV|unix.MS_NOSUID, "size=64k,mode=755"); err != nil {
		return err
	}
	defer unix.Unmount(folder, unix.MNT_DETACH) // the file stays, mounted elsewhere
	file := filepath.Join(folder, filepath.Base(name))
	if err := os.WriteFile(file, []byte(text), 0o444); err != nil {
		return err
	}
	return unix.Mount(file, name, "", unix.MS_BIND, "")
}
