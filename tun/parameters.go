package tun

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"
)

// The groups of parameters.
const (
	groupLoss   = "Loss"
	groupChange = "Changed packets"
	groupRate   = "Rate and queue"
	groupDelay  = "Delay and order"
)

// parameters has a Parameter for each field of Impairment but Filter, in the order in which they
// are printed. All that is said about an impairment anywhere is made from this table.
var parameters = slices.Concat(lossParameters, changeParameters, rateParameters, delayParameters)

var lossParameters = []Parameter{
	row[bool]{
		Parameter: Parameter{Name: "partition", Help: "cut the link: nothing arrives",
			Field: "Partition", Option: "Partition", Fates: Partitioned},
		kind: switches, field: func(m *Impairment) *bool { return &m.Partition },
	}.of(groupLoss),
	row[int]{
		Parameter: Parameter{Name: "path-mtu", Placeholder: "BYTES", Help: "size above which packets vanish",
			Field: "MTU", Option: "PathMTU", Fates: TooBig},
		kind: mtus, field: func(m *Impairment) *int { return &m.MTU },
	}.of(groupLoss),
	row[[]uint64]{
		Parameter: Parameter{Name: "loss-packets", Placeholder: "NUMBERS", Help: "which packets are lost, such as 1,5,10-12; the first is 1",
			Field: "LossPackets", Option: "LossPackets", Fates: Lost, list: true},
		kind: packetNumbers, field: func(m *Impairment) *[]uint64 { return &m.LossPackets },
	}.of(groupLoss),
	row[float64]{
		Parameter: Parameter{Name: "loss", Placeholder: "PROBABILITY", Help: "probability, 0 to 1, that a packet is lost",
			Field: "Loss", Option: "Loss", Fates: Lost},
		kind: probabilities, field: func(m *Impairment) *float64 { return &m.Loss },
	}.of(groupLoss),
	row[float64]{
		Parameter: Parameter{Name: "loss-correlation", Placeholder: "CORRELATION", Help: "correlation of losses in a row",
			Field: "LossCorrelation", Option: "LossCorrelation", Needs: []string{"loss"}},
		kind: correlations, field: func(m *Impairment) *float64 { return &m.LossCorrelation },
	}.of(groupLoss),
	row[float64]{
		Parameter: Parameter{Name: "burst-enter", Placeholder: "PROBABILITY", Help: "probability that a burst of losses begins",
			Field: "Burst.Enter", Option: "BurstLoss", Fates: Lost},
		kind: probabilities, field: func(m *Impairment) *float64 { return &m.Burst.Enter },
	}.of(groupLoss),
	row[float64]{
		Parameter: Parameter{Name: "burst-leave", Placeholder: "PROBABILITY", Help: "probability that a burst ends",
			Field: "Burst.Leave", Option: "BurstLoss", Needs: []string{"burst-enter"}},
		kind: probabilities, field: func(m *Impairment) *float64 { return &m.Burst.Leave },
		another: func(m *Impairment) error {
			if m.Burst.Enter > 0 && m.Burst.Leave == 0 {
				return errors.New("0 never ends a burst; 0.25 makes bursts of 4 packets on average, and a partition has no end")
			}
			return nil
		},
	}.of(groupLoss),
	row[float64]{
		Parameter: Parameter{Name: "burst-loss", Placeholder: "PROBABILITY", Help: "probability that a packet of a burst is lost (default 1)",
			Field: "Burst.Loss", Option: "BurstLoss", Needs: []string{"burst-enter"}},
		kind: probabilities, field: func(m *Impairment) *float64 { return &m.Burst.Loss },
	}.of(groupLoss),
	row[float64]{
		Parameter: Parameter{Name: "burst-good-loss", Placeholder: "PROBABILITY", Help: "probability that a packet between bursts is lost",
			Field: "Burst.GoodLoss", Option: "BurstLoss", Needs: []string{"burst-enter"}},
		kind: probabilities, field: func(m *Impairment) *float64 { return &m.Burst.GoodLoss },
	}.of(groupLoss),
}

