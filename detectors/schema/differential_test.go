package schema

import (
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"

	"misstep/event"
)

func value(t interface{ Fatalf(string, ...any) }, text string) event.Value {
	v, err := event.JSONValue([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

// valid is the verdict of JSON Schema: the leniencies of this package are told
// as Unknown, not as Found.
func valid(v *Violations) bool {
	for _, u := range v.Unknown {
		if u.Strict || u.Missing {
			return false
		}
	}
	return len(v.Found) == 0
}

func library(t *rapid.T, text string) *jsonschema.Schema {
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	c := jsonschema.NewCompiler()
	c.UseLoader(noLoader{})
	if err := c.AddResource("schema:///test", doc); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	s, err := c.Compile("schema:///test")
	if err != nil {
		t.Fatalf("%s: the library says: %v", text, err)
	}
	return s
}

// withoutOptionalNulls drops the null members that a schema does not require.
func withoutOptionalNulls(schema, x any) any {
	switch x := x.(type) {
	case []any:
		prefix, _ := lookup(schema, "prefixItems").([]any)
		list := []any{}
		for i, e := range x {
			s := lookup(schema, "items")
			if i < len(prefix) {
				s = prefix[i]
			}
			list = append(list, withoutOptionalNulls(s, e))
		}
		return list
	case []pair:
		required, _ := lookup(schema, "required").([]any)
		obj, kept := []pair{}, map[string]any{}
		for _, p := range x {
			kept[p.key] = p.val // the last counts
		}
		for key, val := range kept {
			if val == nil && !slices.Contains(required, any(key)) {
				continue
			}
			s, there := any(nil), false
			props, _ := lookup(schema, "properties").([]pair)
			for _, p := range props {
				if p.key == key {
					s, there = p.val, true
				}
			}
			if !there {
				s = lookup(schema, "additionalProperties")
			}
			obj = append(obj, pair{key, withoutOptionalNulls(s, val)})
		}
		return obj
	default:
		return x
	}
}

// TestAgainstLibrary compares verdicts, with and without the keywords that are
// left to the library.
func TestAgainstLibrary(t *testing.T) {
	for name, mode := range map[string]gen{"own": {}, "fallback": {foreign: true}, "nulls": {plain: true}} {
		t.Run(name, func(t *testing.T) {
			accepted, refused := 0, 0
			rapid.Check(t, func(t *rapid.T) {
				g := mode
				g.T = t
				doc := g.document()
				text := write(doc, t)
				s, err := Compile(value(t, text))
				if err != nil {
					if strings.Contains(err.Error(), "without end") || strings.Contains(err.Error(), "cannot be combined") {
						return
					}
					t.Fatalf("%s: %v", text, err)
				}
				if len(s.Unjudged()) > 0 {
					t.Fatalf("%s: unjudged %q", text, s.Unjudged())
				}
				lib := library(t, text)
				var v Violations
				for range 8 {
					tree := g.like(doc, doc, 6)
					args, strict := write(tree, t), tree
					if mode.plain {
						strict = withoutOptionalNulls(doc, tree)
					}
					in, err := jsonschema.UnmarshalJSON(strings.NewReader(write(strict, nil)))
					if err != nil {
						t.Fatalf("%s: %v", args, err)
					}
					want := lib.Validate(in)
					v.Reset()
					x := value(t, args)
					if x.Form == event.Null {
						continue // absent arguments
					}
					s.Validate(x, &v)
					if v.Unjudged {
						t.Fatalf("schema %s\nargs %s\nnot judged", text, args)
					}
					if valid(&v) != (want == nil) {
						t.Fatalf("schema %s\nargs %s\nfound %v, unknown %+v\nthe library says: %v", text, args, v.Found, v.Unknown, want)
					}
					if quietly(s, x) != (want == nil) && !mode.plain {
						t.Fatalf("schema %s\nargs %s\nwithout report it is %v", text, args, want != nil)
					}
					if want == nil {
						accepted++
					} else {
						refused++
					}
				}
			})
			t.Logf("%d accepted, %d refused", accepted, refused)
			if 10*min(accepted, refused) < accepted+refused {
				t.Errorf("%d accepted and %d refused say little", accepted, refused)
			}
		})
	}
}
