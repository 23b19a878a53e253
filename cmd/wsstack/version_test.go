package main

import (
	"bytes"
	"runtime/debug"
	"testing"
)

func TestWriteVersion(t *testing.T) {
	var out bytes.Buffer
	writeVersion(&out, &debug.BuildInfo{
		GoVersion: "go1.26.3",
		Main:      debug.Module{Path: "github.com/wsstack/wsstack", Version: "v0.1.0"},
		Deps: []*debug.Module{
			{Path: "example.org/other", Version: "v9.9.9"},
			{Path: "gvisor.dev/gvisor", Version: "v1", Replace: &debug.Module{Path: "gvisor.dev/gvisor", Version: "v2"}},
		},
		Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "abc123"}, {Key: "GOOS", Value: "linux"}},
	})
	const want = "wsstack v0.1.0\ncommit abc123\ngo 1.26.3\ngvisor v2\n"
	if out.String() != want {
		t.Errorf("writeVersion() = %q, want %q", out.String(), want)
	}
	out.Reset()
	writeVersion(&out, &debug.BuildInfo{GoVersion: "go1.26.3"})
	if want := "wsstack (devel)\ngo 1.26.3\n"; out.String() != want {
		t.Errorf("writeVersion() from a work tree = %q, want %q", out.String(), want)
	}
}