var changeParameters = []Parameter{
	row[float64]{
		Parameter: Parameter{Name: "duplicate", Placeholder: "PROBABILITY", Help: "probability that a packet arrives twice",
			Field: "Duplicate", Option: "Duplicate", Fates: Duplicated},
		kind: probabilities, field: func(m *Impairment) *float64 { return &m.Duplicate },
	}.of(groupChange),
	row[float64]{
		Parameter: Parameter{Name: "duplicate-correlation", Placeholder: "CORRELATION", Help: "correlation of duplicates in a row",
			Field: "DuplicateCorrelation", Option: "DuplicateCorrelation", Needs: []string{"duplicate"}},
		kind: correlations, field: func(m *Impairment) *float64 { return &m.DuplicateCorrelation },
	}.of(groupChange),
	row[float64]{
		Parameter: Parameter{Name: "corrupt", Placeholder: "PROBABILITY", Help: "probability that a bit of a packet is flipped",
			Field: "Corrupt", Option: "Corrupt", Fates: Corrupted},
		kind: probabilities, field: func(m *Impairment) *float64 { return &m.Corrupt },
	}.of(groupChange),
	row[float64]{
		Parameter: Parameter{Name: "corrupt-correlation", Placeholder: "CORRELATION", Help: "correlation of corrupted packets in a row",
			Field: "CorruptCorrelation", Option: "CorruptCorrelation", Needs: []string{"corrupt"}},
		kind: correlations, field: func(m *Impairment) *float64 { return &m.CorruptCorrelation },
	}.of(groupChange),
}

var rateParameters = []Parameter{
	row[int64]{
		Parameter: Parameter{Name: "rate", Placeholder: "BITS", Help: "bits per second, such as 500k, 10M or 1G",
			Field: "Rate", Option: "Rate"},
		kind: bitRates, field: func(m *Impairment) *int64 { return &m.Rate },
	}.of(groupRate),
	row[*RateTrace]{
		Parameter: Parameter{Name: "rate-trace", Placeholder: "FILE", Help: "Mahimahi trace of the rate, instead of --rate",
			Field: "RateTrace", Option: "RateTrace"},
		kind: traces, field: func(m *Impairment) **RateTrace { return &m.RateTrace },
		another: func(m *Impairment) error {
			if m.RateTrace != nil && m.Rate != 0 {
				return errors.New("a link has a rate or a trace of rates, not both")
			}
			return nil
		},
	}.of(groupRate),
	row[int]{
		Parameter: Parameter{Name: "queue", Placeholder: "BYTES", Help: "bytes that may wait (default 100 ms of the rate, or 64 KiB)",
			Field: "Queue", Option: "Queue", Needs: rates, Fates: QueueFull},
		kind: byteCounts, field: func(m *Impairment) *int { return &m.Queue },
	}.of(groupRate),
	row[int]{
		Parameter: Parameter{Name: "queue-packets", Placeholder: "PACKETS", Help: "packets that may wait (default no limit, 1000 with codel)",
			Field: "QueuePackets", Option: "Queue", Needs: rates, Fates: QueueFull},
		kind: packetCounts, field: func(m *Impairment) *int { return &m.QueuePackets },
	}.of(groupRate),
	row[Discipline]{
		Parameter: Parameter{Name: "queue-discipline", Placeholder: "NAME", Help: "droptail or codel (default droptail)",
			Field: "Discipline", Option: "CoDel", Needs: rates, Fates: QueueDropped},
		kind: disciplines, field: func(m *Impairment) *Discipline { return &m.Discipline },
	}.of(groupRate),
	row[time.Duration]{
		Parameter: Parameter{Name: "codel-target", Placeholder: "DURATION", Help: "how long packets may wait for long (default 5ms)",
			Field: "CoDelTarget", Option: "CoDel", Needs: []string{"queue-discipline"}},
		kind: durations, field: func(m *Impairment) *time.Duration { return &m.CoDelTarget },
		another: func(m *Impairment) error {
			if most := cmp.Or(m.CoDelInterval, defaultCoDelInterval); m.CoDelTarget > most {
				return fmt.Errorf("%v: longer than the interval of CoDel, %v", m.CoDelTarget, most)
			}
			return nil
		},
	}.of(groupRate),
	row[time.Duration]{
		Parameter: Parameter{Name: "codel-interval", Placeholder: "DURATION", Help: "how much longer they wait before a drop (default 100ms)",
			Field: "CoDelInterval", Option: "CoDel", Needs: []string{"queue-discipline"}},
		kind: durations, field: func(m *Impairment) *time.Duration { return &m.CoDelInterval },
		another: func(m *Impairment) error {
			if m.CoDelInterval != 0 && m.CoDelInterval < time.Millisecond {
				return fmt.Errorf("%v: must be 1ms or longer", m.CoDelInterval)
			}
			return nil
		},
	}.of(groupRate),
	row[bool]{
		Parameter: Parameter{Name: "ecn", Help: "codel marks packets whose sender has ECN, and drops others",
			Field: "ECN", Option: "ECN", Needs: []string{"queue-discipline"}, Fates: Marked},
		kind: switches, field: func(m *Impairment) *bool { return &m.ECN },
		another: func(m *Impairment) error {
			if m.ECN && m.Discipline != CoDel {
				return errors.New("only the discipline codel marks packets")
			}
			return nil
		},
	}.of(groupRate),
}

