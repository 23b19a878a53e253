package api

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	// That the test runs again when one of them has changed: what a command reads, the cache of
	// test results doesn't see.
	_ "github.com/wsstack/wsstack/endpoint"
	_ "github.com/wsstack/wsstack/keepalive"
	_ "github.com/wsstack/wsstack/metrics"
	_ "github.com/wsstack/wsstack/nagle"
	_ "github.com/wsstack/wsstack/options"
	_ "github.com/wsstack/wsstack/provider"
	_ "github.com/wsstack/wsstack/simnet"
	_ "github.com/wsstack/wsstack/stack"
	_ "github.com/wsstack/wsstack/tun"
	_ "github.com/wsstack/wsstack/wsa"
)

// module is the path of the module.
const module = "github.com/wsstack/wsstack/"

// notPublic are the folders whose packages nobody imports.
var notPublic = []string{"internal", "cmd", "docs", "examples", "integration", "bench", "packaging", "scripts"}

// A line is one exported name.
type line struct {
	name    string   // such as stack.Config.Clock, or stack.(*Stack).Close
	text    string   // what it is, with its type
	foreign []string // types of gVisor and of internal packages that the type names
}

func (l line) String() string { return l.text }

// exported lists the exported names of all public packages, in order, as those of Linux.
func exported(t *testing.T) []line {
	t.Helper()
	lines, err := load()
	require.NoError(t, err)
	return lines
}

var load = sync.OnceValues(func() ([]line, error) {
	files, public, err := exportData()
	if err != nil {
		return nil, err
	}
	read := importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) {
		return os.Open(files[path])
	})
	var pkgs []*types.Package
	for _, path := range public {
		pkg, err := read.Import(path)
		if err != nil {
			return nil, err
		}
		pkgs = append(pkgs, pkg)
		noteAliases(pkg)
	}
	var lines []line
	for _, pkg := range pkgs {
		lines = append(lines, linesOf(pkg)...)
	}
	slices.SortFunc(lines, func(a, b line) int { return cmp.Compare(a.text, b.text) })
	return lines, nil
})

// exportData asks the go command for the export data of the public packages and all that they
// import.
func exportData() (files map[string]string, public []string, err error) {
	cmd := exec.Command("go", "list", "-buildvcs=false", "-export", "-deps", "-json=ImportPath,Export,Name", "../../...")
	cmd.Env = append(os.Environ(), "GOOS=linux")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, nil, fmt.Errorf("go list: %w", err)
	}
	files = map[string]string{}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct{ ImportPath, Export, Name string }
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return files, public, nil
		} else if err != nil {
			return nil, nil, err
		}
		files[p.ImportPath] = p.Export
		if isPublic(p.ImportPath) && p.Name != "main" {
			public = append(public, p.ImportPath)
		}
	}
}

func isPublic(path string) bool {
	rest, ours := strings.CutPrefix(path, module)
	return ours && !slices.Contains(notPublic, strings.Split(rest, "/")[0])
}

// aliased has the types of internal packages that a public package gives a name.
var aliased = map[*types.TypeName]bool{}

func noteAliases(pkg *types.Package) {
	for _, name := range pkg.Scope().Names() {
		if obj, ok := pkg.Scope().Lookup(name).(*types.TypeName); ok && obj.IsAlias() && obj.Exported() {
			if n, ok := types.Unalias(obj.Type()).(*types.Named); ok {
				aliased[n.Obj()] = true
			}
		}
	}
}

// linesOf lists the exported names of a package.
func linesOf(pkg *types.Package) (lines []line) {
	w := &writer{pkg: pkg}
	for _, name := range pkg.Scope().Names() {
		if obj := pkg.Scope().Lookup(name); obj.Exported() {
			w.object(obj)
		}
	}
	return w.lines
}

// A writer makes the lines of one package.
type writer struct {
	pkg   *types.Package
	lines []line
}

// add adds a line: what kind of thing it is, its name, and its type with what stands before it.
func (w *writer) add(kind, name, rest string, t ...types.Type) {
	l := line{name: w.pkg.Name() + "." + name, text: strings.TrimSpace(w.pkg.Name() + ": " + kind + " " + name + rest)}
	for _, t := range t {
		for _, f := range foreignIn(t) {
			if !slices.Contains(l.foreign, f) {
				l.foreign = append(l.foreign, f)
			}
		}
	}
	w.lines = append(w.lines, l)
}

