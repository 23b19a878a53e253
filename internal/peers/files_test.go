package peers

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Files of the directory are there, and nothing that any path or link leads to outside of it.
func TestFiles(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "served")
	for name, text := range map[string]string{"served/a.txt": "A", "served/sub/b.txt": "B", "secret": "S"} {
		file := filepath.Join(top, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range map[string]string{"up": "../secret", "abs": filepath.Join(top, "secret"), "in": "sub/b.txt", "dir": ".."} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Skip("no symbolic links here: ", err)
		}
	}
	makePipe(t, filepath.Join(dir, "pipe"))
	st := newStack(t)
	start(t, service(t, "files", "80="+dir), st, Env{})
	client := &http.Client{Transport: &http.Transport{DialContext: st.DialContext, DisableKeepAlives: true}}
	get := func(method, path string) (int, string) {
		t.Helper()
		q, err := http.NewRequest(method, "http://127.0.0.1/", nil)
		if err != nil {
			t.Fatal(err)
		}
		q.URL.Opaque = "//127.0.0.1" + path
		response, err := client.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		b, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(b)
	}
	for path, want := range map[string]string{"/a.txt": "A", "/sub/b.txt": "B", "/in": "B"} {
		if code, text := get("GET", path); code != 200 || text != want {
			t.Errorf("%s: %d %q, want %q", path, code, text, want)
		}
	}
	for _, path := range []string{"/up", "/abs", "/dir/secret", "/../secret", "/..%2fsecret", "/sub/../../secret", "/%2e%2e/secret",
		"//etc/passwd", "/sub//../../secret", "/pipe", "/a.txt%00", "/" + strings.Repeat("long", 100)} {
		if code, text := get("GET", path); code < 300 || code >= 500 {
			t.Errorf("%s: %d %q", path, code, text)
		}
	}
	if code, text := get("GET", "/"); code != 200 || !strings.Contains(text, "a.txt") {
		t.Errorf("/: %d %q", code, text)
	}
	for _, method := range []string{"PUT", "DELETE", "POST"} {
		if code, _ := get(method, "/a.txt"); code != http.StatusMethodNotAllowed {
			t.Errorf("%s: %d", method, code)
		}
	}
}
