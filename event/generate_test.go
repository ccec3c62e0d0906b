package event

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestDecodeAsTheModel draws events out of the model's table: every field, with
// right and wrong values, in any order, any of them twice.
func TestDecodeAsTheModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := drawStep(t)
		if rapid.IntRange(0, 9).Draw(t, "damage") == 0 {
			at := rapid.IntRange(0, len(b)-1).Draw(t, "at")
			b[at] = rapid.SampledFrom([]byte("\"\\{}[]:,0-.eu \n\x00\x1f\x7f\x80\xc2\xed\xff")).Draw(t, "byte")
		}
		checkAgainstModel(t, b)
	})
}

func drawSpace(t *rapid.T) string {
	return rapid.SampledFrom([]string{"", "", "", "", " ", "\t", "\n ", "\r"}).Draw(t, "space")
}

// drawer draws an event; clean ones hold nothing that is refused, nearly.
type drawer struct {
	*rapid.T
	clean bool
}

func drawStep(t *rapid.T) []byte {
	d := drawer{t, rapid.IntRange(0, 3).Draw(t, "clean") > 0}
	return d.group(stepRules(), true)
}

// what a kind has to have.
var needs = map[string][2]string{
	"system_message": {"text", `"be brief"`},
	"user_message":   {"text", `"a\n\u00e9"`},
	"agent_message":  {"text", `{"$hidden":{}}`},
	"context_added":  {"text", `""`},
	"model_call":     {"tools", `[{"name":"a"}]`},
	"tools_changed":  {"tools", `{"add":[],"remove":null}`},
	"plan_update":    {"plan", `{"items":[]}`},
	"tool_call":      {"call", `{"tool":"search","arguments":{"q":[1,{"a":null}]}}`},
	"tool_result":    {"result", `{"content":{"$hidden":{"mac":"x"}}}`},
	"approval":       {"approval", `{"granted":true}`},
	"escalation":     {"escalation", `{"to":"human"}`},
	"guardrail":      {"guardrail", `{"action":"blocked"}`},
	"handoff":        {"handoff", `{"to":"b"}`},
	"outcome":        {"outcome", `{"status":"success","scored_by":"check"}`},
	"feedback":       {"feedback", `{"failure_id":"00ff"}`},
}

func (d drawer) group(rules map[string]fieldRule, top bool) []byte {
	names := sortedKeys(rules)
	keys := rapid.SliceOfN(rapid.SampledFrom(append(names, "other", "", "i", "idd", "tool_", "Kind", "trajectory_ix", "id\x00")), 0, 9).Draw(d.T, "keys")
	kind := ""
	if top {
		kind = rapid.SampledFrom(kindNames[:]).Draw(d.T, "kind")
		keys = append(keys, "trajectory_id", "kind")
		if need := needs[kind][0]; need != "" {
			keys = append(keys, need)
		}
		keys = rapid.Permutation(keys).Draw(d.T, "order")
	}
	b := []byte("{" + drawSpace(d.T))
	for i, k := range keys {
		if i > 0 {
			b = append(b, ","+drawSpace(d.T)...)
		}
		b = append(b, drawQuoted(d.T, k)...)
		b = append(b, drawSpace(d.T)+":"+drawSpace(d.T)...)
		rule, known := rules[k]
		switch {
		case !known, !d.clean && rapid.IntRange(0, 19).Draw(d.T, "wrong") == 0:
			b = append(b, d.any()...)
		case k == "kind":
			b = append(b, drawQuoted(d.T, kind)...)
		case top && k == "trajectory_id":
			b = append(b, drawQuoted(d.T, "t\u00e91")...)
		case top && k == needs[kind][0] && rapid.Bool().Draw(d.T, "as needed"):
			b = append(b, needs[kind][1]...)
		default:
			b = append(b, d.right(rule)...)
		}
		b = append(b, drawSpace(d.T)...)
	}
	return append(b, '}')
}

// drawQuoted writes a text as JSON, with escapes where there need be none.
func drawQuoted(t *rapid.T, s string) string {
	if rapid.IntRange(0, 9).Draw(t, "escape") > 0 {
		return string(AppendString(nil, s))
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		if r < 0x10000 && rapid.Bool().Draw(t, "u") {
			fmt.Fprintf(&b, "\\u%04x", r)
		} else {
			q := AppendString(nil, string(r))
			b.Write(q[1 : len(q)-1])
		}
	}
	b.WriteByte('"')
	return b.String()
}

