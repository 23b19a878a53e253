package congestion

// A PRR is Proportional Rate Reduction (RFC 9937): in recovery it spreads what is sent over
// the acknowledgements, so that the flight comes down to the threshold at the end of
// recovery and doesn't fall below. The caller asks Allowance what may be sent. The zero PRR
// allows nothing; Begin starts an episode. Sizes are in bytes.
//
//	pipe > ssthresh    in proportion: ssthresh ⁄ flight bytes out for each one delivered
//	pipe ≤ ssthresh    CRB: as much as was delivered; SSRB, one segment more on good progress
type PRR struct {
	delivered int64 // prr_delivered: delivered in this episode
	out       int64 // prr_out: sent in this episode
	flight    int64 // RecoverFS: in flight when the episode began; at least 1
	ssthresh  int64 // the threshold after the reduction
	allowance int64 // what is left of SndCnt
}

// Begin starts an episode (§6.1). flightSize is RecoverFS: SND.NXT − SND.UNA less
// what had been SACKed, both before the acknowledgement that started recovery.
// ssthresh is the threshold after Controller.Lost.
func (p *PRR) Begin(flightSize, ssthresh int) {
	*p = PRR{flight: max(int64(flightSize), 1), ssthresh: int64(ssthresh)}
}

// Acked takes an acknowledgement, also the one that started recovery, and computes SndCnt
// (§6.2). delivered is how many bytes the acknowledgement has newly acknowledged or SACKed,
// pipe what is in flight afterwards without what is lost; advance says that SND.UNA has
// moved, safe that no further loss has shown. SafeACK is both.
//
// Recovery that a timer started has no acknowledgement: then delivered is 0, and
// the first segment is allowed. Without SACK the caller estimates delivered, and
// bounds it by the flight (§6.2).
func (p *PRR) Acked(delivered, pipe, mss int, advance, safe bool) {
	if delivered > 0 {
		p.delivered += int64(delivered)
		p.allowance = max(p.count(int64(delivered), int64(pipe), int64(mss), advance && safe), 0)
	}
	// The fast retransmit. The RFC forces it when SndCnt is 0; in bytes it may be
	// the part of a segment, which would not be sent either.
	if p.out == 0 {
		p.allowance = max(p.allowance, int64(mss))
	}
}

// count is SndCnt before the fast retransmit is forced.
func (p *PRR) count(delivered, pipe, mss int64, safeACK bool) int64 {
	if pipe > p.ssthresh {
		return p.share() - p.out
	}
	count := max(p.delivered-p.out, delivered) // CRB
	if safeACK {
		count += mss // SSRB
	}
	return min(p.ssthresh-pipe, count)
}

// share is prr_delivered × ssthresh ⁄ RecoverFS, rounded up, in steps that can't
// overflow.
func (p *PRR) share() int64 {
	whole, rest := p.delivered/p.flight, p.delivered%p.flight
	return whole*p.ssthresh + (rest*p.ssthresh+p.flight-1)/p.flight
}

// Allow lets at least so many bytes out, whatever SndCnt is: as much as RFC 6582 §3.2 has
// sent again at a partial acknowledgement.
func (p *PRR) Allow(bytes int) { p.allowance = max(p.allowance, int64(bytes)) }

// Sent counts bytes that were sent, for the first time or again (§6.3).
func (p *PRR) Sent(bytes int) {
	p.out += int64(bytes)
	p.allowance = max(p.allowance-int64(bytes), 0)
}

// Allowance is how many bytes may be sent now.
func (p *PRR) Allowance() int { return int(p.allowance) }
