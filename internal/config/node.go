package config

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// decoder walks the syntax tree of one file and collects what is wrong.
type decoder struct {
	file string
	errs Errors
}

// node is one value in the file, with its path. The value is nil where nothing
// was written.
type node struct {
	ast  ast.Node
	path string
	at   *token.Position
}

// field is one key that a mapping may have, and what becomes of its value.
type field struct {
	name string
	set  func(node)
}

func (d *decoder) fail(n node, format string, args ...any) {
	if len(d.errs) >= maxErrors {
		return
	}
	e := &Error{File: d.file, Path: n.path, Message: fmt.Sprintf(format, args...)}
	switch n.ast.(type) {
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode:
		e.Message = "found " + n.found() + ", which are not taken; write the value out"
	}
	if n.at != nil {
		e.Line, e.Column = n.at.Line, n.at.Column
	}
	d.errs = append(d.errs, e)
}

// parse gives the root of the file, false when it is not even YAML.
func (d *decoder) parse(src []byte) (node, bool) {
	var root node
	if i := invalidUTF8(src); i >= 0 {
		line := strings.Count(string(src[:i]), "\n")
		col := i - strings.LastIndexByte(string(src[:i]), '\n')
		d.fail(node{at: &token.Position{Line: line + 1, Column: col}}, "found byte 0x%02x; write the file as UTF-8", src[i])
		return root, false
	}
	f, err := parser.ParseBytes(src, 0)
	if err != nil {
		var ye yaml.Error
		if errors.As(err, &ye) && ye.GetToken() != nil {
			message := ye.GetMessage()
			if strings.ContainsRune(message, '\t') {
				message = "found a tab; indent with spaces"
			}
			d.fail(node{at: ye.GetToken().Position}, "no valid YAML: %s", message)
		} else {
			d.fail(node{}, "no valid YAML: %v", err)
		}
		return root, false
	}
	for _, doc := range f.Docs {
		if doc.Body == nil {
			continue
		}
		if root.ast != nil {
			d.fail(d.child(node{}, "", doc.Body), "found a second document; write everything into one")
			return root, false
		}
		root = d.child(node{}, "", doc.Body)
	}
	return root, true
}

func invalidUTF8(b []byte) int {
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n <= 1 {
			return i
		}
		i += n
	}
	return -1
}

// child is the value v below n.
func (d *decoder) child(n node, path string, v ast.Node) node {
	c := node{path: n.path + path, at: n.at}
	if c.path == path {
		c.path = strings.TrimPrefix(path, ".")
	}
	if v == nil {
		return c
	}
	if t := v.GetToken(); t != nil && t.Position != nil {
		c.at = t.Position
	}
	// A mapping stands where its first key does, not where its colon is.
	if m, ok := v.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		c.at = m.Values[0].Key.GetToken().Position
	}
	if _, null := v.(*ast.NullNode); !null {
		c.ast = v
	}
	return c
}

// found says in words what stands at n.
func (n node) found() string {
	switch v := n.ast.(type) {
	case nil:
		return "nothing"
	case ast.MapNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode:
		return "an anchor, alias or tag"
	case *ast.LiteralNode:
		return strconv.Quote(clip(v.Value.Value))
	case *ast.StringNode:
		return strconv.Quote(clip(v.Value))
	default:
		return clip(n.ast.GetToken().Value)
	}
}

func clip(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:39]) + "..."
	}
	return s
}

// mapping hands each value to its field. Nothing counts as an empty mapping.
func (d *decoder) mapping(n node, fields ...field) {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	d.entries(n, func(key string, at node, v node) {
		i := slices.Index(names, key)
		if i < 0 {
			d.unknown(at, "unknown field", key, names)
			return
		}
		fields[i].set(v)
	})
}

func (d *decoder) unknown(at node, what, word string, known []string) {
	if s := suggest(word, known); s != "" {
		d.fail(at, "%s; did you mean %s?", what, s)
		return
	}
	d.fail(at, "%s; there are %s", what, strings.Join(known, ", "))
}

