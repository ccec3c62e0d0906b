package schema

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"misstep/event"
)

// What a schema may be made of.
const (
	maxBytes   = 256 << 10
	maxDepth   = 64
	maxSchemas = 4096
	maxRefs    = 256
	maxWork    = 64 << 20 // bytes of schema looked at, some of them more than once
	maxNamed   = 1 << 17  // names of parameters, some of them at more than one place
)

// Compile compiles the JSON Schema of a tool's parameters. What it gives keeps
// nothing of parameters. An error names the place in the schema and what would
// be right there; a reference that leaves the schema is one.
func Compile(parameters event.Value) (*Schema, error) {
	s, err := compile(parameters)
	if err != nil {
		return nil, fmt.Errorf("parameters%w", err)
	}
	return s, nil
}

func compile(parameters event.Value) (*Schema, error) {
	if len(parameters.Raw) > maxBytes {
		return nil, fmt.Errorf(": %d bytes of schema, want at most %d", len(parameters.Raw), maxBytes)
	}
	parameters.Raw = bytes.Clone(parameters.Raw)
	c := &compiler{root: parameters, refs: map[string]*node{}}
	if parameters.Form == event.Object {
		c.dialect(parameters)
	}
	root, err := c.subschema(parameters, "#", 0)
	if err != nil {
		return nil, err
	}
	if root == nil {
		root = &node{types: tAny, accepts: tAny, where: "#"}
	}
	s := &Schema{root: root, unjudged: c.unjudged}
	if err := c.link(root); err != nil {
		return nil, err
	}
	s.fallback = len(c.foreign) > 0
	return s, c.useLibrary()
}

type compiler struct {
	root      event.Value
	id        string // $id of the root, without fragment
	legacy    bool   // $ref hides what stands beside it, as up to draft-07
	dependent bool   // `dependencies` is used, which 2019-09 took out
	schemas   int
	work      int
	named     int
	refs      map[string]*node // targets of $ref, by its text
	anchors   map[string]target
	foreign   []*node // that need the library
	unjudged  []string
}

// errorf makes an error about a place in the schema.
func errorf(where, format string, args ...any) error {
	return fmt.Errorf("%.200s: %w", strings.ToValidUTF8(where, "?"), fmt.Errorf(format, args...))
}

// dialect reads which draft the schema is written for.
func (c *compiler) dialect(root event.Value) {
	kw := keywords(root)
	text := string(kw["$schema"].AppendText(nil))
	for _, draft := range []string{"draft-03", "draft-04", "draft-05", "draft-06", "draft-07"} {
		c.legacy = c.legacy || strings.Contains(text, draft)
	}
	if id := kw["$id"]; id.IsString() {
		c.id, _, _ = strings.Cut(string(id.AppendText(nil)), "#")
	}
}

// keywords gives the members of an object by their keys; of equal keys the last.
func keywords(v event.Value) map[string]event.Value {
	kw := map[string]event.Value{}
	c := event.NewCursor(v)
	c.Enter()
	for c.More() {
		key := string(c.Key().AppendText(nil))
		x := c.Value()
		if x.Form == event.Null && key != "const" {
			delete(kw, key)
			continue
		}
		kw[key] = x
	}
	return kw
}

// escapeToken writes a key as a token of a JSON Pointer in a URI fragment.
var escapeToken = strings.NewReplacer("~", "~0", "/", "~1", "%", "%25", "#", "%23", "?", "%3F", " ", "%20", `"`, "%22", "\\", "%5C")

func at(where, key string) string { return where + "/" + escapeToken.Replace(key) }

// spend counts bytes of the schema that are looked at.
func (c *compiler) spend(where string, n int) error {
	if c.work += n; c.work > maxWork {
		return errorf(where, "it takes too long to make sense of this schema")
	}
	return nil
}

// subschema compiles what stands at a place in the schema; nil for one that
// takes everything.
func (c *compiler) subschema(v event.Value, where string, depth int) (*node, error) {
	switch v.Form {
	case event.Bool:
		if string(v.Raw) == "true" {
			return nil, nil
		}
		return &node{never: true, where: where}, nil
	case event.Object:
		n := &node{where: where}
		return c.object(n, v, depth)
	default:
		return nil, errorf(where, "want a schema (an object, true or false), found %s", formName(v.Form))
	}
}

