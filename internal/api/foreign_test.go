package api

import (
	"go/types"
	"strings"
)

// foreignIn lists the types of gVisor and of internal packages that a type names. It doesn't look
// into the types that have names of their own: those have lines of their own. A type that a public
// package gives another name has that.
func foreignIn(t types.Type) (list []string) {
	switch t := t.(type) {
	case *types.Alias:
		return foreignName(t, t.Obj(), t.TypeArgs())
	case *types.Named:
		return foreignName(t, t.Obj(), t.TypeArgs())
	case *types.Pointer:
		return foreignIn(t.Elem())
	case *types.Slice:
		return foreignIn(t.Elem())
	case *types.Array:
		return foreignIn(t.Elem())
	case *types.Chan:
		return foreignIn(t.Elem())
	case *types.Map:
		return append(foreignIn(t.Key()), foreignIn(t.Elem())...)
	case *types.Tuple:
		for v := range t.Variables() {
			list = append(list, foreignIn(v.Type())...)
		}
	case *types.Signature:
		return append(foreignIn(t.Params()), foreignIn(t.Results())...)
	case *types.Struct:
		for f := range t.Fields() {
			list = append(list, foreignIn(f.Type())...)
		}
	case *types.Interface:
		for m := range t.Methods() {
			list = append(list, foreignIn(m.Type())...)
		}
	}
	return list
}

// foreignName is foreignIn for a type with a name.
func foreignName(t types.Type, name *types.TypeName, args *types.TypeList) (list []string) {
	if pkg := name.Pkg(); pkg != nil && isForeign(pkg.Path()) && !aliased[name] {
		list = append(list, text(t))
	}
	for a := range args.Types() {
		list = append(list, foreignIn(a)...)
	}
	return list
}

// isForeign reports a package that a user of the module doesn't import as a matter of course:
// whatever isn't public here or of the standard library.
func isForeign(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return strings.Contains(first, ".") && !isPublic(path)
}
