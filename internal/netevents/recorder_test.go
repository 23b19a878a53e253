package netevents

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wsstack/wsstack/wsa"
)

// recorderModel is the table EV-2 for one event, told as a story: a record is
// made when the condition holds, the event is selected, and no record was made
// since the selection or the last re-enabling call. FD_CLOSE stays away for good
// once its record was taken, until the socket has left its connection.
type recorderModel struct {
	selected, spent, recorded, over bool
}

// Every event by itself does what the story says, whatever happens to the
// others.
func TestRecorder(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var r Recorder
		var m [wsa.FD_MAX_EVENTS]recorderModel
		r.BecomeSelected(0)
		for bit := range m {
			m[bit].spent = asked&(1<<bit) != 0
		}
		for range 100 {
			mask := int32(rng.Uint32N(1 << wsa.FD_MAX_EVENTS))
			switch rng.IntN(6) {
			case 0:
				r.BecomeSelected(mask)
				for bit := range m {
					over := m[bit].over
					m[bit] = recorderModel{selected: mask&(1<<bit) != 0, spent: over || asked&(1<<bit) != 0 && m[bit].spent, over: over}
				}
			case 1:
				r.BecomeEnabled(mask)
				for bit := range m {
					m[bit].spent = m[bit].spent && mask&(1<<bit) == 0
				}
			case 2:
				recorded, codes := r.BecomeTaken()
				for bit := range m {
					require.Equal(t, m[bit].recorded, recorded&(1<<bit) != 0, "event %d", bit)
					require.Equal(t, m[bit].recorded, codes[bit] != 0, "code of event %d", bit)
					m[bit].over = m[bit].over || bit == wsa.FD_CLOSE_BIT && m[bit].recorded
					m[bit].recorded = false
				}
			case 3:
				r.BecomeUnconnected()
				for bit := range m {
					if asked&(1<<bit) == 0 {
						m[bit] = recorderModel{selected: m[bit].selected}
					}
				}
			default:
				c, news := Conditions{}, false
				for bit := range m {
					if mask&(1<<bit) == 0 {
						continue
					}
					c.Add(bit, wsa.WSAENETDOWN)
					if m[bit].selected && !m[bit].spent {
						m[bit].spent, m[bit].recorded, news = true, true, true
					}
				}
				require.Equal(t, news, r.Observe(c))
			}
		}
	}
}
