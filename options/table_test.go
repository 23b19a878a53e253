package options

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/wsa"
)

// The table has exactly the options of specs, with their facts.
func TestTable_MatchesSpec(t *testing.T) {
	infos := map[uint64]Info{}
	for _, i := range Table() {
		infos[optionKey(i.Level, i.Number)] = i
	}
	require.Len(t, infos, len(specs))
	for _, s := range specs {
		t.Run(s.symbol, func(t *testing.T) {
			i, ok := infos[optionKey(s.level, s.name)]
			require.True(t, ok)
			assert.Equal(t, s.symbol, i.Symbol)
			assert.Equal(t, s.level, i.Level)
			assert.Equal(t, s.name, i.Number)
			assert.Equal(t, s.tier, i.Tier)
			assert.Equal(t, s.access&getAccess != 0, i.Get)
			assert.Equal(t, s.access&setAccess != 0, i.Set)
			assert.Equal(t, s.size, i.Size)
			if s.size != s.size6 {
				assert.Equal(t, s.size6, i.Size6)
			}
		})
	}
}

func TestTable_RowsAreComplete(t *testing.T) {
	symbols, keys := map[string]bool{}, map[uint64]bool{}
	for _, i := range Table() {
		symbol := i.LevelName + " " + i.Symbol
		assert.False(t, symbols[symbol], "%s twice", symbol)
		assert.False(t, keys[optionKey(i.Level, i.Number)], "%s: number twice", i.Symbol)
		symbols[symbol], keys[optionKey(i.Level, i.Number)] = true, true

		assert.Equal(t, i.Symbol, wsa.OptionName(i.Level, i.Number), "number and name agree with wsa")
		assert.Equal(t, i.LevelName, wsa.LevelName(i.Level))
		assert.NotEmpty(t, i.Doc, i.Symbol)
		assert.NotEmpty(t, i.Description, i.Symbol)
		assert.NotEmpty(t, i.Type, i.Symbol)
		assert.NotEmpty(t, i.Kinds, i.Symbol)
		assert.NotEmpty(t, i.Families, i.Symbol)
		assert.Contains(t, []string{"A", "B", "C"}, i.Tier, i.Symbol)
		assert.Contains(t, []string{byDoc, byObserved, byAssumed}, i.Evidence, i.Symbol)
		assert.Equal(t, !i.Get && !i.Set, i.Unsupported != "", "%s: unsupported", i.Symbol)
		if i.Get {
			assert.NotEmpty(t, i.Default.Documented, "%s: default", i.Symbol)
		}
		for _, a := range i.Alternatives {
			assert.Regexp(t, `^C-\d+b?(, C-\d+b?)*$`, a.Conflict, i.Symbol)
			assert.NotEmpty(t, a.Text, i.Symbol)
			assert.NotEmpty(t, a.Profiles, i.Symbol)
		}
	}
}

// Every stored default can be read, and set back without a change.
func TestTable_DefaultsRoundTrip(t *testing.T) {
	for p := range profileCount {
		for _, family := range allFamilies {
			for _, kind := range allKinds {
				ep := newFake(kind)
				ep.family, ep.profile = family, p
				for _, o := range tables[p].options {
					name := fmt.Sprintf("%v %s %v %d", p, o.info.Symbol, kind, family)
					v := ep.values()
					before := *v
					b := make([]byte, 700)
					n, err := Get(v, ep, o.info.Level, o.info.Number, b)
					if err != 0 {
						continue // TestGet_Lengths says which ones may fail
					}
					if err := Set(v, ep, o.info.Level, o.info.Number, b[:n]); err == 0 {
						// Setting a size freezes it, the size itself stays.
						v.SendBuffer.Set, v.RecvBuffer.Set = before.SendBuffer.Set, before.RecvBuffer.Set
						assert.Equal(t, before, *v, name)
					}
				}
			}
		}
	}
}

// Profiles change rows, never the set or the order of the options.
func TestTable_ProfilesHaveTheSameRows(t *testing.T) {
	for p := range profileCount {
		require.Len(t, tables[p].options, len(tables[Documented].options))
		for i, o := range tables[p].options {
			assert.Equal(t, tables[Documented].options[i].info.Symbol, o.info.Symbol)
		}
	}
}

// Every option named at IPPROTO_TCP or SOL_SOCKET by wsa and without a row is
// a known gap: it fails with WSAENOPROTOOPT.
func TestTable_GapsFailAsUnsupported(t *testing.T) {
	ep := newFake(Stream)
	v := ep.values()
	for _, level := range levelOrder {
		for name := int32(-200); name < 0x7100; name++ {
			if wsa.OptionName(level, name) == "" || tables[Documented].byKey[optionKey(level, name)] != nil {
				continue
			}
			_, err := Get(v, ep, level, name, make([]byte, 4))
			assert.Equal(t, wsa.WSAENOPROTOOPT, err, "get %s", wsa.OptionName(level, name))
			assert.Equal(t, wsa.WSAENOPROTOOPT, Set(v, ep, level, name, le(1)), "set %s", wsa.OptionName(level, name))
		}
	}
}
