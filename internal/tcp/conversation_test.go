package tcp

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/internal/tcp/congestion"
)

var rewrite = flag.Bool("rewrite", false, "rewrite testdata")

// TestConversations plays testdata/conversation. In a file, "== name" begins a
// conversation, and each line of it is a call or a segment; lines with > and =
// are what the connection sends, and what becomes of it, after the line before.
// make golden rewrites those.
//
//	config quota=0 timestamps    Config, before the state
//	peer mss=500 sack scale=2    the options of the peer's SYN, and its window (win=)
//	established                  plays what leads to the state
//	< PA 1+100 ack 1 win 500     a segment comes; flags are of FSRPAUEC
//	<< …                         one that others follow at once
//	send 100, urgent 1, read 5   calls
//	wait 200ms                   time passes
func TestConversations(t *testing.T) {
	files, err := filepath.Glob("testdata/conversation/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { converse(t, file) })
	}
}

func converse(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	head, rest, _ := strings.Cut(string(text), "== ")
	all := head
	for _, part := range strings.Split("== "+rest, "\n== ") {
		part = strings.TrimRight(strings.TrimPrefix(part, "== "), "\n")
		name, _, _ := strings.Cut(part, "\n")
		t.Run(name, func(t *testing.T) {
			got := play(t, part)
			all += "== " + got + "\n\n"
			if !*rewrite {
				require.Equal(t, part, got)
			}
		})
	}
	if *rewrite {
		require.NoError(t, os.WriteFile(file, []byte(strings.TrimRight(all, "\n")+"\n"), 0o666))
	}
}

// play plays a conversation, and returns it with what came out.
func play(t *testing.T, part string) string {
	l := newLone()
	lines := strings.Split(part, "\n")
	out := lines[:1:1]
	for _, line := range lines[1:] {
		if strings.HasPrefix(line, "> ") || strings.HasPrefix(line, "= ") {
			continue
		}
		out = append(out, line)
		if line == "" || line[0] == '#' {
			continue
		}
		err := l.do(strings.Fields(line))
		require.NoError(t, err, line)
		out = append(out, l.lines...)
		l.lines = nil
	}
	return strings.Join(out, "\n")
}

// do plays a line.
func (l *lone) do(words []string) (err error) {
	verb, args := words[0], words[1:]
	switch verb {
	case "config", "peer":
		for _, a := range args {
			if err := l.set(a); err != nil {
				return err
			}
		}
		return nil
	case "<", "<<":
		s, err := parseSegment(args, l.win)
		if err != nil {
			return err
		}
		l.put(s)
		if verb == "<<" && !l.Prompt() {
			return nil
		}
		l.drain()
		return nil
	}
	for s := Closed; s <= TimeWait; s++ {
		if verb == strings.ToLower(s.String()) {
			l.become(s)
			return nil
		}
	}
	if err := l.call(verb, args); err != nil {
		return err
	}
	l.drain()
	return nil
}

// call plays a call.
func (l *lone) call(verb string, args []string) error {
	n := make([]int, 4)
	for i, a := range args[:min(len(args), len(n))] {
		n[i], _ = strconv.Atoi(a)
	}
	switch verb {
	case "open":
		l.Open(l.now)
	case "send":
		l.Send(l.now, make([]byte, n[0]))
	case "urgent": // how many bytes, and how many are ahead
		l.SendUrgent(l.now, make([]byte, n[0]), n[1])
	case "amend": // SND.UP as it was, and what it becomes
		l.AmendUrgent(loneISS.Add(n[0]), loneISS.Add(n[1]))
	case "notices":
		l.tell("= notices %v", l.TakeNotices())
	case "close":
		l.Close(l.now)
	case "orphan":
		l.Orphan(l.now)
	case "abort":
		l.Abort()
	case "expire":
		l.Expire()
	case "lose":
		l.AbortUnread()
	case "deafen", "garbage", "expedited":
		map[string]func(bool){"deafen": l.Deafen, "garbage": l.SetGarbage, "expedited": l.SetExpedited}[verb](args[0] == "on")
	case "restore":
		l.Restore(make([]byte, n[0]))
	case "read":
		l.Read(l.now, make([]byte, n[0]), 0, false)
	case "quota":
		l.SetQuota(n[0])
	case "nodelay":
		l.SetNoDelay(args[0] == "on")
	case "keepalive": // idle, interval, count, and how long ago it began; none: off
		l.SetKeepAlive(l.now-time.Duration(n[3])*time.Second, l.now, len(args) > 0, probing(n[0], n[1], n[2]))
	case "synlimit": // how many, and seconds
		l.SetSynLimit(l.now, n[0], time.Duration(n[1])*time.Second)
	case "newreno":
		l.SetAlgorithm(congestion.NewReno)
	case "ackevery":
		l.SetAckEvery(n[0])
	case "lowwater":
		l.SetLowWater(n[0])
	case "unreachable":
		l.tell("= %v", l.Unreachable(loneISS.Add(n[0])))
	case "path":
		l.tell("= %v", l.PathMTU(n[0], loneISS.Add(n[1])))
	case "show":
		for _, a := range args {
			l.tell("= %s %v", a, l.figure(a))
		}
	case "wait", "lifetime":
		d, err := time.ParseDuration(args[0])
		if verb == "wait" {
			l.wait(d)
		} else {
			l.SetLifetime(l.now, d)
		}
		return err
	default:
		return fmt.Errorf("no verb %s", verb)
	}
	return nil
}

