package netevents

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wsstack/wsstack/wsa"
)

// A story is one network event told as its history: what has happened to it, the newest last. What
// is recorded, and may be, is read off the history, by the words of the rules.
type story struct {
	remembers bool
	bit       int
	history   []happening
}

type happening struct {
	kind     kind
	selected bool      // of selection: the mask has the event
	holds    bool      // of look
	code     wsa.Errno // of look
	came     uint32    // of look
}

type kind int

const (
	selection kind = iota // WSAEventSelect
	enabling              // a call that enables the event and takes nothing, or an ioctl
	answer                // the re-enabling call: recv or accept
	look                  // somebody looks whether the condition holds
	taking                // WSAEnumNetworkEvents
	leaving               // DisconnectEx with TF_REUSE_SOCKET
)

func (s *story) add(h happening) { s.history = append(s.history, h) }

func (s *story) asked() bool { return asked&(1<<s.bit) != 0 }

// selectedAt reports whether the event was selected when so many things had happened.
func (s *story) selectedAt(n int) bool {
	for _, h := range slices.Backward(s.history[:n]) {
		if h.kind == selection {
			return h.selected
		}
	}
	return false
}

// recorded finds the records in the history: for each look whether it made one, and at the end the
// code of the one that nobody has taken.
func (s *story) recorded() (news, unseen bool, code wsa.Errno) {
	enabled, told, over := !s.asked(), uint32(0), false
	for i, h := range s.history {
		news = false
		switch h.kind {
		case selection:
			if !s.remembers {
				unseen = false
				enabled = enabled || !s.asked()
				enabled = enabled && !over
			}
		case enabling:
			enabled = true
		case answer:
			enabled = true
			unseen = unseen && !s.remembers
		case leaving:
			if !s.asked() {
				enabled, unseen, told, over = true, false, 0, false
			} else {
				told = 0
			}
		case taking:
			if s.selectedAt(i) && unseen {
				unseen, over = false, s.bit == wsa.FD_CLOSE_BIT
			}
		case look:
			if !h.holds {
				break
			}
			fresh := s.remembers && h.came != told
			told = h.came
			record := (enabled || fresh) && (s.remembers || s.selectedAt(i))
			if record || unseen && s.remembers {
				code = h.code
			}
			if record {
				enabled, unseen = false, true
				news = s.selectedAt(i)
			}
		}
	}
	return news, unseen, code
}

// TestRecorder compares the Recorder with the story of each event, whatever happens to the others.
func TestRecorder(t *testing.T) {
	for _, remembers := range []bool{false, true} {
		rapid.Check(t, func(t *rapid.T) {
			r := New(remembers)
			var events [wsa.FD_MAX_EVENTS]story
			for bit := range events {
				events[bit] = story{remembers: remembers, bit: bit}
			}
			each := func(f func(bit int) happening) {
				for bit := range events {
					events[bit].add(f(bit))
				}
			}
			mask := func(t *rapid.T) (m int32) {
				for bit, on := range rapid.SliceOfN(rapid.Bool(), len(events), len(events)).Draw(t, "events") {
					if on {
						m |= 1 << bit
					}
				}
				return m
			}
			some := func(t *rapid.T, k kind) int32 {
				m := mask(t) &^ wsa.FD_CLOSE // which no call enables
				for bit := range events {
					if m&(1<<bit) != 0 {
						events[bit].add(happening{kind: k})
					}
				}
				return m
			}
			t.Repeat(map[string]func(*rapid.T){
				"select": func(t *rapid.T) {
					m := mask(t)
					each(func(bit int) happening { return happening{kind: selection, selected: m&(1<<bit) != 0} })
					want := slices.ContainsFunc(events[:], func(s story) bool {
						_, unseen, _ := s.recorded()
						return unseen && s.selectedAt(len(s.history))
					})
					require.Equal(t, want, r.BecomeSelected(m), "news of a selection")
				},
				"enable": func(t *rapid.T) { r.BecomeEnabled(some(t, enabling)) },
				"answer": func(t *rapid.T) { r.BecomeAnswered(some(t, answer)) },
				"leave": func(t *rapid.T) {
					if rapid.IntRange(0, 9).Draw(t, "rarely") > 0 {
						return
					}
					each(func(int) happening { return happening{kind: leaving} })
					r.BecomeUnconnected()
				},
				"look": func(t *rapid.T) {
					var c Conditions
					m := mask(t)
					each(func(bit int) happening {
						h := happening{kind: look, holds: m&(1<<bit) != 0}
						if !h.holds {
							return h
						}
						if rapid.Bool().Draw(t, "data") {
							h.came = rapid.Uint32Range(0, 3).Draw(t, "came")
							c.AddData(bit, h.came)
							return h
						}
						h.code = rapid.SampledFrom([]wsa.Errno{0, wsa.WSAECONNABORTED}).Draw(t, "code")
						c.Add(bit, h.code)
						return h
					})
					want := slices.ContainsFunc(events[:], func(s story) bool {
						news, _, _ := s.recorded()
						return news
					})
					require.Equal(t, want, r.Observe(c), "news of a look")
				},
				"take": func(t *rapid.T) {
					var want int32
					var codes Codes
					for bit := range events {
						if _, unseen, code := events[bit].recorded(); unseen && events[bit].selectedAt(len(events[bit].history)) {
							want |= 1 << bit
							codes[bit] = code
						}
					}
					got, gotCodes := r.BecomeTaken()
					require.Equal(t, want, got, "taken")
					require.Equal(t, codes, gotCodes, "codes")
					each(func(int) happening { return happening{kind: taking} })
				},
			})
		})
	}
}
