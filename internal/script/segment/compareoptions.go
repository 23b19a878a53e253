package segment

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wsstack/wsstack/internal/script/syntax"
)

// compareOptions compares the options of a segment, in the script's numbers.
func (c *comparison) compareOptions(expected, actual []syntax.Option) {
	if _, ok := decodeOptions(c.options); !ok {
		c.differ("options", "such as are well formed", fmt.Sprintf("% x", c.options))
		return
	}
	if c.peer.cfg.StrictOptions && !sameOrder(expected, actual) {
		c.differ("options", optionsText(expected), optionsText(actual))
		return
	}
	rest := slices.Clone(actual)
	for i := range expected {
		if o := &expected[i]; !padding(o) {
			c.compareOption(o, take(&rest, o))
		}
	}
	for i := range rest {
		if o := &rest[i]; !padding(o) {
			c.differ(o.Name, "none", valueText(o))
		}
	}
}

// compareOption compares an option; nil: there is none.
func (c *comparison) compareOption(expected, actual *syntax.Option) {
	switch {
	case actual == nil:
		c.differ(expected.Name, valueText(expected), "none")
	case expected.Name == "TS":
		c.compareStamps(expected, actual)
	case expected.String() != actual.String():
		c.differ(expected.Name, valueText(expected), valueText(actual))
	}
}

// compareStamps compares timestamps where the script has said how long a step of theirs takes.
func (c *comparison) compareStamps(expected, actual *syntax.Option) {
	tick := c.peer.cfg.Tick
	if tick == 0 {
		return
	}
	beside := time.Duration(c.flow.stamps.steps(expected.Values[0], actual.Values[0])).Abs() * tick
	if beside > c.peer.cfg.Tolerance || expected.Values[1] != actual.Values[1] {
		c.differ("TS", valueText(expected), valueText(actual))
	}
}

// valueText is an option as scripts have it, without its word; "set" for one that has only that.
func valueText(o *syntax.Option) string {
	return cmp.Or(strings.TrimPrefix(strings.TrimPrefix(o.String(), o.Name), " "), "set")
}

// padding reports whether an option only fills up.
func padding(o *syntax.Option) bool { return o.Name == "nop" || o.Name == "eol" }

// take takes the first option of the same kind out of a list; nil: there is none.
func take(list *[]syntax.Option, like *syntax.Option) *syntax.Option {
	i := slices.IndexFunc(*list, func(o syntax.Option) bool { return sameKind(&o, like) })
	if i < 0 {
		return nil
	}
	o := (*list)[i]
	*list = slices.Delete(*list, i, i+1)
	return &o
}

// sameKind reports whether two options are of one kind.
func sameKind(a, b *syntax.Option) bool {
	return a.Name == b.Name && (a.Name != unknownOption || slices.Equal(a.Values, b.Values))
}

// sameOrder reports whether two lists have the same kinds in the same order.
func sameOrder(a, b []syntax.Option) bool {
	return slices.EqualFunc(a, b, func(a, b syntax.Option) bool { return sameKind(&a, &b) })
}

// optionsText is a list as scripts have it.
func optionsText(list []syntax.Option) string {
	texts := make([]string, len(list))
	for i := range list {
		texts[i] = list[i].String()
	}
	return "<" + strings.Join(texts, ",") + ">"
}
