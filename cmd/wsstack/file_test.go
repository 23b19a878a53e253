package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestFileHint(t *testing.T) {
	dir := t.TempDir()
	there := filepath.Join(dir, "there.pcapng")
	if err := os.WriteFile(there, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	another := "--pcap " + os.TempDir()
	for _, tt := range []struct {
		name, file string
		err        error
		want       string // the beginning
	}{
		{"no folder", filepath.Join(dir, "a", "b", "x.pcapng"), syscall.ENOENT, "make the folder first: mkdir -p " + filepath.Join(dir, "a", "b")},
		{"a folder", dir, syscall.EISDIR, dir + " is a folder; name a file in it: --pcap " + filepath.Join(dir, "wsstack.pcap")},
		{"somebody else's file", there, syscall.EACCES, there + " is there and you may not write it; remove it, or choose another one: " + another},
		{"somebody else's folder", filepath.Join(dir, "new"), syscall.EACCES, "you may not make files in the folder " + dir + "; choose another one: " + another},
		{"a read-only file system", filepath.Join(dir, "new"), syscall.EROFS, "you may not make files in the folder " + dir},
		{"something else", there, syscall.ENOSPC, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := failf("record: %w", &fs.PathError{Op: "open", Path: tt.file, Err: tt.err}).withFileHint("pcap", tt.file).hint
			if !strings.HasPrefix(got, tt.want) || (got == "") != (tt.want == "") {
				t.Errorf("the hint is %q, want %q", got, tt.want)
			}
		})
	}
}
