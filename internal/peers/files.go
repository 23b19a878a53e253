package peers

import (
	"errors"
	"io/fs"
	"net/http"
	"os"
	"time"

	"github.com/wsstack/wsstack/internal/mistake"
)

// parseFiles reads "[ADDRESS:]PORT=DIRECTORY".
func parseFiles(text string) (Service, error) {
	at, dir, err := splitText(text, "PORT=DIRECTORY, such as 8080=/usr/share/doc")
	if err != nil {
		return Service{}, err
	}
	p, err := parsePlace(at, false)
	if err != nil {
		return Service{}, err
	}
	switch info, err := os.Stat(dir); {
	case errors.Is(err, fs.ErrNotExist):
		return Service{}, mistake.Errorf("the path is one of this system, outside of the network", "there is no directory %s", dir)
	case err != nil:
		return Service{}, mistake.Errorf("the files have to be readable for this program", "can't look at %s: %v", dir, err)
	case !info.IsDir():
		return Service{}, mistake.Errorf("name the directory that the file is in", "%s is not a directory", dir)
	}
	return Service{places: []place{p}, folder: dir, start: func(r *running) error { return r.files(p, dir) }}, nil
}

func (r *running) files(p place, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	if !r.keep(root) {
		return errEnded
	}
	return r.serveHTTP(p, newHTTPServer(readOnly(http.FileServerFS(plainFiles{root.FS()}))))
}

// newHTTPServer is a server for which a client's head is 16 KiB at most and takes 10 s at most. The
// body of an answer may take any time.
func newHTTPServer(h http.Handler) *http.Server {
	return &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: idleTimeout, MaxHeaderBytes: 16 << 10}
}

// readOnly refuses the methods that ask for a change.
func readOnly(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "these files can only be read", http.StatusMethodNotAllowed)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// plainFiles are the files and directories of a file system. Others aren't there: a pipe, or a
// device, would keep who opens it waiting. The file system is an os.Root's, which no name and no
// symbolic link leads out of.
type plainFiles struct{ fs.FS }

func (f plainFiles) Open(name string) (fs.File, error) {
	info, err := fs.Stat(f.FS, name)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return nil, err
	case err != nil, !info.IsDir() && !info.Mode().IsRegular(): // also what leads outside, and no name at all
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return f.FS.Open(name)
}
