package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// file is one Go file that is compiled into the product.
type file struct {
	name   string // relative to the root, with slashes
	fset   *token.FileSet
	syntax *ast.File
}

// source parses all Go files but tests and test data, for every platform.
func source(t *testing.T) []*file {
	t.Helper()
	var out []*file
	for _, name := range files(t) {
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || strings.Contains("/"+name, "/testdata/") {
			continue
		}
		b, err := os.ReadFile(filepath.Join(root(t), name))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, parse(t, name, string(b)))
	}
	return out
}

func parse(t *testing.T, name, src string) *file {
	t.Helper()
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, name, src, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return &file{name, fset, f}
}

func (f *file) imports() []string {
	var out []string
	for _, i := range f.syntax.Imports {
		p, err := strconv.Unquote(i.Path.Value)
		if err == nil {
			out = append(out, p)
		}
	}
	return out
}

// violation is a place where a file of the core does what it must not.
type violation struct {
	line int
	what string
}

// clocks are what package time offers that reads the clock or waits for it.
var clocks = []string{
	"Now", "Since", "Until", "After", "AfterFunc", "Tick", "NewTicker", "NewTimer", "Sleep",
}

// impure finds clocks, goroutines and floating point.
func impure(f *file) []violation {
	var out []violation
	found := func(n ast.Node, what string) {
		out = append(out, violation{f.fset.Position(n.Pos()).Line, what})
	}
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			found(n, "starts a goroutine")
		case *ast.Ident:
			if n.Name == "float32" || n.Name == "float64" {
				found(n, "uses "+n.Name)
			}
		case *ast.BasicLit:
			if n.Kind == token.FLOAT {
				found(n, "uses the floating-point number "+n.Value)
			}
		case *ast.SelectorExpr:
			x, ok := n.X.(*ast.Ident)
			if !ok {
				break
			}
			if x.Name == "time" && slices.Contains(clocks, n.Sel.Name) {
				found(n, "reads the clock with time."+n.Sel.Name)
			}
			if strings.Contains(n.Sel.Name, "Float") {
				found(n, "uses "+x.Name+"."+n.Sel.Name)
			}
		}
		return true
	})
	return out
}
