package main

import (
	"slices"
	"testing"
)

func TestWithoutProxies(t *testing.T) {
	environ := []string{
		"PATH=/bin", "http_proxy=http://p", "HTTPS_PROXY=http://p", "all_proxy=", "No_Proxy=x",
		"my_http_proxy=kept", "http_proxy_kept=1", "EMPTY=", "NOEQUALS",
	}
	before := slices.Clone(environ)
	got := withoutProxies(environ)
	want := []string{"PATH=/bin", "my_http_proxy=kept", "http_proxy_kept=1", "EMPTY=", "NOEQUALS"}
	if !slices.Equal(got, want) {
		t.Errorf("withoutProxies(%q) = %q, want %q", before, got, want)
	}
	if !slices.Equal(environ, before) {
		t.Errorf("withoutProxies changed its argument: %q", environ)
	}
}
