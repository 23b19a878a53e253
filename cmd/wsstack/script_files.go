package main

import (
	"os"
	"path/filepath"

	"github.com/wsstack/wsstack/internal/script/play"
)

// findScripts returns the names of the scripts that arguments name: files as they are, and those in
// folders in the order of their names. Each is there once.
func findScripts(args []string) ([]string, error) {
	var files []string
	known := map[string]bool{}
	for _, arg := range args {
		found := []string{arg}
		if arg != standardOutput {
			info, err := os.Stat(arg)
			if err != nil {
				return nil, failf("%w", err).withHint("wsstack script FILE.pkt, or a folder of such files")
			}
			if info.IsDir() {
				if found, err = scriptsBelow(arg); err != nil {
					return nil, err
				}
			}
		}
		for _, name := range found {
			if name != standardOutput {
				name = filepath.Clean(name)
			}
			if !known[name] {
				known[name] = true
				files = append(files, name)
			}
		}
	}
	return files, nil
}

// scriptsBelow returns the scripts in a folder and those below it.
func scriptsBelow(dir string) ([]string, error) {
	found, err := play.FilesBelow(dir)
	if err != nil {
		return nil, failf("look for scripts: %w", err)
	}
	if len(found) == 0 {
		return nil, usagef("no script in the folder %s", dir).withHint("the names of scripts end in %s; other files can be named one by one", play.Extension)
	}
	return found, nil
}
