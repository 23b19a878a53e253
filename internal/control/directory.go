package control

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// maxPath is how long the name of a Unix socket may be (unix(7): 108 bytes with the zero byte; it
// is 104 on macOS).
const maxPath = 103

// suffix ends the names of control sockets.
const suffix = ".sock"

// Directory returns the directory of this user's control sockets: $XDG_RUNTIME_DIR/wsstack, or
// without that variable /run/user/UID/wsstack, /run/wsstack for root, or wsstack-UID among the
// temporary files. It needn't exist.
func Directory() string {
	uid := os.Geteuid()
	// sudo -E leaves root the directory of another user, where it has no business.
	if dir := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) && ownedByUs(dir) {
		return filepath.Join(dir, "wsstack")
	}
	if dir := filepath.Join("/run/user", strconv.Itoa(uid)); ownedByUs(dir) {
		return filepath.Join(dir, "wsstack")
	}
	if uid == 0 && ownedByUs("/run") {
		return "/run/wsstack"
	}
	return filepath.Join(os.TempDir(), "wsstack-"+strconv.Itoa(uid))
}

func ownedByUs(dir string) bool {
	info, err := os.Stat(dir)
	return err == nil && info.IsDir() && owner(info) == os.Geteuid()
}

// safeDirectory makes the directory, unless it exists, and refuses one that others may write to or
// have put there: a file in it could be theirs.
func safeDirectory(dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return directoryError(dir, err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return directoryError(dir, err)
	}
	info, err := os.Lstat(dir) // no link: where it leads to may change
	if err != nil {
		return directoryError(dir, err)
	}
	switch {
	case !info.IsDir():
		return directoryError(dir, errors.New("it is no directory"))
	case owner(info) != os.Geteuid():
		return directoryError(dir, errors.New("it is another user's"))
	case info.Mode().Perm()&0o077 != 0 && hasModes:
		return Errorf(0, "chmod 700 "+dir, "can't make a control socket in %s: others may use the directory (mode %04o)", dir, info.Mode().Perm())
	}
	return safeParent(filepath.Dir(dir))
}

// safeParent refuses a directory in which somebody else may put another thing in the place of ours.
func safeParent(parent string) error {
	info, err := os.Stat(parent)
	if err != nil {
		return directoryError(parent, err)
	}
	theirs := owner(info) != os.Geteuid() && owner(info) != 0
	if hasModes && (theirs || info.Mode().Perm()&0o022 != 0 && info.Mode()&fs.ModeSticky == 0) {
		return directoryError(parent, errors.New("others may rename what is in it"))
	}
	return nil
}

func directoryError(dir string, err error) error {
	if inner, ok := errors.AsType[*fs.PathError](err); ok {
		err = inner.Err
	}
	return Errorf(0, "choose another directory: XDG_RUNTIME_DIR=DIRECTORY, with mode 0700", "can't make a control socket in %s: %v", dir, err)
}

// NameFor returns a name for a network that runs a command: that of the program and the number of
// this process.
func NameFor(command string) string {
	name := strings.Map(func(r rune) rune {
		if isNameRune(r) {
			return r
		}
		return -1
	}, filepath.Base(command))
	name = strings.TrimLeft(name, ".-")
	if name == "" {
		name = "network"
	}
	return fmt.Sprintf("%.40s-%d", name, os.Getpid())
}

func isNameRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r)
}

// CheckName says what is wrong with the name of a network; nil: nothing is.
func CheckName(name string) error {
	bad := strings.ContainsFunc(name, func(r rune) bool { return !isNameRune(r) })
	if bad || name == "" || len(name) > 64 || name[0] == '.' || name[0] == '-' {
		return Errorf(http.StatusBadRequest, `it has letters, digits, ".", "_" and "-", at most 64, and begins with a letter or digit`, "%q is no name of a network", name)
	}
	return nil
}
