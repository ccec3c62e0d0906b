package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"
)

// schema is one of the JSON Schemas that ship, compiled and as it stands.
type schema struct {
	compiled *jsonschema.Schema
	tree     map[string]any
}

func loadSchema(t testing.TB, name string) schema {
	t.Helper()
	path := "../fixtures/schema/" + name + ".schema.json"
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(path, tree); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile(path)
	if err != nil {
		t.Fatal(err)
	}
	return schema{compiled, tree.(map[string]any)}
}

// validate gives why an instance is not valid.
func (s schema) validate(b []byte) error {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		return err
	}
	return s.compiled.Validate(v)
}

// paths lists what the schema names: call, call.tool, evidence[].seq.
func (s schema) paths() map[string]map[string]any {
	list := map[string]map[string]any{}
	s.collect(s.tree, "", list)
	return list
}

func (s schema) collect(node map[string]any, path string, list map[string]map[string]any) {
	node = s.resolve(node)
	props, _ := node["properties"].(map[string]any)
	for name, sub := range props {
		at := strings.TrimPrefix(path+"."+name, ".")
		list[at] = s.resolve(sub.(map[string]any))
		s.collect(sub.(map[string]any), at, list)
	}
	if items, ok := node["items"].(map[string]any); ok {
		s.collect(items, path+"[]", list)
	}
}

func (s schema) resolve(node map[string]any) map[string]any {
	ref, ok := node["$ref"].(string)
	if !ok {
		return node
	}
	return s.tree["$defs"].(map[string]any)[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any)
}

// pathsOf lists what a document holds, in the same terms.
func pathsOf(v any, path string, list map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		for name, sub := range v {
			at := strings.TrimPrefix(path+"."+name, ".")
			list[at] = true
			pathsOf(sub, at, list)
		}
	case []any:
		for _, e := range v {
			pathsOf(e, path+"[]", list)
		}
	}
}

func rulePaths(rules map[string]fieldRule, path string, list map[string]bool) {
	for name, r := range rules {
		at := strings.TrimPrefix(path+"."+name, ".")
		list[at] = true
		rulePaths(r.fields, at, list)
	}
}

func samePaths(t *testing.T, what string, got, want map[string]bool) {
	t.Helper()
	for _, p := range sortedKeys(got) {
		if !want[p] {
			t.Errorf("%s: %s is in the Go type only", what, p)
		}
	}
	for _, p := range sortedKeys(want) {
		if !got[p] {
			t.Errorf("%s: %s is in the schema only", what, p)
		}
	}
}

func keySet[V any](m map[string]V) map[string]bool {
	set := map[string]bool{}
	for k := range m {
		set[k] = true
	}
	return set
}

// The schema of a step names what the decoder reads, and the samples, which
// are valid, hold all of it.
func TestStepSchemaMembers(t *testing.T) {
	s := loadSchema(t, "step")
	model := map[string]bool{}
	rulePaths(stepRules(), "", model)
	samePaths(t, "step", model, keySet(s.paths()))

	arrived := map[string]bool{}
	var d Decoder
	var step Step
	for _, sample := range seedSteps(t) {
		if err := s.validate([]byte(sample)); err != nil {
			t.Errorf("%s\n%v", sample, err)
		}
		want, err := modelStep([]byte(sample))
		if err != nil {
			t.Fatal(err)
		}
		d.Reset([]byte(sample))
		if err := d.Next(&step); err != nil {
			t.Fatalf("%s\n%v", sample, err)
		}
		if diff := differences(want, &step); len(diff) > 0 {
			t.Errorf("%s\n%s", sample, diff)
		}
		maps.Copy(arrived, keySet(want))
	}
	samePaths(t, "samples", arrived, model)
}

