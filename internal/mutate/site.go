package main

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
)

// site is one condition of a source file, which a mutant negates.
type site struct {
	id      int    // from 1 on
	file    string // relative to the module, with slashes
	path    string // on disk
	overlay string // the file that stands in for it in a build
	line    int
	kind    string // if, for, case, operand or value
	text    string // as written, white space collapsed
	nth     int    // 1 for the first condition of this text in the file
	start   int    // byte offsets in the file
	end     int
}

// key names the site in a way that outlives edits elsewhere in the file.
type key struct {
	file, text string
	nth        int
}

func (s *site) key() key { return key{s.file, s.text, s.nth} }

// find gives the conditions of a file in source order: what decides an if, a
// for or a case of a switch without a tag, each operand of && and ||, and
// every other comparison, conjunction or negation that makes a value.
func find(file, path string, src []byte) ([]*site, error) {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, path, src, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	c := &collector{fset: fset, src: src, file: file, path: path, seen: map[ast.Expr]bool{}}
	ast.Inspect(f, c.visit)
	slices.SortStableFunc(c.sites, func(a, b *site) int {
		if a.start != b.start {
			return a.start - b.start
		}
		return b.end - a.end
	})
	times := map[string]int{}
	for _, s := range c.sites {
		times[s.text]++
		s.nth = times[s.text]
	}
	return c.sites, nil
}

type collector struct {
	fset       *token.FileSet
	src        []byte
	file, path string
	seen       map[ast.Expr]bool
	sites      []*site
}

func (c *collector) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.GenDecl:
		return n.Tok != token.CONST // a constant cannot be decided at run time
	case *ast.IfStmt:
		c.add(n.Cond, "if")
	case *ast.ForStmt:
		if n.Cond != nil {
			c.add(n.Cond, "for")
		}
	case *ast.SwitchStmt:
		if id, ok := n.Tag.(*ast.Ident); n.Tag != nil && (!ok || id.Name != "true") {
			break
		}
		for _, s := range n.Body.List {
			for _, e := range s.(*ast.CaseClause).List {
				c.add(e, "case")
			}
		}
	case *ast.BinaryExpr:
		if !c.seen[n] && decides(n.Op) {
			c.add(n, "value")
		}
	case *ast.UnaryExpr:
		if !c.seen[n] && n.Op == token.NOT {
			c.add(n, "value")
		}
	}
	return true
}

// decides reports whether an operator makes a bool.
func decides(op token.Token) bool {
	switch op {
	case token.EQL, token.NEQ, token.LSS, token.LEQ, token.GTR, token.GEQ, token.LAND, token.LOR:
		return true
	}
	return false
}

// add takes a condition, and the operands it consists of. The operand of a
// negation is not taken: to negate it is to negate the whole.
func (c *collector) add(e ast.Expr, kind string) {
	e = ast.Unparen(e)
	c.seen[e] = true
	start, end := c.fset.Position(e.Pos()), c.fset.Position(e.End())
	c.sites = append(c.sites, &site{
		file: c.file, path: c.path, line: start.Line, kind: kind,
		text:  strings.Join(strings.Fields(string(c.src[start.Offset:end.Offset])), " "),
		start: start.Offset, end: end.Offset,
	})
	for {
		n, ok := e.(*ast.UnaryExpr)
		if !ok || n.Op != token.NOT {
			break
		}
		e = ast.Unparen(n.X)
		c.seen[e] = true
	}
	if n, ok := e.(*ast.BinaryExpr); ok && (n.Op == token.LAND || n.Op == token.LOR) {
		c.add(n.X, "operand")
		c.add(n.Y, "operand")
	}
}

// instrument gives the file's source with each of its sites wrapped in a call
// of the switch that switchSource declares. Lines stay where they are.
func instrument(src []byte, sites []*site) []byte {
	type edit struct {
		at, order int
		text      string
	}
	var edits []edit
	for i, s := range sites {
		// The sites come outermost first, so calls open in this order and close
		// before any that opens at the same place.
		edits = append(edits,
			edit{s.start, i + 1, switchName + "(" + strconv.Itoa(s.id) + ", "},
			edit{s.end, 0, ")"})
	}
	slices.SortStableFunc(edits, func(a, b edit) int {
		if a.at != b.at {
			return a.at - b.at
		}
		return a.order - b.order
	})
	var out bytes.Buffer
	last := 0
	for _, e := range edits {
		out.Write(src[last:e.at])
		out.WriteString(e.text)
		last = e.at
	}
	out.Write(src[last:])
	return out.Bytes()
}

const (
	switchName = "mutantSwitch"
	activeEnv  = "MUTANT"       // id of the condition to negate
	reachedEnv = "MUTANT_REACH" // file that takes the ids of the conditions that were reached
)

// switchSource declares the switch in a package: the condition as it is, or
// its negation when the environment names this very condition. So one test
// binary holds all mutants.
func switchSource(pkg string, maxID int) []byte {
	return []byte(`package ` + pkg + `

import (
	"os"
	"strconv"
	"sync/atomic"
)

var (
	mutantActive  = mutantID()
	mutantReached = mutantTrace()
	mutantSeen    [` + strconv.Itoa(maxID+1) + `]atomic.Bool
)

func mutantID() int {
	n, _ := strconv.Atoi(os.Getenv("` + activeEnv + `"))
	return n
}

func mutantTrace() *os.File {
	name := os.Getenv("` + reachedEnv + `")
	if name == "" {
		return nil
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	return f
}

func mutantReach(id int) {
	if !mutantSeen[id].Load() && mutantSeen[id].CompareAndSwap(false, true) {
		mutantReached.WriteString(strconv.Itoa(id) + "\n")
	}
}

func ` + switchName + `[B ~bool](id int, c B) B {
	if mutantReached != nil {
		mutantReach(id)
	}
	return c != (id == mutantActive)
}
`)
}
