package testbed

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/wsstack/wsstack/tun"
)

// StandardOutput is the Capture of a link whose packets go to Options.Records.
const StandardOutput = "-"

// createCapture makes a capture file, or empties the file that has its name.
func createCapture(name string, records *os.File) (*os.File, *tun.CaptureFile, error) {
	file := records
	if name != StandardOutput {
		var err error
		// Not for reading, so that a named pipe waits for its reader.
		if file, err = os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666); err != nil {
			return nil, nil, err
		}
	}
	if file == nil {
		return nil, nil, errors.New("there is no output for it")
	}
	packets := tun.NewCaptureFile(file, nil)
	packets.CutSegments(true) // as on a wire
	return file, packets, nil
}

// captureFailure says why packets can't be recorded.
func captureFailure(l *Link, err error) *Error {
	return failed("can't record packets: %w", err).ofLink(l, "capture").withHint("%s", FileHint(l.Capture, err))
}

// FileHint advises what to do where a file can't be made; "": nothing is known.
func FileHint(name string, err error) string {
	info, missing := os.Lstat(name)
	elsewhere := filepath.Join(os.TempDir(), filepath.Base(name))
	switch {
	case missing == nil && info.IsDir():
		return name + " is a folder; name a file in it, such as " + filepath.Join(name, "wsstack.pcapng")
	case errors.Is(err, fs.ErrNotExist) && missing != nil:
		return "make the folder first: mkdir -p " + filepath.Dir(name)
	case errors.Is(err, syscall.ENOSPC):
		return "the disk is full; name a file on another one"
	case !errors.Is(err, fs.ErrPermission) && !errors.Is(err, syscall.EROFS):
		return ""
	case missing == nil:
		return name + " is there and you may not write it; remove it, or choose another one, such as " + elsewhere
	}
	return "you may not make files in the folder " + filepath.Dir(name) + "; choose another one, such as " + elsewhere
}