// object compiles a schema that is an object into n, or gives the node that it
// is nothing but a reference to.
func (c *compiler) object(n *node, v event.Value, depth int) (*node, error) {
	if depth > maxDepth {
		return nil, errorf(n.where, "schemas are nested more than %d deep", maxDepth)
	}
	if c.schemas++; c.schemas > maxSchemas {
		return nil, errorf(n.where, "more than %d subschemas", maxSchemas)
	}
	if err := c.spend(n.where, len(v.Raw)); err != nil {
		return nil, err
	}
	k := keyworded{c: c, n: n, kw: keywords(v), depth: depth}
	if k.kw["$id"].IsString() && n.where != "#" && !strings.HasPrefix(string(k.kw["$id"].Raw), "#") {
		return nil, errorf(n.where+"/$id", "only the whole schema may have an $id")
	}
	if ref, ok, err := k.reference(); err != nil {
		return nil, err
	} else if ref == n {
		return nil, errorf(n.where, "the schema refers to itself without end")
	} else if ok {
		if c.legacy {
			return ref, nil
		}
		n.ref = ref
	}
	for _, read := range []func() error{
		k.typed, k.values, k.strings, k.numbers, k.objects, k.arrays, k.combined, k.others,
	} {
		if err := read(); err != nil {
			return nil, err
		}
	}
	if only := n.only(); only != nil {
		return only, nil
	}
	return n, nil
}

// keyworded is one schema object on its way to a node.
type keyworded struct {
	c     *compiler
	n     *node
	kw    map[string]event.Value
	depth int
}

func (k *keyworded) at(key string) string { return at(k.n.where, key) }

func (k *keyworded) errorf(key, format string, args ...any) error {
	return errorf(k.at(key), format, args...)
}

// sub compiles the subschema that is the value of a keyword.
func (k *keyworded) sub(key string) (n *node, there bool, err error) {
	v, there := k.kw[key]
	if !there {
		return nil, false, nil
	}
	n, err = k.c.subschema(v, k.at(key), k.depth+1)
	return n, true, err
}

// subs compiles the subschemas in the array that is the value of a keyword.
func (k *keyworded) subs(key string) ([]*node, error) {
	v, there := k.kw[key]
	if !there {
		return nil, nil
	}
	if v.Form != event.Array {
		return nil, k.errorf(key, "want an array of schemas, found %s", formName(v.Form))
	}
	nodes := []*node{}
	c := event.NewCursor(v)
	for c.Enter(); c.More(); {
		n, err := k.c.subschema(c.Value(), k.at(key)+"/"+strconv.Itoa(len(nodes)), k.depth+1)
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, n)
	}
	if len(nodes) == 0 && key != "prefixItems" && key != "items" {
		return nil, k.errorf(key, "want at least one schema")
	}
	return nodes, nil
}

// each compiles the subschemas in the object that is the value of a keyword, in
// the order in which they stand.
func (k *keyworded) each(key string, fn func(name string, n *node) error) error {
	v, there := k.kw[key]
	if !there {
		return nil
	}
	if v.Form != event.Object {
		return k.errorf(key, "want an object of schemas, found %s", formName(v.Form))
	}
	last := keywords(v)
	c := event.NewCursor(v)
	for c.Enter(); c.More(); {
		name := string(c.Key().AppendText(nil))
		c.Skip()
		x, there := last[name]
		if !there {
			continue
		}
		delete(last, name)
		n, err := k.c.subschema(x, at(k.at(key), name), k.depth+1)
		if err == nil {
			err = fn(name, n)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// texts gives the texts in an array of strings.
func (k *keyworded) texts(key string, v event.Value) ([]string, error) {
	if v.Form != event.Array {
		return nil, k.errorf(key, "want an array of strings, found %s", formName(v.Form))
	}
	var texts []string
	c := event.NewCursor(v)
	for c.Enter(); c.More(); {
		x := c.Value()
		if !x.IsString() {
			return nil, k.errorf(key, "want an array of strings, found %s in it", formName(x.Form))
		}
		texts = append(texts, string(x.AppendText(nil)))
	}
	return texts, nil
}

// size reads a keyword that counts something, def when it is absent.
func (k *keyworded) size(key string, def int) (int, error) {
	v, there := k.kw[key]
	if !there {
		return def, nil
	}
	if v.Form == event.Number {
		n := parseNumber(v.Raw)
		if !n.neg && n.integer() {
			if n.point > 9 {
				return 1_000_000_000, nil
			}
			size := 0
			for i := range int(n.point) {
				size *= 10
				if i < n.digits() {
					size += int(n.digit(i) - '0')
				}
			}
			return size, nil
		}
	}
	return 0, k.errorf(key, "want a whole number that is not negative, found %s", describe(v))
}

// flag reads a keyword that is true or false.
func (k *keyworded) flag(key string) (bool, error) {
	v, there := k.kw[key]
	if there && v.Form != event.Bool {
		return false, k.errorf(key, "want true or false, found %s", describe(v))
	}
	return string(v.Raw) == "true" && v.Form == event.Bool, nil
}

func describe(v event.Value) string {
	switch v.Form {
	case event.Number, event.Bool:
		return fmt.Sprintf("%.40s", v.Raw)
	case event.String, event.Escaped:
		return quoted(v.AppendText(nil), 40)
	default:
		return formName(v.Form)
	}
}
