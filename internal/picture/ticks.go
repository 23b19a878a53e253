package picture

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// A tick is a mark of an axis.
type tick struct {
	at    float64 // value, in the unit of the axis
	label string
}

// step is a round number, 1, 2 or 5 times a power of ten, that divides a span into at most so many
// parts. It is 0 where the span is empty.
func step(span float64, most int) float64 {
	if span <= 0 || math.IsInf(span, 0) || math.IsNaN(span) {
		return 0
	}
	size := math.Pow(10, math.Floor(math.Log10(span/float64(most))))
	for _, m := range []float64{1, 2, 5, 10} {
		if span/(size*m) <= float64(most) {
			return size * m
		}
	}
	return size * 10
}

// ticks are the marks of an axis from lo to hi.
func ticks(lo, hi float64, most int, label func(v, step float64) string) []tick {
	by := step(hi-lo, most)
	if by == 0 {
		return []tick{{lo, label(lo, 1)}}
	}
	var list []tick
	first := math.Ceil(lo/by - 1e-9)
	for i := 0; i <= most+1; i++ {
		v := (first + float64(i)) * by
		if v > hi+by*1e-9 {
			break
		}
		list = append(list, tick{v, label(v, by)})
	}
	return list
}

// decimals is how many digits behind the point a number needs that is a multiple of a step.
func decimals(step float64) int {
	return max(0, min(9, int(math.Ceil(-math.Log10(step)-1e-9))))
}

// secondsLabel labels a time in seconds.
func secondsLabel(v, step float64) string {
	return strconv.FormatFloat(v, 'f', decimals(step), 64) + " s"
}

// timeLabel labels a duration in seconds by its size.
func timeLabel(v, step float64) string {
	switch {
	case v == 0:
		return "0"
	case step < 0.001:
		return strconv.FormatFloat(v*1e6, 'f', decimals(step*1e6), 64) + " µs"
	case step < 1:
		return strconv.FormatFloat(v*1e3, 'f', decimals(step*1e3), 64) + " ms"
	}
	return secondsLabel(v, step)
}

// bytesLabel labels a number of bytes in powers of 1,000.
func bytesLabel(v, step float64) string {
	units := []string{"", " k", " M", " G", " T"}
	i := 0
	for i < len(units)-1 && math.Abs(v) >= 1000 && step >= 1 {
		v, step, i = v/1000, step/1000, i+1
	}
	return strconv.FormatFloat(v, 'f', decimals(step), 64) + units[i]
}

// clock writes a time in seconds with this many decimals, cut off.
func clock(d time.Duration, digits int) string {
	unit := time.Second
	for range digits {
		unit /= 10
	}
	s := strconv.FormatFloat(d.Truncate(unit).Seconds(), 'f', digits, 64)
	return s + "s"
}

// span writes how long a silence is, to three digits.
func span(d time.Duration) string {
	switch {
	case d >= time.Hour:
		d = d.Round(time.Minute)
	case d >= 10*time.Second:
		d = d.Round(100 * time.Millisecond)
	case d >= time.Second:
		d = d.Round(10 * time.Millisecond)
	case d >= 100*time.Millisecond:
		d = d.Round(time.Millisecond)
	case d >= time.Millisecond:
		d = d.Round(10 * time.Microsecond)
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
