package simnet

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/wsstack/wsstack/internal/picture"
)

// KeepOnFailure records the network, as Record does, and keeps what happened when the test fails: a
// page (WriteHTML) and a capture (WritePcapng) in a folder, which is made where it is missing. Their
// names come from that of the test, and the log of the test says where they are. The network has to
// be made with the testing.T or testing.B of the test. Where the files can't be written, the log
// says why. A bubble that package synctest ends ("deadlock") leaves nothing: that is a panic of the
// whole process.
func KeepOnFailure(dir string) Option { return func(n *Network) { n.keep = &keeper{dir: dir} } }

// A keeper keeps what happened in a network whose test fails.
type keeper struct {
	dir  string
	test testOutcome
	rec  *Recording
}

// testOutcome is what a keeper needs of a testing.T beside TB.
type testOutcome interface {
	Failed() bool
	Name() string
	Logf(format string, args ...any)
}

// begin begins the recording.
func (k *keeper) begin(n *Network) error {
	var ok bool
	if k.test, ok = n.tb.(testOutcome); !ok {
		return errors.New("simnet: KeepOnFailure: New needs the testing.T of the test, which says whether it has failed: simnet.New(t, simnet.KeepOnFailure(dir))")
	}
	if k.dir == "" {
		return errors.New(`simnet: KeepOnFailure: the name of the folder is empty; write "." for the folder of the package`)
	}
	if info, err := os.Stat(k.dir); err == nil && !info.IsDir() {
		return fmt.Errorf("simnet: KeepOnFailure: %s is a file, not a folder", k.dir)
	}
	k.rec = n.Record()
	return nil
}

// end writes the files if the test has failed.
func (k *keeper) end(n *Network, failed bool) {
	if k == nil || k.rec == nil || !failed && !k.test.Failed() {
		return
	}
	if err := os.MkdirAll(k.dir, 0o777); err != nil {
		k.test.Logf("simnet: KeepOnFailure: %v", err)
		return
	}
	name := filepath.Join(k.dir, uniqueName(k.dir, k.test.Name()))
	page := func(w io.Writer) error {
		remark := fmt.Sprintf("The test has failed. The seed of the network was %d.", n.seed)
		return picture.Analyse(k.rec.snapshot()).WriteHTML(w, k.test.Name(), remark)
	}
	for file, write := range map[string]func(io.Writer) error{name + ".html": page, name + ".pcapng": k.rec.WritePcapng} {
		if err := writeFile(file, write); err != nil {
			k.test.Logf("simnet: KeepOnFailure: %v", err)
			continue
		}
		if absolute, err := filepath.Abs(file); err == nil {
			file = absolute
		}
		k.test.Logf("simnet: what happened is in %s", file)
	}
}

// writeFile makes a file of what a function writes.
func writeFile(name string, write func(io.Writer) error) error {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(write(file), file.Close())
}

// keptNames are the names that this process has used, with how often. It grows by one for each test
// that fails.
var keptNames = struct {
	sync.Mutex
	used map[string]int
}{used: map[string]int{}}

// uniqueName makes a file name of the name of a test: what file systems might not take becomes "_",
// and the second network of a test, or its second run, gets a number.
func uniqueName(dir, test string) string {
	name := strings.Map(func(r rune) rune {
		if r < 0x80 && (r == '-' || r == '.' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z') {
			return r
		}
		return '_'
	}, test)
	const most = 150
	name = strings.TrimLeft(name[:min(len(name), most)], ".")
	keptNames.Lock()
	defer keptNames.Unlock()
	key := filepath.Join(dir, name)
	keptNames.used[key]++
	if n := keptNames.used[key]; n > 1 {
		return fmt.Sprintf("%s-%d", name, n)
	}
	return name
}
