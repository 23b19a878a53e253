package tcp

import (
	"fmt"
	"strings"
	"time"

	"gvisor.dev/gvisor/pkg/buffer"

	"github.com/wsstack/wsstack/keepalive"
)

// The initial sequence numbers of a lone connection and of its peer. Both wrap
// within a few segments.
const (
	loneISS Seq = 0xffff_ff00
	loneIRS Seq = 0xffff_f800
)

// A lone is one connection that is given handmade segments. Numbers are told as
// Wireshark does: a SYN is 0, and the first byte 1.
type lone struct {
	*Conn
	cfg   Config
	peer  Options // of the peer's SYN
	win   uint16  // of the peer's segments, unless they say another
	ecn   bool    // the peer's SYN-ACK agrees on ECN
	now   time.Duration
	start time.Duration // of the conversation, after the set-up
	state State         // the last that was told
	lines []string      // what has come out since take
}

func newLone() *lone {
	return &lone{
		cfg:  Config{ISS: loneISS, MSS: 1000, Quota: 10000, StampOffset: ^uint32(origin/time.Millisecond) + 1},
		peer: Options{MSS: 1000, Scale: NoScale},
		win:  20000,
		now:  origin,
	}
}

// become makes the connection and plays what leads to a state.
func (l *lone) become(s State) {
	l.Conn = New(l.cfg)
	if l.start = l.now; s == Closed {
		return
	}
	l.Open(l.now)
	l.drain()
	l.now += 10 * time.Millisecond
	answer := ACK
	if l.ecn {
		answer |= ECE
	}
	switch s {
	case SynSent:
	case SynReceived:
		l.give(Segment{Flags: SYN, Window: l.win, Options: l.peer})
	default:
		l.give(Segment{Flags: SYN | answer, Ack: 1, Window: l.win, Options: l.peer})
	}
	for _, f := range map[State][]func(){
		FinWait1: {l.fin},
		FinWait2: {l.fin, l.finAcked},
		Closing:  {l.fin, l.finCame},
		TimeWait: {l.fin, l.finAcked, l.finCame},

		CloseWait: {l.finCame},
		LastAck:   {l.finCame, l.fin},
	}[s] {
		f()
	}
	if l.State() != s {
		panic(fmt.Sprintf("%v instead of %v", l.State(), s))
	}
	l.TakeEvents()
	l.lines, l.state, l.start = nil, s, l.now
}

func (l *lone) fin() { l.Close(l.now); l.drain() }
func (l *lone) finAcked() {
	l.give(Segment{Seq: 1, Ack: 2, Flags: ACK, Window: l.win, Options: l.plain()})
}

// plain are the options of a segment that isn't a SYN.
func (l *lone) plain() Options { return Options{Scale: NoScale, Timestamps: l.stamps} }

func (l *lone) finCame() {
	l.give(Segment{Seq: 1, Ack: l.snd.una - loneISS, Flags: FIN | ACK, Window: l.win, Options: l.plain()})
}

// give plays a segment whose numbers, and times, are relative, and what it draws.
func (l *lone) give(s Segment) {
	l.put(s)
	l.drain()
}

func (l *lone) put(s Segment) {
	s.Seq += loneIRS
	if s.Flags&ACK != 0 {
		s.Ack += loneISS
	}
	for i := range s.Options.Blocks[:s.Options.Count] {
		s.Options.Blocks[i].Start += loneISS
		s.Options.Blocks[i].End += loneISS
	}
	l.Segment(l.now, &s)
}

// drain takes all that is to be sent, and what has changed.
func (l *lone) drain() {
	var s Segment
	for n := 0; l.Output(l.now, &s); n++ {
		if n > 1000 {
			panic("Output doesn't end")
		}
		l.tell("> %s%s", l.at(), l.describe(&s))
		s.Payload.Release()
	}
	if e := l.TakeEvents(); e != 0 || l.State() != l.state {
		l.state = l.State()
		why := ""
		if l.Cause() != None {
			why = ", " + l.Cause().String()
		}
		l.tell("= %s%v%s%s", l.at(), l.state, why, eventNames(e))
	}
}

func (l *lone) tell(format string, args ...any) {
	l.lines = append(l.lines, fmt.Sprintf(format, args...))
}

// at is the time since the conversation began, where some has passed.
func (l *lone) at() string {
	if l.now == l.start {
		return ""
	}
	return fmt.Sprintf("@%v ", l.now-l.start)
}

// wait plays so much time.
func (l *lone) wait(d time.Duration) {
	until := l.now + d
	for n := 0; ; n++ {
		next := l.Deadline()
		if next == 0 || next > until {
			break
		}
		if n > 10000 {
			panic("the deadline doesn't move")
		}
		l.now = max(l.now, next)
		l.Timer(l.now)
		l.drain()
	}
	l.now = until
}

func eventNames(e Events) string {
	var b strings.Builder
	for i, name := range []string{"connected", "readable", "acked", "sent", "urgent", "", ""} {
		if e&(1<<i) != 0 && name != "" {
			b.WriteString(", " + name)
		}
	}
	return b.String()
}

const flagLetters = "FSRPAUEC"

// describe tells a segment that goes out.
func (l *lone) describe(s *Segment) string {
	var b strings.Builder
	for i, c := range flagLetters {
		if s.Flags&(1<<i) != 0 {
			b.WriteRune(c)
		}
	}
	fmt.Fprintf(&b, " %d", s.Seq.From(loneISS))
	if n := s.Payload.Size(); n > 0 {
		fmt.Fprintf(&b, "+%d", n)
	}
	if s.Cut != 0 && int(s.Payload.Size()) > s.Cut {
		fmt.Fprintf(&b, "/%d", s.Cut)
	}
	if s.Flags&ACK != 0 {
		fmt.Fprintf(&b, " ack %d", s.Ack.From(loneIRS))
	}
	if s.Flags&RST == 0 {
		fmt.Fprintf(&b, " win %d", s.Window)
	}
	if s.Flags&URG != 0 {
		fmt.Fprintf(&b, " urg %d", s.Urgent)
	}
	if s.ECNCapable {
		b.WriteString(" ect")
	}
	o := &s.Options
	if o.MSS != 0 {
		fmt.Fprintf(&b, " mss %d", o.MSS)
	}
	if o.Scale >= 0 {
		fmt.Fprintf(&b, " scale %d", o.Scale)
	}
	if o.SACKPermitted {
		b.WriteString(" sackok")
	}
	if o.Timestamps {
		fmt.Fprintf(&b, " ts %d/%d", o.TSVal, o.TSEcr)
	}
	for _, k := range o.Blocks[:o.Count] {
		fmt.Fprintf(&b, " sack %d:%d", k.Start.From(loneIRS), k.End.From(loneIRS))
	}
	return b.String()
}

// payload is n bytes.
func payload(n int) buffer.Buffer { return buffer.MakeWithData(make([]byte, n)) }

// probing is a keep-alive configuration of seconds.
func probing(idle, interval, count int) keepalive.Config {
	return keepalive.Config{Idle: time.Duration(idle) * time.Second, Interval: time.Duration(interval) * time.Second, Count: count}
}
