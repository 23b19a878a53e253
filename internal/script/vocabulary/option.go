package vocabulary

import (
	"cmp"
	"slices"

	"github.com/wsstack/wsstack/internal/script/syntax"
	"github.com/wsstack/wsstack/options"
	"github.com/wsstack/wsstack/wsa"
)

// An Option is a socket option in the numbers of a system.
type Option struct {
	Symbol      string       // the name of the option there, such as "SO_KEEPALIVE"
	Level, Name int32        // the arguments of setsockopt
	Type        string       // of the value, as the option table has it: "BOOL", "struct linger"
	Row         options.Info // the row of the table, for Winsock; the zero value where there is none

	linux *linuxOption // the one of Linux that this is; nil: there is none
}

// A level is a level of options, with all its names.
type level struct {
	words          []string
	linux, winsock int32
}

// levels are the levels. SOL_IP and SOL_IPV6, which Winsock has as numbers for itself, are Linux's
// names.
var levels = []level{
	{[]string{"SOL_SOCKET"}, linuxSocket, wsa.SOL_SOCKET},
	{[]string{"IPPROTO_TCP", "SOL_TCP"}, linuxTCP, wsa.IPPROTO_TCP},
	{[]string{"IPPROTO_IP", "SOL_IP"}, linuxIP, wsa.IPPROTO_IP},
	{[]string{"IPPROTO_IPV6", "SOL_IPV6"}, linuxIPv6, wsa.IPPROTO_IPV6},
	{[]string{"IPPROTO_UDP", "SOL_UDP"}, linuxUDP, wsa.IPPROTO_UDP},
}

func (l level) of(s System) int32 {
	if s == Linux {
		return l.linux
	}
	return l.winsock
}

// others are names of options that aren't in the option table but in the SDK, for one that is.
var others = map[string]string{
	"TCP_KEEPALIVE":    "TCP_KEEPIDLE",
	"IP_DONTFRAG":      "IP_DONTFRAGMENT",
	"IP_HOPLIMIT":      "IP_RECVTTL",
	"IP_RECVTCLASS":    "IP_RECVTOS",
	"IP_ECN":           "IP_RECVECN",
	"IPV6_JOIN_GROUP":  "IPV6_ADD_MEMBERSHIP",
	"IPV6_LEAVE_GROUP": "IPV6_DROP_MEMBERSHIP",
	"IPV6_ECN":         "IPV6_RECVECN",
	"SO_PROTOCOL_INFO": "SO_PROTOCOL_INFOW",
}

// table is the option table.
var table = options.Table()

// Option returns the option that two arguments of setsockopt or getsockopt name. A level that isn't
// the one of the option stays, as a test may want its error. The error is an *Error, among others
// for an option of Linux that this stack has nothing like.
func (v Evaluator) Option(levelExpr, nameExpr syntax.Expr) (Option, error) {
	at, err := v.level(levelExpr)
	if err != nil {
		return Option{}, err
	}
	switch e := nameExpr.(type) {
	case *syntax.Name:
		return v.optionNamed(e, e.Word, at)
	case *syntax.Number:
		return v.optionNumbered(e, at, int32(e.Value))
	}
	n, err := v.Number(Plain, nameExpr)
	return Option{Level: at, Name: int32(n), Type: "int"}, err
}

// level returns the number of a level.
func (v Evaluator) level(e syntax.Expr) (int32, error) {
	switch e := e.(type) {
	case *syntax.Name:
		for _, l := range levels {
			if contains(l.words, e.Word) {
				return l.of(v.For), nil
			}
		}
		if c, ok := find(Protocol, e.Word); ok && c.has(v.For) {
			return int32(c.of(v.For)), nil
		}
		return 0, errorf(e, "levels: SOL_SOCKET, IPPROTO_TCP, IPPROTO_IP, IPPROTO_IPV6, IPPROTO_UDP",
			"%s isn't a level of options", e.Word)
	case *syntax.Number:
		for _, l := range levels {
			if int64(l.of(v.Digits)) == e.Value {
				return l.of(v.For), nil
			}
		}
	}
	n, err := v.Number(Plain, e)
	return int32(n), err
}

// OptionNamed returns the option with that name. Of a name that two levels have, it is IPPROTO_IP's.
// The error is an *Error without a place.
func (v Evaluator) OptionNamed(symbol string) (Option, error) {
	return v.optionNamed(&syntax.Name{Word: symbol}, symbol, anyLevel)
}

