package traffic

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// CPU is what a process has used, user and system; 0 if there is no such process.
func CPU(pid int) (t time.Duration) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	const user, system = 11, 12 // behind the name, from 0
	for _, i := range []int{user, system} {
		if f := strings.Fields(rest); len(f) > i {
			ticks, _ := strconv.Atoi(f[i])
			t += time.Duration(ticks) * 10 * time.Millisecond // USER_HZ
		}
	}
	return t
}

// What Memory tells.
const (
	Resident = "VmRSS" // what a process has in memory now
	Peak     = "VmHWM" // the most that it ever had
)

// Memory is that of a process in bytes; 0 if there is no such process.
func Memory(pid int, which string) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, which+":"); ok {
			kib, _ := strconv.Atoi(strings.Fields(rest)[0])
			return kib << 10
		}
	}
	return 0
}
