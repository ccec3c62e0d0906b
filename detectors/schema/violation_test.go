package schema

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"misstep/event"
)

// TestManyProperties has more properties than most, half of them required.
func TestManyProperties(t *testing.T) {
	var props, required, args []string
	for i := range 200 {
		props = append(props, fmt.Sprintf(`"p%d":{"type":"integer"}`, i))
		args = append(args, fmt.Sprintf(`"p%d":%d`, i, i))
		if i%2 == 1 {
			required = append(required, fmt.Sprintf(`"p%d"`, i))
		}
	}
	s := compiled(t, `{"properties":{`+strings.Join(props, ",")+`},"required":[`+strings.Join(required, ",")+`]}`)
	var v Violations
	s.Validate(value(t, "{"+strings.Join(args, ",")+"}"), &v)
	if got := told(&v); len(got) > 0 {
		t.Errorf("%q", got)
	}
	slices.Reverse(args)
	s.Validate(value(t, "{"+strings.Join(append(args[1:50], args[52:]...), ",")+"}"), &v)
	if got := told(&v); !slices.Equal(got, []string{"required: p149 is missing", "required: p199 is missing"}) {
		t.Errorf("%q", got)
	}
}

func TestHiddenArguments(t *testing.T) {
	s := compiled(t, flatSchema)
	var v Violations
	s.Validate(value(t, `{"$hidden":{"mac":"abc"}}`), &v)
	if len(v.Found) > 0 || !v.Unjudged {
		t.Errorf("found %v, unjudged %v", v.Found, v.Unjudged)
	}
	v.Reset()
	s.Validate(value(t, flatArgs), &v)
	if v.Unjudged || !valid(&v) {
		t.Errorf("after a reset: found %v, unjudged %v", v.Found, v.Unjudged)
	}
}

func TestViolationsAreBounded(t *testing.T) {
	s := compiled(t, `{"properties":{"l":{"items":{"type":"string"}},"a":{}}}`)
	var v Violations
	s.Validate(value(t, `{"l":[`+strings.Repeat("1,", 99)+`1],"b1":1,"b2":1,"b3":1,"b4":1,"b5":1,"b6":1,"b7":1,"b8":1,"b9":1}`), &v)
	if len(v.Found) != 8 || len(v.Unknown) != 8 || v.More != 93 {
		t.Errorf("%d found, %d unknown, %d more; want 8, 8, 93", len(v.Found), len(v.Unknown), v.More)
	}
	v.Reset()
	long := strings.Repeat("k", 100_000)
	s.Validate(value(t, `{"`+long+`":1}`), &v)
	if n := len(v.Unknown[0].Path); n > 100 {
		t.Errorf("path of %d bytes", n)
	}
	if got, want := quoted("é"+strings.Repeat("é", 40), 9), `"\u00e9\u00e9\u00e9\u00e9"...`; got != want {
		t.Errorf("cut to %s, want %s", got, want)
	}
	v.Reset()
	v.AddNotObject()
	if got := told(&v); !slices.Equal(got, []string{"type: the whole is a string, not an object"}) {
		t.Errorf("%q", got)
	}
}

// TestOutlivesArguments overwrites what schema and arguments were read from.
func TestOutlivesArguments(t *testing.T) {
	text := []byte(nestedSchema)
	x, _ := event.JSONValue(text)
	s, err := Compile(x)
	if err != nil {
		t.Fatal(err)
	}
	clear(text)
	args := []byte(strings.Replace(nestedArgs, `"first_name":"Mia"`, `"first_nam\u0065s":7`, 1))
	x, _ = event.JSONValue(args)
	var v Violations
	s.Validate(x, &v)
	clear(args)
	if got := told(&v); !slices.Equal(got, []string{"unknown: passengers[0].first_names (first_name) -"}) {
		t.Errorf("%q", got)
	}
}

func TestNoAllocations(t *testing.T) {
	for name, c := range benches {
		s := compiled(t, c[0])
		if s.Fallback() {
			t.Errorf("%s falls back", name)
		}
		args := value(t, c[1])
		var v Violations
		s.Validate(args, &v)
		if got := told(&v); len(got) > 0 {
			t.Errorf("%s: %q", name, got)
		}
		if n := testing.AllocsPerRun(50, func() { v.Reset(); s.Validate(args, &v) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func TestFallbackTellsTheForm(t *testing.T) {
	s := compiled(t, `{"properties":{"l":{"prefixItems":[{}],"unevaluatedItems":false}}}`)
	var v Violations
	s.Validate(value(t, `{"l":["a",{"b":1}]}`), &v)
	if len(v.Found) != 1 || v.Found[0].Path != "l[1]" || v.Found[0].Found != event.Object {
		t.Errorf("found %+v", v.Found)
	}
}

func TestFallback(t *testing.T) {
	for text, want := range map[string]bool{
		nestedSchema: false,
		unionSchema:  false,
		`{"properties":{"contains":{"type":"string"},"dependencies":{}}}`: false,
		`{"properties":{"a":{"contains":{}}}}`:                            true,
		`{"dependentRequired":{}}`:                                        true,
		`{"propertyNames":{"maxLength":3}}`:                               true,
		`{"$defs":{"a":{"contains":{}}}}`:                                 false, // nothing refers to it
	} {
		if got := compiled(t, text).Fallback(); got != want {
			t.Errorf("%s: fallback is %v", text, got)
		}
	}
}

func TestUnjudgedPatterns(t *testing.T) {
	s := compiled(t, `{"properties":{"a":{"pattern":"(?=x)"},"b/c":{"items":{"pattern":"`+strings.Repeat("a?", 3000)+`"}},"d":{"pattern":"ok"}}}`)
	if got := s.Unjudged(); !slices.Equal(got, []string{"#/properties/a/pattern", "#/properties/b~1c/items/pattern"}) {
		t.Errorf("%q", got)
	}
}

// TestConcurrentUse validates by one schema in several goroutines; it is for
// the race detector.
func TestConcurrentUse(t *testing.T) {
	s := compiled(t, `{"properties":{"q":{"anyOf":[{"type":"string","pattern":"^a+$"},{"enum":[1,2]}]},"l":{"contains":{"type":"integer"},"uniqueItems":true}}}`)
	args := value(t, `{"q":"aab","l":["x","y"],"m":1}`)
	var first Violations
	s.Validate(args, &first)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			var v Violations
			for range 20 {
				v.Reset()
				s.Validate(args, &v)
				if !slices.Equal(told(&v), told(&first)) {
					t.Errorf("%q, alone %q", told(&v), told(&first))
				}
			}
		})
	}
	wg.Wait()
}
