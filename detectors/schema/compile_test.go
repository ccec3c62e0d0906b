package schema

import (
	"fmt"
	"strings"
	"testing"

	"misstep/event"
)

func TestCompileErrors(t *testing.T) {
	for schema, want := range map[string]string{
		`5`:                                  `parameters#: want a schema (an object, true or false), found a number`,
		`{"type":"strng"}`:                   `parameters#/type: "strng" is no type, want object, array, string, number, integer, boolean or null`,
		`{"type":[]}`:                        `parameters#/type: want at least one type`,
		`{"type":3}`:                         `parameters#/type: want an array of strings, found a number`,
		`{"type":["string",3]}`:              `parameters#/type: want an array of strings, found a number in it`,
		`{"properties":[]}`:                  `parameters#/properties: want an object of schemas, found an array`,
		`{"properties":{"a/b":{"items":7}}}`: `parameters#/properties/a~1b/items: want a schema (an object, true or false), found a number`,
		`{"required":"a"}`:                   `parameters#/required: want an array of strings, found a string`,
		`{"enum":"a"}`:                       `parameters#/enum: want an array, found a string`,
		`{"minLength":-1}`:                   `parameters#/minLength: want a whole number that is not negative, found -1`,
		`{"maxItems":1.5}`:                   `parameters#/maxItems: want a whole number that is not negative, found 1.5`,
		`{"maxItems":"5"}`:                   `parameters#/maxItems: want a whole number that is not negative, found "5"`,
		`{"uniqueItems":1}`:                  `parameters#/uniqueItems: want true or false, found 1`,
		`{"pattern":1}`:                      `parameters#/pattern: want a string, found a number`,
		`{"minimum":"1"}`:                    `parameters#/minimum: want a number, found "1"`,
		`{"exclusiveMaximum":"1"}`:           `parameters#/exclusiveMaximum: want a number, found "1"`,
		`{"multipleOf":0}`:                   `parameters#/multipleOf: want a number above 0, found 0`,
		`{"multipleOf":"x"}`:                 `parameters#/multipleOf: want a number, found a string`,
		`{"anyOf":[]}`:                       `parameters#/anyOf: want at least one schema`,
		`{"oneOf":{}}`:                       `parameters#/oneOf: want an array of schemas, found an object`,
		`{"allOf":[{},{"not":"x"}]}`:         `parameters#/allOf/1/not: want a schema (an object, true or false), found a string`,
		`{"nullable":"yes"}`:                 `parameters#/nullable: want true or false, found "yes"`,
		`{"$ref":5}`:                         `parameters#/$ref: want a string, found a number`,
		`{"$ref":"file:///etc/passwd"}`:      `parameters#/$ref: "file:///etc/passwd" leaves the schema, want a reference within it, such as #/$defs/name`,
		`{"items":{"$ref":"http://127.0.0.1:1/x.json#/a"}}`: `parameters#/items/$ref: "http://127.0.0.1:1/x.json#/a" leaves the schema, want a reference within it, such as #/$defs/name`,
		`{"$ref":"other.json"}`:                             `parameters#/$ref: "other.json" leaves the schema, want a reference within it, such as #/$defs/name`,
		`{"$id":"https://a/b","$ref":"https://a/bc"}`:       `parameters#/$ref: "https://a/bc" leaves the schema, want a reference within it, such as #/$defs/name`,
		`{"contains":{"$ref":"https://a/b"}}`:               `parameters#/contains/$ref: "https://a/b" leaves the schema, want a reference within it, such as #/$defs/name`,
		`{"dependencies":{"a":{"$ref":"https://a/b"}}}`:     `parameters#/dependencies/a/$ref: "https://a/b" leaves the schema, want a reference within it, such as #/$defs/name`,
		`{"$ref":"#/$defs/a"}`:                              `parameters#/$ref: "#/$defs/a" is not there: there is no "#/$defs"`,
		`{"$ref":"#a"}`:                                     `parameters#/$ref: "#a" is not there: there is no such anchor`,
		`{"$ref":"#/%zz"}`:                                  `parameters#/$ref: "#/%zz" is no reference: invalid URL escape "%zz"`,
		`{"$ref":"#"}`:                                      `parameters#: the schema refers to itself without end`,
		`{"allOf":[{"$ref":"#"}]}`:                          `parameters#: the schema refers to itself without end`,
		`{"$ref":"#/$defs/a","$defs":{"a":{"$ref":"#/$defs/b"},"b":{"anyOf":[{"type":"null"},{"$ref":"#/$defs/a"}]}}}`: `parameters#/$defs/a: the schema refers to itself without end`,
		`{"properties":{"a":{"$id":"https://x/y"}}}`:                        `parameters#/properties/a/$id: only the whole schema may have an $id`,
		`{"properties":{"a":{"$ref":"#"}},"dependentRequired":{"a":["b"]}}`: `parameters#: recursion and many references cannot be combined with contains, propertyNames, dependent... and unevaluated...`,
		`{"propertyNames":{"maxLength":1e999999999}}`:                       `parameters: a number is too large or too small for the keywords that are used beside it`,
		`{"dependentRequired":{"a":"b"}}`:                                   `parameters: `,
	} {
		_, err := Compile(value(t, schema))
		if err == nil || err.Error() != want && !(strings.HasSuffix(want, ": ") && strings.HasPrefix(err.Error(), want)) {
			t.Errorf("%s:\n got %v\nwant %s", schema, err, want)
		}
	}
}

