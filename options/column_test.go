package options

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/wsa"
)

// What a column says of sockets and errors is what the calls do.
func TestColumns(t *testing.T) {
	for _, info := range Table() {
		columns := info.Columns()
		require.Len(t, columns, int(profileCount), info.Symbol)
		for p, c := range columns {
			require.Equal(t, Profile(p).String(), c.Profile)
			for a, d := range map[access]Direction{getAccess: c.Get, setAccess: c.Set} {
				for i, kind := range kindNames {
					for _, family := range []int32{wsa.AF_INET, wsa.AF_INET6} {
						ep := newFake(1 << i)
						ep.profile, ep.family = Profile(p), family
						assert.Equal(t, refused(ep, info, a), d.answer(kind, family), "%s in profile %v on %s", info.Symbol, c.Profile, kind)
					}
				}
			}
		}
	}
}

// refused is the error of a call with more bytes than any value has, if it is one of those that a
// socket without the option gives.
func refused(ep *fake, info Info, a access) string {
	b := make([]byte, 4096)
	err := Set(ep.values(), ep, info.Level, info.Number, b)
	if a == getAccess {
		_, err = Get(ep.values(), ep, info.Level, info.Number, b)
	}
	o := tables[ep.profile].byKey[optionKey(info.Level, info.Number)]
	if o.access&a != 0 && o.kinds[bit(a == setAccess)]&ep.kind != 0 && err != wsa.WSAENOPROTOOPT {
		return "" // what the value or the state is refused with
	}
	return err.Symbol()
}

// answer is what the direction says of a socket.
func (d Direction) answer(kind string, family int32) string {
	names := []string{kind, kind + map[int32]string{wsa.AF_INET: " of AF_INET", wsa.AF_INET6: " of AF_INET6"}[family]}
	has := func(list []string) bool {
		return slices.ContainsFunc(list, func(s string) bool { return slices.Contains(names, s) })
	}
	for _, f := range d.Fails {
		if has(f.Sockets) {
			return f.Error
		}
	}
	if has(d.Sockets) {
		return ""
	}
	return "not said"
}

// A column has the states in which set fails, the default and what differs.
func TestColumns_OfKeepAlive(t *testing.T) {
	columns := infoOf(t, "SO_KEEPALIVE").Columns()
	assert.Equal(t, []string{"connecting"}, columns[Documented].SetNotIn)
	assert.Equal(t, []string{}, columns[Legacy].SetNotIn)
	assert.Empty(t, columns[Documented].Deviation)
	assert.Contains(t, strings.Join(columns[Legacy].Deviation, " "), "(C-27)")
	assert.NotContains(t, strings.Join(columns[Windows].Deviation, " "), "(C-27)")
	assert.Equal(t, "8192", infoOf(t, "SO_RCVBUF").Columns()[Legacy].Default)
	assert.Nil(t, Info{Level: wsa.SOL_SOCKET, Number: 0x7777}.Columns())
}

func infoOf(t *testing.T, symbol string) Info {
	t.Helper()
	i := slices.IndexFunc(Table(), func(i Info) bool { return i.Symbol == symbol })
	require.GreaterOrEqual(t, i, 0)
	return Table()[i]
}
