package play

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFilesBelow(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, filepath.FromSlash(name)) }
	for _, name := range []string{"b.pkt", "a.pkt", "below/c.pkt", "below/notes.txt", ".hidden/d.pkt"} {
		require.NoError(t, os.MkdirAll(filepath.Dir(at(name)), 0o700))
		require.NoError(t, os.WriteFile(at(name), nil, 0o600))
	}
	require.NoError(t, os.Mkdir(at("folder.pkt"), 0o700))
	want := []string{at("a.pkt"), at("b.pkt"), at("below/c.pkt")}
	for name, make := range map[string]func(string) error{
		"link.pkt": func(name string) error { return os.Symlink(at("a.pkt"), name) },
		"pipe.pkt": makePipe,
	} {
		if err := make(at(name)); err != nil {
			t.Logf("without %s: %v", name, err)
		} else if name == "link.pkt" {
			want = append(want, at(name))
		}
	}
	files, err := FilesBelow(dir)
	require.NoError(t, err)
	require.Equal(t, want, files)
	_, err = FilesBelow(at("nowhere"))
	require.ErrorIs(t, err, os.ErrNotExist)
}
