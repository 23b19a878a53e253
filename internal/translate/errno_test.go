package translate

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Every error type of the pinned netstack is in the type switch of errno.go: a
// new one makes this fail.
func TestErrnoCoversNetstack(t *testing.T) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "gvisor.dev/gvisor").Output()
	require.NoError(t, err)
	types := map[string]bool{}
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(strings.TrimSpace(string(dir)), "pkg/tcpip/errors.go"), nil, 0)
	require.NoError(t, err)
	for _, d := range file.Decls {
		if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.TYPE {
			for _, s := range g.Specs {
				if name := s.(*ast.TypeSpec).Name.Name; strings.HasPrefix(name, "Err") && name != "Error" {
					types[name] = true
				}
			}
		}
	}
	require.Greater(t, len(types), 40)
	ours, err := parser.ParseFile(token.NewFileSet(), "errno.go", nil, 0)
	require.NoError(t, err)
	handled := map[string]bool{}
	ast.Inspect(ours, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			handled[s.Sel.Name] = true
		}
		return true
	})
	for name := range types {
		assert.True(t, handled[name], "errno.go doesn't know tcpip.%s", name)
	}
}