// entries calls do for each key of a mapping: at is the place of the key, v the
// value.
func (d *decoder) entries(n node, do func(key string, at, v node)) {
	if n.ast == nil {
		return
	}
	m, ok := n.ast.(ast.MapNode)
	if !ok {
		d.fail(n, "found %s; give a mapping (name: value)", n.found())
		return
	}
	for it := m.MapRange(); it.Next(); {
		key, at := it.Key(), node{path: n.path, at: it.Key().GetToken().Position}
		switch key.(type) {
		case *ast.MergeKeyNode, *ast.MappingKeyNode, *ast.AnchorNode, *ast.AliasNode, *ast.TagNode:
			d.fail(at, "found a key with an anchor, alias, merge or tag; write it out")
			continue
		}
		name := key.GetToken().Value
		at = d.child(n, "."+clip(name), nil)
		at.at = key.GetToken().Position
		v := d.child(n, "."+clip(name), it.Value())
		if v.ast == nil {
			v.at = at.at
		}
		do(name, at, v)
	}
}

// list hands each element to do. Nothing counts as an empty list.
func (d *decoder) list(n node, do func(node)) {
	if n.ast == nil {
		return
	}
	s, ok := n.ast.(*ast.SequenceNode)
	if !ok {
		d.fail(n, "found %s; give a list (- item, or [item, item])", n.found())
		return
	}
	for i, v := range s.Values {
		c := d.child(n, fmt.Sprintf("[%d]", i), v)
		if c.ast == nil {
			d.fail(c, "found nothing; fill it in or remove the line")
			continue
		}
		do(c)
	}
}

// text gives the string at n, false when there is none. A number or a bool
// that was written without quotes is not taken for one.
func (d *decoder) text(n node, want string) (string, bool) {
	switch v := n.ast.(type) {
	case *ast.StringNode:
		if v.Value != "" {
			return v.Value, true
		}
	case *ast.LiteralNode:
		if v.Value.Value != "" {
			return v.Value.Value, true
		}
	}
	switch n.ast.(type) {
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		want += ", in quotes"
	}
	d.fail(n, "found %s; give %s", n.found(), want)
	return "", false
}

// choice sets p to one of several words.
func (d *decoder) choice(n node, p *string, words ...string) {
	if v, ok := n.ast.(*ast.StringNode); ok && slices.Contains(words, v.Value) {
		*p = v.Value
		return
	}
	d.fail(n, "found %s; give one of %s", n.found(), strings.Join(words, ", "))
}

// boolean sets p.
func (d *decoder) boolean(n node, p *bool) {
	if v, ok := n.ast.(*ast.BoolNode); ok {
		*p = v.Value
		return
	}
	d.fail(n, "found %s; give true or false", n.found())
}

// integer sets p to a whole number from lo to hi.
func (d *decoder) integer(n node, p *int64, lo, hi int64) {
	if _, ok := n.ast.(*ast.IntegerNode); ok {
		if i, err := strconv.ParseInt(n.ast.GetToken().Value, 10, 64); err == nil && i >= lo && i <= hi {
			*p = i
			return
		}
	}
	d.fail(n, "found %s; give a whole number from %d to %d", n.found(), lo, hi)
}

// duration sets p to a time span from lo to hi.
func (d *decoder) duration(n node, p *time.Duration, lo, hi time.Duration, or string) {
	v, ok := n.ast.(*ast.StringNode)
	if ok {
		if t, err := time.ParseDuration(v.Value); err == nil && t >= lo && t <= hi {
			*p = t
			return
		}
	}
	d.fail(n, "found %s; give a time with its unit, such as 90s or 30m, from %s to %s%s", n.found(), short(lo), short(hi), or)
}

// short is a duration without its zero tail: 30m, not 30m0s.
func short(t time.Duration) string {
	s := t.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

// millionths sets p to a decimal of at most six places, in millionths.
func (d *decoder) millionths(n node, p *int64) {
	text := ""
	switch v := n.ast.(type) {
	case *ast.IntegerNode, *ast.FloatNode:
		text = n.ast.GetToken().Value
	case *ast.StringNode:
		text = v.Value
	}
	if m, ok := parseMillionths(text); ok {
		*p = m
		return
	}
	d.fail(n, "found %s; give US dollars such as 0.25, at most 1000000, with six decimals at the most", n.found())
}

// parseMillionths reads a plain decimal exactly.
func parseMillionths(s string) (int64, bool) {
	whole, frac, dot := strings.Cut(s, ".")
	if whole == "" || len(whole) > 7 || len(frac) > 6 || dot && frac == "" {
		return 0, false
	}
	digits := whole + frac + strings.Repeat("0", 6-len(frac))
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
	}
	m, err := strconv.ParseInt(digits, 10, 64)
	return m, err == nil && m <= 1e12
}

// formatMillionths is the shortest decimal that parseMillionths reads as m.
func formatMillionths(m int64) string {
	s := fmt.Sprintf("%d.%06d", m/1e6, m%1e6)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}
