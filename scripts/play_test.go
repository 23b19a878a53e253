package scripts_test

import (
	"strings"
	"testing"

	"github.com/wsstack/wsstack/internal/script/play"
	"github.com/wsstack/wsstack/internal/script/syntax"
)

// Every script is played, with no tolerance. One that doesn't say of which family it is, is played over both.
func TestScripts_Play(t *testing.T) {
	for _, name := range names(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			source := text(t, name)
			s, err := syntax.Parse(name, []byte(source), syntax.Options{})
			if err != nil {
				t.Fatal(err)
			}
			versions := []string{""}
			if !strings.Contains(source, "AF_INET") && !strings.Contains(source, "ip_version") && !strings.Contains(source, "192.0.2.1") {
				versions = []string{"ipv4", "ipv6"}
			}
			for _, version := range versions {
				c := play.Config{Settings: []syntax.Setting{{Name: "tolerance_usecs", Value: "0", HasValue: true}}}
				if version != "" {
					c.Settings = append(c.Settings, syntax.Setting{Name: "ip_version", Value: version, HasValue: true})
				}
				if f := play.Play(s, c).Failure; f != nil {
					t.Errorf("%s:%d: %s\n%s %s: expected %q, got %q", name, f.Pos.Line, f.Event, version, f.What, f.Expected, f.Actual)
				}
			}
		})
	}
}
