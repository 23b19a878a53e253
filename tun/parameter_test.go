package tun

import (
	"math"
	"math/bits"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// fieldNames lists the fields of a structure, those of Burst one by one.
func fieldNames(of reflect.Type, prefix string) (names []string) {
	for i := range of.NumField() {
		f := of.Field(i)
		if f.Type == reflect.TypeFor[Burst]() {
			names = append(names, fieldNames(f.Type, f.Name+".")...)
		} else {
			names = append(names, prefix+f.Name)
		}
	}
	return names
}

func TestParameters_EachFieldHasOne(t *testing.T) {
	fields := fieldNames(reflect.TypeFor[Impairment](), "")
	var names, described []string
	for _, p := range Parameters() {
		names, described = append(names, p.Name), append(described, p.Field)
		require.NotEmpty(t, p.Help, p.Name)
		require.NotEmpty(t, p.Group, p.Name)
		require.NotEmpty(t, p.Option, p.Name)
		for _, needed := range p.Needs {
			_, ok := FindParameter(needed)
			require.True(t, ok, "%s needs %s", p.Name, needed)
		}
	}
	slices.Sort(names)
	require.Len(t, slices.Compact(names), len(described), "names are unique")
	require.ElementsMatch(t, append(described, "Filter"), fields)
}

// possibleText is a value that is possible for a parameter.
func possibleText(p Parameter) string {
	switch p.Placeholder {
	case "PROBABILITY", "CORRELATION":
		return "0.25"
	case "NAME":
		return map[string]string{"jitter-distribution": "pareto", "queue-discipline": "codel"}[p.Name]
	case "NUMBERS":
		return "1,3-5"
	case "DURATION":
		return "2ms"
	case "BITS", "BYTES", "PACKETS":
		return "1500"
	}
	return ""
}

// A parameter sets its field and no other, and those that need another have no effect alone.
func TestParameters_SetOneField(t *testing.T) {
	for _, p := range Parameters() {
		text := possibleText(p)
		if p.Placeholder == "FILE" {
			text = filepath.Join(t.TempDir(), "a.trace")
			require.NoError(t, os.WriteFile(text, []byte("1\n2\n"), 0o600))
		}
		var m Impairment
		require.True(t, m.perfect())
		require.NoError(t, p.Set(&m, text), p.Name)
		require.Equal(t, len(p.Needs) > 0, m.perfect(), p.Name)
		v := reflect.ValueOf(&m).Elem()
		for name := range strings.SplitSeq(p.Field, ".") {
			v = v.FieldByName(name)
		}
		require.False(t, v.IsZero(), p.Name)
		for _, other := range Parameters() {
			require.Equal(t, other.Name == p.Name, other.Text(&m) != "", "%s sets %s", p.Name, other.Name)
		}
		v.SetZero()
		require.True(t, reflect.ValueOf(m).IsZero(), p.Name)
	}
}

func TestFates_EachBitHasARow(t *testing.T) {
	all, caused := Fate(0), Filtered
	counters := map[string]bool{}
	for i, r := range fates {
		require.Equal(t, Fate(1)<<i, r.bit)
		require.Equal(t, r.name, r.bit.String())
		all |= r.bit
		s := ImpairStats{}
		s.count(r.bit)
		require.EqualValues(t, 1, *r.counter(&s), r.name)
		require.Equal(t, r.bit.Dropped(), s.Dropped() == 1, r.name)
		*r.counter(&s) = 0
		require.Zero(t, s, r.name)
		require.False(t, counters[counterName(r)], "%s has a counter of its own", r.name)
		counters[counterName(r)] = true
	}
	for _, p := range parameters {
		caused |= p.Fates
	}
	require.Equal(t, all, caused, "something causes each fate")
	// Of the counters, only Packets and Bytes aren't those of a fate.
	require.Equal(t, reflect.TypeFor[ImpairStats]().NumField()-2, bits.OnesCount16(uint16(all)))
}

// anImpairment is any impairment whose values are possible one by one.
var anImpairment = rapid.Custom(func(t *rapid.T) Impairment {
	share := func(name string) float64 {
		return rapid.SampledFrom([]float64{0, 1, 0.5, 1e-9, rapid.Float64Range(0, 1).Draw(t, name)}).Draw(t, name)
	}
	less := func(name string) float64 { return math.Min(share(name), 0.999) }
	d := func(name string) time.Duration {
		return time.Duration(rapid.Int64Range(0, int64(maxImpairmentDelay)).Draw(t, name))
	}
	number := func(name string) int { return rapid.IntRange(0, math.MaxInt).Draw(t, name) }
	return Impairment{
		Partition:       rapid.Bool().Draw(t, "partition"),
		MTU:             rapid.SampledFrom([]int{0, 68, 1500, 9000, 65535}).Draw(t, "mtu"),
		LossPackets:     ordered(rapid.SliceOfN(rapid.Uint64Range(1, 40), 0, 30).Draw(t, "numbers")),
		Loss:            share("loss"),
		LossCorrelation: less("loss correlation"),
		Burst:           Burst{Enter: share("enter"), Leave: share("leave"), Loss: share("burst loss"), GoodLoss: share("good loss")},
		Duplicate:       share("duplicate"), DuplicateCorrelation: less("duplicate correlation"),
		Corrupt: share("corrupt"), CorruptCorrelation: less("corrupt correlation"),
		Rate:  rapid.SampledFrom([]int64{0, 1, 999, 1000, 5_000_000, math.MaxInt64}).Draw(t, "rate"),
		Queue: number("queue"), QueuePackets: number("packets"), Discipline: Discipline(rapid.IntRange(0, 1).Draw(t, "discipline")),
		CoDelTarget: d("target"), CoDelInterval: d("interval"), ECN: rapid.Bool().Draw(t, "ecn"),
		Delay: d("delay"), Jitter: d("jitter"), JitterDistribution: Distribution(rapid.IntRange(0, 3).Draw(t, "distribution")),
		JitterCorrelation: less("jitter correlation"), JitterReorders: rapid.Bool().Draw(t, "jitter reorders"),
		Reorder: share("reorder"), ReorderCorrelation: less("reorder correlation"), ReorderDelay: d("reorder delay"),
	}
})

// What String prints, Set reads.
func TestImpairment_TextRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := anImpairment.Draw(t, "impairment")
		var got Impairment
		if text := m.String(); text != "" {
			require.NoError(t, got.Set(text), text)
		}
		require.Equal(t, m, got)
	})
}