// TestCompileBounds compiles what is too large in one way each.
func TestCompileBounds(t *testing.T) {
	nest := func(n int, open, in, end string) string {
		return strings.Repeat(open, n) + in + strings.Repeat(end, n)
	}
	many := func(n int, format, sep string) string {
		parts := make([]string, n)
		for i := range parts {
			parts[i] = strings.ReplaceAll(format, "%", fmt.Sprint(i))
		}
		return strings.Join(parts, sep)
	}
	for name, c := range map[string]struct{ schema, want string }{
		"deep":       {nest(10_000, `{"items":`, `{}`, `}`), "nested more than 64 deep"},
		"bytes":      {`{"description":"` + strings.Repeat("x", maxBytes) + `"}`, "bytes of schema, want at most"},
		"subschemas": {`{"properties":{` + many(5000, `"p%":{}`, ",") + `}}`, "more than 4096 subschemas"},
		"references": {`{"properties":{` + many(300, `"p%":{"$ref":"#/$defs/d%"}`, ",") + `},"$defs":{` + many(300, `"d%":{}`, ",") + `}}`, "more than 256 different references"},
		"searching": {`{"properties":{` + many(250, `"p%":{"$ref":"#/$defs/d/d/d/d/d/d%"}`, ",") + `},"$defs":{"d":{"d":{"d":{"d":{"d":{` +
			many(250, `"d%":{"description":"`+strings.Repeat("x", 700)+`"}`, ",") + `}}}}}}}`, "takes too long"},
		"names": {`{"$defs":{"a":{"properties":{` + many(3000, `"n%":{}`, ",") + `}}},"properties":{` +
			many(500, `"p%":{"minLength":1,"$ref":"#/$defs/a"}`, ",") + `}}`, "too many parameters at too many places"},
		"laughs": {`{"contains":{"$ref":"#/$defs/d0"},"$defs":{` + many(100, `"d%":{"anyOf":[{"$ref":"#/$defs/e%"},{"$ref":"#/$defs/e%"},{"type":"null"}]}`, ",") + `,` +
			func() string {
				parts := make([]string, 100)
				for i := range parts {
					parts[i] = fmt.Sprintf(`"e%d":{"allOf":[{"$ref":"#/$defs/d%d"},{"type":"string"}]}`, i, i+1)
				}
				return strings.Join(parts, ",")
			}() + `,"d100":{}}}`, "recursion and many references"},
	} {
		t.Run(name, func(t *testing.T) {
			// A schema that comes in a step is nested no deeper than a step may be.
			_, err := Compile(event.Value{Raw: []byte(c.schema), Form: event.Object})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
			if err != nil && len(err.Error()) > 500 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
		})
	}
	big := `{"properties":{"a":{"enum":[` + many(20_000, `"v%"`, ",") + `]}}}`
	s := compiled(t, big)
	var v Violations
	s.Validate(value(t, `{"a":"v19999"}`), &v)
	if len(v.Found) > 0 {
		t.Errorf("the last of many is refused: %v", v.Found)
	}
	s.Validate(value(t, `{"a":"w"}`), &v)
	if len(v.Found) != 1 || len(v.Found[0].Want) > 200 {
		t.Errorf("found %v", v.Found)
	}
}