// anyLevel is the level of an option that is named without one.
const anyLevel = -1

// optionNamed finds an option by its name, and at its level at where it has several.
func (v Evaluator) optionNamed(e syntax.Expr, word string, at int32) (Option, error) {
	row, found := inTable(word, at)
	linux := linuxNamed(word, v.linuxLevel(at))
	switch {
	case v.For == Linux && linux != nil:
		return linux.option().at(at), nil
	case v.For == Linux && found:
		return Option{}, errorf(e, "leave it out", "Linux has no option %s", word)
	case found:
		row.linux = linux
		return row.at(at), nil
	case linux == nil:
		return Option{}, unknownOption(e, word)
	case linux.same == "":
		return Option{}, errorf(e, cmp.Or(linux.hint, "leave it out; options of this stack: wsstack options"),
			"this stack has nothing like Linux's %s", word)
	}
	row, _ = inTable(linux.same, at)
	row.linux = linux
	if linux.level == v.linuxLevel(at) { // SO_NO_CHECK is another level's option in Winsock
		return row, nil
	}
	return row.at(at), nil
}

// at is the option at the level that the script has.
func (o Option) at(level int32) Option {
	if level != anyLevel {
		o.Level = level
	}
	return o
}

// linuxLevel returns Linux's number of a level of v.For.
func (v Evaluator) linuxLevel(at int32) int32 {
	for _, l := range levels {
		if l.of(v.For) == at {
			return l.linux
		}
	}
	return anyLevel
}

// optionNumbered finds an option by its number in digits.
func (v Evaluator) optionNumbered(e *syntax.Number, at, number int32) (Option, error) {
	raw := Option{Level: at, Name: number, Type: "int"}
	if v.Digits == Linux {
		for i, o := range linuxOptions {
			if o.level != v.linuxLevel(at) || o.number != number {
				continue
			}
			if v.For == Linux {
				return linuxOptions[i].option(), nil
			}
			return v.optionNamed(e, o.symbol, at)
		}
		return raw, nil
	}
	for _, row := range table {
		switch {
		case v.For == Winsock && row.Level == at && row.Number == number:
			return ofRow(row), nil
		case v.For == Linux && row.Number == number && (Evaluator{}).linuxLevel(row.Level) == at:
			return v.optionNamed(e, row.Symbol, at)
		}
	}
	return raw, nil
}

// linuxNamed finds an option of Linux, at the level at if there is one there; nil: there is none.
func linuxNamed(word string, at int32) *linuxOption {
	if other, ok := others[word]; ok && other != "IP_DONTFRAGMENT" {
		word = other
	}
	var found *linuxOption
	for i, o := range linuxOptions {
		if o.symbol == word && (found == nil || o.level == at) {
			found = &linuxOptions[i]
		}
	}
	return found
}

// option is o in the numbers of Linux.
func (o *linuxOption) option() Option {
	return Option{Symbol: o.symbol, Level: o.level, Name: o.number, Type: cmp.Or(o.typ, "int"), linux: o}
}

// inTable finds an option in the option table, at the level at if there is one there.
func inTable(word string, at int32) (Option, bool) {
	word = cmp.Or(others[word], word)
	found := -1
	for i, row := range table {
		if row.Symbol == word && (found < 0 || row.Level == at) {
			found = i
		}
	}
	if found < 0 {
		return Option{}, false
	}
	return ofRow(table[found]), true
}

func ofRow(row options.Info) Option {
	return Option{Symbol: row.Symbol, Level: row.Level, Name: row.Number, Type: row.Type, Row: row}
}

// unknownOption is the error of a name that neither system has.
func unknownOption(e syntax.Expr, word string) error {
	return errorf(e, meant(word, "all names: wsstack options", optionSymbols()), "%s isn't the name of an option", word)
}

// optionSymbols are the names of all options, those of the option table first.
func optionSymbols() []string {
	var list []string
	for _, row := range table {
		list = append(list, row.Symbol)
	}
	for _, o := range linuxOptions {
		list = append(list, o.symbol)
	}
	return list
}

// OptionNames are the names of all options of both systems, in order, each once.
func OptionNames() []string {
	list := optionSymbols()
	for word := range others {
		list = append(list, word)
	}
	slices.Sort(list)
	return slices.Compact(list)
}
