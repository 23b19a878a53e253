package main

import (
	"bytes"
	"os"
	"testing"
)

func TestMainWritesThePage(t *testing.T) {
	t.Chdir(t.TempDir())
	main()
	page, err := os.ReadFile("topology.html")
	if err != nil || !bytes.Contains(page, []byte("203.0.113.1")) {
		t.Error("the page doesn't show the server's address:", err)
	}
}
