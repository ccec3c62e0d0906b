package detect

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"misstep/event"
	"misstep/internal/gen"
	"misstep/stream"
)

// offer is one call of a tool, with the tools that the agent was offered.
type offer struct {
	tools json.RawMessage
	names []string
	tool  string
	args  map[string]json.RawMessage
	spec  spec
}

type spec struct {
	Name       string `json:"name"`
	Parameters *struct {
		Properties map[string]struct {
			Type string            `json:"type"`
			Enum []json.RawMessage `json:"enum"`
		} `json:"properties"`
		Required []string `json:"required"`
	} `json:"parameters"`
}

// step is what of a step event the test reads.
type step struct {
	Trajectory string `json:"trajectory_id"`
	Kind       string `json:"kind"`
	Task       struct {
		Tools json.RawMessage `json:"tools"`
	} `json:"task"`
	Call struct {
		Tool      string          `json:"tool"`
		Arguments json.RawMessage `json:"arguments"`
	} `json:"call"`
}

// offers reads calls out of step events whose tools have schemas.
func offers(t *testing.T, r io.Reader, most int) []offer {
	t.Helper()
	tools := map[string]json.RawMessage{}
	var out []offer
	in := bufio.NewScanner(r)
	in.Buffer(nil, 1<<20)
	for in.Scan() && len(out) < most {
		var s step
		if err := json.Unmarshal(in.Bytes(), &s); err != nil {
			t.Fatal(err)
		}
		if s.Kind == "task_start" && s.Task.Tools != nil {
			tools[s.Trajectory] = s.Task.Tools
		}
		if s.Kind != "tool_call" || tools[s.Trajectory] == nil {
			continue
		}
		o := offer{tools: tools[s.Trajectory], tool: s.Call.Tool, args: map[string]json.RawMessage{}}
		var specs []spec
		if err := json.Unmarshal(o.tools, &specs); err != nil {
			t.Fatal(err)
		}
		for _, sp := range specs {
			o.names = append(o.names, sp.Name)
			if sp.Name == o.tool {
				o.spec = sp
			}
		}
		if o.spec.Parameters == nil || len(o.spec.Parameters.Properties) == 0 {
			continue
		}
		if s.Call.Arguments != nil {
			if err := json.Unmarshal(s.Call.Arguments, &o.args); err != nil {
				t.Fatal(err)
			}
		}
		out = append(out, o)
	}
	return out
}

// found runs one call as a trajectory of its own and gives rule and severity of
// each failure that opened.
func found(t *testing.T, o *offer, tool string, args map[string]json.RawMessage) map[string]event.Severity {
	t.Helper()
	call, err := json.Marshal(map[string]any{
		"trajectory_id": "t", "kind": "tool_call", "call": map[string]any{"id": "c", "tool": tool, "arguments": args},
	})
	if err != nil {
		t.Fatal(err)
	}
	start := fmt.Sprintf(`{"trajectory_id":"t","kind":"task_start","task":{"tools":%s}}`, o.tools)
	out := map[string]event.Severity{}
	for _, o := range run(t, []stream.Record{{Time: stream.NoTime, Value: []byte(start)}, {Time: stream.NoTime, Value: call}}, 1, 64) {
		if f, ok := o.Record.(*event.Failure); ok && f.State == event.StateOpen {
			for _, r := range f.Rules {
				out[r] = max(out[r], f.Severity)
			}
		}
	}
	return out
}

// mutation changes a call; ok is false where it does not apply.
type mutation struct {
	name   string
	want   []string // any one of these rules, and no other
	change func(r *rand.Rand, o *offer, args map[string]json.RawMessage) (tool string, ok bool)
}