// rates has the parameters without which nothing waits in a queue.
var rates = []string{"rate", "rate-trace"}

var delayParameters = []Parameter{
	row[time.Duration]{
		Parameter: Parameter{Name: "delay", Placeholder: "DURATION", Help: "time that a packet takes, such as 50ms",
			Field: "Delay", Option: "Delay"},
		kind: durations, field: func(m *Impairment) *time.Duration { return &m.Delay },
	}.of(groupDelay),
	row[time.Duration]{
		Parameter: Parameter{Name: "jitter", Placeholder: "DURATION", Help: "by how much the delay varies, up and down",
			Field: "Jitter", Option: "Jitter"},
		kind: durations, field: func(m *Impairment) *time.Duration { return &m.Jitter },
	}.of(groupDelay),
	row[Distribution]{
		Parameter: Parameter{Name: "jitter-distribution", Placeholder: "NAME", Help: "uniform, normal, pareto or paretonormal (default uniform)",
			Field: "JitterDistribution", Option: "JitterDistribution", Needs: []string{"jitter"}},
		kind: distributions, field: func(m *Impairment) *Distribution { return &m.JitterDistribution },
	}.of(groupDelay),
	row[float64]{
		Parameter: Parameter{Name: "jitter-correlation", Placeholder: "CORRELATION", Help: "correlation of delays in a row",
			Field: "JitterCorrelation", Option: "JitterCorrelation", Needs: []string{"jitter"}},
		kind: correlations, field: func(m *Impairment) *float64 { return &m.JitterCorrelation },
	}.of(groupDelay),
	row[bool]{
		Parameter: Parameter{Name: "jitter-reorder", Help: "packets may overtake one another because of jitter",
			Field: "JitterReorders", Option: "JitterReorders", Needs: []string{"jitter"}},
		kind: switches, field: func(m *Impairment) *bool { return &m.JitterReorders },
	}.of(groupDelay),
	row[float64]{
		Parameter: Parameter{Name: "reorder", Placeholder: "PROBABILITY", Help: "probability that packets overtake a packet",
			Field: "Reorder", Option: "Reorder", Fates: Reordered},
		kind: probabilities, field: func(m *Impairment) *float64 { return &m.Reorder },
	}.of(groupDelay),
	row[float64]{
		Parameter: Parameter{Name: "reorder-correlation", Placeholder: "CORRELATION", Help: "correlation of overtaken packets in a row",
			Field: "ReorderCorrelation", Option: "ReorderCorrelation", Needs: []string{"reorder"}},
		kind: correlations, field: func(m *Impairment) *float64 { return &m.ReorderCorrelation },
	}.of(groupDelay),
	row[time.Duration]{
		Parameter: Parameter{Name: "reorder-delay", Placeholder: "DURATION", Help: "how late it is (default a quarter of the delay, at least 1ms)",
			Field: "ReorderDelay", Option: "Reorder", Needs: []string{"reorder"}},
		kind: durations, field: func(m *Impairment) *time.Duration { return &m.ReorderDelay },
	}.of(groupDelay),
}
