// Package kernel plays scripts of package syntax on the kernel of the system, over a TUN device in a
// network namespace of its own: package play has the player, and this one what is played on. It
// shows what Linux does where a stack of this project does something else.
//
// Time is real, and so a script takes as long as it says. Calls are system calls of this process, on
// sockets that are made in the namespace. An ordinary user can do all of it where the system has
// user namespaces; a program that imports the package lets namespace.Init run first, as package
// namespace says.
//
// What settings and "profile" say of the stack under test, such as --congestion, says nothing of a
// kernel, which has its own defaults.
package kernel

import (
	"slices"
	"sync"
	"time"

	"github.com/wsstack/wsstack/internal/record"
	"github.com/wsstack/wsstack/internal/script/play"
	"github.com/wsstack/wsstack/internal/script/syntax"
	"github.com/wsstack/wsstack/internal/script/vocabulary"
	"github.com/wsstack/wsstack/tun"
)

// linux reads expressions as the kernel has them.
var linux = vocabulary.Evaluator{For: vocabulary.Linux, Digits: vocabulary.Linux}

// The tolerance of packetdrill, which holds where neither the script nor the command line says one:
// timers of a kernel are late by an eighth of what they run (its timer wheel), and a machine has
// other things to do.
const (
	toleranceMicroseconds = "4000"
	tolerancePercent      = "12.5"
)

// Play plays a script on the kernel. The result is a failure with a hint where there can be no
// namespace. It is safe for concurrent use.
func Play(s *syntax.Script, c play.Config) *play.Result {
	c.Evaluator, c.CheckCall = linux, Check
	setup, failure := play.Resolve(s, c.Settings)
	if failure == nil && !setup.ToleranceSaid {
		c.Settings = append(slices.Clone(c.Settings),
			syntax.Setting{Name: "tolerance_usecs", Value: toleranceMicroseconds, HasValue: true},
			syntax.Setting{Name: "tolerance_percent", Value: tolerancePercent, HasValue: true})
	}
	tape := &tape{}
	if c.Record {
		tape.recording = &record.Recording{Nodes: []string{peerName, kernelName}}
	}
	if c.Capture != nil {
		tape.capture = tun.NewCaptureFile(c.Capture, nil)
	}
	captures := c.Capture != nil
	c.Record, c.Capture = false, nil // the tape does both
	c.Ground = func(s play.Setup) (play.Ground, error) { return open(s, tape) }
	r := play.Play(s, c)
	r.Recording = tape.recording
	if captures {
		r.CaptureErr = tape.capture.Flush()
	}
	return r
}

// The names of the two nodes in recordings.
const (
	peerName   = "peer"
	kernelName = "kernel"
)

// maxRecorded is the largest number of packets in a recording.
const maxRecorded = 100_000

// headersSize is how much of a packet a recording keeps, in bytes.
const headersSize = 256

// A tape keeps the packets of a script: in a recording, in a capture file, or not at all.
type tape struct {
	capture *tun.CaptureFile // nil: nobody wants it

	mu        sync.Mutex
	recording *record.Recording // nil: nobody wants it
}

// keep records a packet, from the peer or from the kernel.
func (t *tape) keep(at time.Duration, from, to string, data []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.recording == nil:
	case len(t.recording.Packets) == maxRecorded:
		t.recording.Left.Packets++
	default:
		t.recording.Packets = append(t.recording.Packets, record.Packet{
			At: at, Arrived: at, From: from, To: to, Size: len(data), Data: slices.Clone(data[:min(len(data), headersSize)]),
		})
	}
}
