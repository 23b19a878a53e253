package segment

import (
	"fmt"
	"strings"
)

// Error says all differences on one line: "ack: expected 11, actual 1; win: expected 100, actual
// 200".
func (m *Mismatch) Error() string {
	var parts []string
	for _, d := range m.Differences {
		parts = append(parts, fmt.Sprintf("%s: expected %s, actual %s", d.Field, d.Expected, d.Actual))
	}
	return strings.Join(parts, "; ")
}
