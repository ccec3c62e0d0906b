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