var mutations = []mutation{
	{"renamed", []string{"misspelt_tool", "invented_tool"}, func(r *rand.Rand, o *offer, _ map[string]json.RawMessage) (string, bool) {
		verbs := []string{"fetch", "perform", "execute", "handle", "do"}
		_, rest, ok := strings.Cut(o.tool, "_")
		return verbs[r.IntN(len(verbs))] + "_" + rest, ok
	}},
	{"misspelt", []string{"misspelt_tool"}, func(r *rand.Rand, o *offer, _ map[string]json.RawMessage) (string, bool) {
		i := r.IntN(len(o.tool))
		switch r.IntN(3) {
		case 0:
			return o.tool[:i] + o.tool[i+1:], o.tool[i] != '_'
		case 1:
			return o.tool[:i] + "q" + o.tool[i:], true
		}
		return o.tool[:i] + "z" + o.tool[i+1:], o.tool[i] != 'z' && o.tool[i] != 'Z' && o.tool[i] != '_'
	}},
	{"invented", []string{"invented_tool", "misspelt_tool"}, func(r *rand.Rand, _ *offer, _ map[string]json.RawMessage) (string, bool) {
		words := []string{"teleport", "quantum", "zebra", "harvest", "galaxy", "whisper", "oracle", "verify", "loyalty"}
		return words[r.IntN(len(words))] + "_" + words[r.IntN(len(words))], true
	}},
	{"dropped", []string{"schema_violation"}, func(r *rand.Rand, o *offer, args map[string]json.RawMessage) (string, bool) {
		var given []string
		for _, p := range o.spec.Parameters.Required {
			if args[p] != nil {
				given = append(given, p)
			}
		}
		if len(given) == 0 {
			return "", false
		}
		delete(args, given[r.IntN(len(given))])
		return o.tool, true
	}},
	{"wrong type", []string{"schema_violation"}, func(r *rand.Rand, o *offer, args map[string]json.RawMessage) (string, bool) {
		for _, p := range slices.Sorted(maps.Keys(args)) {
			switch o.spec.Parameters.Properties[p].Type {
			case "string", "number", "integer", "boolean":
				args[p] = json.RawMessage([]string{`{"value":1}`, `["x"]`}[r.IntN(2)])
				return o.tool, true
			case "array", "object":
				args[p] = json.RawMessage([]string{`"x"`, `7`, `true`}[r.IntN(3)])
				return o.tool, true
			}
		}
		return "", false
	}},
	{"extra parameter", []string{"unknown_parameter"}, func(r *rand.Rand, o *offer, args map[string]json.RawMessage) (string, bool) {
		name := []string{"priority", "verbose_mode", "requested_by", "dry", "locale_hint"}[r.IntN(5)]
		_, known := o.spec.Parameters.Properties[name]
		args[name] = json.RawMessage(`"x"`)
		return o.tool, !known
	}},
	{"aliased", []string{"alias_tool"}, func(r *rand.Rand, o *offer, _ map[string]json.RawMessage) (string, bool) {
		words := strings.Split(o.tool, "_")
		camel := words[0]
		for _, w := range words[1:] {
			camel += strings.ToUpper(w[:1]) + w[1:]
		}
		alias := []string{
			camel, strings.ReplaceAll(o.tool, "_", "-"), strings.ToUpper(o.tool),
			"functions." + o.tool, "mcp__shop__" + o.tool, strings.ReplaceAll(o.tool, "_", "."),
		}[r.IntN(6)]
		return alias, true
	}},
}

// TestMutatedCalls mutates calls that are right in every way a model gets them
// wrong, and demands that each is found as what it is, that nothing else is
// found, and nothing in the calls as they were. Calls that were recorded from
// real agents are used where MISSTEP_DATA names a folder of them.
func TestMutatedCalls(t *testing.T) {
	g := gen.New(gen.Options{Seed: 3, Trajectories: 50, Steps: 6000, LoopPerMille: -1})
	pr, pw := io.Pipe()
	go func() {
		_, err := g.WriteTo(pw)
		pw.CloseWithError(err)
	}()
	sources := map[string][]offer{"generated": offers(t, pr, 400)}
	pr.Close()
	if dir := os.Getenv("MISSTEP_DATA"); dir != "" {
		for _, name := range []string{"tau-bench", "agentrx"} {
			f, err := os.Open(filepath.Join(dir, name, "steps.jsonl.gz"))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			z, err := gzip.NewReader(f)
			if err != nil {
				t.Fatal(err)
			}
			sources[name] = offers(t, z, 1000)
		}
	}
	for name, calls := range sources {
		t.Run(name, func(t *testing.T) { mutate(t, calls) })
	}
}

func mutate(t *testing.T, calls []offer) {
	const wanted = 1000
	r := rand.New(rand.NewPCG(1, 2))
	clean := slices.DeleteFunc(slices.Clone(calls), func(o offer) bool {
		return len(found(t, &o, o.tool, o.args)) > 0 // a few recorded calls are wrong as they are
	})
	t.Logf("%d of %d calls are right as they are", len(clean), len(calls))
	if len(clean)*100 < len(calls)*97 {
		t.Fatalf("found something in %d of %d calls that are right", len(calls)-len(clean), len(calls))
	}
	seen, tries := map[string]int{}, 0
	for n := 0; n < wanted; {
		m := mutations[n%len(mutations)]
		o := clean[r.IntN(len(clean))]
		args := maps.Clone(o.args)
		tool, ok := m.change(r, &o, args)
		if !ok || slices.Contains(o.names, tool) && maps.EqualFunc(args, o.args, slices.Equal) {
			if tries++; tries > 100*wanted {
				t.Fatalf("%s does not apply", m.name)
			}
			continue // not applicable, or the call is right still
		}
		n++
		seen[m.name]++
		got := found(t, &o, tool, args)
		hit := false
		for rule, s := range got {
			if !slices.Contains(m.want, rule) {
				t.Errorf("%s: %s(%s) as %s: found %s", m.name, o.tool, keys(args), tool, rule)
			}
			hit = hit || slices.Contains(m.want, rule)
			if rule == "alias_tool" && s != event.Info {
				t.Errorf("alias %s of %s is at %s", tool, o.tool, s)
			}
		}
		if !hit {
			t.Errorf("%s: %s(%s) as %s: not found, got %v", m.name, o.tool, keys(args), tool, got)
		}
	}
	t.Logf("mutations: %v", seen)
}

func keys(args map[string]json.RawMessage) string {
	return strings.Join(slices.Sorted(maps.Keys(args)), ",")
}
