package segment

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/wsstack/wsstack/internal/mistake"
)

// A message is a type of ICMP as scripts name it.
type message struct {
	number uint8
	word   string
	codes  []code // whose words are known
}

// A code is one of a message.
type code struct {
	number uint8
	word   string
}

// The types and codes that matter here. Others are written type_9 and code_1.
const (
	unreachable4, fragNeeded, echo4, echoReply4 = 3, 4, 8, 0
	tooBig, echo6, echoReply6                   = 2, 128, 129
)

// messages4 are those of RFC 792, with the codes of RFC 1122 §3.2.2.1 and RFC 1812 §5.2.7.1, in
// packetdrill's words.
var messages4 = []message{
	{echoReply4, "echo_reply", nil},
	{unreachable4, "unreachable", []code{
		{0, "net_unreachable"},
		{1, "host_unreachable"},
		{2, "protocol_unreachable"},
		{3, "port_unreachable"},
		{fragNeeded, "frag_needed"},
		{5, "source_route_failed"},
		{6, "net_unknown"},
		{7, "host_unknown"},
		{8, "source_host_isolated"},
		{9, "net_prohibited"},
		{10, "host_prohibited"},
		{11, "net_unreachable_for_tos"},
		{12, "host_unreachable_for_tos"},
		{13, "packet_filtered"},
		{14, "precedence_violation"},
		{15, "precedence_cutoff"},
	}},
	{4, "source_quench", nil},
	{5, "redirect", nil},
	{echo4, "echo_request", nil},
	{11, "time_exceeded", nil},
	{12, "parameter_problem", nil},
	{13, "timestamp_request", nil},
	{14, "timestamp_reply", nil},
	{15, "information_request", nil},
	{16, "information_reply", nil},
	{17, "address_mask_request", nil},
	{18, "address_mask_reply", nil},
}

// messages6 are those of RFC 4443, in packetdrill's words.
var messages6 = []message{
	{1, "unreachable", []code{
		{0, "no_route"},
		{0, "net_unreachable"}, // packetdrill has both words
		{1, "admin_prohibited"},
		{2, "not_neighbour"},
		{3, "address_unreachable"},
		{4, "port_unreachable"},
	}},
	{tooBig, "packet_too_big", nil},
	{3, "time_exceeded", []code{{0, "exceeded_hop_limit"}, {1, "exceeded_frag_time"}}},
	{4, "parameter_problem", []code{{0, "header_field"}, {1, "unknown_next_header"}, {2, "unknown_option"}}},
	{echo6, "echo_request", nil},
	{echoReply6, "echo_reply", nil},
}

// messagesOf are the messages of a version of ICMP.
func messagesOf(ipv6 bool) []message {
	if ipv6 {
		return messages6
	}
	return messages4
}

// icmpNumbers are the type and the code of two words; no code is 0.
func icmpNumbers(ipv6 bool, typeWord, codeWord string) (kind, number uint8, err error) {
	known, ok := findMessage(ipv6, typeWord)
	if kind = known.number; !ok {
		if kind, err = plainNumber("type", typeWord); err != nil {
			return 0, 0, unknownWord("type", typeWord, messageWords(ipv6))
		}
	}
	if codeWord == "" {
		return kind, 0, nil
	}
	for _, c := range known.codes {
		if c.word == codeWord {
			return kind, c.number, nil
		}
	}
	if number, err = plainNumber("code", codeWord); err != nil {
		return 0, 0, unknownWord("code", codeWord, codeWords(known.codes))
	}
	return kind, number, nil
}

// findMessage is the message with a word.
func findMessage(ipv6 bool, word string) (message, bool) {
	for _, m := range messagesOf(ipv6) {
		if m.word == word {
			return m, true
		}
	}
	return message{}, false
}

// plainNumber reads "type_9" or "code_1".
func plainNumber(what, word string) (uint8, error) {
	digits, ok := strings.CutPrefix(word, what+"_")
	if !ok {
		return 0, strconv.ErrSyntax
	}
	n, err := strconv.ParseUint(digits, 10, 8)
	return uint8(n), err
}

// unknownWord is the error of a word that is neither a number nor one of the words.
func unknownWord(what, word string, words []string) error {
	hint := fmt.Sprintf("a %s is a number such as %s_1", what, what)
	if nearest, distance := mistake.Nearest(word, words); distance < len(word) {
		hint += ", or a word such as " + nearest
	}
	return mistake.Errorf(hint, "no %s of ICMP here is %q", what, word)
}

func messageWords(ipv6 bool) []string {
	var words []string
	for _, m := range messagesOf(ipv6) {
		words = append(words, m.word)
	}
	return words
}

func codeWords(codes []code) []string {
	var words []string
	for _, c := range codes {
		words = append(words, c.word)
	}
	return words
}

// icmpWords is the inverse of icmpNumbers. The code's word is "" for a 0 that has none.
func icmpWords(ipv6 bool, kind, number uint8) (typeWord, codeWord string) {
	typeWord = fmt.Sprintf("type_%d", kind)
	if number != 0 {
		codeWord = fmt.Sprintf("code_%d", number)
	}
	for _, m := range messagesOf(ipv6) {
		if m.number != kind {
			continue
		}
		typeWord = m.word
		for _, c := range m.codes {
			if c.number == number {
				return typeWord, c.word
			}
		}
	}
	return typeWord, codeWord
}

// isEcho reports whether a type of ICMP is an echo request or its reply.
func isEcho(ipv6 bool, kind uint8) bool {
	if ipv6 {
		return kind == echo6 || kind == echoReply6
	}
	return kind == echo4 || kind == echoReply4
}
