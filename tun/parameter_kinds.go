package tun

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wsstack/wsstack/internal/inet"
)

// isZero reports whether a value is the zero value of its type.
func isZero[T comparable](v T) bool { return v == *new(T) }

// possible is the check of a kind all of whose values are possible.
func possible[T any](T) error { return nil }

// fraction is a kind of numbers from 0 to 1.
func fraction(with1 bool, wrong string) kind[float64] {
	return kind[float64]{
		zero: isZero[float64],
		parse: func(s string) (float64, error) {
			if f, err := strconv.ParseFloat(s, 64); err == nil {
				return f, nil
			}
			return 0, errors.New(wrong)
		},
		print: func(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) },
		check: func(f float64) error {
			if f >= 0 && f < 1 || with1 && f == 1 {
				return nil
			}
			return errors.New(wrong)
		},
	}
}

var (
	probabilities = fraction(true, "not a probability, 0 to 1; 0.01 is one packet in a hundred")
	correlations  = fraction(false, "not a correlation, from 0 to below 1")
)

var durations = kind[time.Duration]{
	zero: isZero[time.Duration],
	parse: func(s string) (time.Duration, error) {
		if d, err := time.ParseDuration(s); err == nil {
			return d, nil
		}
		return 0, errors.New("not a duration, such as 50ms or 1.5s")
	},
	print: time.Duration.String,
	check: func(d time.Duration) error {
		if d < 0 || d > maxImpairmentDelay {
			return errors.New("must be from 0 to 24h")
		}
		return nil
	},
}

// suffixes are the factors of bits and bytes, the greatest first.
var suffixes = []struct {
	letter string
	factor int64
}{{"G", 1e9}, {"M", 1e6}, {"k", 1e3}, {"", 1}}

// amount is a kind of whole numbers from 0, with the factors k, M and G.
func amount[T int | int64](most T, wrong string) kind[T] {
	return kind[T]{
		zero: isZero[T],
		parse: func(s string) (T, error) {
			i := slices.IndexFunc(suffixes, func(f struct {
				letter string
				factor int64
			}) bool {
				return strings.HasSuffix(s, f.letter)
			})
			n, err := strconv.ParseInt(strings.TrimSuffix(s, suffixes[i].letter), 10, 64)
			if err != nil || n < 0 || n > int64(most)/suffixes[i].factor {
				return 0, errors.New(wrong)
			}
			return T(n * suffixes[i].factor), nil
		},
		print: func(n T) string {
			for _, f := range suffixes {
				if int64(n)%f.factor == 0 {
					return strconv.FormatInt(int64(n)/f.factor, 10) + f.letter
				}
			}
			return "" // the last factor is 1
		},
		check: func(n T) error {
			if n < 0 || n > most {
				return errors.New(wrong)
			}
			return nil
		},
	}
}

var (
	bitRates     = amount[int64](math.MaxInt64, "not a number of bits per second, such as 9600, 500k, 10M or 1G")
	byteCounts   = amount(math.MaxInt, "not a number of bytes, such as 3000, 64k or 1M")
	packetCounts = amount(math.MaxInt, "not a number of packets, such as 100")
)

// mtus is the kind of sizes of packets; 0 stands for no limit.
var mtus = func() kind[int] {
	wrong := fmt.Sprintf("not a number of bytes from %d to %d", inet.MinMTU4, inet.MaxMTU)
	k := amount(inet.MaxMTU, wrong)
	k.check = func(n int) error {
		if n != 0 && n < inet.MinMTU4 || n > inet.MaxMTU {
			return errors.New(wrong)
		}
		return nil
	}
	k.print = strconv.Itoa
	return k
}()

// switches is the kind of what is on or off. No text stands for on.
var switches = kind[bool]{
	zero: isZero[bool],
	parse: func(s string) (bool, error) {
		switch s {
		case "", "true":
			return true, nil
		case "false":
			return false, nil
		}
		return false, errors.New("not true or false")
	},
	print: strconv.FormatBool,
	check: possible[bool],
}

// oneOf is a kind of values with names: those from 0 on.
func oneOf[T interface {
	~uint8
	fmt.Stringer
}](what string, count int) kind[T] {
	names := make([]string, count)
	for i := range names {
		names[i] = T(i).String()
	}
	wrong := fmt.Errorf("not a %s: %s or %s", what, strings.Join(names[:count-1], ", "), names[count-1])
	return kind[T]{
		zero: isZero[T],
		parse: func(s string) (T, error) {
			if i := slices.Index(names, s); i >= 0 {
				return T(i), nil
			}
			return 0, wrong
		},
		print: T.String,
		check: func(v T) error {
			if int(v) >= count {
				return wrong
			}
			return nil
		},
	}
}

var (
	distributions = oneOf[Distribution]("distribution", int(ParetoNormal)+1)
	disciplines   = oneOf[Discipline]("discipline of a queue", int(CoDel)+1)
)

// traces is the kind of rates from a trace file.
var traces = kind[*RateTrace]{
	zero: isZero[*RateTrace],
	parse: func(file string) (*RateTrace, error) {
		if strings.Contains(file, ",") {
			return nil, errors.New("a name with a comma")
		}
		return ReadRateTrace(file)
	},
	print: (*RateTrace).String,
	check: possible[*RateTrace],
}

// maxLossPackets bounds the list of an impairment.
const maxLossPackets = 1 << 16

var errNumbers = errors.New("not a list of at most 65,536 numbers of packets, such as 1,5,10-12; the first packet is 1")

// packetNumbers is the kind of lists of numbers of packets, with ranges. What parse returns is in order.
var packetNumbers = kind[[]uint64]{
	zero: func(list []uint64) bool { return len(list) == 0 },
	parse: func(s string) (list []uint64, _ error) {
		if s == "" {
			return nil, nil
		}
		for word := range strings.SplitSeq(s, ",") {
			low, high, isRange := strings.Cut(word, "-")
			if !isRange {
				high = low
			}
			first, err := strconv.ParseUint(low, 10, 64)
			last, err2 := strconv.ParseUint(high, 10, 64)
			if err != nil || err2 != nil || first == 0 || first > last || last-first >= uint64(maxLossPackets-len(list)) {
				return nil, errNumbers
			}
			for i := range last - first + 1 {
				list = append(list, first+i)
			}
		}
		return ordered(list), nil
	},
	print: printNumbers,
	check: func(list []uint64) error {
		if len(list) > maxLossPackets || slices.Contains(list, 0) {
			return errNumbers
		}
		return nil
	},
}

// ordered returns a copy of the list in order, with each number once.
func ordered(list []uint64) []uint64 {
	return slices.Compact(slices.Sorted(slices.Values(list)))
}

func printNumbers(list []uint64) string {
	var words []string
	for list = ordered(list); len(list) > 0; {
		n := 1
		for n < len(list) && list[n] == list[n-1]+1 {
			n++
		}
		word := strconv.FormatUint(list[0], 10)
		if n > 1 {
			word += "-" + strconv.FormatUint(list[n-1], 10)
		}
		words, list = append(words, word), list[n:]
	}
	return strings.Join(words, ",")
}

// isNumbers reports whether a word of a list goes on with numbers.
func isNumbers(word string) bool { return word != "" && word[0] >= '0' && word[0] <= '9' }
