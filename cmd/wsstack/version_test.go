package main

import (
	"bytes"
	"encoding/json"
	"runtime/debug"
	"testing"
)

func TestVersions(t *testing.T) {
	tagged := &debug.BuildInfo{
		GoVersion: "go1.26.3",
		Main:      debug.Module{Path: "github.com/wsstack/wsstack", Version: "v0.1.0"},
		Deps: []*debug.Module{
			{Path: "example.org/other", Version: "v9.9.9"},
			{Path: "gvisor.dev/gvisor", Version: "v1", Replace: &debug.Module{Path: "gvisor.dev/gvisor", Version: "v2"}},
		},
		Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "abc123"}, {Key: "GOOS", Value: "linux"}},
	}
	modified := *tagged
	modified.Settings = append(tagged.Settings[:1:1], debug.BuildSetting{Key: "vcs.modified", Value: "true"})
	for _, tt := range []struct {
		name       string
		info       *debug.BuildInfo
		text, json string
	}{
		{
			"a release", tagged,
			"wsstack v0.1.0\ncommit abc123\ngo 1.26.3\ngvisor v2\n",
			`{"wsstack":"v0.1.0","commit":"abc123","go":"1.26.3","gvisor":"v2"}`,
		},
		{
			"a changed work tree", &modified,
			"wsstack v0.1.0\ncommit abc123, modified\ngo 1.26.3\ngvisor v2\n",
			`{"wsstack":"v0.1.0","commit":"abc123","modified":true,"go":"1.26.3","gvisor":"v2"}`,
		},
		{
			"no version control", &debug.BuildInfo{GoVersion: "go1.26.3"},
			"wsstack (devel)\ngo 1.26.3\n",
			`{"wsstack":"(devel)","go":"1.26.3","gvisor":""}`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var text, js, compact bytes.Buffer
			v := readVersions(tt.info)
			if err := v.writeText(&text); err != nil || text.String() != tt.text {
				t.Errorf("writeText() = %q, %v, want %q", text.String(), err, tt.text)
			}
			if err := v.writeJSON(&js); err != nil {
				t.Fatal(err)
			}
			if err := json.Compact(&compact, js.Bytes()); err != nil || compact.String() != tt.json {
				t.Errorf("writeJSON() = %q, %v, want %q", compact.String(), err, tt.json)
			}
		})
	}
}
