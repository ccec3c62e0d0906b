package schema

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"misstep/event"
)

func compiled(t *testing.T, text string) *Schema {
	t.Helper()
	s, err := Compile(value(t, text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return s
}

// quietly gives the verdict of a schema when nothing else is asked for.
func quietly(s *Schema, args event.Value) bool {
	var v Violations
	v.budget = baseBudget + budgetPerByte*len(args.Raw)
	return v.trial(s.root, args, nil)
}

// told writes violations down: what String says of one, with * when coercible;
// an unknown parameter with its nearest, ! when strict, - when that is missing.
func told(v *Violations) []string {
	var lines []string
	for _, f := range v.Found {
		line := f.Keyword + ": " + f.String()
		if f.Coercible {
			line += " *"
		}
		lines = append(lines, line)
	}
	for _, u := range v.Unknown {
		line := fmt.Sprintf("unknown: %s (%s)", u.Path, u.Nearest)
		if u.Strict {
			line += " !"
		}
		if u.Missing {
			line += " -"
		}
		lines = append(lines, line)
	}
	return lines
}

func TestValidate(t *testing.T) {
	for _, c := range []struct {
		schema, args string
		want         []string
	}{
		// Types.
		{`{"type":"object"}`, `[1]`, []string{"type: the whole is an array, not an object"}},
		{`{"properties":{"n":{"type":"integer"}}}`, `{"n":1.50}`, []string{"type: n is a number, not an integer"}},
		{`{"properties":{"n":{"type":"integer"}}}`, `{"n":1.0}`, nil},
		{`{"properties":{"n":{"type":"integer"}}}`, `{"n":15e-1}`, []string{"type: n is a number, not an integer"}},
		{`{"properties":{"n":{"type":"integer"}}}`, `{"n":1234567890123456789012}`, nil},
		{`{"properties":{"n":{"type":["integer","string","null"]}},"required":["n"]}`, `{"n":[]}`, []string{"type: n is an array, not a string, an integer or null"}},
		{`{"properties":{"n":{"type":"NUMBER"}}}`, `{"n":"x"}`, []string{"type: n is a string, not a number"}},
		{`{"properties":{"n":false}}`, `{"n":1}`, []string{"false: n is not allowed"}},
		{`true`, `{"n":1}`, nil},
		{`false`, `{}`, []string{"false: the whole is not allowed"}},
		// Conversions without loss.
		{`{"properties":{"n":{"type":"integer","minimum":3}}}`, `{"n":" 5 "}`, []string{"type: n is a string, not an integer *"}},
		{`{"properties":{"n":{"type":"integer","minimum":3}}}`, `{"n":"2"}`, []string{"type: n is a string, not an integer"}},
		{`{"properties":{"n":{"type":"integer"}}}`, `{"n":"5.5"}`, []string{"type: n is a string, not an integer"}},
		{`{"properties":{"n":{"type":"integer"}}}`, `{"n":"\u0035.0"}`, []string{"type: n is a string, not an integer *"}},
		{`{"properties":{"n":{"type":"integer"}}}`, `{"n":"05"}`, []string{"type: n is a string, not an integer"}},
		{`{"properties":{"n":{"type":"number"}}}`, `{"n":"0x10"}`, []string{"type: n is a string, not a number"}},
		{`{"properties":{"n":{"type":"boolean"}}}`, `{"n":"True"}`, []string{"type: n is a string, not a boolean *"}},
		{`{"properties":{"n":{"type":"boolean"}}}`, `{"n":0}`, []string{"type: n is a number, not a boolean *"}},
		{`{"properties":{"n":{"type":"boolean"}}}`, `{"n":2}`, []string{"type: n is a number, not a boolean"}},
		{`{"properties":{"n":{"type":"string"}}}`, `{"n":12}`, []string{"type: n is a number, not a string *"}},
		{`{"properties":{"n":{"type":"string","enum":["12"]}}}`, `{"n":13}`, []string{"type: n is a number, not a string"}},
		{`{"properties":{"n":{"type":"string"}}}`, `{"n":false}`, []string{"type: n is a boolean, not a string *"}},
		{`{"properties":{"n":{"type":"string"}}}`, `{"n":{}}`, []string{"type: n is an object, not a string"}},
		{`{"properties":{"n":{"type":"array"}}}`, `{"n":"[1]"}`, []string{"type: n is a string, not an array"}},
		{`{"properties":{"n":{"anyOf":[{"type":"integer"},{"type":"null"}]}}}`, `{"n":"5"}`, []string{"type: n is a string, not an integer or null *"}},
		// Required, null and absent.
		{`{"properties":{"a":{"type":"string"},"b":{"type":"string"}},"required":["a"]}`, ``, []string{"required: a is missing"}},
		{`{"properties":{"a":{"type":"string"},"b":{"type":"string"}},"required":["a"]}`, `{"a":null,"b":null}`, []string{"type: a is null, not a string"}},
		{`{"properties":{"a":{"type":"string","nullable":true}},"required":["a"]}`, `{"a":null}`, nil},
		{`{"properties":{"a":{"type":"string","enum":["x"],"nullable":true}},"required":["a"]}`, `{"a":null}`, nil},
		{`{"properties":{"a":{"items":{"type":"string"}}}}`, `{"a":[null]}`, []string{"type: a[0] is null, not a string"}},
		{`{"required":["z"]}`, `{}`, []string{"required: z is missing"}},
		{`{"minProperties":1}`, `{"a":null}`, []string{"minProperties: the whole is not at least 1 member long"}},
		{`{"type":"object","properties":{"a":{"required":true,"type":"string"}}}`, `{}`, nil},
		// Texts of the other keywords.
		{`{"properties":{"s":{"minLength":3,"maxLength":1}}}`, `{"s":"éé"}`, []string{"minLength: s is not at least 3 characters long", "maxLength: s is not at most 1 character long"}},
		{`{"properties":{"s":{"maxLength":1}}}`, `{"s":"\ud83d\ude00"}`, nil},
		{`{"properties":{"s":{"pattern":"^a\u0009$"}}}`, `{"s":"b"}`, []string{`pattern: s is not of the form "^a\t$"`}},
		{`{"properties":{"s":{"pattern":"^[\\u4e00-\\u9fa5]+$"}}}`, `{"s":"天"}`, nil},
		{`{"properties":{"s":{"pattern":"^[\\u4e00-\\u9fa5]+$"}}}`, `{"s":"a"}`, []string{`pattern: s is not of the form "^[\\u4e00-\\u9fa5]+$"`}},
		{`{"properties":{"s":{"enum":["a","b\u001b",3,{"x":1}]}}}`, `{"s":"c"}`, []string{`enum: s is not one of "a", "b\x1b", 3, {"x":1}`}},
		{`{"properties":{"s":{"enum":["a","b",3,{"x":1.0,"y":2}]}}}`, `{"s":{"y":2,"x":1}}`, nil},
		{`{"properties":{"s":{"const":"\u0061"}}}`, `{"s":"b"}`, []string{`const: s is not "a"`}},
		{`{"properties":{"n":{"exclusiveMinimum":1,"maximum":2.5}}}`, `{"n":1}`, []string{"exclusiveMinimum: n is not more than 1"}},
		{`{"properties":{"n":{"minimum":1,"exclusiveMinimum":true}}}`, `{"n":1}`, []string{"minimum: n is not more than 1"}},
		{`{"properties":{"n":{"minimum":1,"exclusiveMinimum":false}}}`, `{"n":1}`, nil},
		{`{"properties":{"n":{"maximum":9007199254740993}}}`, `{"n":9007199254740994}`, []string{"maximum: n is not at most 9007199254740993"}},
		{`{"properties":{"n":{"multipleOf":0.01}}}`, `{"n":19.99}`, nil},
		{`{"properties":{"n":{"multipleOf":0.01}}}`, `{"n":19.999}`, []string{"multipleOf: n is not a multiple of 0.01"}},
		{`{"properties":{"l":{"minItems":1,"uniqueItems":true}}}`, `{"l":[]}`, []string{"minItems: l is not at least 1 element long"}},
		{`{"properties":{"l":{"maxItems":2,"uniqueItems":true}}}`, `{"l":[{"a":1,"b":2},0,{"b":2,"a":1.0}]}`, []string{"maxItems: l is not at most 2 elements long", "uniqueItems: l is not free of repeated elements"}},
		{`{"properties":{"l":{"items":[{"type":"string"}],"additionalItems":false}}}`, `{"l":["a",1]}`, []string{"false: l[1] is not allowed"}},
		{`{"properties":{"a":{"anyOf":[{"type":"string","minLength":2},{"type":"string","pattern":"^x"}]}}}`, `{"a":"b"}`, []string{"anyOf: a is not what one of its alternatives wants"}},
		{`{"properties":{"a":{"oneOf":[{"minLength":1},{"maxLength":2}]}}}`, `{"a":"b"}`, []string{"oneOf: a is not what exactly one of its alternatives wants"}},
		{`{"properties":{"a":{"anyOf":[{"type":"string","minLength":2},{"type":"null"}]}}}`, `{"a":"b"}`, []string{"minLength: a is not at least 2 characters long"}},
		{`{"properties":{"a":{"not":{"type":"string"}}}}`, `{"a":"b"}`, []string{"not: a is not allowed"}},
		{`{"properties":{"a":{}},"if":{"properties":{"a":{"const":1}}},"then":{"required":["b"]},"else":{"required":["c"]}}`, `{"a":2}`, []string{"required: c is missing"}},
		{`{"properties":{"a":{}},"dependentRequired":{"a":["b"]}}`, `{"a":2}`, []string{"dependentRequired: the whole is not what dependentRequired wants"}},
		{`{"properties":{"l":{"contains":{"type":"integer"}}}}`, `{"l":["x"]}`, []string{"contains: l is not what contains wants"}},
		{`{"properties":{"a":{},"b":{}},"dependencies":{"a":["b"]}}`, `{"a":2}`, []string{"dependencies: the whole is not what dependencies wants"}},
		{`{"$schema":"http://json-schema.org/draft-07/schema#","properties":{"a":{"format":"ipv4"},"b":{"const":1}},"dependencies":{"a":{"properties":{"b":{"minimum":5}}}}}`, `{"a":"x","b":1}`, []string{"minimum: b is not what minimum wants"}},
		{`{"properties":{"a":{"type":"string"}},"dependentRequired":{"a":["b"]}}`, `{"a":null}`, nil},
		{`{"properties":{"l":{"prefixItems":[{"type":"string"}],"unevaluatedItems":false}}}`, `{"l":["a",1]}`, []string{"unevaluatedItems: l[1] is not what unevaluatedItems wants"}},
		// Each keyword alone, and some where they stop each other from being looked at.
		{`{"properties":{"s":{"maxLength":1}}}`, `{"s":"ab"}`, []string{"maxLength: s is not at most 1 character long"}},
		{`{"properties":{"s":{"minLength":2}}}`, `{"s":"ééééé"}`, nil},
		{`{"properties":{"s":{"minLength":3}}}`, `{"s":"éé"}`, []string{"minLength: s is not at least 3 characters long"}},
		{`{"properties":{"s":{"maxLength":1,"pattern":"^b","enum":["c"]}}}`, `{"s":"aa"}`, []string{"maxLength: s is not at most 1 character long", `pattern: s is not of the form "^b"`, `enum: s is not "c"`}},
		{`{"properties":{"n":{"minimum":5,"exclusiveMinimum":3}}}`, `{"n":4}`, []string{"minimum: n is not at least 5"}},
		{`{"properties":{"n":{"minimum":3,"exclusiveMinimum":5}}}`, `{"n":4}`, []string{"exclusiveMinimum: n is not more than 5"}},
		{`{"properties":{"n":{"maximum":5,"exclusiveMaximum":5}}}`, `{"n":5}`, []string{"exclusiveMaximum: n is not less than 5"}},
		{`{"properties":{"n":{"minimum":1,"maximum":2}}}`, `{"n":1.5}`, nil},
		{`{"properties":{"n":{"minimum":2}}}`, `{"n":1.5}`, []string{"minimum: n is not at least 2"}},
		{`{"properties":{"n":{"maximum":1,"multipleOf":0.5}}}`, `{"n":1.6}`, []string{"maximum: n is not at most 1", "multipleOf: n is not a multiple of 0.5"}},
		{`{"properties":{"n":{"multipleOf":3}}}`, `{"n":9}`, nil},
		{`{"properties":{"n":{"multipleOf":3}}}`, `{"n":7}`, []string{"multipleOf: n is not a multiple of 3"}},
		{`{"properties":{"n":{"type":"boolean"}}}`, `{"n":0.5}`, []string{"type: n is a number, not a boolean"}},
		{`{"properties":{"n":{"type":"boolean"}}}`, `{"n":1}`, []string{"type: n is a number, not a boolean *"}},
		{`{"properties":{"n":{"type":"boolean"}}}`, `{"n":"FALSE"}`, []string{"type: n is a string, not a boolean *"}},
		{`{"properties":{"n":{"type":"boolean"}}}`, `{"n":"no"}`, []string{"type: n is a string, not a boolean"}},
		{`{"maxProperties":1}`, `{"a":1,"b":2}`, []string{"maxProperties: the whole is not at most 1 member long"}},
		{`{"maxProperties":1}`, `{"a":1,"a":2}`, nil},
		{`{"patternProperties":{"^x":{"type":"string"}}}`, `{"x":1,"x":"s","y":1}`, nil},
		{`{"patternProperties":{"^x":{"type":"string"},"y$":{"minLength":2}}}`, `{"xy":"s","xx":1}`, []string{"minLength: xy is not at least 2 characters long", "type: xx is a number, not a string *"}},
		{`{"patternProperties":{"^x":{"type":"string"},"y$":{}}}`, `{"xy":1}`, []string{"type: xy is a number, not a string *"}},
		{`{"properties":{"l":{"minItems":1}}}`, `{"l":[]}`, []string{"minItems: l is not at least 1 element long"}},
		{`{"properties":{"l":{"maxItems":1}}}`, `{"l":[1,2]}`, []string{"maxItems: l is not at most 1 element long"}},
		{`{"properties":{"l":{"uniqueItems":true}}}`, `{"l":[1,"1",2]}`, nil},
		{`{"properties":{"l":{"uniqueItems":true}}}`, `{"l":[1,"1",1.0]}`, []string{"uniqueItems: l is not free of repeated elements"}},
		{`{"properties":{"l":{"uniqueItems":true}}}`, `{"l":[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18]}`, nil},
		{`{"properties":{"l":{"uniqueItems":true}}}`, `{"l":[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,1]}`, []string{"uniqueItems: l is not free of repeated elements"}},
		{`{"properties":{"s":{"enum":["a","b","c","d","e","f","g","h","i","j"]}}}`, `{"s":"j"}`, nil},
		{`{"properties":{"a":{}},"if":{"required":["a"]},"then":{"maxProperties":0}}`, `{"a":2}`, []string{"maxProperties: the whole is not at most 0 members long"}},
		{`{"properties":{"a":{}},"if":{"required":["a"]},"then":{"maxProperties":0}}`, `{}`, nil},
		{`{"properties":{"a":{}},"if":{"required":["a"]},"else":{"minProperties":1}}`, `{}`, []string{"minProperties: the whole is not at least 1 member long"}},
		{`{"properties":{"a":{}},"if":{"required":["a"]},"else":{"minProperties":1}}`, `{"a":1}`, nil},
		{`{"properties":{"a":{"allOf":[{"minLength":3},{"pattern":"^x"}],"anyOf":[{"maxLength":1},{"pattern":"y"}],"oneOf":[{"minLength":1},{"minLength":2}],"not":{"const":"bb"},"if":{"minLength":1},"then":{"maxLength":0}}}}`, `{"a":"bb"}`, []string{
			"minLength: a is not at least 3 characters long", `pattern: a is not of the form "^x"`, "anyOf: a is not what one of its alternatives wants",
			"oneOf: a is not what exactly one of its alternatives wants", "not: a is not allowed", "maxLength: a is not at most 0 characters long",
		}},
		{`{"properties":{"a":{"oneOf":[true,{"type":"string"}]}}}`, `{"a":""}`, []string{"oneOf: a is not what exactly one of its alternatives wants"}},
		{`{"properties":{"a":{"oneOf":[true,{"type":"string"}]}}}`, `{"a":1}`, nil},
		{`{"properties":{"a":{"anyOf":[{"type":"string","nullable":true,"minLength":1},{"type":"integer"}]}},"required":["a"]}`, `{"a":null}`, nil},
		{`{"properties":{"a":{"anyOf":[{"$ref":"#/$defs/s","nullable":true},{"type":"integer"}]}},"required":["a"],"$defs":{"s":{"type":"string"}}}`, `{"a":null}`, nil},
		{`{"properties":{"a":{"properties":{"x":{}},"allOf":[{"required":["y"]}]}}}`, `{"a":{}}`, []string{"required: a.y is missing"}},
		{`{"properties":{"a":{"properties":{"x":{}},"enum":[{"x":1}]}}}`, `{"a":{"x":2}}`, []string{`enum: a is not {"x":1}`}},
		{`{"properties":{"a":{"properties":{"x":{}},"const":{"x":1}}}}`, `{"a":{"x":2}}`, []string{`const: a is not {"x":1}`}},
		{`{"properties":{"a":{"items":{},"enum":[[1]]}}}`, `{"a":[2]}`, []string{`enum: a is not [1]`}},
		{`{"properties":{"\\u0061":{"type":"null"},"a":{"type":"integer"}}}`, `{"\u0061":1}`, nil},
		{`{"properties":{"a":{"type":"array","properties":{"x":{"type":"string"}}}}}`, `{"a":{"x":1}}`, []string{"type: a is an object, not an array"}},
		{`{"properties":{"a":{"type":"object","items":{"type":"string"}}}}`, `{"a":[1]}`, []string{"type: a is an array, not an object"}},
		{`{"properties":{"a":{"items":{"type":"string"}}}}`, `{"a":{"x":1}}`, nil},
		{`{"properties":{"a":{"properties":{"x":{"type":"string"}}}}}`, `{"a":[1]}`, nil},
		{`{"properties":{"a":{"allOf":[{"minLength":3}],"if":true,"then":{"minLength":1}}}}`, `{"a":"bb"}`, []string{"minLength: a is not at least 3 characters long"}},
		{`{"allOf":[{"required":["a"]},{"minProperties":0}]}`, `{"a":1,"zzz":1}`, nil},
		{`{"required":["a"],"additionalProperties":{"type":"string"}}`, `{"a":1}`, []string{"type: a is a number, not a string *"}},
		{`{"required":["a"],"additionalProperties":false}`, `{"a":1}`, []string{"additionalProperties: a is not one of the declared properties"}},
		{`{"required":["a"],"additionalProperties":{"type":"string"},"patternProperties":{"b":{}}}`, `{"a":1,"ab":1}`, []string{"type: a is a number, not a string *"}},
		{`{"properties":{"a":{"type":"string"}},"patternProperties":{"b":{}}}`, `{"a":1,"b":1}`, []string{"type: a is a number, not a string *"}},
		{`{"properties":{"a":{"anyOf":[{"type":"string"},{"type":"integer"}]}},"required":["a"]}`, `{"a":null}`, []string{"type: a is null, not a string or an integer"}},
		// One of two with null, which is compiled to another form.
		{`{"properties":{"a":{"anyOf":[false,{"type":"null"}]}},"required":["a"]}`, `{"a":null}`, nil},
		{`{"properties":{"a":{"oneOf":[{"type":["string","null"]},{"type":"null"}]}},"required":["a"]}`, `{"a":null}`, []string{"oneOf: a is not what exactly one of its alternatives wants"}},
		{`{"properties":{"a":{"oneOf":[{"type":"null"},{"type":"string","minLength":2}]}},"required":["a"]}`, `{"a":null}`, nil},
		{`{"properties":{"a":{"oneOf":[{"type":"null"},{"type":"string","minLength":2}]}},"required":["a"]}`, `{"a":"x"}`, []string{"minLength: a is not at least 2 characters long"}},
		{`{"properties":{"a":{"oneOf":[{"type":"null"},{"type":"string"}]}},"required":["a"]}`, `{"a":[]}`, []string{"type: a is an array, not a string or null"}},
		{`{"properties":{"a":{"anyOf":[{"type":"null"},{"type":"string"}],"minLength":3}},"required":["a"]}`, `{"a":"x"}`, []string{"minLength: a is not at least 3 characters long"}},
		{`{"properties":{"a":{"anyOf":[{"type":"null"},{"type":"string"}],"allOf":[{"minLength":3}]}},"required":["a"]}`, `{"a":"x"}`, []string{"minLength: a is not at least 3 characters long"}},
		{`{"properties":{"a":{"anyOf":[{"type":"null"},{"type":"string"}],"$ref":"#/$defs/x"}},"required":["a"],"$defs":{"x":{"minLength":3}}}`, `{"a":"x"}`, []string{"minLength: a is not at least 3 characters long"}},
		{`{"properties":{"a":{"anyOf":[{"type":"null"},{"type":"string"},{"type":"integer"}]}},"required":["a"]}`, `{"a":1}`, nil},
		{`{"properties":{"a":{"anyOf":[{"type":"null"},true]}},"required":["a"]}`, `{"a":1}`, nil},
		{`{"properties":{"a":{"anyOf":[{"type":"null"},{"type":"array","contains":{"const":1}}]}},"required":["a"]}`, `{"a":[]}`, []string{"contains: a is not what contains wants"}},
		{`{"properties":{"a":{"anyOf":[{"type":"null"},{"type":"object","properties":{"x":{}},"allOf":[{"properties":{"y":{}}}]}]}}}`, `{"a":{"x":1,"y":1,"zzz":1}}`, []string{"unknown: a.zzz ()"}},
		// What stands beside a reference.
		{`{"properties":{"a":{"$ref":"#/$defs/x","type":"string"}},"$defs":{"x":{}}}`, `{"a":[]}`, []string{"type: a is an array, not a string"}},
		{`{"properties":{"a":{"$ref":"#/$defs/x","nullable":true}},"required":["a"],"$defs":{"x":{"type":"string"}}}`, `{"a":null}`, nil},
		{`{"properties":{"a":{"$ref":"#/$defs/x","contains":{"const":1}}},"$defs":{"x":{}}}`, `{"a":[]}`, []string{"contains: a is not what contains wants"}},
		{`{"properties":{"a":{"$ref":"#/$defs/x","additionalProperties":true}},"$defs":{"x":{"properties":{"y":{}}}}}`, `{"a":{"z":1}}`, nil},
		{`{"properties":{"a":{"$ref":"#/$defs/x","unevaluatedProperties":false}},"$defs":{"x":{"properties":{"y":{}}}}}`, `{"a":{"zzz":1}}`, []string{"unknown: a.zzz () !"}},
		{`{"properties":{"a":{"allOf":[{"properties":{"y":{}},"unevaluatedProperties":false}],"minProperties":0}}}`, `{"a":{"zzz":1}}`, []string{"unknown: a.zzz () !"}},
		{`{"properties":{"a":{"$ref":"#/$defs/x","not":{"const":1}}},"$defs":{"x":{}}}`, `{"a":1}`, []string{"not: a is not allowed"}},
		{`{"properties":{"a":{"$ref":"#/$defs/x","if":{"const":1},"then":false}},"$defs":{"x":{}}}`, `{"a":1}`, []string{"false: a is not allowed"}},
		{`{"properties":{"a":{"$ref":"#/$defs/x","enum":[2]}},"$defs":{"x":{}}}`, `{"a":1}`, []string{"enum: a is not 2"}},
		{`{"properties":{"a":{"$ref":"#/$defs/x","const":2}},"$defs":{"x":{}}}`, `{"a":1}`, []string{"const: a is not 2"}},
		{`{"properties":{"a":{"$ref":"#/$defs/x","minLength":2}},"$defs":{"x":{}}}`, `{"a":"1"}`, []string{"minLength: a is not at least 2 characters long"}},
		{`{"properties":{"a":{"$ref":"#/$defs/x","minimum":2}},"$defs":{"x":{}}}`, `{"a":1}`, []string{"minimum: a is not at least 2"}},
		{`{"properties":{"a":{"$ref":"#/$defs/x","required":["b"]}},"$defs":{"x":{}}}`, `{"a":{}}`, []string{"required: a.b is missing"}},
		{`{"properties":{"a":{"$ref":"#/$defs/x","minItems":1}},"$defs":{"x":{}}}`, `{"a":[]}`, []string{"minItems: a is not at least 1 element long"}},
		{`{"properties":{"a":{"$ref":"#/$defs/x","allOf":[{"type":"string"}]}},"$defs":{"x":{}}}`, `{"a":[]}`, []string{"type: a is an array, not a string"}},
		{`{"properties":{"a":{"allOf":[{"$ref":"#/$defs/x"}],"description":"d","default":null}},"$defs":{"x":{"type":"string"}}}`, `{"a":[]}`, []string{"type: a is an array, not a string"}},
		// Places.
		{nestedSchema, `{"user_id":"u","origin":"A","destination":"B","cabin":"first","flights":[{"flight_number":"H1","date":"d"},{"flight_number":5}],"passengers":[],"payment_methods":[],"total_baggages":0,"nonfree_baggages":0,"insurance":"no"}`, []string{
			`enum: cabin is not one of "basic_economy", "economy", "business"`,
			"type: flights[1].flight_number is a number, not a string *",
			"required: flights[1].date is missing",
		}},
		{`{"properties":{"a.b":{"properties":{"\u001b[2J":{"type":"null"}}}}}`, `{"a.b":{"\u001b[2J":1}}`, []string{`type: ["a.b"]["\x1b[2J"] is a number, not null`}},
		{`{"additionalProperties":{"additionalProperties":{"type":"string"}}}`, `{"x":{"y":[]}}`, []string{"type: x.y is an array, not a string"}},
		// Equal keys: the last counts.
		{`{"properties":{"a":{"type":"string"}}}`, `{"a":1,"a":"x"}`, nil},
		{`{"properties":{"a":{"type":"string"}}}`, `{"a":"x","\u0061":1}`, []string{"type: a is a number, not a string *"}},
		{`{"properties":{"a":{"type":"string"}},"required":["a"]}`, `{"a":null,"a":"x"}`, nil},
		{`{"properties":{"a":{"type":"string"}},"additionalProperties":{"type":"string"}}`, `{"b":1,"b":"x"}`, nil},
		{`{"additionalProperties":{"type":"string"}}`, `{"\u0062c":1,"b\u0063":"x"}`, nil},
		// Unknown parameters.
		{`{"properties":{"order_id":{"type":"string"},"note":{}},"required":["order_id"]}`, `{"orderId":"x"}`, []string{"unknown: orderId (order_id) -"}},
		{`{"properties":{"order_id":{"type":"string"},"note":{}},"required":["order_id"]}`, `{"order_id":"x","order_ids":"x","zzz":1}`, []string{"unknown: order_ids (order_id)", "unknown: zzz ()"}},
		{`{"properties":{"order_id":{}},"additionalProperties":false}`, `{"zzz":1}`, []string{"unknown: zzz () !"}},
		{`{"properties":{"order_id":{}},"additionalProperties":false}`, `{"zzz":null}`, nil},
		{`{"properties":{"order_id":{}},"additionalProperties":true}`, `{"zzz":1}`, nil},
		{`{"properties":{"order_id":{}},"additionalProperties":{}}`, `{"zzz":1}`, nil},
		{`{"properties":{"order_id":{}},"additionalProperties":{"type":"string"}}`, `{"zzz":1}`, []string{"type: zzz is a number, not a string *"}},
		{`{"properties":{"a":{}},"patternProperties":{"^x_":{"type":"string"}}}`, `{"x_1":1,"y_1":1}`, []string{"type: x_1 is a number, not a string *", "unknown: y_1 ()"}},
		{`{"properties":{"a":{"type":"string"}},"patternProperties":{"^a":{"minLength":2}}}`, `{"a":"x"}`, []string{"minLength: a is not at least 2 characters long"}},
		{`{"type":"object","properties":{}}`, `{"random_string":"x"}`, []string{"unknown: random_string ()"}},
		{`{"type":"object"}`, `{"random_string":"x"}`, nil},
		{`{"properties":{"o":{"type":"object","properties":{}}}}`, `{"o":{"free":1}}`, nil},
		{`{"properties":{"o":{"properties":{"in":{}}}}}`, `{"o":{"im":1}}`, []string{"unknown: o.im (in)"}},
		{`{"properties":{"a":{}},"required":["b"]}`, `{"b":1,"c":2}`, []string{"unknown: c ()"}},
		{`{"allOf":[{"properties":{"a":{}}},{"properties":{"b":{"type":"string"}}}]}`, `{"a":1,"b":"","c":1}`, []string{"unknown: c ()"}},
		{`{"allOf":[{"properties":{"a":{}},"additionalProperties":false},{"properties":{"bb":{}}}]}`, `{"bb":1,"cc":1}`, []string{"additionalProperties: bb is not one of the declared properties", "unknown: cc () !"}},
		{`{"anyOf":[{"properties":{"a":{}}},{"properties":{"b":{}},"additionalProperties":true}]}`, `{"c":1}`, nil},
		{`{"$ref":"#/$defs/x","$defs":{"x":{"properties":{"a":{}}}}}`, `{"abc":1}`, []string{"unknown: abc (a)"}},
		{`{"oneOf":[{"properties":{"k":{"const":"p"},"x":{}},"required":["k","x"],"additionalProperties":false},{"properties":{"k":{"const":"q"},"y":{}},"required":["k","y"],"additionalProperties":false}]}`, `{"k":"q","y":1,"wrong_name":1}`, []string{"unknown: wrong_name () !"}},
		{`{"properties":{"a":{"anyOf":[{"properties":{"in":{}},"required":["in"]},{"properties":{"on":{}},"required":["on"]}]}}}`, `{"a":{"on":1,"in_":1}}`, []string{"unknown: a.in_ (in)"}},
		{`{"properties":{"a":{}},"unevaluatedProperties":false}`, `{"zzz":1}`, []string{"unknown: zzz () !"}},
		{`{"properties":{"a":{}},"unevaluatedProperties":true}`, `{"zzz":1}`, nil},
		// Hidden values are not judged.
		{`{"properties":{"a":{"type":"string"},"b":{"type":"object","required":["x"]}}}`, `{"a":{"$hidden":{"mac":"x"}},"b":{"$hidden":{}}}`, nil},
		{`{"properties":{"a":{"type":"string"}},"dependentRequired":{"a":["b"]}}`, `{"a":{"$hidden":{"mac":"x"}}}`, nil},
		// References.
		{`{"$id":"https://x.example/s","$ref":"https://x.example/s#/$defs/a","$defs":{"a":{"properties":{"n":{"type":"null"}}}}}`, `{"n":1}`, []string{"type: n is a number, not null"}},
		{`{"properties":{"n":{"$ref":"#count"}},"definitions":{"c":{"$anchor":"count","type":"integer"}}}`, `{"n":true}`, []string{"type: n is a boolean, not an integer"}},
		{`{"properties":{"n":{"$ref":"#cnt"}},"definitions":{"x":{"allOf":[{"title":"x"},{"$id":"#cnt","type":"integer"}]}}}`, `{"n":true}`, []string{"type: n is a boolean, not an integer"}},
		{`{"properties":{"n":{"$dynamicRef":"#cnt"}},"definitions":{"x":{"$dynamicAnchor":"cnt","type":"integer"}}}`, `{"n":true}`, []string{"type: n is a boolean, not an integer"}},
		{`{"properties":{"n":{"$recursiveRef":"#"},"m":{"type":"integer"}}}`, `{"n":{"m":""}}`, []string{"type: n.m is a string, not an integer"}},
		{`{"properties":{"n":{"$ref":"#/$defs/no"}},"$defs":{"no":false}}`, `{"n":1}`, []string{"false: n is not allowed"}},
		{`{"properties":{"n":{"$ref":"#/$defs/yes"}},"$defs":{"yes":true}}`, `{"n":1}`, nil},
		{`{"properties":{"n":{"$ref":"#/properties/m%7E1/items/0"},"m/":{"items":[{"type":"integer"}]}}}`, `{"n":true}`, []string{"type: n is a boolean, not an integer"}},
		{`{"$schema":"http://json-schema.org/draft-07/schema#","properties":{"n":{"$ref":"#/definitions/c","minimum":5}},"definitions":{"c":{"type":"integer"}}}`, `{"n":1}`, nil},
		{`{"properties":{"n":{"$ref":"#/definitions/c","minimum":5}},"definitions":{"c":{"type":"integer"}}}`, `{"n":1}`, []string{"minimum: n is not at least 5"}},
		{`{"properties":{"tree":{"$ref":"#/$defs/node"}},"$defs":{"node":{"type":"object","properties":{"value":{"type":"integer"},"left":{"$ref":"#/$defs/node"}},"required":["value"]}}}`, `{"tree":{"value":1,"left":{"value":"x","left":{"value":3}}}}`, []string{"type: tree.left.value is a string, not an integer"}},
		// Catalogues that write out what is not there.
		{`{"type":"object","properties":{"a":{"type":"string","enum":null,"minLength":null,"items":null,"anyOf":null}},"required":null}`, `{"a":""}`, nil},
		{`{"properties":{"a":{"format":"date"}}}`, `{"a":"not a date"}`, nil},
		{`{"properties":{"a":{"pattern":"^(?!x)"}}}`, `{"a":"x"}`, nil},
	} {
		s := compiled(t, c.schema)
		var v Violations
		args := event.Value{}
		if c.args != "" {
			args = value(t, c.args)
		}
		s.Validate(args, &v)
		if got := told(&v); !slices.Equal(got, c.want) {
			t.Errorf("schema %s\nargs %s\n got %q\nwant %q", c.schema, c.args, got, c.want)
		}
		if args.Form != event.Absent && quietly(s, args) != valid(&v) {
			t.Errorf("schema %s\nargs %s: without report it is %v", c.schema, c.args, !valid(&v))
		}
		if judged := !strings.Contains(c.args, "$hidden"); v.Unjudged == judged {
			t.Errorf("schema %s\nargs %s: unjudged is %v", c.schema, c.args, v.Unjudged)
		}
	}
}
