package main

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

func newVersionCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:                   "version [--json]",
		Short:                 "Print the versions of wsstack, of Go and of gVisor",
		Args:                  noArguments,
		DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return printVersion(cmd.OutOrStdout(), asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object instead of lines")
	return cmd
}

// versions are the versions of everything that decides how the stack behaves.
type versions struct {
	Wsstack  string `json:"wsstack"`            // version of this module
	Commit   string `json:"commit,omitempty"`   // "": the program wasn't built in a work tree
	Modified bool   `json:"modified,omitempty"` // whether the work tree had changes
	Go       string `json:"go"`                 // version of the Go toolchain
	GVisor   string `json:"gvisor"`             // version of the gVisor module
}

func printVersion(w io.Writer, asJSON bool) error {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return failf("this program was built without module information").
			withHint("build it with: go build ./cmd/wsstack")
	}
	write := versions.writeText
	if asJSON {
		write = versions.writeJSON
	}
	if err := write(readVersions(info), w); err != nil {
		return failf("print the versions: %w", err)
	}
	return nil
}

func readVersions(info *debug.BuildInfo) versions {
	v := versions{Wsstack: moduleVersion(&info.Main), Go: strings.TrimPrefix(info.GoVersion, "go")}
	for _, setting := range info.Settings {
		switch setting.Key {
		case "vcs.revision":
			v.Commit = setting.Value
		case "vcs.modified":
			v.Modified = setting.Value == "true"
		}
	}
	for _, dep := range info.Deps {
		if dep.Path == "gvisor.dev/gvisor" {
			v.GVisor = moduleVersion(dep)
		}
	}
	return v
}

// writeText prints a line for each version that is known.
func (v versions) writeText(w io.Writer) error {
	var text strings.Builder
	fmt.Fprintf(&text, "wsstack %s\n", v.Wsstack)
	switch {
	case v.Commit != "" && v.Modified:
		fmt.Fprintf(&text, "commit %s, modified\n", v.Commit)
	case v.Commit != "":
		fmt.Fprintf(&text, "commit %s\n", v.Commit)
	}
	fmt.Fprintf(&text, "go %s\n", v.Go)
	if v.GVisor != "" {
		fmt.Fprintf(&text, "gvisor %s\n", v.GVisor)
	}
	_, err := io.WriteString(w, text.String())
	return err
}

func (v versions) writeJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(v)
}

// moduleVersion returns the version of a module in the program, which a replace directive may have
// changed. A module that was built from a work tree has no version, and the result is "(devel)".
func moduleVersion(m *debug.Module) string {
	for m.Replace != nil {
		m = m.Replace
	}
	if m.Version == "" {
		return "(devel)"
	}
	return m.Version
}

// version returns the version of wsstack itself.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(devel)"
	}
	return moduleVersion(&info.Main)
}