func TestImpairment_Set(t *testing.T) {
	m := Impairment{Delay: time.Second, Loss: 0.5}
	require.NoError(t, m.Set("loss-packets=7,1-3,2,jitter-reorder,loss=0,partition=false,rate=10M"))
	require.Equal(t, Impairment{Delay: time.Second, LossPackets: []uint64{1, 2, 3, 7}, JitterReorders: true, Rate: 10_000_000}, m)
	require.Equal(t, "loss-packets=1-3,7,rate=10M,delay=1s,jitter-reorder", m.String())
	before := m
	for text, want := range map[string]string{
		"":                                     `"" is not a parameter of a link`,
		"delay=1ms,":                           `"" is not a parameter`,
		"delay=1ms,7":                          `"7" is not a parameter`,
		"delay=1ms,lost=1":                     `"lost" is not a parameter of a link, such as loss=0.1`,
		"delay":                                "delay needs a value: delay=DURATION",
		"delay=1":                              `delay "1": not a duration, such as 50ms or 1.5s`,
		"loss=2":                               `loss "2": not a probability, 0 to 1; 0.01 is one packet in a hundred`,
		"loss-correlation=1":                   `loss-correlation "1": not a correlation, from 0 to below 1`,
		"loss-packets=3,0":                     `loss-packets "3,0": not a list`,
		"loss-packets=1-65537":                 "not a list of at most 65,536 numbers",
		"loss-packets=2,1-9999999999999999999": "not a list",
		"ecn=maybe":                            `ecn "maybe": not true or false`,
		"path-mtu=67":                          "not a number of bytes from 68 to 65535",
		"jitter-distribution=x":                "not a distribution: uniform, normal, pareto or paretonormal",
		"queue=1T":                             "not a number of bytes, such as 3000, 64k or 1M",
		"rate-trace=no,b":                      `rate-trace "no": open no: no such file or directory`,
	} {
		require.ErrorContains(t, m.Set(text), want, text)
		require.Equal(t, before, m, "nothing has changed")
	}
	require.NoError(t, m.Set("loss-packets=1-65536"))
	require.NoError(t, m.validate())
}

func TestImpairment_RateTraceByName(t *testing.T) {
	file := filepath.Join(t.TempDir(), "up.trace")
	require.NoError(t, os.WriteFile(file, []byte("1\n5\n"), 0o600))
	var m Impairment
	require.NoError(t, m.Set("rate-trace="+file))
	require.Equal(t, "rate-trace="+file, m.String())
	m.Rate = 1
	require.EqualError(t, m.validate(), "impairment.RateTrace: a link has a rate or a trace of rates, not both")
}

func FuzzImpairment(f *testing.F) {
	f.Add("loss=0.1,loss-packets=1,5,10-12,delay=50ms,jitter-reorder")
	f.Add("rate=9223372036G,queue=64k,queue-discipline=codel,ecn,codel-target=1ns")
	f.Add("burst-enter=0.1,burst-leave=1e-300,path-mtu=68,partition=false")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "rate-trace") {
			t.Skip("a text that names a file, which may be any device of this machine")
		}
		var m, again Impairment
		if m.Set(text) != nil {
			require.True(t, reflect.ValueOf(m).IsZero(), "nothing has changed")
			return
		}
		if printed := m.String(); printed != "" {
			require.NoError(t, again.Set(printed))
			require.Equal(t, printed, again.String())
		}
	})
}