// figure is something of the connection that no segment tells.
func (l *lone) figure(name string) any {
	switch name {
	case "mss":
		return l.MSS()
	case "queued":
		return l.Queued()
	case "readable":
		return l.Readable()
	case "left":
		return l.Left()
	case "end":
		return l.End().From(loneISS)
	case "position":
		return l.Position()
	case "ended":
		return l.PeerClosed()
	case "cwnd":
		return l.out.control.Window()
	case "ssthresh":
		return l.out.control.Threshold()
	case "rto":
		return l.rtt.rto()
	}
	return "?"
}

// set takes one part of the configuration.
func (l *lone) set(arg string) (err error) {
	name, value, given := strings.Cut(arg, "=")
	n := 0
	d := time.Duration(0)
	if given {
		if d, err = time.ParseDuration(value); err != nil {
			n, err = strconv.Atoi(value)
		}
	}
	cfg, peer := &l.cfg, &l.peer
	flags := map[string]*bool{"noscale": &cfg.WithoutScale, "whole": &cfg.WholeWindows, "nosack": &cfg.WithoutSACK, "timestamps": &cfg.Timestamps,
		"ecn": &cfg.ECN, "nodelay": &cfg.NoDelay, "expedited": &cfg.Expedited, "icmp": &cfg.FailOnICMP, "sack": &peer.SACKPermitted, "ts": &peer.Timestamps, "ece": &l.ecn}
	numbers := map[string]*int{"path": &cfg.PathMSS, "quota": &cfg.Quota, "limit": &cfg.Limit, "synlimit": &cfg.SynLimit, "refusedtries": &cfg.RefusedTries, "segmenting": &cfg.Segmenting, "ours": &cfg.MSS, "minmss": &cfg.MinMSS}
	times := map[string]*time.Duration{"synlife": &cfg.SynLifetime, "rto": &cfg.InitialRTO, "delayack": &cfg.DelayAck, "lifetime": &cfg.Lifetime, "finwait": &cfg.FinWait, "refusedpause": &cfg.RefusedPause}
	switch {
	case flags[name] != nil:
		*flags[name] = true
	case numbers[name] != nil:
		*numbers[name] = n
	case times[name] != nil:
		*times[name] = d
	case name == "ourscale":
		cfg.Scale = uint8(n)
	case name == "mss":
		peer.MSS = uint16(n)
	case name == "scale":
		peer.Scale = int8(n)
	case name == "win":
		l.win = uint16(n)
	default:
		return fmt.Errorf("no %s", name)
	}
	return err
}

// parseSegment reads "PA 1+100 ack 1 win 500 urg 3 ce ts 5/7 sack 1:10".
func parseSegment(words []string, window uint16) (s Segment, err error) {
	s.Window = window
	s.Options.Scale = NoScale
	for _, c := range words[0] {
		s.Flags |= 1 << strings.IndexRune(flagLetters, c)
	}
	seq, size, more := strings.Cut(words[1], "+")
	n, err := strconv.Atoi(seq)
	s.Seq = Seq(0).Add(n)
	if more {
		n, err = strconv.Atoi(size)
		s.Payload = payload(n)
	}
	o := &s.Options
	for i := 2; i < len(words) && err == nil; i += 2 {
		if words[i] == "ce" || words[i] == "sackok" {
			s.CE, o.SACKPermitted = s.CE || words[i] == "ce", o.SACKPermitted || words[i] == "sackok"
			i--
			continue
		}
		var x, y int
		switch words[i] {
		case "ts":
			_, err = fmt.Sscanf(words[i+1], "%d/%d", &x, &y)
			o.Timestamps, o.TSVal, o.TSEcr = true, uint32(x), uint32(y)
			continue
		case "sack":
			_, err = fmt.Sscanf(words[i+1], "%d:%d", &x, &y)
			o.Blocks[o.Count] = Block{Seq(0).Add(x), Seq(0).Add(y)}
			o.Count++
			continue
		}
		x, err = strconv.Atoi(words[i+1])
		switch words[i] {
		case "ack":
			s.Ack = Seq(0).Add(x)
		case "win":
			s.Window = uint16(x)
		case "urg":
			s.Urgent = uint16(x)
		case "mss":
			o.MSS = uint16(x)
		case "scale":
			o.Scale = int8(x)
		default:
			err = fmt.Errorf("no %s", words[i])
		}
	}
	return s, err
}
