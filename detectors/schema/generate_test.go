package schema

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"

	"pgregory.net/rapid"
)

// pair is one member. Generated JSON is a tree of bool, nil, string, num, []any
// and []pair, so that order, spelling and duplicates are kept.
type (
	pair struct {
		key string
		val any
	}
	num string
)

// write gives tree as JSON; draw, when not nil, varies how it is written.
func write(tree any, draw *rapid.T) string {
	var b strings.Builder
	var rng *rand.Rand
	if draw != nil {
		if seed := rapid.Uint64Range(0, 1000).Draw(draw, "spelling"); seed > 0 {
			rng = rand.New(rand.NewPCG(seed, 0))
		}
	}
	coin := func(n int) bool { return rng != nil && rng.IntN(n) == 0 }
	space := func() {
		if coin(10) {
			b.WriteString(" \n")
		}
	}
	text := func(s string) {
		q, _ := json.Marshal(s)
		if coin(8) && s != "" && s[0] < 0x80 && s[0] != '"' && s[0] != '\\' {
			q = append(fmt.Appendf(nil, `"\u%04x`, s[0]), q[2:]...)
		}
		b.Write(q)
	}
	var walk func(any)
	walk = func(x any) {
		space()
		switch x := x.(type) {
		case nil:
			b.WriteString("null")
		case bool:
			fmt.Fprint(&b, x)
		case int:
			fmt.Fprint(&b, x)
		case num:
			b.WriteString(string(x))
		case string:
			text(x)
		case []any:
			b.WriteByte('[')
			for i, e := range x {
				if i > 0 {
					b.WriteByte(',')
				}
				walk(e)
			}
			space()
			b.WriteByte(']')
		case []pair:
			b.WriteByte('{')
			for i, p := range x {
				if i > 0 {
					b.WriteByte(',')
				}
				space()
				text(p.key)
				space()
				b.WriteByte(':')
				walk(p.val)
			}
			space()
			b.WriteByte('}')
		default:
			panic(fmt.Sprintf("no JSON: %T", x))
		}
		space()
	}
	walk(tree)
	return b.String()
}

var (
	genNames    = []string{"a", "b", "c", "ab", "a/b", "x~y", "é", "p q", "%", "d1"}
	genStrings  = []string{"", "a", "ab", "abc", "é", "éé", "日本語", "1", "1.0", "true", "A", "\"", "\\", "a b", "😀"}
	genNumbers  = []num{"0", "-0", "1", "1.0", "2", "3", "-1", "10", "1e1", "0.5", "5e-1", "1.5", "100", "0.01", "0.07", "1234567890123456789", "1234567890123456790", "12345678901234567890123", "1e30", "-2.50", "0.30"}
	genPatterns = []string{"^a", "b$", "^[a-z]+$", "é", "^$", "^\\d+$", "."}
)

// gen generates schemas, and instances that are likely to be near them.
type gen struct {
	*rapid.T
	foreign bool // use the keywords that are left to the library too
	plain   bool // one schema for each place, no equality; then members may be null
}

func (g gen) n(lo, hi int) int      { return rapid.IntRange(lo, hi).Draw(g.T, "n") }
func (g gen) coin(n int) bool       { return g.n(0, n) == 0 }
func pick[E any](g gen, from []E) E { return from[g.n(0, len(from)-1)] }
func (g gen) name() string          { return pick(g, genNames) }
func (g gen) number() num           { return pick(g, genNumbers) }
func (g gen) scalar() any {
	switch g.n(0, 5) {
	case 0:
		return nil
	case 1:
		return g.coin(1)
	case 2, 3:
		return g.number()
	default:
		return pick(g, genStrings)
	}
}

// any is a value without regard to a schema.
func (g gen) any(depth int) any {
	if depth <= 0 || g.n(0, 2) > 0 {
		return g.scalar()
	}
	if g.coin(1) {
		list := []any{}
		for range g.n(0, 3) {
			list = append(list, g.any(depth-1))
		}
		return list
	}
	obj := []pair{}
	for range g.n(0, 3) {
		obj = append(obj, pair{g.name(), g.member(g.any(depth - 1))})
	}
	return obj
}

// member is a value that may stand in an object.
func (g gen) member(x any) any {
	if x == nil && !g.plain {
		return false
	}
	return x
}

func (g gen) schemas(depth int) []any {
	list := []any{}
	for range g.n(1, 3) {
		list = append(list, g.schema(depth))
	}
	return list
}

func (g gen) byName(depth int) []pair {
	obj := []pair{}
	for range g.n(0, 4) {
		obj = append(obj, pair{g.name(), g.schema(depth)})
	}
	return obj
}

func (g gen) names() []any {
	list, seen := []any{}, map[string]bool{}
	for range g.n(0, 3) {
		if name := g.name(); !seen[name] {
			seen[name] = true
			list = append(list, name)
		}
	}
	return list
}

