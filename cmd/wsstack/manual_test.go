package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"
)

// manual is where "make man" has the pages written. They are made by a test, so that what writes
// them isn't a part of the program.
var manual = flag.String("man", "", "write the manual pages into this folder")

// writeManual writes a page of section 1 for each command and each topic. Its date is that of
// SOURCE_DATE_EPOCH, if that is set.
func writeManual(folder string) error {
	root := newRootCommand()
	root.DisableAutoGenTag = true
	header := doc.GenManHeader{Section: "1", Source: "wsstack", Manual: "wsstack"}
	if err := doc.GenManTree(root, &header, folder); err != nil {
		return err
	}
	for _, topic := range root.Commands() {
		if !topic.IsAdditionalHelpTopicCommand() {
			continue
		}
		var page bytes.Buffer
		if err := doc.GenMan(topic, &header, &page); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, "wsstack-"+topic.Name()+".1"), page.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func TestManual(t *testing.T) {
	folder := t.TempDir()
	if *manual != "" {
		folder = *manual
		require.NoError(t, os.MkdirAll(folder, 0o755))
	}
	require.NoError(t, writeManual(folder))
	pages := readManual(t, folder)
	var check func(*cobra.Command)
	check = func(c *cobra.Command) {
		page, ok := pages[strings.ReplaceAll(c.CommandPath(), " ", "-")+".1"]
		if c.Hidden {
			return
		}
		require.True(t, ok, "no page for %q", c.CommandPath())
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden && !strings.Contains(page, `\-\-`+strings.ReplaceAll(f.Name, "-", `\-`)) && !strings.Contains(page, "--"+f.Name) {
				t.Errorf("the page of %q has no flag --%s", c.CommandPath(), f.Name)
			}
		})
		for line := range strings.Lines(c.Example) {
			if word := strings.Fields(line); len(word) > 1 && !strings.Contains(page, word[1]) {
				t.Errorf("the page of %q has no example %q", c.CommandPath(), line)
			}
		}
		for _, below := range c.Commands() {
			check(below)
		}
	}
	check(newRootCommand())
}

func readManual(t *testing.T, folder string) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.1"))
	require.NoError(t, err)
	pages := map[string]string{}
	for _, name := range files {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		pages[filepath.Base(name)] = string(text)
	}
	return pages
}

// The manual's program for pages has nothing to say about these.
func TestManual_Lint(t *testing.T) {
	man, err := exec.LookPath("man")
	if err != nil {
		t.Skip("man isn't installed")
	}
	folder := t.TempDir()
	require.NoError(t, writeManual(folder))
	for name := range readManual(t, folder) {
		cmd := exec.Command(man, "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", filepath.Join(folder, name))
		cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "MANROFFSEQ=", "MANWIDTH=100")
		var complaints strings.Builder
		cmd.Stderr = &complaints
		require.NoError(t, cmd.Run(), "%s: %s", name, complaints.String())
		require.Empty(t, complaints.String(), fmt.Sprintf("what man says about %s", name))
	}
}
