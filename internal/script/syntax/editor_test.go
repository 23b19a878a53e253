package syntax

import (
	"encoding/json"
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// The grammar for editors is JSON whose expressions are right, and knows the words of this package.
func TestEditorGrammar(t *testing.T) {
	text, err := os.ReadFile("../../../editors/vscode/syntaxes/packetdrill.tmLanguage.json")
	require.NoError(t, err)
	var grammar struct {
		Patterns []struct{ Name, Match, Begin, End string }
	}
	require.NoError(t, json.Unmarshal(text, &grammar))
	matching := map[string]*regexp.Regexp{}
	for _, p := range grammar.Patterns {
		for _, expression := range []string{p.Match, p.Begin, p.End} {
			_, err := regexp.Compile(expression)
			require.NoError(t, err, p.Name)
		}
		matching[p.Name] = regexp.MustCompile("^(?:" + p.Match + ")$")
	}
	words := map[string][]string{
		"keyword.control":      {"assert", "nothing", "profile", "link"},
		"support.type.option":  {"nop", "eol", "sackOK", "FO", "FOEXP", "md5", "unknown"},
		"keyword.other.packet": {"udp", "icmp", "raw", "ack", "win", "urg", "mtu", "id", "tos", "ttl", "flowlabel"},
	}
	for word := range ecns {
		words["keyword.other.packet"] = append(words["keyword.other.packet"], word)
	}
	for word := range valueBytes {
		words["support.type.option"] = append(words["support.type.option"], word)
	}
	for _, i := range settings {
		words["keyword.other.setting"] = append(words["keyword.other.setting"], "--"+i.Name)
	}
	for name, list := range words {
		for _, word := range list {
			require.Regexp(t, matching[name], word)
		}
	}
	for _, time := range []string{"0", "+.1", "*", "1.5~2", "+0~+1", "0...0.1", "+0...30"} {
		require.Regexp(t, matching["constant.numeric.time"], time)
	}
}
