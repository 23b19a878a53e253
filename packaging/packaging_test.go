// Package packaging has what distributes the command: a unit of systemd here, Containerfile and
// .goreleaser.yaml in the folder above. It has no code but the tests of these files.
package packaging

import (
	"encoding/json"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v4"
)

// A goreleaser is the part of goreleaser's configuration that .goreleaser.yaml uses: a key that
// isn't here is a mistake, or is to be looked up and added.
type goreleaser struct {
	Version     int
	ProjectName string `yaml:"project_name"`
	Before      struct{ Hooks []string }
	Builds      []struct {
		ID, Main, Binary string
		Env              []string
		Flags, Ldflags   []string
		ModTimestamp     string `yaml:"mod_timestamp"`
		Goos, Goarch     []string
	}
	Archives []struct {
		ID              string
		Formats         []string
		FormatOverrides []struct {
			Goos    string
			Formats []string
		} `yaml:"format_overrides"`
		Files []string
	}
	Checksum struct {
		NameTemplate string `yaml:"name_template"`
	}
	Snapshot struct {
		VersionTemplate string `yaml:"version_template"`
	}
	Changelog struct{ Disable bool }
}

func TestGoreleaser(t *testing.T) {
	file, err := os.Open("../.goreleaser.yaml")
	require.NoError(t, err)
	defer file.Close()
	decoder := yaml.NewDecoder(file)
	decoder.KnownFields(true)
	var cfg goreleaser
	require.NoError(t, decoder.Decode(&cfg))
	require.Equal(t, 2, cfg.Version)

	makefile, err := os.ReadFile("../Makefile")
	require.NoError(t, err)
	for _, hook := range cfg.Before.Hooks {
		target, ok := strings.CutPrefix(hook, "make ")
		require.True(t, ok, hook)
		require.Contains(t, string(makefile), "\n"+target+":", "the target of the hook")
	}
	require.Len(t, cfg.Builds, 1)
	build := cfg.Builds[0]
	require.Contains(t, build.Env, "CGO_ENABLED=0", "a static program")
	require.Contains(t, build.Flags, "-trimpath")
	require.Equal(t, []string{"linux", "darwin", "windows"}, build.Goos, "what CI compiles for")
	require.Equal(t, []string{"amd64", "arm64"}, build.Goarch)
	checkCommand(t, build.Main)

	require.Len(t, cfg.Archives, 1)
	for _, o := range cfg.Archives[0].FormatOverrides {
		require.Contains(t, build.Goos, o.Goos)
	}
	for _, pattern := range cfg.Archives[0].Files {
		if pattern == "man/*" {
			continue // the hook makes them
		}
		files, err := filepath.Glob(filepath.Join("..", pattern))
		require.NoError(t, err)
		require.NotEmpty(t, files, pattern)
	}
}

// checkCommand checks that a folder has a program.
func checkCommand(t *testing.T, folder string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", folder, "main.go"), nil, parser.PackageClauseOnly)
	require.NoError(t, err)
	require.Equal(t, "main", file.Name.Name)
}

// "go install …@latest" refuses a module with a replacement or an exclusion.
func TestGoInstall(t *testing.T) {
	var module struct {
		Module           struct{ Path string }
		Replace, Exclude []any
	}
	text, err := exec.Command("go", "mod", "edit", "-json", "../go.mod").Output()
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &module))
	require.Equal(t, "github.com/wsstack/wsstack", module.Module.Path)
	require.Empty(t, module.Replace)
	require.Empty(t, module.Exclude)
}

// Each step of the Containerfile is one that there is, copies what there is, and builds with a Go
// that can.
func TestContainerfile(t *testing.T) {
	text, err := os.ReadFile("../Containerfile")
	require.NoError(t, err)
	joined := strings.ReplaceAll(string(text), "\\\n", " ")
	stages := 0
	for line := range strings.Lines(joined) {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		require.True(t, slices.Contains([]string{"ARG", "FROM", "WORKDIR", "COPY", "RUN", "ENTRYPOINT", "CMD"}, words[0]), line)
		switch words[0] {
		case "FROM":
			stages++
			require.Regexp(t, `:[0-9$]`, words[1], "an image with a version")
		case "COPY":
			for _, source := range words[1 : len(words)-1] {
				if words[1] != "--from=build" {
					_, err := os.Stat(filepath.Join("..", source))
					require.NoError(t, err, line)
				}
			}
		case "ENTRYPOINT", "CMD":
			var list []string
			require.NoError(t, json.Unmarshal([]byte(strings.TrimPrefix(strings.TrimSpace(line), words[0])), &list))
		}
	}
	require.Equal(t, 2, stages)
	require.Contains(t, joined, "CGO_ENABLED=0 go build -trimpath")
	checkCommand(t, "./cmd/wsstack")
	module, err := os.ReadFile("../go.mod")
	require.NoError(t, err)
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(string(module))
	require.NotNil(t, version)
	require.Contains(t, joined, "ARG GO_VERSION="+version[1]+"\n")
}

// systemd finds no mistake in the unit. The path of the program is one that there is.
func TestUnit(t *testing.T) {
	text, err := os.ReadFile("wsstack-up.service")
	require.NoError(t, err)
	for _, line := range []string{"AmbientCapabilities=CAP_NET_ADMIN", "CapabilityBoundingSet=CAP_NET_ADMIN", "NoNewPrivileges=yes", "DeviceAllow=/dev/net/tun rw"} {
		require.Contains(t, string(text), "\n"+line+"\n")
	}
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze isn't installed")
	}
	program, err := os.Executable()
	require.NoError(t, err)
	unit := filepath.Join(t.TempDir(), "wsstack-up.service")
	require.NoError(t, os.WriteFile(unit, []byte(strings.ReplaceAll(string(text), "/usr/local/bin/wsstack", program)), 0o644))
	complaints, err := exec.Command(analyze, "verify", "--man=no", unit).CombinedOutput()
	require.NoError(t, err, "%s", complaints)
	require.Empty(t, string(complaints))
}
