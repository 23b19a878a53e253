package picture

import (
	"context"
	"html"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// browser is the headless browser of the tests; they are skipped without one.
func browser(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("a browser takes seconds")
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("there is no chromium on this machine (apt-get install chromium)")
	return ""
}

// probe runs behind the script of a page: it counts, uses what there is to use, and writes into the
// document what it has found, errors first of all.
const probe = `
const found = {};
try {
  const count = s => document.querySelectorAll("main " + s).length;
  found.arrows = count("svg.ladder g.p");
  found.rows = count("tr[data-i]");
  found.sequences = count("svg.sequence");
  const row = document.querySelector("tr[data-i]");
  if (row) {
    row.click();
    found.selected = count(".ladder .selected");
    for (const b of document.querySelectorAll("button")) b.click();
    const area = document.querySelector(".area.main");
    if (area) {
      const before = document.querySelectorAll(".times text").length;
      area.dispatchEvent(new WheelEvent("wheel", {deltaY: -1, ctrlKey: true, bubbles: true, cancelable: true, clientX: 300, clientY: 300}));
      found.stretched = area.querySelector(".z").getAttribute("transform");
      found.ticks = before > 0 && document.querySelectorAll(".times text").length > 0;
      area.dispatchEvent(new MouseEvent("dblclick", {bubbles: true}));
      found.whole = area.querySelector(".z").getAttribute("transform");
    }
    const views = document.getElementById("view");
    if (views) for (const o of views.options) {
      views.value = o.value;
      views.dispatchEvent(new Event("change"));
      found["view" + o.value] = count("svg.ladder g.p");
    }
  }
} catch (e) { errors.push(String(e.stack)); }
const out = parent.document.createElement("pre");
out.className = "found";
out.textContent = "name=" + document.title + ";errors=" + errors.length + " " + errors.join("|") + ";" +
  Object.entries(found).map(([k, v]) => k + "=" + v).join(";") + ";";
parent.document.body.append(out);
`

// visit loads pages with the probe, each in a frame of one document, and returns what the probe has
// found in each, by title.
func visit(t *testing.T, chromium string, pages map[string]*Analysis) map[string]map[string]string {
	t.Helper()
	var doc strings.Builder
	doc.WriteString("<!DOCTYPE html><body>")
	for title, a := range pages {
		page := written(t, func(w io.Writer) error { return a.WriteHTML(w, title) })
		page = strings.Replace(page, "<head>", "<head><script>const errors = []; onerror = m => { errors.push(m); };</script>", 1)
		page = strings.Replace(page, "</body>", "<script>"+probe+"</script></body>", 1)
		doc.WriteString("<iframe width=1200 height=900 srcdoc=\"" + html.EscapeString(page) + "\"></iframe>")
	}
	dir, err := os.MkdirTemp("", "browser") //nolint:usetesting // processes of the browser may outlive the test for a moment
	require.NoError(t, err)
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "pages.html")
	require.NoError(t, os.WriteFile(file, []byte(doc.String()), 0o600))
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, chromium, "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir="+dir,
		"--virtual-time-budget=1000", "--dump-dom", "file://"+file)
	cmd.Env = append(os.Environ(), "HOME="+dir)
	out, err := cmd.Output()
	require.NoError(t, err)
	all := map[string]map[string]string{}
	for _, text := range regexp.MustCompile(`(?s)<pre class="found">(.*?)</pre>`).FindAllSubmatch(out, -1) {
		found := map[string]string{}
		for _, pair := range strings.Split(string(text[1]), ";") {
			k, v, _ := strings.Cut(pair, "=")
			found[k] = v
		}
		all[found["name"]] = found
	}
	return all
}

// Pages load without an error, show each packet once, and can be used.
func TestPage_InBrowser(t *testing.T) {
	chromium := browser(t)
	two := conversation()
	two.Packets = append(two.Packets, routed().Packets...)
	pages := map[string]*Analysis{}
	for name, p := range map[string]*play{
		"conversation": conversation(), "routed": routed(), "empty": {}, "hostile": hostile(), "two": two, "transfer": transfer(100_000),
	} {
		pages[name] = Analyse(&p.Recording)
	}
	all := visit(t, chromium, pages)
	for name, a := range pages {
		found := all[name]
		require.NotNil(t, found, "%s: the script didn't run to its end", name)
		require.Equal(t, "0 ", found["errors"], name)
		arrows := strconv.Itoa(len(a.thin(a.all(), pageLadder)))
		require.Equal(t, arrows, found["arrows"], name)
		require.Equal(t, arrows, found["rows"], name)
	}
	for _, name := range []string{"conversation", "transfer"} {
		found := all[name]
		require.Equal(t, "1", found["sequences"])
		require.Equal(t, "1", found["selected"])
		require.Contains(t, found["stretched"], "scale(1.25 1.25)")
		require.Contains(t, found["whole"], "scale(1 1)")
		require.Equal(t, "true", found["ticks"])
	}
	for i, f := range pages["two"].Flows {
		require.Equal(t, strconv.Itoa(len(f.Packets)), all["two"]["view"+strconv.Itoa(i+1)])
	}
}
