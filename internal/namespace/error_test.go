package namespace_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/wsstack/wsstack/internal/namespace"
)

func TestLookCommand(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	plain, program := write("plain", 0o644), write("program", 0o755)
	t.Setenv("PATH", dir)
	for _, tt := range []struct {
		name, command string
		status        int
		text          string
	}{
		{"in PATH", "program", 0, ""},
		{"by path", program, 0, ""},
		{"nowhere", "nope", 127, `command "nope" not found`},
		{"no such path", dir + "/nope", 127, "no such file or directory"},
		{"not executable", plain, 126, "permission denied"},
		{"a directory", dir, 126, "is a directory"},
		{"nothing", "", 127, `command "" not found`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path, err := namespace.LookCommand(tt.command)
			if tt.status == 0 {
				if err != nil || path != program {
					t.Errorf("LookCommand(%q) = %q, %v, want %q", tt.command, path, err, program)
				}
				return
			}
			e, ok := err.(*namespace.Error)
			if !ok || e.ExitStatus() != tt.status || !strings.Contains(e.Error(), tt.text) {
				t.Errorf("LookCommand(%q): %#v, want status %d and %q", tt.command, err, tt.status, tt.text)
			}
		})
	}
}

func TestCommandError_Errno(t *testing.T) {
	for errno, want := range map[syscall.Errno]int{
		syscall.ENOENT:  127, // the interpreter of a script is missing
		syscall.ENOEXEC: 126,
		syscall.EACCES:  126,
		syscall.E2BIG:   126,
	} {
		if got := namespace.CommandError("x", errno).ExitStatus(); got != want {
			t.Errorf("CommandError(%v).ExitStatus() = %d, want %d", errno, got, want)
		}
	}
}
