// Package serial compares numbers that go round at 2^32: sequence numbers and timestamps of TCP,
// and offsets in a stream (serial number arithmetic, RFC 1982; RFC 9293 §3.4).
package serial

// Before reports whether a comes before b. The answer is right where the two numbers are less than
// 2^31 apart; of two that are as far apart as can be, each comes before the other and none after.
func Before[T ~uint32](a, b T) bool { return Distance(b, a) < 0 }

// After reports whether a comes behind b, as Before does.
func After[T ~uint32](a, b T) bool { return Distance(b, a) > 0 }

// Distance is how far to lies beyond from, and negative where to comes first. It is right where the
// two numbers are less than 2^31 apart.
func Distance[T ~uint32](from, to T) int { return int(int32(to - from)) }
