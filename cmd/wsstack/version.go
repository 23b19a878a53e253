package main

import (
	"fmt"
	"io"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

func newVersionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the versions of wsstack, of Go and of gVisor",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			info, ok := debug.ReadBuildInfo()
			if !ok {
				return failf("this program was built without module information").
					withHint("build it with: go build ./cmd/wsstack")
			}
			writeVersion(cmd.OutOrStdout(), info)
			return nil
		},
	}
}

// writeVersion prints a line for each part that decides how the stack behaves.
func writeVersion(w io.Writer, info *debug.BuildInfo) {
	fmt.Fprintf(w, "wsstack %s\n", moduleVersion(&info.Main))
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			fmt.Fprintf(w, "commit %s\n", setting.Value)
		}
	}
	fmt.Fprintf(w, "go %s\n", strings.TrimPrefix(info.GoVersion, "go"))
	for _, dep := range info.Deps {
		if dep.Path == "gvisor.dev/gvisor" {
			fmt.Fprintf(w, "gvisor %s\n", moduleVersion(dep))
		}
	}
}

// moduleVersion is the version that was built in, which a replace directive may
// have changed; a build from a work tree has none.
func moduleVersion(m *debug.Module) string {
	for m.Replace != nil {
		m = m.Replace
	}
	if m.Version == "" {
		return "(devel)"
	}
	return m.Version
}

// version is the version of wsstack itself.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(devel)"
	}
	return moduleVersion(&info.Main)
}
