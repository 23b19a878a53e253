package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/wsstack/wsstack/internal/doctor"
)

func newDoctorCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor [flags]",
		Short: "Find out what of wsstack works on this machine, and what to do about the rest",
		Long: `Look at this machine and say what works and what doesn't: TUN devices, namespaces for
"wsstack exec", interfaces for "wsstack up", IPv6, names, the congestion control, echo
requests through a gateway, WireGuard tunnels, and control sockets. doctor tries exec out,
in a namespace that is gone afterwards, and changes nothing.

A line begins with "ok", "note" for what works in part, or "missing" for what keeps
"wsstack exec" from working. The line below says what to do. The exit status is 1 if
something is missing.`,
		Example: `  wsstack doctor
  wsstack doctor --json`,
		DisableFlagsInUseLine: true,
		Args:                  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			findings := doctor.Examine()
			if err := printFindings(cmd.OutOrStdout(), findings, asJSON); err != nil {
				return failf("print the findings: %w", err)
			}
			if !doctor.Works(findings) {
				return exitStatus(statusFailed)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the findings as JSON: an array of name, state, text and hint")
	return cmd
}

// printFindings prints a line for each finding, and one with its hint.
func printFindings(w io.Writer, findings []doctor.Finding, asJSON bool) error {
	if asJSON {
		encoder := json.NewEncoder(w)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		return encoder.Encode(findings)
	}
	for _, f := range findings {
		text := fmt.Sprintf("%-8s %s\n", f.State, oneLine(f.Text))
		if f.Hint != "" {
			text += fmt.Sprintf("%-8s %s\n", "", oneLine(f.Hint))
		}
		if _, err := io.WriteString(w, text); err != nil {
			return err
		}
	}
	return nil
}
