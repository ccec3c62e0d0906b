package intake

import (
	"strings"
	"testing"
)

func TestRecognise(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     Format
		found    string
	}{
		{"step", `{"trajectory_id":"a","kind":"user_message"}`, Steps, ""},
		{"step cut", `{"v":1,"kind":"user_message","text":"to be con`, Steps, ""},
		{"packed steps", `[{"trajectory_id":"a","kind":"x"}]`, Steps, ""},
		{"array over lines", "[\n  {\n    \"kind\": \"x\"", Steps, ""},
		{"broken first line", "{\"trajecto\n{\"kind\":\"x\"}\n", Steps, ""},
		{"byte order mark", "\xef\xbb\xbf{\"kind\":\"x\"}", Steps, ""},
		{"transcript", `{"id":"a","tools":[{"kind":"x"}],"messages":[`, OpenAI, ""},
		{"messages", `[{"role":"user","content":"kind"`, OpenAI, ""},
		{"transcripts", "[\n {\"id\": 1, \"messages\": [", OpenAI, ""},
		{"traces", `{"resourceSpans":[{"resource":`, Traces, ""},
		{"escaped quote", `{"a":"\"kind\":","messages":[]}`, OpenAI, ""},
		{"key in a value", `{"a":["kind","messages"],"b":"kind"}`, "", `an object with "a", "b"`},
		{"key inside", `{"a":{"kind":1,"messages":2}}`, "", `an object with "a"`},
		{"results", `{"trajectory_id":"a","success":true}`, "", `an object with "trajectory_id", "success"`},
		{"many keys", `{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1}`, "", `an object with "a", "b", "c", "d", "e", "f", ...`},
		{"array", `[{"a":1},{"kind":2}]`, "", `an array of objects with "a"`},
		{"numbers", `[1,2]`, "", "an array without objects"},
		{"empty object", `{}`, "", "an object without members"},
		{"text", "hello\nworld", "", "no JSON object"},
		{"nothing", " \n", "", "nothing"},
		{"hostile key", `{"` + strings.Repeat("x", 1000) + `\u001b[31m":1}`, "", `an object with "` + strings.Repeat("x", 39) + "..."},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, found, ok := Recognise([]byte(c.in))
			if got != c.want || ok != (c.want != "") || c.want == "" && found != c.found {
				t.Errorf("%q: %q, %q, %v; want %q, %q", c.in, got, found, ok, c.want, c.found)
			}
		})
	}
}