// Of each member of a step, a value of another type is refused by both.
func TestStepSchemaTypes(t *testing.T) {
	s := loadSchema(t, "step")
	for path, node := range s.paths() {
		if path == "tools" || path == "result.content" || path == "kind" {
			continue // what they can be depends, or is anything
		}
		wrong := []string{"[]", "3.5", "true", `"x"`}
		switch types := fmt.Sprint(node["type"], node["anyOf"]); {
		case strings.Contains(types, "array"), path == "task.tools":
			wrong = wrong[1:]
		case path == "call.turn":
			wrong = []string{"[]", "true"}
		case strings.Contains(types, "number"):
			wrong = []string{"[]", "true", `"x"`}
		case strings.Contains(types, "boolean"):
			wrong = []string{"[]", "3.5", `"x"`}
		case path == "time" || path == "log_time" || path == "v":
		case strings.Contains(types, "string") || node["$ref"] != nil:
			wrong = wrong[:3]
		}
		for _, w := range wrong {
			inner := w
			for _, name := range slices.Backward(strings.Split(path, ".")) {
				inner = fmt.Sprintf("{%q:%s}", name, inner)
			}
			b := []byte(`{"trajectory_id":"t","kind":"x",` + inner[1:])
			if err := s.validate(b); err == nil {
				t.Errorf("the schema takes %s", b)
			}
			var d Decoder
			var step Step
			d.Reset(b)
			var refused *DecodeError
			if err := d.Next(&step); !errors.As(err, &refused) || !strings.HasPrefix(refused.Field, path) {
				t.Errorf("the decoder on %s: %v", b, err)
			}
		}
	}
}

// Without what its kind needs a step is refused by both.
func TestStepSchemaRequired(t *testing.T) {
	s := loadSchema(t, "step")
	for kind, need := range needs {
		good := `{"trajectory_id":"t","kind":"` + kind + `","` + need[0] + `":` + need[1] + `}`
		bad := []string{
			`{"trajectory_id":"t","kind":"` + kind + `"}`,
			`{"trajectory_id":"t","kind":"` + kind + `","` + need[0] + `":null}`,
			`{"trajectory_id":"","kind":"` + kind + `","` + need[0] + `":` + need[1] + `}`,
			`{"kind":"` + kind + `","` + need[0] + `":` + need[1] + `}`,
			`{"trajectory_id":"t","` + need[0] + `":` + need[1] + `}`,
		}
		if kind == "model_call" {
			bad = bad[2:]
		}
		for i, b := range append(bad, good) {
			var d Decoder
			var step Step
			d.Reset([]byte(b))
			inSchema, inDecoder := s.validate([]byte(b)), d.Next(&step)
			if ok := i == len(bad); (inSchema == nil) != ok || (inDecoder == nil) != ok {
				t.Errorf("%s\nschema: %v\ndecoder: %v", b, inSchema, inDecoder)
			}
		}
	}
}

// Whatever is drawn, schema and decoder agree, and what the encoder writes of
// it is valid, and reads as the same step.
func TestStepSchemaAgrees(t *testing.T) {
	s := loadSchema(t, "step")
	rapid.Check(t, func(t *rapid.T) {
		b := drawStep(t)
		var d Decoder
		var step, again Step
		d.Reset(b)
		err := d.Next(&step)
		if !bytes.Contains(b, []byte("$hidden")) && isSimple(b) {
			// Of lists, of what is hidden, of escapes and of equal names the schema
			// says more or less than the decoder looks at. A pattern does not know
			// how many days a month has.
			var refused *DecodeError
			badTime := errors.As(err, &refused) && strings.HasSuffix(refused.Field, "time") && refused.Reason == ReasonValue
			if invalid := s.validate(b); (invalid == nil) != (err == nil) && !badTime {
				t.Fatalf("%s\nschema: %v\ndecoder: %v", b, invalid, err)
			}
		}
		if err != nil {
			return
		}
		out := AppendStep(nil, &step)
		// What is inside a list or a hidden value is for those who read it.
		inside := slices.ContainsFunc([]string{`"tools":`, `"$hidden":3`, `"len":-1`, `"mac":1`}, func(odd string) bool {
			return bytes.Contains(out, []byte(odd))
		})
		if invalid := s.validate(out); invalid != nil && !inside {
			t.Fatalf("%s\n%v", out, invalid)
		}
		if bytes.ContainsAny(out, "\n\r") {
			t.Fatalf("%q is on many lines", out)
		}
		d.Reset(out)
		if err := d.Next(&again); err != nil {
			t.Fatalf("%s\n%v", out, err)
		}
		if twice := AppendStep(nil, &again); !bytes.Equal(out, twice) {
			t.Fatalf("%s\nis read and written as\n%s", out, twice)
		}
		sameContent(t, &step, &again)
	})
}

