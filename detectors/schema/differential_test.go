package schema

import (
	"bytes"
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

// TestAgainstLibrary compares verdicts, with and without the keywords that are
// left to the library.
func TestAgainstLibrary(t *testing.T) {
	for name, foreign := range map[string]bool{"own": false, "fallback": true} {
		t.Run(name, func(t *testing.T) {
			accepted, refused := 0, 0
			rapid.Check(t, func(t *rapid.T) {
				g := gen{T: t, foreign: foreign}
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
					args := write(g.like(doc, doc, 6), t)
					in, err := jsonschema.UnmarshalJSON(bytes.NewReader([]byte(args)))
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
					if want == nil {
						accepted++
					} else {
						refused++
					}
				}
			})
			t.Logf("%d accepted, %d refused", accepted, refused)
			if accepted < 50 || refused < 50 {
				t.Errorf("%d accepted and %d refused say little", accepted, refused)
			}
		})
	}
}
