package event

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestParseTools(t *testing.T) {
	for _, tt := range []struct{ json, want string }{
		{`[]`, ""},
		{`null`, ""},
		{`[{"name":"a"}]`, `a unset`},
		{`[{"name":"a","description":"d","parameters":{"type":"object"},"effect":"write","polls":true}]`, `a "d" {"type":"object"} write polls:true`},
		{`[{"name":"a","polls":false,"effect":"irreversible"},{"name":"b","effect":"other"}]`, `a irreversible polls:false; b unset`},
		{`[{"type":"function","function":{"name":"a","description":"d","parameters":{}}}]`, `a "d" {} unset`},
		{`[{"type":"function","function":{"name":"a"},"effect":"read","polls":true}]`, `a read polls:true`},
		{`[{"name":"a","input_schema":{"x":1}},{"name":"b","inputSchema":true}]`, `a {"x":1} unset; b true unset`},
		{`[{"type":"web_search"},{"type":"bash_1","name":"bash"}]`, `web_search unset; bash unset`},
		{`[{"name":"a","annotations":{"readOnlyHint":true,"destructiveHint":true}}]`, `a read`},
		{`[{"name":"a","annotations":{"destructiveHint":true}},{"name":"b","annotations":{"destructiveHint":false}}]`, `a irreversible; b write`},
		{`[{"name":"a","annotations":{"readOnlyHint":false}},{"name":"b","annotations":{"readOnlyHint":null}}]`, `a write; b unset`},
		{`[{"name":"a","effect":"read","annotations":{"destructiveHint":true}}]`, `a read`},
		{`[{"name":"a","annotations":"x","title":1}]`, `a unset`},
		{`[{"name":{"$hidden":{"mac":"m=="}}},{"name":{"$hidden":{}}}]`, `hidden m unset; hidden  unset`},
		{`[{"name":"a","description":{"$hidden":{}},"parameters":{"$hidden":{"mac":"m"}}}]`, `a {"$hidden":{}} {"$hidden":{"mac":"m"}} unset`},
		{`[{"name":"\u0061b"},{"n\u0061me":"c","description":null,"parameters":null,"effect":null,"polls":null}]`, `ab unset; c unset`},
		{`[{"name":"a","name":"b"}]`, `b unset`},
		{`{}`, "tools: want an array"},
		{`"x"`, "tools: want an array"},
		{`{"$hidden":{}}`, "the list is hidden"},
		{`[{"name":"a"},3]`, "a unset; tools[1]: want an object"},
		{`[{"$hidden":{}}]`, "tools[0]: want an object"},
		{`[{}]`, "tools[0].name: want the name of the tool, found none"},
		{`[{"type":"function"}]`, "tools[0].name: want the name of the tool, found none"},
		{`[{"name":""}]`, "tools[0].name: want the name of the tool, found none"},
		{`[{"name":3}]`, "tools[0].name: want a string"},
		{`[{"name":{"$hidden":{"mac":3}}}]`, "tools[0].name: want a string"},
		{`[{"name":"` + strings.Repeat("x", 257) + `"}]`, "tools[0].name: want at most 256 bytes, found 257"},
		{`[{"name":"a\n"}]`, "tools[0].name: want no control characters, found one"},
		{`[{"name":"a","description":3}]`, "tools[0].description: want a string"},
		{`[{"name":"a","parameters":"x"}]`, "tools[0].parameters: want a JSON Schema as an object"},
		{`[{"name":"a","inputSchema":[]}]`, "tools[0].inputSchema: want a JSON Schema as an object"},
		{`[{"name":"a","effect":true}]`, "tools[0].effect: want a string"},
		{`[{"name":"a","polls":"yes"}]`, "tools[0].polls: want true or false"},
	} {
		v, err := JSONValue([]byte(tt.json))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		err = ParseTools(v, func(s ToolSpec) error {
			b := string(s.Name)
			if s.NameHidden {
				b = "hidden " + b
			}
			for _, v := range []Value{s.Description, s.Parameters} {
				if v.Form != Absent {
					b += " " + string(v.AppendJSON(nil))
				}
			}
			if s.Effect == EffectUnset {
				b += " unset"
			} else {
				b += " " + s.Effect.String()
			}
			if s.HasPolls {
				b += fmt.Sprint(" polls:", s.Polls)
			}
			if !strings.Contains(tt.json, string(s.Raw)) || s.Raw[0] != '{' {
				t.Errorf("Raw is %s", s.Raw)
			}
			got = append(got, b)
			return nil
		})
		if err != nil {
			got = append(got, err.Error())
		}
		if strings.Join(got, "; ") != tt.want {
			t.Errorf("%s\n got %s\nwant %s", tt.json, strings.Join(got, "; "), tt.want)
		}
	}
	stop := errors.New("stop")
	v, _ := JSONValue([]byte(`[{"name":"a"},{"name":"b"}]`))
	n := 0
	if err := ParseTools(v, func(ToolSpec) error { n++; return stop }); err != stop || n != 1 {
		t.Errorf("%v after %d", err, n)
	}
}

func TestStrings(t *testing.T) {
	for _, tt := range []struct{ json, want string }{
		{`null`, ""},
		{`[]`, ""},
		{`["a","\u0062c",""]`, "a|bc|"},
		{`["a",{"$hidden":{"mac":"m="}}]`, "a|m"},
		{`["a",3]`, "a|[1]: want a string"},
		{`[{"$hidden":{"mac":1}}]`, "[0]: want a string, found a broken hidden value"},
		{`{}`, "want an array of strings"},
		{`{"$hidden":{}}`, "the list is hidden"},
	} {
		v, _ := JSONValue([]byte(tt.json))
		var got []string
		if err := Strings(v, func(s []byte) error { got = append(got, string(s)); return nil }); err != nil {
			got = append(got, err.Error())
		}
		if strings.Join(got, "|") != tt.want {
			t.Errorf("%s: got %q, want %q", tt.json, got, tt.want)
		}
	}
}
