package tun_test

import (
	"os"
	"strings"
	"testing"

	"github.com/wsstack/wsstack/tun"
)

// A descriptor of something else is refused, and closed.
func TestFromFiles_NoTUN(t *testing.T) {
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	socket, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	if d, err := tun.FromFiles([]*os.File{file}, socket); err == nil || !strings.Contains(err.Error(), "not a TUN interface") {
		t.Errorf("FromFiles of the null device = %v, %v", d, err)
	}
	if file.Close() == nil || socket.Close() == nil {
		t.Error("FromFiles has left a file open")
	}
}
