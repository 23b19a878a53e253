package agenda_test

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wsstack/wsstack/internal/agenda"
)

type job struct {
	agenda.Slot
	name string
}

func names(a *agenda.Agenda[*job]) (list []string) {
	for a.Len() > 0 {
		list = append(list, a.Pop().name)
	}
	return list
}

func TestOrder(t *testing.T) {
	var a agenda.Agenda[*job]
	for i, j := range []*job{
		{agenda.Slot{At: 3}, "late"},
		{agenda.Slot{At: 1, Order: 2}, "early, second"},
		{agenda.Slot{At: 1, Order: 1}, "early, first"},
		{agenda.Slot{At: 2, Order: 9}, "between"},
	} {
		require.False(t, j.Scheduled())
		a.Add(j)
		require.True(t, j.Scheduled())
		require.Equal(t, i+1, a.Len())
	}
	require.Equal(t, "early, first", a.First().name)
	require.Equal(t, []string{"early, first", "early, second", "between", "late"}, names(&a))
}

func TestFixAndRemove(t *testing.T) {
	var a agenda.Agenda[*job]
	x, y, z := &job{name: "x"}, &job{name: "y"}, &job{name: "z"}
	for i, j := range []*job{x, y, z} {
		j.At = time.Duration(i)
		a.Add(j)
	}
	x.At = 5
	a.Fix(x)
	a.Remove(z)
	require.False(t, z.Scheduled())
	require.Equal(t, []string{"y", "x"}, names(&a))
	require.False(t, x.Scheduled() || y.Scheduled())
	a.Add(z) // once more
	require.Equal(t, []string{"z"}, names(&a))
}

// Whatever is added, moved and removed, the first entry is that of a sorted list.
func TestAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var a agenda.Agenda[*job]
		var model []*job
		order := uint64(0)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			at := time.Duration(rapid.IntRange(0, 8).Draw(t, "at"))
			switch n := len(model); {
			case n == 0 || rapid.Bool().Draw(t, "add"):
				order++
				j := &job{Slot: agenda.Slot{At: at, Order: order}}
				a.Add(j)
				model = append(model, j)
			case rapid.Bool().Draw(t, "move"):
				j := model[rapid.IntRange(0, n-1).Draw(t, "which")]
				j.At = at
				a.Fix(j)
			default:
				i := rapid.IntRange(0, n-1).Draw(t, "which")
				a.Remove(model[i])
				model = slices.Delete(model, i, i+1)
			}
			if a.Len() != len(model) {
				t.Fatalf("%d entries, want %d", a.Len(), len(model))
			}
			if len(model) == 0 {
				continue
			}
			want := slices.MinFunc(model, func(x, y *job) int {
				return cmp.Or(cmp.Compare(x.At, y.At), cmp.Compare(x.Order, y.Order))
			})
			if a.First() != want {
				t.Fatalf("first: %+v, want %+v", a.First(), want)
			}
		}
	})
}

func TestAllocations(t *testing.T) {
	var a agenda.Agenda[*job]
	jobs := make([]job, 64)
	for i := range jobs {
		a.Add(&jobs[i])
	}
	names(&a)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		for i := range jobs {
			jobs[i].At = time.Duration(i * 7 % 64)
			a.Add(&jobs[i])
		}
		for a.Len() > 0 {
			a.Pop()
		}
	}))
}
