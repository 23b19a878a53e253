package options

import (
	"slices"
	"strings"

	"github.com/wsstack/wsstack/wsa"
)

// Info is the description of one option in plain data, for people and for JSON. Sizes are those of
// the value, in bytes. A text is empty when there is nothing to say.
type Info struct {
	Level        int32         `json:"level"`                  // level of setsockopt
	LevelName    string        `json:"level_name"`             // its name
	Number       int32         `json:"number"`                 // optname of setsockopt
	Symbol       string        `json:"symbol"`                 // name in the SDK
	Type         string        `json:"type"`                   // type in the documents
	Size         int           `json:"size"`                   // bytes; 0: not supported
	Size6        int           `json:"size6,omitempty"`        // of AF_INET6; 0: Size
	Get          bool          `json:"get"`                    // whether getsockopt works
	Set          bool          `json:"set"`                    // whether setsockopt works
	Kinds        []string      `json:"kinds"`                  // of "stream", "datagram", "raw"
	Families     []string      `json:"families"`               // of "AF_INET", "AF_INET6"
	Default      ByProfile     `json:"default"`                // value of a new socket
	Lengths      ByProfile     `json:"lengths"`                // class of lengths; see OPTIONS.md
	Tier         string        `json:"tier"`                   // "A", "B" or "C"; see OPTIONS.md
	Doc          string        `json:"doc"`                    // pages, by label; see OPTIONS.md
	Evidence     string        `json:"evidence"`               // "doc", "observed" or "assumed"
	Description  string        `json:"description"`            // meaning in a sentence or two
	Incomplete   string        `json:"incomplete,omitempty"`   // what is still missing; "": nothing
	Unsupported  string        `json:"unsupported,omitempty"`  // why every call fails
	Alternatives []Alternative `json:"alternatives,omitempty"` // what other profiles do
}

// ByProfile is a text for each profile.
type ByProfile struct {
	Documented string `json:"documented"` // text for the profile Documented
	Windows    string `json:"windows"`    // text for the profile Windows
	Legacy     string `json:"legacy"`     // text for the profile Legacy
}

// Alternative is what profiles other than Documented do with an option.
type Alternative struct {
	Profiles []string `json:"profiles"` // names of the profiles
	Conflict string   `json:"conflict"` // number in docs/conflicts.md
	Text     string   `json:"text"`     // the difference in a few words
}

// Table returns the description of every option that this stack knows, by level and in the order of
// the documents. The caller may change the result.
func Table() []Info {
	infos := make([]Info, len(tables[Documented].options))
	for i, o := range tables[Documented].options {
		infos[i] = o.info
		infos[i].Kinds, infos[i].Families = slices.Clone(o.info.Kinds), slices.Clone(o.info.Families)
		infos[i].Alternatives = slices.Clone(o.info.Alternatives)
		infos[i].Default = ByProfile{
			Documented: o.defaultText,
			Windows:    tables[Windows].options[i].defaultText,
			Legacy:     tables[Legacy].options[i].defaultText,
		}
		infos[i].Lengths = ByProfile{
			Documented: o.lengths.String(),
			Windows:    tables[Windows].options[i].lengths.String(),
			Legacy:     tables[Legacy].options[i].lengths.String(),
		}
	}
	return infos
}

// describe returns the description of the row as it stands for Documented,
// without the defaults.
func (r row[T]) describe() Info {
	alternatives := make([]Alternative, 0, len(r.alt)+1)
	for _, a := range r.alt {
		alternatives = append(alternatives, Alternative{profileNames(a.in), a.conflict, a.text})
	}
	if c := r.codec; c.measured != nil && r.access != noAccess {
		alternatives = append(alternatives, Alternative{profileNames(measuredProfiles), c.conflict, c.deviates})
	}
	r.fill()
	info := Info{
		Level: r.level, LevelName: wsa.LevelName(r.level), Number: r.name, Symbol: r.symbol,
		Type: r.codec.typ, Size: r.codec.size, Size6: r.codec.size6,
		Get: r.access&getAccess != 0, Set: r.access&setAccess != 0,
		Kinds: r.kinds.names(), Families: r.families.names(),
		Tier: string(rune(r.tier)), Doc: r.doc, Evidence: r.evidence,
		Description: r.text, Incomplete: r.incomplete, Unsupported: r.unsupported, Alternatives: alternatives,
	}
	if info.Evidence == "" {
		info.Evidence = byDoc
	}
	return info
}

// defaultText is the default as OPTIONS.md prints it.
func (r row[T]) defaultText() string {
	switch {
	case r.access == noAccess && r.field == nil:
		return ""
	case r.defText != "" || r.codec.format == nil:
		return r.defText
	}
	return r.codec.format(r.def)
}

func profileNames(ps []Profile) []string {
	names := make([]string, len(ps))
	for i, p := range ps {
		names[i] = p.String()
	}
	return names
}

// kindNames and stateNames hold the names of kinds and of states in the order of their bits.
var (
	kindNames  = []string{"stream", "datagram", "raw"}
	stateNames = []string{"fresh", "bound", "listening", "connecting", "connected", "dead"}
)

func (k Kind) names() []string { return bitNames(uint8(k), kindNames) }

func (f families) names() []string { return bitNames(uint8(f), []string{"AF_INET", "AF_INET6"}) }

// String returns the names of the kinds in the set, such as "stream" or "datagram|raw".
func (k Kind) String() string { return strings.Join(k.names(), "|") }

// String returns the names of the states in the set, such as "fresh" or "bound|listening".
func (s State) String() string { return strings.Join(bitNames(uint8(s), stateNames), "|") }

func bitNames(set uint8, all []string) []string {
	var names []string
	for i, name := range all {
		if set&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return names
}