func (d drawer) text() string {
	texts := []string{"", "a", "t1", "search", "größe", "日本語", "\U0001f600", `say "no"`, "\u2028"}
	if d.clean {
		return rapid.SampledFrom(texts).Draw(d.T, "text")
	}
	if rapid.IntRange(0, 19).Draw(d.T, "long") == 0 {
		return strings.Repeat("x", rapid.SampledFrom([]int{255, 256, 257, 511, 512, 513}).Draw(d.T, "len"))
	}
	return rapid.OneOf(
		rapid.SampledFrom(append(texts, "\x00", "a\u0085", "\u007f", "line\nbreak")),
		rapid.String(),
	).Draw(d.T, "text")
}

// pick draws one, of the last few only for events that are not clean.
func (d drawer) pick(odd int, from ...string) string {
	if d.clean {
		from = from[:len(from)-odd]
	}
	return rapid.SampledFrom(from).Draw(d.T, "one")
}

func (d drawer) any() string {
	return d.pick(9, "null", "true", "false", "0", "-1", "2.50", "1e3", `""`, `"x"`, `"\ud800"`, "[]", "{}", `[1,"a",null]`,
		`{"a":{"b":[]}}`, `{"$hidden":{}}`, `{"$hidden":{"kid":"k","mac":"m=","len":3,"tokens":["t"]}}`, `{"$hidden":3}`,
		`{"$hidden":{},"x":1}`, `{"\u0024hidden":{"mac":null}}`, `{ "$hidden" : { "mac" : "\u006d" } }`,
		`{"$hidden":{"len":-1}}`, `{"$hidden":{"mac":1}}`,
		"nul", "01", "1.", "+1", "[1,]", `{"a":1,}`, `"\x"`, `"\u12g4"`, "")
}

func (d drawer) right(r fieldRule) string {
	hidden := []string{`{"$hidden":{}}`, `{"$hidden":{"kid":"k","mac":"m=","len":3,"tokens":["t"]}}`, `{ "\u0024hidden" : { "mac" : "\u006d" } }`}
	switch r.is {
	case aTool:
		if rapid.IntRange(0, 4).Draw(d.T, "hide") == 0 {
			return d.pick(3, append(hidden, `{"$hidden":{"len":-1}}`, `{"$hidden":{"mac":1}}`, `{"$hidden":{"mac":"\u0000"}}`)...)
		}
		return drawQuoted(d.T, d.text())
	case aName, aWord:
		return drawQuoted(d.T, d.text())
	case aText:
		if rapid.IntRange(0, 4).Draw(d.T, "hide") == 0 {
			return d.pick(2, append(hidden, "null", `{"$hidden":3}`, "[]")...)
		}
		return drawQuoted(d.T, d.text())
	case aTurn:
		return d.pick(0, `"r1"`, "4", "-0.5e2", `"\u0031"`, "null")
	case anEnum:
		return drawQuoted(d.T, rapid.SampledFrom(append([]string{"other", ""}, r.names...)).Draw(d.T, "name"))
	case anyForm:
		return d.any()
	case anArray:
		return d.pick(1, append(hidden, "[]", `[{"name":"a"}, {"role":"user" , "content":null}]`, "null", "{}")...)
	case anObject:
		return d.pick(2, append(hidden, "{}", `{"a":{"b":[1 , 2.0]},"a":null}`, "null", `"{}"`, "[]")...)
	case aTools:
		return d.pick(3, "[]", `[{"name":"a"}]`, `{"add":[{}],"remove":["a"]}`, `{"add":null}`, `{"remove":{"$hidden":{}}}`,
			`{"remove":[],"remove":null}`, "null", `{"$hidden":{"mac":"x"}}`, `{ "x" : 1 }`, `{}`, `{"add":{}}`, `{"add":3}`, "3")
	case aCount:
		return d.pick(3, "0", "5", "5.0", "50e-1", "-0", "9223372036854775807", "null", "123456789012345678", "1234567890123456789",
			"9223372036854775808", "5.5", "-1")
	case aVersion:
		return d.pick(2, "1", "1.0", "null", "1e0", "2", "0")
	case aFixed:
		return d.pick(3, "0", "1", "0.0000005", "0.00000049", "1.5e-3", "9223372036854.775807", "-0.0", "null", "0.875",
			"9223372036854775.8075", "-1", "-0.0005")
	case aFlag:
		return d.pick(0, "true", "false", "null")
	case aTime:
		return drawQuoted(d.T, d.pick(5, "2026-03-01T00:00:00Z", "2026-03-01T00:00:00.123456789+02:00", "1678-01-01T00:00:00Z",
			"2262-04-11T23:47:16.854775807Z", "2262-04-11T23:47:16.854775808Z", "1677-12-31T23:59:59Z", "2026-03-01T00:00:00",
			"2026-02-29T00:00:00Z", ""))
	default:
		return string(d.group(r.fields, false))
	}
}
