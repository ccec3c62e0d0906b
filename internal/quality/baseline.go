package quality

import (
	"bytes"

	"github.com/cespare/xxhash/v2"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"misstep/event"
)

// Baseline is a rule of one line, which costs nothing. What it finds is taken
// for any class.
type Baseline struct {
	Name  string
	Class string // the class that it is of use for; empty: all
	find  func(r *Run) []int
}

// Baselines gives all.
func Baselines() []Baseline {
	return []Baseline{
		{"every step", "", func(r *Run) []int { return r.where(isAct) }},
		{"any tool error", "tool_misuse", func(r *Run) []int { return r.where(func(s *Step) bool { return s.Failed }) }},
		{"schema check", "tool_misuse", func(r *Run) []int { return r.where(func(s *Step) bool { return s.Bad }) }},
		{"any error or schema", "tool_misuse", func(r *Run) []int { return r.where(func(s *Step) bool { return s.Failed || s.Bad }) }},
		{"unknown name", "hallucinated_tool", func(r *Run) []int { return r.where(func(s *Step) bool { return s.Odd }) }},
		{"unknown name or schema", "hallucinated_tool", func(r *Run) []int { return r.where(func(s *Step) bool { return s.Odd || s.Bad }) }},
		{"same call and result three times in thirty", "retry_loop", sameThrice},
		{"ten calls in a turn", "retry_loop", tenCalls},
		{"word overlap under .2", "pressure_drift", littleOverlap},
	}
}

func isAct(s *Step) bool {
	return s.Kind == event.ToolCall || s.Kind == event.AgentMessage || s.Kind == event.ModelCall
}

func (r *Run) where(fits func(s *Step) bool) []int {
	var out []int
	for i := range r.Steps {
		if fits(&r.Steps[i]) {
			out = append(out, i)
		}
	}
	return out
}

// sameThrice finds the result of a call that had the same result twice before,
// within thirty calls.
func sameThrice(r *Run) []int {
	const window, times = 30, 3
	type pair struct{ call, result uint64 }
	var last []pair
	var out []int
	for i := range r.Steps {
		s := &r.Steps[i]
		if s.Kind != event.ToolResult || s.Call == 0 {
			continue
		}
		p := pair{s.Call, s.Result}
		last = append(last, p)
		if len(last) > window {
			last = last[1:]
		}
		n := 0
		for _, q := range last {
			if p == q {
				n++
			}
		}
		if n >= times {
			out = append(out, i)
		}
	}
	return out
}

func tenCalls(r *Run) []int {
	n := 0
	var out []int
	for i := range r.Steps {
		switch r.Steps[i].Kind {
		case event.UserMessage:
			n = 0
		case event.ToolCall:
			if n++; n == 10 {
				out = append(out, i)
			}
		}
	}
	return out
}

// littleOverlap finds answers to the user that share few words with the answer
// before.
func littleOverlap(r *Run) []int {
	var before map[string]bool
	asked := false
	var out []int
	for i := range r.Steps {
		s := &r.Steps[i]
		switch s.Kind {
		case event.UserMessage:
			asked = true
		case event.AgentMessage:
			if asked && before != nil && overlap(before, s.Words) < 200 {
				out = append(out, i)
			}
			before, asked = s.Words, false
		}
	}
	return out
}

// catalogue is what a run was told of its tools, checked with a library of
// another author than the detectors'.
type catalogue struct {
	tools map[string]*jsonschema.Schema // nil where there is no schema
	cache schemas
}

// schemas are compiled ones by the hash of their text: runs share their tools.
type schemas map[uint64]*jsonschema.Schema

func (c schemas) compile(v event.Value) *jsonschema.Schema {
	h := xxhash.Sum64(v.Raw)
	s, ok := c[h]
	if !ok {
		s = compile(v)
		c[h] = s
	}
	return s
}

func (c *catalogue) add(tools event.Value) {
	_ = event.ParseTools(tools, func(t event.ToolSpec) error { // what comes before an error counts
		if c.tools == nil {
			c.tools = map[string]*jsonschema.Schema{}
		}
		c.tools[string(t.Name)] = c.cache.compile(t.Parameters)
		return nil
	})
}

func compile(v event.Value) *jsonschema.Schema {
	if v.Form != event.Object {
		return nil
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(v.Raw))
	if err != nil {
		return nil
	}
	k := jsonschema.NewCompiler()
	k.UseLoader(jsonschema.SchemeURLLoader{}) // nothing outside of the document
	if k.AddResource("tool.json", doc) != nil {
		return nil
	}
	s, err := k.Compile("tool.json")
	if err != nil {
		return nil
	}
	return s
}

// judge tells whether a call is of a name that is not there, and whether it
// breaks its schema.
func (c *catalogue) judge(tool string, args, raw event.Value) (odd, bad bool) {
	if c.tools == nil {
		return false, false
	}
	s, ok := c.tools[tool]
	if !ok {
		return true, false
	}
	if s == nil {
		return false, raw.Present()
	}
	if raw.Present() {
		return false, true
	}
	text := []byte("{}")
	if args.Form == event.Object {
		text = args.Raw
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	return false, err == nil && s.Validate(v) != nil
}
