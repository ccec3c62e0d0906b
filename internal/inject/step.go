package inject

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// run is one trajectory.
type run struct {
	id      string
	steps   []*step
	dropped bool
}

// step is one step event, taken apart as far as it is changed.
type step struct {
	rest   map[string]json.RawMessage // the members that are not below
	kind   string
	id     string
	seq    int
	time   time.Time // zero: none
	gap    time.Duration
	text   *string
	call   *call
	result *result
	made   bool // planted
}

type call struct {
	rest map[string]json.RawMessage
	id   string
	tool string
	args map[string]any // json.Number for numbers; nil when there are none
}

type result struct {
	rest    map[string]json.RawMessage
	callID  string
	tool    string
	status  string
	content json.RawMessage
}

// parseStep reads a step event.
func parseStep(line []byte) (s *step, trajectory string, err error) {
	s = &step{}
	if err := json.Unmarshal(line, &s.rest); err != nil {
		return nil, "", err
	}
	take(s.rest, "trajectory_id", &trajectory)
	take(s.rest, "kind", &s.kind)
	take(s.rest, "id", &s.id)
	var at, text string
	if take(s.rest, "time", &at) {
		if s.time, err = time.Parse(time.RFC3339Nano, at); err != nil {
			return nil, "", fmt.Errorf("time: %w", err)
		}
	}
	if take(s.rest, "text", &text) {
		s.text = &text
	}
	delete(s.rest, "seq")
	delete(s.rest, "log_time")
	var c, r map[string]json.RawMessage
	if take(s.rest, "call", &c) {
		s.call = &call{rest: c}
		take(c, "id", &s.call.id)
		take(c, "tool", &s.call.tool)
		if raw, ok := c["arguments"]; ok {
			s.call.args = object(raw)
			if s.call.args != nil {
				delete(c, "arguments")
			}
		}
	}
	if take(s.rest, "result", &r) {
		s.result = &result{rest: r, content: r["content"]}
		take(r, "call_id", &s.result.callID)
		take(r, "tool", &s.result.tool)
		take(r, "status", &s.result.status)
		delete(r, "content")
	}
	return s, trajectory, nil
}

// take moves a member out, when it is of the right type.
func take[T any](m map[string]json.RawMessage, key string, to *T) bool {
	raw, ok := m[key]
	if !ok || json.Unmarshal(raw, to) != nil {
		return false
	}
	delete(m, key)
	return true
}

// object reads a JSON object and keeps its numbers as they are; nil when raw is
// none.
func object(raw []byte) map[string]any {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var m map[string]any
	if d.Decode(&m) != nil {
		return nil
	}
	return m
}

func (s *step) encode(b *bytes.Buffer, trajectory string) error {
	m := map[string]any{"trajectory_id": trajectory, "kind": s.kind, "v": 1, "seq": s.seq}
	for k, v := range s.rest {
		m[k] = v
	}
	if s.id != "" {
		m["id"] = s.id
	}
	if !s.time.IsZero() {
		m["time"] = s.time.UTC().Format(time.RFC3339Nano)
	}
	if s.text != nil {
		m["text"] = *s.text
	}
	if c := s.call; c != nil {
		in := map[string]any{"tool": c.tool}
		for k, v := range c.rest {
			in[k] = v
		}
		if c.id != "" {
			in["id"] = c.id
		}
		if c.args != nil {
			in["arguments"] = c.args
		}
		m["call"] = in
	}
	if r := s.result; r != nil {
		in := map[string]any{}
		for k, v := range r.rest {
			in[k] = v
		}
		for k, v := range map[string]string{"call_id": r.callID, "tool": r.tool, "status": r.status} {
			if v != "" {
				in[k] = v
			}
		}
		if r.content != nil {
			in["content"] = r.content
		}
		m["result"] = in
	}
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	return e.Encode(m)
}

// clone copies a run, so that the copy can be changed.
func (r *run) clone() *run {
	out := &run{id: r.id, steps: make([]*step, len(r.steps))}
	for i, s := range r.steps {
		c := *s
		if s.call != nil {
			k := *s.call
			k.args = cloneArgs(s.call.args)
			c.call = &k
		}
		if s.result != nil {
			k := *s.result
			c.result = &k
		}
		c.rest = make(map[string]json.RawMessage, len(s.rest))
		for k, v := range s.rest {
			c.rest[k] = v
		}
		out.steps[i] = &c
	}
	return out
}

func cloneArgs(m map[string]any) map[string]any {
	if m == nil {
		return nil
	}
	out := make(map[string]any, len(m))
	for k, v := range m {
		out[k] = cloneValue(v)
	}
	return out
}

func cloneValue(v any) any {
	switch v := v.(type) {
	case map[string]any:
		return cloneArgs(v)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = cloneValue(v[i])
		}
		return out
	}
	return v
}

// number gives the steps their order: seq, the ids of what was planted, and
// times that go on from the step before with the distances there were.
func (r *run) number() {
	var shift time.Duration
	var before time.Time
	last, n := "", 0
	for i, s := range r.steps {
		s.seq = i
		if !s.made {
			last, n = s.id, 0
			if !s.time.IsZero() {
				s.time = s.time.Add(shift)
				before = s.time
			}
			continue
		}
		if last != "" {
			n++
			s.id = last + "+" + strconv.Itoa(n)
		}
		if !before.IsZero() {
			s.time = before.Add(s.gap)
			before = s.time
			shift += s.gap
		}
	}
}

// clean reports whether a run can be planted in: it ended in success, no call of
// it failed, none was made twice, and each is of a tool and of parameters that
// there are.
func (r *run) clean() bool {
	ended := false
	seen := map[string]bool{}
	var task struct {
		Tools []struct {
			Name       string
			Parameters *schema
		}
	}
	tools := map[string]*schema{}
	for _, s := range r.steps {
		switch {
		case s.kind == "task_start" && json.Unmarshal(s.rest["task"], &task) == nil:
			for _, t := range task.Tools {
				tools[t.Name] = t.Parameters
			}
		case s.kind == "task_end" || s.kind == "outcome":
			var o struct{ Status string }
			take(map[string]json.RawMessage{"o": s.rest["outcome"]}, "o", &o)
			if o.Status != "success" {
				return false
			}
			ended = true
		case s.result != nil && s.result.status != "ok":
			return false
		case s.call != nil:
			b, _ := json.Marshal(s.call.args) // of maps, which always works
			key := s.call.tool + string(b)
			spec, known := tools[s.call.tool]
			if seen[key] || s.call.args == nil || len(tools) > 0 && !known || !spec.knows(s.call.args) {
				return false
			}
			seen[key] = true
		}
	}
	return ended && slices.ContainsFunc(r.steps, func(s *step) bool { return s.kind == "user_message" })
}

// schema is as much of a JSON Schema as tells which members there are.
type schema struct {
	Properties map[string]*schema
	Items      *schema
}

// knows reports whether a value has no member that the schema does not name.
func (c *schema) knows(v any) bool {
	if c == nil {
		return true
	}
	switch v := v.(type) {
	case map[string]any:
		for k, in := range v {
			sub, ok := c.Properties[k]
			if c.Properties != nil && (!ok || !sub.knows(in)) {
				return false
			}
		}
	case []any:
		for _, in := range v {
			if !c.Items.knows(in) {
				return false
			}
		}
	}
	return true
}
