package picture

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPlot(t *testing.T) {
	p := Plot{Title: "exchanges, 1/s", X: "connections", Lines: []Line{
		{"ours", [][2]float64{{1, 20_000}, {10, 38_000}, {100, 47_000}, {100_000, 33_000}}},
		{"theirs <&>", [][2]float64{{1, 19_000}, {10, 35_000}, {100, 0}}},
	}}
	text := written(t, p.Write)
	golden(t, "plot.svg", text)
	require.Less(t, len(text), 10_000)
	p.Log = true
	golden(t, "plot-log.svg", written(t, p.Write))
	for _, lines := range [][]Line{nil, {{"nothing", nil}}, {{"one", [][2]float64{{1, 1}}}}} {
		text := written(t, (&Plot{Title: "empty", Lines: lines}).Write)
		require.NotContains(t, text, "NaN")
		d := xml.NewDecoder(strings.NewReader(text))
		var err error
		for err == nil {
			_, err = d.Token()
		}
		require.True(t, errors.Is(err, io.EOF), err)
	}
}

// Equal steps of an axis of powers of ten are equal factors.
func TestPlotAxis(t *testing.T) {
	p := Plot{Lines: []Line{{"", [][2]float64{{3, 0.02}, {50_000, 7}}}}}
	x := p.axis(0, true)
	require.InDelta(t, 0, x.place(1), 1e-9)
	require.InDelta(t, 0.4, x.place(100), 1e-9)
	require.InDelta(t, 1, x.place(100_000), 1e-9)
	var labels []string
	for _, m := range p.axis(1, true).marks() {
		labels = append(labels, m.label)
	}
	require.Equal(t, []string{"0.01", "0.1", "1", "10"}, labels)
	require.InDelta(t, 7/7.35, p.axis(1, false).place(7), 1e-9)
}
