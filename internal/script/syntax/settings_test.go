package syntax

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Settings are read alone, as on a command line.
func TestParseSettings(t *testing.T) {
	list, err := ParseSettings("Settings", "--mtu=1400\n--tolerance-usecs=5 /* each */ --timestamps // on\n--local_ip=\"fd00::1\"")
	require.NoError(t, err)
	var texts []string
	for _, s := range list {
		texts = append(texts, s.String())
	}
	require.Equal(t, []string{"--mtu=1400", "--tolerance_usecs=5", "--timestamps", "--local_ip=fd00::1"}, texts)
	list, err = ParseSettings("Settings", "")
	require.NoError(t, err)
	require.Empty(t, list)

	for text, want := range map[string]string{
		"--mtu=1 0 close(3)": `Settings:1:9: expected a setting, not "0"`,
		"--no_such":          "Settings:1:1: there is no setting --no_such",
		"--mtu=\"1":          "Settings:1:7: the text has no end",
		"--non_fatal=packet": "Settings:1:1: --non_fatal isn't supported",
	} {
		_, err := ParseSettings("Settings", text)
		require.EqualError(t, err, want)
	}
}

// Each setting has a text for help, and those that have no effect aren't offered.
func TestSettings(t *testing.T) {
	seen := map[string]bool{}
	for _, i := range Settings() {
		require.NotEmpty(t, i.Help, i.Name)
		require.False(t, seen[i.Name], i.Name)
		seen[i.Name] = true
		_, err := ParseSettings("", "--"+i.Name+"=1=2")
		require.Equal(t, i.Placeholder == "", err != nil && i.Name != "define", "%s: %v", i.Name, err)
	}
	require.True(t, seen["mtu"] && seen["strict_options"] && seen["define"])
	for _, name := range []string{"speed", "wire_client", "init_scripts", "code_command"} {
		require.False(t, seen[name], name)
	}
	_, err := ParseSettings("", "--speed=100 --verbose")
	require.NoError(t, err, "it is taken, and does nothing")
}
