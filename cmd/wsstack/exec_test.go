package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

func TestWithoutProxies(t *testing.T) {
	environ := []string{
		"PATH=/bin", "http_proxy=http://p", "HTTPS_PROXY=http://p", "all_proxy=", "No_Proxy=x",
		"my_http_proxy=kept", "http_proxy_kept=1", "EMPTY=", "NOEQUALS",
	}
	before := slices.Clone(environ)
	got := withoutProxies(environ)
	want := []string{"PATH=/bin", "my_http_proxy=kept", "http_proxy_kept=1", "EMPTY=", "NOEQUALS"}
	if !slices.Equal(got, want) {
		t.Errorf("withoutProxies(%q) = %q, want %q", before, got, want)
	}
	if !slices.Equal(environ, before) {
		t.Errorf("withoutProxies changed its argument: %q", environ)
	}
}

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
		{"nowhere", "nope", statusNotFound, `command "nope" not found`},
		{"no such path", dir + "/nope", statusNotFound, "no such file or directory"},
		{"not executable", plain, statusNotExecutable, "permission denied"},
		{"a directory", dir, statusNotExecutable, "is a directory"},
		{"nothing", "", statusNotFound, `command "" not found`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path, err := lookCommand(tt.command)
			if tt.status == 0 {
				if err != nil || path != program {
					t.Errorf("lookCommand(%q) = %q, %v, want %q", tt.command, path, err, program)
				}
				return
			}
			f, ok := err.(*failure)
			if !ok || f.status != tt.status || !strings.Contains(f.text, tt.text) {
				t.Errorf("lookCommand(%q): %#v, want status %d and %q", tt.command, err, tt.status, tt.text)
			}
		})
	}
}

func TestCommandFailure_Errno(t *testing.T) {
	for errno, want := range map[syscall.Errno]int{
		syscall.ENOENT:  statusNotFound, // the interpreter of a script is missing
		syscall.ENOEXEC: statusNotExecutable,
		syscall.EACCES:  statusNotExecutable,
		syscall.E2BIG:   statusNotExecutable,
	} {
		if got := commandFailure("x", errno).status; got != want {
			t.Errorf("commandFailure(%v).status = %d, want %d", errno, got, want)
		}
	}
}
