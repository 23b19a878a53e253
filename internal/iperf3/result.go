package iperf3

import (
	"encoding/json"
	"math"
	"strconv"
	"time"
)

// results are what one side has counted, as it tells the other.
type results struct {
	CPUTotal   float64        `json:"cpu_util_total"` // iperf3 shows it; this package doesn't measure it
	CPUUser    float64        `json:"cpu_util_user"`
	CPUSystem  float64        `json:"cpu_util_system"`
	Resent     number         `json:"sender_has_retransmits"` // 1: the counts are known, 0: they aren't, -1: no sender
	Congestion string         `json:"congestion_used,omitempty"`
	Text       string         `json:"server_output_text,omitempty"`
	Streams    []streamResult `json:"streams"`
}

// A streamResult is what one side has counted of a stream.
type streamResult struct {
	ID          int     `json:"id"`
	Bytes       number  `json:"bytes"`
	Retransmits number  `json:"retransmits"` // -1: not known
	Jitter      float64 `json:"jitter"`      // seconds
	Errors      number  `json:"errors"`      // datagrams that are missing
	Packets     number  `json:"packets"`
	Start       float64 `json:"start_time"`
	End         float64 `json:"end_time"` // seconds
}

// A number is an integer of JSON as iperf3 writes it: -1 may come as 2^64-1.
type number int64

// UnmarshalJSON reads the number.
func (n *number) UnmarshalJSON(b []byte) error {
	var f float64
	if err := json.Unmarshal(b, &f); err != nil {
		return err
	}
	if f >= math.MaxInt64 || f <= math.MinInt64 {
		f = -1
	}
	if i, err := strconv.ParseInt(string(b), 10, 64); err == nil {
		*n = number(i)
		return nil
	}
	*n = number(f)
	return nil
}

// results are those of this side.
func (r *run) results(took time.Duration) results {
	res := results{Resent: -1, Streams: []streamResult{}}
	for _, s := range r.streams {
		one := streamResult{
			ID: s.id, Bytes: number(s.bytes.Load()), Retransmits: -1,
			Errors: number(s.lost.Load()), Packets: number(s.packets.Load()),
			Jitter: time.Duration(s.jitter.Load()).Seconds(), End: took.Seconds(),
		}
		if s.sender {
			res.Resent = max(res.Resent, 0)
		}
		if n, known := s.retransmissions(); known {
			one.Retransmits, res.Resent = number(n-s.began), 1
		}
		res.Streams = append(res.Streams, one)
	}
	return res
}

// of returns the result of a stream by its number. It is the zero value where there is none.
func (r *results) of(id int) streamResult {
	for _, s := range r.Streams {
		if s.ID == id {
			return s
		}
	}
	return streamResult{}
}
