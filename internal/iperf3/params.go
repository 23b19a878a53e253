package iperf3

import (
	"fmt"
	"time"
)

// Params are the parameters of a test, as the client sends them. The zero value of most fields
// means that nothing is set.
type Params struct {
	TCP           bool    `json:"tcp,omitempty"`
	UDP           bool    `json:"udp,omitempty"`
	Omit          int     `json:"omit"`       // seconds at the start that don't count
	Time          int     `json:"time"`       // seconds; 0: Num says when the test ends
	Num           int64   `json:"num"`        // bytes to move; 0: no limit
	BlockCount    int64   `json:"blockcount"` // blocks to move; 0: no limit
	MSS           int     `json:"MSS,omitempty"`
	NoDelay       bool    `json:"nodelay,omitempty"`
	Parallel      int     `json:"parallel"` // streams in each direction
	Reverse       bool    `json:"reverse,omitempty"`
	Bidirectional bool    `json:"bidirectional,omitempty"`
	Window        int     `json:"window,omitempty"` // SO_SNDBUF and SO_RCVBUF in bytes
	Len           int     `json:"len"`              // bytes of a write, or of a datagram
	Bandwidth     uint64  `json:"bandwidth,omitempty"`
	Counters64    int     `json:"udp_counters_64bit,omitempty"`
	Congestion    string  `json:"congestion,omitempty"`
	ServerOutput  int     `json:"get_server_output,omitempty"`
	ClientVersion string  `json:"client_version,omitempty"`
	TOS           int     `json:"TOS,omitempty"`
	PacingTimer   float64 `json:"pacing_timer,omitempty"` // of iperf3: this package paces each write
}

// Complete returns the parameters with the defaults of iperf3 where nothing is set.
func (p Params) Complete() Params {
	p.TCP = !p.UDP
	if p.Time == 0 && p.Num == 0 && p.BlockCount == 0 {
		p.Time = defaultTime
	}
	if p.Parallel == 0 {
		p.Parallel = 1
	}
	switch {
	case p.Len != 0:
	case p.UDP:
		p.Len = defaultUDPBlock
	default:
		p.Len = defaultTCPBlock
	}
	if p.ClientVersion == "" {
		p.ClientVersion = "3.12"
	}
	p.PacingTimer = 1000
	return p
}

// Check says what is wrong with parameters, which may be a stranger's.
func (p *Params) Check() error {
	most, least := maxBlock, 1
	if p.UDP {
		most, least = maxDatagram, minDatagram
	}
	switch {
	case p.TCP == p.UDP:
		return fmt.Errorf("a test is one of either TCP or UDP")
	case p.Len < least || p.Len > most:
		return fmt.Errorf("blocks of %d bytes: they have %d to %d", p.Len, least, most)
	case p.Parallel < 1 || p.Parallel > maxStreams:
		return fmt.Errorf("%d streams: there are 1 to %d", p.Parallel, maxStreams)
	case p.Time < 0 || p.Time > maxTime || p.Omit < 0 || p.Omit > 600:
		return fmt.Errorf("%d s, of which %d don't count: a test takes %d s at most", p.Time, p.Omit, maxTime)
	case p.Num < 0 || p.BlockCount < 0 || p.Window < 0:
		return fmt.Errorf("a negative amount")
	case p.Reverse && p.Bidirectional:
		return fmt.Errorf("a test is in reverse, or in both directions, and not both")
	}
	return nil
}

// roles says of each stream, in the order in which they are made, whether the client sends on it.
func (p *Params) roles() []bool {
	var roles []bool
	for range p.Parallel {
		roles = append(roles, !p.Reverse)
	}
	if p.Bidirectional {
		for range p.Parallel {
			roles = append(roles, false)
		}
	}
	return roles
}

// limit is how many bytes end the test; 0: time does.
func (p *Params) limit() int64 {
	if p.Num == 0 {
		return p.BlockCount * int64(p.Len)
	}
	return p.Num
}

// life is how long a test with these parameters may take at most, as seen by the server.
func (p *Params) life() time.Duration {
	if p.Time == 0 {
		return maxTime * time.Second
	}
	return time.Duration(p.Time+p.Omit)*time.Second + controlTimeout
}

// protocol is the network of the streams.
func (p *Params) protocol() string {
	if p.UDP {
		return "udp"
	}
	return "tcp"
}

// streamID is the number of a stream, of which iperf3 leaves out 2.
func streamID(i int) int {
	if i == 0 {
		return 1
	}
	return i + 2
}
