package options

import (
	"cmp"
	"slices"

	"github.com/wsstack/wsstack/wsa"
)

// compiler is a row of any value type.
type compiler interface{ compile(p Profile) *option }

// table is the options of one profile, in the order of OPTIONS.md and by key.
// The order is the same in every profile.
type table struct {
	options []*option
	byKey   map[uint64]*option
}

// tables and initialValues are built in init rather than by initialisers: rows
// refer to functions that look into them.
var tables [profileCount]table

func init() {
	for p := range profileCount {
		tables[p] = buildTable(p)
		initialValues[p] = [2]Values{buildDefaults(p, Datagram), buildDefaults(p, Stream)}
	}
}

func buildTable(p Profile) table {
	t := table{byKey: map[uint64]*option{}}
	for _, rows := range [][]compiler{
		socketRows(), portRows(), contextRows(), bufferRows(), liveRows(), blobRows(), unsupportedRows(),
		tcpRows(), urgentRows(), tcpTuningRows(),
		ip4.commonRows(), ip4.reportRows(), ip4.interfaceRows(), ip4Rows(),
		ip6.commonRows(), ip6.reportRows(), ip6.interfaceRows(), ip6Rows(),
		mcastRows(), udpRows(),
	} {
		for _, r := range rows {
			o := r.compile(p)
			t.options = append(t.options, o)
			t.byKey[optionKey(o.info.Level, o.info.Number)] = o
		}
	}
	slices.SortFunc(t.options, func(a, b *option) int {
		return cmp.Or(
			cmp.Compare(slices.Index(levelOrder, a.info.Level), slices.Index(levelOrder, b.info.Level)),
			cmp.Compare(numberOrder(a.info.Number), numberOrder(b.info.Number)),
		)
	})
	return t
}

// levelOrder is the order of the levels in OPTIONS.md.
var levelOrder = []int32{wsa.SOL_SOCKET, wsa.IPPROTO_TCP, wsa.IPPROTO_IP, wsa.IPPROTO_IPV6, wsa.IPPROTO_UDP}

// kindsOf returns the kinds of socket that have a level: that of a transport is for its own alone.
func kindsOf(level int32) Kind {
	switch level {
	case wsa.IPPROTO_TCP:
		return Stream
	case wsa.IPPROTO_UDP:
		return Datagram
	}
	return AnyKind
}

// foreignLevels are the levels that the documents define for protocols this
// stack does not carry.
var foreignLevels = []int32{
	wsa.NSPROTO_IPX, wsa.NSPROTO_SPX, wsa.NSPROTO_SPXII, wsa.SOL_IRLMP, wsa.SOL_APPLETALK, wsa.IPPROTO_RM,
}

// numberOrder puts SO_DONTLINGER (~SO_LINGER) and SO_EXCLUSIVEADDRUSE
// (~SO_REUSEADDR) right behind their opposites.
func numberOrder(number int32) int64 {
	if number < 0 {
		return int64(^number)*2 + 1
	}
	return int64(number) * 2
}

// levelError answers an option that has no row: WSAENOPROTOOPT at a level of this provider,
// WSAEINVAL elsewhere (C-23).
func levelError(p Profile, level int32) wsa.Errno {
	switch {
	case slices.Contains(levelOrder, level):
		return wsa.WSAENOPROTOOPT
	case slices.Contains(foreignLevels, level):
		return profileColumns[p].foreignLevel
	}
	return wsa.WSAEINVAL
}
