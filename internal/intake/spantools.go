package intake

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"misstep/event"
)

// spanTools gives the tools that the spans of a trace name, as an array of
// ToolSpec: those that models were offered, and those that smolagents lists for
// its agents. Absent where no span says what there is, since a catalogue of
// what ran would make every call right.
func spanTools(all []*span) event.Value {
	specs := map[string]string{} // by name; "" where only the name is known
	ran := map[string]string{}   // what the tools that ran say of themselves
	known := false
	for _, s := range all {
		switch s.kind() {
		case "LLM":
			for i := 0; ; i++ {
				schema, ok := s.attrs["llm.tools."+strconv.Itoa(i)+".tool.json_schema"]
				if !ok {
					break
				}
				if name, spec := offered(schema); name != "" {
					specs[name], known = spec, true
				}
			}
		case "AGENT":
			if names, ok := s.attrs["smolagents.tools_names"]; ok {
				known = true
				listSmolagents(specs, s, names)
			}
		case "TOOL":
			if name := s.attrs["tool.name"]; name != "" && s.smolagents() {
				ran[name] = ranSpec(s)
			}
		}
	}
	if !known {
		return event.Value{}
	}
	b := []byte("[")
	for _, name := range sortedKeys(specs) {
		spec := specs[name]
		if spec == "" {
			spec = ran[name]
		}
		if spec == "" {
			spec = `{"name":` + string(event.AppendString(nil, name)) + `}`
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(b, spec...)
	}
	return event.Value{Form: event.Array, Raw: append(b, ']')}
}

// listSmolagents notes the tools that an agent of smolagents has: those that it
// lists, the agents that it manages, and for one that writes code its runner.
func listSmolagents(specs map[string]string, s *span, list string) {
	var names []string
	if json.Unmarshal([]byte(list), &names) != nil {
		return
	}
	for i := 0; ; i++ {
		name, ok := s.attrs["smolagents.managed_agents."+strconv.Itoa(i)+".name"]
		if !ok {
			break
		}
		names = append(names, name)
	}
	if strings.HasPrefix(s.name, "CodeAgent") {
		names = append(names, codeTool)
	}
	for _, n := range names {
		if _, ok := specs[n]; !ok && n != "" && len(n) <= event.MaxToolName {
			specs[n] = ""
		}
	}
}

// offered reads a tool as a model was offered it; no name when it is none.
func offered(schema string) (name, spec string) {
	v, err := event.JSONValue([]byte("[" + schema + "]"))
	if err != nil {
		return "", ""
	}
	err = event.ParseTools(v, func(t event.ToolSpec) error {
		name, spec = string(t.Name), string(appendSpec(nil, &t))
		return nil
	})
	if err != nil {
		return "", ""
	}
	return name, spec
}

// ranSpec makes a spec of what a tool of smolagents says of its inputs, where
// "any" is a type and what may be null need not be there.
func ranSpec(s *span) string {
	var inputs map[string]map[string]json.RawMessage
	text := s.attrs["tool.parameters"]
	if json.Unmarshal([]byte(text), &inputs) != nil {
		return ""
	}
	b := append([]byte(`{"name":`), event.AppendString(nil, s.attrs["tool.name"])...)
	if d := s.attrs["tool.description"]; d != "" {
		b = append(append(b, `,"description":`...), event.AppendString(nil, d)...)
	}
	b = append(b, `,"parameters":{"type":"object","properties":{`...)
	var required []byte
	for i, name := range keysInOrder(text) {
		if i > 0 {
			b = append(b, ',')
		}
		in := maps.Clone(inputs[name])
		nullable := string(in["nullable"]) == "true"
		if !nullable {
			if required != nil {
				required = append(required, ',')
			}
			required = event.AppendString(required, name)
		}
		if t := string(in["type"]); t == `"any"` || t == `"image"` || t == `"audio"` || nullable {
			delete(in, "type")
		}
		b = append(event.AppendString(b, name), ":{"...)
		for k, key := range sortedKeys(in) {
			if k > 0 {
				b = append(b, ',')
			}
			b = append(append(event.AppendString(b, key), ':'), in[key]...)
		}
		b = append(b, '}')
	}
	b = append(append(b, `},"required":[`...), required...)
	return string(append(b, "]}}"...))
}

// keysInOrder gives the keys of a JSON object as they stand.
func keysInOrder(text string) []string {
	v, err := event.JSONValue([]byte(text))
	if err != nil || v.Form != event.Object {
		return nil
	}
	var keys []string
	c := event.NewCursor(v)
	c.Enter()
	for c.More() {
		keys = append(keys, string(c.Key().AppendText(nil)))
		c.Skip()
	}
	return keys
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