// TestValidateIsBounded validates what would take ages to get through.
func TestValidateIsBounded(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 60) + "1" + strings.Repeat("}", 60)
	wide := `{"l":[` + strings.Repeat(`"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!",`, 500) + `""]}`
	for name, c := range map[string]struct {
		schema, args string
		unjudged     bool
	}{
		"branches that multiply": {`{"anyOf":[{"properties":{"a":{"$ref":"#"}},"required":["z"]},{"properties":{"a":{"$ref":"#"}},"required":["y"]},{"properties":{"a":{"$ref":"#"}},"required":["x"]}]}`, deep, true},
		"all of all":             {`{"allOf":[{"properties":{"a":{"$ref":"#"}}},{"properties":{"a":{"$ref":"#"}}},{"properties":{"a":{"$ref":"#"}}}]}`, deep, true},
		"backtracking":           {`{"properties":{"l":{"items":{"pattern":"^(a+)+$"}}}}`, wide, false},
		"a large pattern":        {`{"properties":{"l":{"items":{"pattern":"(a|b|c|d){200}$"}}}}`, wide, true},
		"many patterns":          {`{"properties":{"l":{"items":{"allOf":[` + strings.Repeat(`{"pattern":"(a|b|c){20}$"},`, 100) + `{}]}}}}`, wide, true},
		"many keys and patterns": {`{"patternProperties":{` + strings.Repeat(`"^(a|b|c){20}$":{},`, 1) + `"(x|y){50}":{}},"properties":{"l":{}}}`, `{` + strings.Repeat(`"`+strings.Repeat("a", 300)+`":1,`, 500) + `"l":1}`, true},
	} {
		s := compiled(t, c.schema)
		if len(s.Unjudged()) > 0 {
			t.Errorf("%s: not compiled", name)
		}
		var v Violations
		s.Validate(value(t, c.args), &v)
		if v.Unjudged != c.unjudged {
			t.Errorf("%s: unjudged is %v after %d of %d", name, v.Unjudged, v.budget, baseBudget+budgetPerByte*len(c.args))
		}
	}
}

func FuzzCompile(f *testing.F) {
	for _, c := range benches {
		f.Add(c[0], c[1])
	}
	f.Add(`{"$ref":"#/$defs/a","$defs":{"a":{"properties":{"a":{"$ref":"#"}}}}}`, `{"a":{"a":{}}}`)
	f.Add(`{"patternProperties":{"^a":{"not":{}}},"dependentSchemas":{"a":{"minProperties":2}}}`, `{"a":1,"b":null}`)
	f.Add(`{"oneOf":[{"unevaluatedItems":false},{"contains":{"multipleOf":0.1}}],"if":true,"else":{"const":null}}`, `{"a":[1e400,"\ud800"]}`)
	f.Fuzz(func(t *testing.T, schema, args string) {
		sv, err := event.JSONValue([]byte(schema))
		if err != nil {
			return
		}
		s, err := Compile(sv)
		if err != nil {
			return
		}
		av, err := event.JSONValue([]byte(args))
		if err != nil {
			return
		}
		var v, again Violations
		s.Validate(av, &v)
		s.Validate(av, &again)
		if fmt.Sprint(told(&v)) != fmt.Sprint(told(&again)) || v.More != again.More {
			t.Errorf("schema %s\nargs %s\n%q then %q", schema, args, told(&v), told(&again))
		}
		if len(v.path) != 0 && v.budget >= 0 {
			t.Errorf("schema %s\nargs %s\nleaves a path of %d", schema, args, len(v.path))
		}
	})
}