// isSimple reports whether a drawn event holds each name once, and no list that
// the decoder leaves to others.
func isSimple(b []byte) bool {
	if !json.Valid(b) || bytes.Contains(b, []byte(`"tools"`)) || bytes.Contains(b, []byte(`\u`)) || bytes.Contains(b, []byte("plan")) {
		return false
	}
	unique := func(b []byte) bool {
		members, err := membersOf(b)
		names := map[string]bool{}
		for _, m := range members {
			names[m.key] = true
		}
		return err == nil && len(names) == len(members)
	}
	members, _ := membersOf(b)
	for _, m := range members {
		if m.raw[0] == '{' && !unique(m.raw) {
			return false
		}
	}
	return unique(b)
}

// sameContent compares what belongs to the kind: that is what is written.
func sameContent(t *rapid.T, a, b *Step) {
	x, y := *a, *b
	for _, s := range []*Step{&x, &y} {
		s.Raw, s.Offset = nil, 0
		keep := *s
		*s = Step{}
		s.TrajectoryID, s.Tenant, s.ID, s.TaskID, s.Agent = keep.TrajectoryID, keep.Tenant, keep.ID, keep.TaskID, keep.Agent
		s.Parent, s.Workflow, s.Release, s.Model = keep.Parent, keep.Workflow, keep.Release, keep.Model
		s.Kind, s.Seq, s.Time, s.LogTime, s.Usage = keep.Kind, keep.Seq, keep.Time, keep.LogTime, keep.Usage
		switch s.Kind {
		case TaskStart:
			s.Task = keep.Task
		case ToolsChanged:
			s.Change = keep.Change
		case SystemMessage, UserMessage, AgentMessage:
			s.Text, s.Cut = keep.Text, keep.Cut
		case ContextAdded:
			s.Text, s.Cut, s.Source = keep.Text, keep.Cut, keep.Source
		case ModelCall:
			s.Text, s.Cut, s.ModelCall = keep.Text, keep.Cut, keep.ModelCall
		case PlanUpdate:
			s.Plan = keep.Plan
		case ToolCall:
			s.Call = keep.Call
		case ToolResult:
			s.Result = keep.Result
		case ContextCompacted:
			s.Compaction = keep.Compaction
		case ApprovalGiven:
			s.Approval = keep.Approval
		case Escalated:
			s.Escalation = keep.Escalation
		case GuardrailActed:
			s.Guardrail = keep.Guardrail
		case HandedOff:
			s.HandoffTo = keep.HandoffTo
		case TaskEnd, OutcomeGiven:
			s.Outcome = keep.Outcome
		case FeedbackGiven:
			s.Feedback = keep.Feedback
		}
		*s = *s.Clone()
		for _, text := range s.texts() {
			if len(*text) == 0 {
				*text = nil // an empty name is an absent one
			}
		}
		for _, v := range s.values() {
			if v.Form > String {
				v.Raw = compact(v.Raw)
			}
		}
	}
	if !reflect.DeepEqual(x, y) {
		t.Fatalf("%+v\nis written and read as\n%+v", x, y)
	}
}
