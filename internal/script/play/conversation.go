package play

import (
	"slices"
	"time"

	"github.com/wsstack/wsstack/internal/script/syntax"
)

// MaxConversation is how many lines of a conversation a Result keeps.
const MaxConversation = 2000

// line adds a line to the conversation, and returns its number.
func (p *player) line(at time.Duration, text string) (number int) {
	r := p.result
	if len(r.Conversation) >= 2*MaxConversation {
		r.trim()
	}
	r.Conversation = append(r.Conversation, Line{at, syntax.Short(text)})
	return r.Left + len(r.Conversation) - 1
}

// trim leaves the latest lines.
func (r *Result) trim() {
	if over := len(r.Conversation) - MaxConversation; over > 0 {
		r.Conversation = append([]Line(nil), r.Conversation[over:]...)
		r.Left += over
	}
}

// endLine says how a call has ended: in its line where it hasn't waited, else in one of its own.
func (p *player) endLine(c *pending, at time.Duration, text string) {
	r := p.result
	i := c.line - r.Left
	if at != c.began || i < 0 {
		p.line(at, "… "+text)
		return
	}
	r.Conversation[i].Text = syntax.Short(text)
}

// packetLine adds a packet to the conversation.
func (p *player) packetLine(at time.Duration, inbound bool, data []byte) {
	p.result.Packets++
	way := stackName + ">" + peerName + " "
	if inbound {
		way = peerName + ">" + stackName + " "
	}
	p.line(at, way+p.tracer.Text(data))
}

// namesPorts reports whether packets of a script say their ports: there may be several connections
// then, and the lines of a conversation say them, too.
func namesPorts(s *syntax.Script) bool {
	return slices.ContainsFunc(s.Events, func(e *syntax.Event) bool {
		p, ok := e.Action.(*syntax.Packet)
		return ok && p.Ports != nil
	})
}
