package status

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// guarded is the status of a request to a guarded server whose host is called web.
func guarded(host string, change func(*http.Request)) int {
	next := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Host = host
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	Guard(next, func() []string { return []string{"Web", "", "db.test", "*.Dev", "*"} }).ServeHTTP(w, r)
	return w.Code
}

func TestGuard_Host(t *testing.T) {
	for host, ok := range map[string]bool{
		"": true, "10.77.0.1": true, "10.77.0.1:80": true, "[fd77::1]": true, "[fd77::1]:80": true, "[fe80::1%25tun0]:80": true,
		"localhost": true, "LOCALHOST:8080": true, "a.localhost": true, "localhost.": true,
		"web": true, "WEB:80": true, "db.test.": true, "a.dev": true, "a.b.DEV": true, "dev": false, "xdev": false,
		"example.com": false, "example.com:80": false, "web.example.com": false, "10.77.0.1.example.com": false,
		"localhost.example.com": false, "xlocalhost": false, "10.77.0.1:80:80": false, "evil[10.77.0.1]": false, "0x7f.1": false,
	} {
		want := http.StatusMisdirectedRequest
		if ok {
			want = http.StatusNoContent
		}
		require.Equal(t, want, guarded(host, nil), host)
	}
}

func TestGuard_Origin(t *testing.T) {
	for _, c := range []struct {
		header, value string
		ok            bool
	}{
		{"Origin", "http://10.77.0.1:81", true},
		{"Origin", "http://10.77.0.1", false}, // another port is another origin
		{"Origin", "http://example.com", false},
		{"Origin", "null", false},
		{"Origin", "http://10.77.0.1:81.example.com", false},
		{"Origin", "http://user@10.77.0.1:81", true},
		{"Origin", "%", false},
		{"Sec-Fetch-Site", "same-origin", true},
		{"Sec-Fetch-Site", "none", true},
		{"Sec-Fetch-Site", "same-site", false},
		{"Sec-Fetch-Site", "cross-site", false},
	} {
		want := http.StatusForbidden
		if c.ok {
			want = http.StatusNoContent
		}
		got := guarded("10.77.0.1:81", func(r *http.Request) { r.Header.Set(c.header, c.value) })
		require.Equal(t, want, got, "%s: %s", c.header, c.value)
	}
	link := guarded("10.77.0.1:81", func(r *http.Request) {
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		r.Header.Set("Sec-Fetch-Mode", "navigate")
	})
	require.Equal(t, http.StatusNoContent, link, "somebody has followed a link")
}

func TestGuard_Body(t *testing.T) {
	for _, length := range []int64{1, -1, 1 << 40} {
		got := guarded("10.77.0.1", func(r *http.Request) {
			r.Body, r.ContentLength = http.NoBody, length
		})
		require.Equal(t, http.StatusRequestEntityTooLarge, got, length)
	}
}

// What isn't answered is neither read nor kept.
func TestServer_Bounds(t *testing.T) {
	s := NewServer(Handler(alone(&fake{}), nil))
	require.NotZero(t, s.ReadTimeout)
	require.NotZero(t, s.WriteTimeout)
	require.NotZero(t, s.IdleTimeout)
	server := httptest.NewUnstartedServer(nil)
	server.Config = s
	server.Start()
	defer server.Close()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
	require.NoError(t, err)
	request.Header.Set("X", strings.Repeat("x", 2*maxHeader))
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	response.Body.Close()
	require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, response.StatusCode)
}