func (w *writer) object(obj types.Object) {
	name, t := obj.Name(), obj.Type()
	switch obj := obj.(type) {
	case *types.Const:
		w.add("const", name, fmt.Sprintf(" %s = %s", text(t), obj.Val().ExactString()), t)
	case *types.Var:
		w.add("var", name, " "+text(t), t)
	case *types.Func:
		w.add("func", name, signature(t), t)
	case *types.TypeName:
		w.typeName(obj)
	}
}

// typeName lists a type, its fields and its methods, those among them that come of embedded
// types which nobody else can name.
func (w *writer) typeName(obj *types.TypeName) {
	name := obj.Name()
	if obj.IsAlias() {
		w.alias(name, types.Unalias(obj.Type()))
		return
	}
	named := obj.Type().(*types.Named)
	params := typeParams(named)
	switch u := named.Underlying().(type) {
	case *types.Struct:
		w.add("type", name, params+" struct")
	case *types.Interface:
		w.add("type", name, params+" interface")
	default:
		w.add("type", name, params+" "+text(u), u)
	}
	w.members(name, named)
}

// alias lists another name of a type. It makes a type of an internal package public, with all that
// the type has.
func (w *writer) alias(name string, t types.Type) {
	w.add("type", name, " = "+text(t))
	if n, ok := t.(*types.Named); ok && isInternal(n.Obj().Pkg()) {
		w.members(name, n)
	}
}

// members lists the fields and methods of a type.
func (w *writer) members(name string, named *types.Named) {
	switch u := named.Underlying().(type) {
	case *types.Struct:
		w.fields(name, u)
	case *types.Interface:
		w.interfaceMethods(name, u)
	}
	w.methods(name, named)
}

// fields lists the exported fields of a struct and of what it embeds that isn't exported.
func (w *writer) fields(owner string, s *types.Struct) {
	for f := range s.Fields() {
		switch {
		case f.Embedded() && !nameable(f):
			if u, ok := deref(f.Type()).Underlying().(*types.Struct); ok {
				w.fields(owner, u)
			}
		case f.Embedded() && f.Exported():
			w.add("field", owner+"."+f.Name(), " "+text(f.Type())+" (embedded)", f.Type())
		case f.Exported():
			w.add("field", owner+"."+f.Name(), " "+text(f.Type()), f.Type())
		}
	}
}

func (w *writer) interfaceMethods(owner string, i *types.Interface) {
	for m := range i.Methods() {
		if m.Exported() {
			w.add("method", owner+"."+m.Name(), signature(m.Type()), m.Type())
		}
	}
}

// methods lists the exported methods of a type, but for those that an embedded type has which is
// a line itself.
func (w *writer) methods(owner string, named *types.Named) {
	if types.IsInterface(named) {
		return
	}
	values := types.NewMethodSet(named)
	for sel := range types.NewMethodSet(types.NewPointer(named)).Methods() {
		m := sel.Obj()
		if !m.Exported() || comesOfNameable(named, sel.Index()) {
			continue
		}
		receiver := "(*" + owner + ")"
		if values.Lookup(w.pkg, m.Name()) != nil {
			receiver = owner
		}
		w.add("method", receiver+"."+m.Name(), signature(m.Type()), m.Type())
	}
}

// comesOfNameable reports that a method is promoted from an embedded field that is a line itself.
func comesOfNameable(t types.Type, index []int) bool {
	for _, i := range index[:len(index)-1] {
		f := deref(t).Underlying().(*types.Struct).Field(i)
		if nameable(f) {
			return true
		}
		t = f.Type()
	}
	return false
}

// nameable reports an embedded field whose type the users of the package can name.
func nameable(f *types.Var) bool {
	if !f.Exported() {
		return false
	}
	n, ok := deref(f.Type()).(*types.Named)
	return !ok || !isInternal(n.Obj().Pkg())
}

// isInternal reports an internal package of the module.
func isInternal(p *types.Package) bool {
	return p != nil && strings.HasPrefix(p.Path(), module+"internal/")
}

func deref(t types.Type) types.Type {
	t = types.Unalias(t)
	if p, ok := t.(*types.Pointer); ok {
		return types.Unalias(p.Elem())
	}
	return t
}

// text is a type as it is written in the golden file: packages of the module by their folder,
// others by their path.
func text(t types.Type) string {
	return types.TypeString(t, func(p *types.Package) string { return strings.TrimPrefix(p.Path(), module) })
}

func signature(t types.Type) string { return strings.TrimPrefix(text(t), "func") }

func typeParams(n *types.Named) string {
	s := text(n)
	if i := strings.IndexByte(s, '['); i >= 0 {
		return s[i:]
	}
	return ""
}
