package tun

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The verdicts were computed by hand from the pseudocode of RFC 8289 §5, with a target of 5 ms and
// an interval of 100 ms. Times are in milliseconds. 100/√2 is 70.71, 100/√3 is 57.74.
func TestCodel_ByHand(t *testing.T) {
	const many, few = 50_000, 1_500
	type head struct {
		now, sojourn float64
		waiting      int64
		want         codelVerdict
	}
	for _, c := range []struct {
		name  string
		mark  bool
		heads []head
	}{
		{"the target itself is too long", false, []head{
			{0, 4.999, many, codelPass}, {1, 5, many, codelPass}, {100.9, 5, many, codelPass}, {101, 5, many, codelDrop},
		}},
		{"one packet below the target begins again", false, []head{
			{0, 9, many, codelPass}, {99, 4, many, codelPass}, {101, 9, many, codelPass}, {200, 9, many, codelPass}, {201, 9, many, codelDrop},
		}},
		{"no more than a packet is waiting", false, []head{
			{0, 90, many, codelPass}, {50, 90, few, codelPass}, {60, 90, many, codelPass}, {120, 90, few + 1, codelPass},
			{160, 90, few + 1, codelDrop}, {160, 90, few, codelPass}, {170, 90, many, codelPass}, {269, 90, many, codelPass}, {270, 90, many, codelDrop},
		}},
		{"the control law", false, []head{
			{0, 9, many, codelPass},
			{100, 9, many, codelDrop}, {100, 9, many, codelPass}, // next at 200
			{199, 9, many, codelPass},
			{200, 9, many, codelDrop}, {200, 9, many, codelPass}, // next at 270.71
			{270.7, 9, many, codelPass},
			{270.8, 9, many, codelDrop}, {270.8, 9, many, codelPass}, // next at 270.71 + 57.74 = 328.45
			{328.4, 9, many, codelPass},
			{328.5, 9, many, codelDrop},
		}},
		{"several drops are due at a time", false, []head{
			{0, 9, many, codelPass}, {100, 9, many, codelDrop}, {100, 9, many, codelPass},
			{300, 9, many, codelDrop}, {300, 9, many, codelDrop}, {300, 9, many, codelPass}, // due at 200, 270.71, 328.45
		}},
		{"what is below the target ends the drops at once", false, []head{
			{0, 9, many, codelPass}, {100, 9, many, codelDrop}, {300, 9, many, codelDrop}, {300, 4, many, codelPass}, {301, 9, many, codelPass},
		}},
		{"soon afterwards the rate of drops is what it was", false, []head{
			{0, 9, many, codelPass}, {100, 9, many, codelDrop}, {200, 9, many, codelDrop}, {271, 9, many, codelDrop}, {329, 9, many, codelDrop},
			{329, 4, many, codelPass},                            // four drops, one of them the first
			{330, 9, many, codelPass}, {430, 9, many, codelDrop}, // count is 4 - 1 = 3: next at 487.74
			{487.7, 9, many, codelPass}, {487.8, 9, many, codelDrop},
		}},
		{"long afterwards it begins with one", false, []head{
			{0, 9, many, codelPass}, {100, 9, many, codelDrop}, {200, 9, many, codelDrop}, {271, 9, many, codelDrop}, {329, 9, many, codelDrop},
			{329, 4, many, codelPass},
			{3000, 9, many, codelPass}, {3100, 9, many, codelDrop}, {3199, 9, many, codelPass}, {3200, 9, many, codelDrop},
		}},
		{"a mark is a drop without the next packet", true, []head{
			{0, 9, many, codelPass}, {100, 9, many, codelMark}, {200, 9, many, codelMark}, // next at 270.71
			{270.8, 9, many, codelMark}, {328.4, 9, many, codelPass}, {328.5, 9, many, codelMark},
		}},
		{"several marks that are due go to one packet each", true, []head{
			{0, 9, many, codelPass}, {100, 9, many, codelMark}, {300, 9, many, codelMark}, {300, 9, many, codelMark}, {300, 9, many, codelPass},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := codel{target: 5 * time.Millisecond, interval: 100 * time.Millisecond}
			ms := func(f float64) time.Duration { return time.Duration(f * float64(time.Millisecond)) }
			for i, h := range c.heads {
				got := d.judge(time.Hour+ms(h.now), ms(h.sojourn), h.waiting, few, c.mark)
				require.Equal(t, h.want, got, "%d: %+v", i, h)
			}
		})
	}
}