func (g gen) schema(depth int) any {
	if g.coin(9) {
		return g.n(0, 2) > 0
	}
	s := []pair{}
	add := func(key string, val any) { s = append(s, pair{key, val}) }
	kinds := []string{"object", "object", "array", "string", "number", "integer", "boolean", "null"}
	if depth <= 0 {
		kinds = kinds[3:]
	}
	kind := pick(g, kinds)
	switch g.n(0, 5) {
	case 0:
	case 1:
		other := pick(g, kinds)
		list := []any{kind}
		if other != kind {
			list = append(list, other)
		}
		add("type", list)
	default:
		add("type", kind)
	}
	if g.coin(7) && !g.plain {
		list := []any{}
		for range g.n(1, 12) {
			list = append(list, g.any(1))
		}
		add("enum", list)
	}
	if g.coin(11) && !g.plain {
		add("const", g.any(1))
	}
	switch kind {
	case "string":
		if g.coin(2) {
			add("minLength", g.n(0, 3))
		}
		if g.coin(2) {
			add("maxLength", g.n(0, 4))
		}
		if g.coin(3) {
			add("pattern", pick(g, genPatterns))
		}
	case "number", "integer":
		for _, key := range []string{"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"} {
			if g.coin(4) {
				add(key, g.number())
			}
		}
		if g.coin(3) {
			add("multipleOf", pick(g, []num{"1", "2", "0.5", "0.01", "3", "1.0", "1e1", "0.3"}))
		}
	case "array":
		if g.coin(1) {
			add("items", g.schema(depth-1))
		}
		if g.coin(3) {
			add("prefixItems", g.schemas(depth-1))
		}
		if g.coin(3) {
			add("minItems", g.n(0, 2))
		}
		if g.coin(3) {
			add("maxItems", g.n(0, 3))
		}
		if g.coin(2) && !g.plain {
			add("uniqueItems", true)
		}
		if g.foreign && g.coin(2) {
			add("contains", g.schema(depth-1))
		}
	case "object":
		add("properties", g.byName(depth-1))
		if g.coin(1) {
			add("required", g.names())
		}
		if g.coin(2) {
			add("additionalProperties", g.schema(depth-1))
		}
		if g.coin(4) && !g.plain {
			add("patternProperties", []pair{{pick(g, genPatterns), g.schema(depth - 1)}})
		}
		if g.coin(5) {
			add("minProperties", g.n(0, 2))
		}
		if g.coin(5) {
			add("maxProperties", g.n(0, 4))
		}
		if g.foreign && g.coin(2) {
			add("propertyNames", []pair{{"pattern", pick(g, genPatterns)}})
		}
		if g.foreign && g.coin(2) {
			add("dependentRequired", []pair{{g.name(), g.names()}})
		}
		if g.foreign && g.coin(3) {
			add("dependentSchemas", []pair{{g.name(), g.schema(depth - 1)}})
		}
		if g.foreign && g.coin(3) {
			add("unevaluatedProperties", g.schema(depth-1))
		}
	}
	if g.plain {
		return s
	}
	if depth > 0 {
		for _, key := range []string{"allOf", "anyOf", "oneOf"} {
			if g.coin(7) {
				add(key, g.schemas(depth-1))
			}
		}
		if g.coin(11) {
			add("not", g.schema(depth-1))
		}
		if g.coin(9) {
			add("if", g.schema(depth-1))
			add("then", g.schema(depth-1))
			add("else", g.schema(depth-1))
		}
	}
	if g.coin(7) {
		add("$ref", "#/$defs/"+pick(g, []string{"d0", "d1", "x~0y"}))
	}
	return s
}

func (g gen) document() []pair {
	doc := []pair{}
	if s, ok := g.schema(3).([]pair); ok {
		doc = s
	}
	defs := []pair{{"d0", g.schema(2)}, {"d1", g.schema(1)}, {"x~y", g.schema(1)}}
	return append(doc, pair{"$defs", defs})
}

func lookup(obj any, key string) any {
	o, _ := obj.([]pair)
	for _, p := range o {
		if p.key == key {
			return p.val
		}
	}
	return nil
}

// like gives an instance that has a good chance to fit a schema.
func (g gen) like(root []pair, s any, depth int) any {
	if g.coin(9) || depth <= 0 {
		return g.any(2)
	}
	if ref, ok := lookup(s, "$ref").(string); ok && g.coin(1) {
		return g.like(root, lookup(lookup(root, "$defs"), strings.ReplaceAll(ref[len("#/$defs/"):], "~0", "~")), depth-1)
	}
	for _, key := range []string{"enum", "allOf", "anyOf", "oneOf"} {
		if list, ok := lookup(s, key).([]any); ok && len(list) > 0 && g.n(0, 2) > 0 {
			if key == "enum" {
				return pick(g, list)
			}
			return g.like(root, pick(g, list), depth-1)
		}
	}
	kind := lookup(s, "type")
	if list, ok := kind.([]any); ok {
		kind = pick(g, list)
	}
	switch kind {
	case "string":
		return pick(g, genStrings)
	case "number":
		return g.number()
	case "integer":
		return pick(g, []num{"0", "1", "2.0", "3", "10", "1e1"})
	case "boolean":
		return g.coin(1)
	case "null":
		return nil
	case "array":
		list := []any{}
		prefix, _ := lookup(s, "prefixItems").([]any)
		for i := range g.n(0, 3) {
			if i < len(prefix) {
				list = append(list, g.like(root, prefix[i], depth-1))
			} else {
				list = append(list, g.like(root, lookup(s, "items"), depth-1))
			}
		}
		return list
	case "object":
		obj := []pair{}
		props, _ := lookup(s, "properties").([]pair)
		seen := map[string]bool{}
		for _, p := range props {
			if g.n(0, 4) > 0 && (!seen[p.key] || g.coin(5)) {
				obj = append(obj, pair{p.key, g.member(g.like(root, p.val, depth-1))})
				seen[p.key] = true
			}
		}
		if names, ok := lookup(s, "required").([]any); ok && g.n(0, 3) > 0 {
			for _, name := range names {
				if !seen[name.(string)] {
					obj = append(obj, pair{name.(string), g.member(g.any(1))})
				}
			}
		}
		if g.coin(5) {
			obj = append(obj, pair{g.name(), g.member(g.any(1))})
		}
		return obj
	}
	return g.any(2)
}
