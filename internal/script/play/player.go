package play

import "github.com/wsstack/wsstack/internal/script/syntax"

// MaxConversation is how many lines of a conversation a Result keeps.
const MaxConversation = 2000

// A player plays one script.
type player struct {
	script *syntax.Script
	config Config
	result *Result
}

func newPlayer(s *syntax.Script, c Config, r *Result) *player {
	return &player{script: s, config: c, result: r}
}

func (p *player) play() {}
