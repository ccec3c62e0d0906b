package intake

import (
	"bytes"
	"encoding/json"

	"misstep/event"
)

// value gives valid JSON text as a step holds it.
func value(raw []byte) event.Value {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return event.Value{}
	}
	switch raw[0] {
	case '"':
		raw = raw[1 : len(raw)-1]
		if bytes.IndexByte(raw, '\\') >= 0 {
			return event.Value{Form: event.Escaped, Raw: raw}
		}
		return event.Value{Form: event.String, Raw: raw}
	case '{':
		return event.Value{Form: event.Object, Raw: raw}
	case '[':
		return event.Value{Form: event.Array, Raw: raw}
	case 'n':
		return event.Value{Form: event.Null}
	case 't', 'f':
		return event.Value{Form: event.Bool, Raw: raw}
	}
	return event.Value{Form: event.Number, Raw: raw}
}

// quoted gives any text as a string value.
func quoted(text []byte) event.Value { return event.StringValue(string(text)) }

// text unescapes a JSON string; nil when raw is none.
func text(raw []byte) []byte {
	if v := value(raw); v.IsString() {
		return v.AppendText(nil)
	}
	return nil
}

// hasKey reports whether valid JSON is an object with the given member.
func hasKey(raw []byte, key string) bool {
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil {
		return false
	}
	_, ok := members[key]
	return ok
}

// blank is a step of a kind that says nothing more.
func blank(k event.Kind) event.Step {
	return event.Step{
		Kind: k, Seq: event.None, Time: event.None, LogTime: event.None,
		Cut:        event.Cut{Len: event.None},
		Call:       event.Call{Cut: event.Cut{Len: event.None}},
		Result:     event.Result{DurationMS: event.None, Cut: event.Cut{Len: event.None}},
		Task:       event.Task{MaxSteps: event.None, MaxCostMicroUSD: event.None, DeadlineMS: event.None},
		ModelCall:  event.ModelCallInfo{ContextTokens: event.None, DurationMS: event.None},
		Compaction: event.Compaction{TokensBefore: event.None, TokensAfter: event.None},
		Outcome:    event.Outcome{Score: event.None},
	}
}
