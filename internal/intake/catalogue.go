package intake

import (
	"encoding/json"
	"strings"

	"misstep/event"
)

// catalogue gives the tools of a transcript as an array of ToolSpec, Absent
// where it names none. One tool that cannot be read makes the whole unknown:
// half a catalogue would make its other half look invented.
func (c *Chat) catalogue(t *transcript, path string) event.Value {
	given, field := t.Tools, "tools"
	if given == nil {
		given, field = t.Functions, "functions"
	}
	if given == nil {
		return event.Value{}
	}
	list := []byte("[")
	for i, raw := range given {
		if i > 0 {
			list = append(list, ',')
		}
		list = append(list, unwrapCustom(raw)...)
	}
	out := []byte("[")
	err := event.ParseTools(value(append(list, ']')), func(spec event.ToolSpec) error {
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = appendSpec(out, &spec)
		return nil
	})
	if err != nil {
		field += strings.TrimPrefix(err.Error(), "tools")
		at, why, _ := strings.Cut(field, ": ")
		_ = c.at(-1, path+at, ReasonType, "%s; the transcript is read as one whose tools are unknown", why)
		return event.Value{}
	}
	return value(append(out, ']'))
}

// unwrapCustom gives what a custom tool, which takes text rather than JSON, says
// of itself; any other tool as it is.
func unwrapCustom(raw json.RawMessage) json.RawMessage {
	var t struct {
		Custom json.RawMessage `json:"custom"`
	}
	if json.Unmarshal(raw, &t) == nil && value(t.Custom).Form == event.Object {
		return t.Custom
	}
	return raw
}

func appendSpec(b []byte, spec *event.ToolSpec) []byte {
	b = append(b, `{"name":`...)
	b = quoted(spec.Name).AppendJSON(b)
	if spec.Description.Present() {
		b = spec.Description.AppendJSON(append(b, `,"description":`...))
	}
	if spec.Parameters.Present() {
		b = spec.Parameters.AppendJSON(append(b, `,"parameters":`...))
	}
	if e := spec.Effect.String(); e != "" {
		b = append(append(append(b, `,"effect":"`...), e...), '"')
	}
	if spec.HasPolls && spec.Polls {
		b = append(b, `,"polls":true`...)
	} else if spec.HasPolls {
		b = append(b, `,"polls":false`...)
	}
	return append(b, '}')
}
