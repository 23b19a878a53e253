package play

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Extension is how the names of scripts in a folder end.
const Extension = ".pkt"

// FilesBelow returns the scripts in a folder and in those below it, in the order of their names.
// Hidden folders are left out, and so is what is neither a file nor a link to one: who opens a pipe
// may wait for ever.
func FilesBelow(dir string) (files []string, err error) {
	err = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != dir && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case d.IsDir() || filepath.Ext(name) != Extension:
			return nil
		}
		info, err := os.Stat(name)
		if err == nil && info.Mode().IsRegular() {
			files = append(files, name)
		}
		return err
	})
	return files, err
}
