package main

import (
	"testing"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/internal/testbed"
)

// Where nobody asks for a summary, there is one on a terminal only.
func TestSummaryFlags(t *testing.T) {
	for _, c := range []struct {
		flags    []string
		terminal bool
		want     string // the format; "": there is none
	}{
		{nil, false, ""},
		{nil, true, "text"},
		{[]string{"--summary"}, false, "text"},
		{[]string{"--summary=json"}, true, "json"},
		{[]string{"--summary=off"}, true, ""},
	} {
		var f summaryFlags
		set := pflag.NewFlagSet("test", pflag.ContinueOnError)
		f.addFlags(set)
		require.NoError(t, set.Parse(c.flags))
		s := f.start(&testbed.Testbed{}, c.terminal)
		require.Equal(t, c.want != "", s != nil, c.flags)
		if s != nil {
			require.Equal(t, c.want, s.format, c.flags)
		}
	}
	var f summaryFlags
	set := pflag.NewFlagSet("test", pflag.ContinueOnError)
	f.addFlags(set)
	require.EqualError(t, set.Parse([]string{"--summary=xml"}), `invalid argument "xml" for "--summary" flag: not one of text, json, off`)
	(*summary)(nil).print(nil)
}
