package detectors

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"misstep/detectors/facts"
	"misstep/event"
)

var update = flag.Bool("update", false, "rewrite the expectations of the scenarios with what comes out")

// scenarioCases are what the scenario file of each rule holds.
var scenarioCases = []string{"fires", "nearly", "lookalike", "out_of_order", "idle_end"}

// TestScenarios runs every case of every file under fixtures/scenarios and
// compares what comes out with the expectation that stands beside the steps.
func TestScenarios(t *testing.T) {
	files, err := filepath.Glob("../fixtures/scenarios/*/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(strings.TrimPrefix(filepath.ToSlash(file), "../fixtures/scenarios/"), ".txtar"), func(t *testing.T) {
			runScenario(t, file)
		})
	}
}

// TestScenariosComplete checks that each rule has a scenario file with all
// cases, and each file a rule.
func TestScenariosComplete(t *testing.T) {
	want := map[string]bool{}
	for _, d := range All() {
		for _, r := range d.Rules {
			file := filepath.Join("../fixtures/scenarios", d.Name, r.Name+".txtar")
			want[file] = true
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Errorf("rule %s: %v", r.Name, err)
				continue
			}
			for _, c := range scenarioCases {
				if !slices.ContainsFunc(a.Files, func(f txtar.File) bool { return f.Name == c+"/steps.jsonl" }) {
					t.Errorf("%s: case %q is missing", file, c)
				}
			}
			if fires := part(a, "fires/want"); !strings.Contains(fires, r.Name) {
				t.Errorf("%s: case fires does not fire %s", file, r.Name)
			}
			for _, c := range []string{"nearly", "lookalike"} {
				if quiet := part(a, c+"/want"); strings.Contains(quiet, r.Name+" ") || strings.Contains(quiet, r.Name+"+") {
					t.Errorf("%s: case %s fires %s", file, c, r.Name)
				}
			}
		}
	}
	files, _ := filepath.Glob("../fixtures/scenarios/*/*.txtar")
	for _, f := range files {
		if !want[filepath.FromSlash(f)] && !strings.HasPrefix(filepath.Base(f), "_") {
			t.Errorf("%s: belongs to no rule", f)
		}
	}
}

func part(a *txtar.Archive, name string) string {
	for _, f := range a.Files {
		if f.Name == name {
			return string(f.Data)
		}
	}
	return ""
}

func runScenario(t *testing.T, file string) {
	a, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	changed := false
	for i := 0; i < len(a.Files); i++ {
		name, ok := strings.CutSuffix(a.Files[i].Name, "/steps.jsonl")
		if !ok {
			continue
		}
		outs := replay(t, scenarioConfig(t, part(a, name+"/tools")), a.Files[i].Data)
		got := map[string]string{"/want": render(t, outs)}
		if part(a, name+"/told") != "" || name == "fires" {
			got["/told"] = told(outs)
		}
		if part(a, name+"/task") != "" {
			got["/task"] = records(outs)
		}
		for _, kind := range []string{"/told", "/task", "/want"} {
			text, ok := got[kind]
			if !ok {
				continue
			}
			j := slices.IndexFunc(a.Files, func(f txtar.File) bool { return f.Name == name+kind })
			if *update {
				if j < 0 {
					a.Files = slices.Insert(a.Files, i+1, txtar.File{Name: name + kind})
					j = i + 1
				}
				a.Files[j].Data = []byte(text)
				changed = true
				continue
			}
			if want := part(a, name+kind); text != want {
				t.Errorf("%s: case %s%s\ngot:\n%swant:\n%s", file, name, kind, text, want)
			}
		}
	}
	if changed {
		if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// scenarioConfig reads the operator's configuration of a case: a line for each
// tool, its name and then polls, effect=EFFECT or volatile=PARAM; a line that
// begins with budgets and sets calls=N, per_tool=N, cost=MICROUSD or runaway=N; and lines
// of the form rule DETECTOR NAME off, or most=SEVERITY. Lines that begin with
// policy, suppress, feedback (RULE right=N wrong=N) and observe (DAY) are those
// of the configuration.
func scenarioConfig(t *testing.T, text string) Config {
	t.Helper()
	c := Config{Detectors: map[string]DetectorConfig{}}
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		switch {
		case len(f) == 0:
		case f[0] == "budgets":
			for _, w := range f[1:] {
				switch key, n := number(t, w); key {
				case "calls":
					c.Budgets.MaxCalls = n
				case "per_tool":
					c.Budgets.MaxCallsPerTool = n
				case "cost":
					c.Budgets.MaxCostMicroUSD = n
				case "runaway":
					c.Budgets.RunawaySteps = n
				}
			}
		case f[0] == "rule":
			d := c.Detectors[f[1]]
			if d.Rules == nil {
				d.Rules = map[string]RuleConfig{}
			}
			r := RuleConfig{Disabled: f[3] == "off"}
			for s := event.Info; s <= event.Critical; s++ {
				if f[3] == "most="+s.String() {
					r.MaxSeverity = s
				}
			}
			d.Rules[f[2]] = r
			c.Detectors[f[1]] = d
		case f[0] == "policy":
			c.Policies = append(c.Policies, scenarioPolicy(t, f[1:]))
		case f[0] == "suppress":
			c.Suppressions = append(c.Suppressions, scenarioSuppression(t, f[1:]))
		case f[0] == "feedback":
			_, yes := number(t, f[2])
			_, no := number(t, f[3])
			c.Feedback = append(c.Feedback, Feedback{Rule: f[1], TruePositives: yes, FalsePositives: no})
		case f[0] == "observe":
			c.ObserveUntil = day(t, f[1])
		default:
			c.Tools = append(c.Tools, scenarioTool(f))
		}
	}
	return c
}

// scenarioPolicy reads a policy line: the tool, then confirm, grounded=strict,
// soft or off, workflow=NAME, after=TOOL, max=PARAM:UNITS, in=PARAM:A|B.
func scenarioPolicy(t *testing.T, f []string) Policy {
	t.Helper()
	p := Policy{Tool: f[0]}
	for _, w := range f[1:] {
		key, value, _ := strings.Cut(w, "=")
		param, limit, _ := strings.Cut(value, ":")
		switch key {
		case "confirm":
			p.Confirm = true
		case "grounded":
			p.Grounded = map[string]facts.Grounding{"strict": facts.GroundedStrict, "soft": facts.GroundedSoft, "off": facts.GroundedOff}[value]
		case "workflow":
			p.Workflow = value
		case "after":
			p.After = append(p.After, value)
		case "max":
			_, n := number(t, "max="+limit)
			p.Bounds = append(p.Bounds, facts.Bound{Param: param, HasMax: true, Max: n * 1_000_000})
		case "in":
			p.Bounds = append(p.Bounds, facts.Bound{Param: param, In: strings.Split(limit, "|")})
		default:
			t.Fatalf("policy has no %q", key)
		}
	}
	return p
}

func scenarioSuppression(t *testing.T, f []string) Suppression {
	t.Helper()
	var s Suppression
	for _, w := range f {
		key, value, _ := strings.Cut(w, "=")
		switch key {
		case "rule":
			s.Rule = value
		case "subject":
			s.Subject = value
		case "workflow":
			s.Workflow = value
		case "until":
			s.Until = day(t, value)
		case "most":
			s.MaxSeverity = map[string]event.Severity{"info": event.Info, "warning": event.Warning, "error": event.Error}[value]
		default:
			t.Fatalf("suppress has no %q", key)
		}
	}
	return s
}

func day(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.DateOnly, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func number(t *testing.T, word string) (key string, n int64) {
	t.Helper()
	key, value, _ := strings.Cut(word, "=")
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return key, n
}

func scenarioTool(f []string) ToolConfig {
	c := ToolConfig{Name: f[0]}
	for _, w := range f[1:] {
		key, value, _ := strings.Cut(w, "=")
		switch key {
		case "polls":
			yes := value != "false"
			c.Polls = &yes
		case "volatile":
			c.Volatile = append(c.Volatile, value)
		case "effect":
			for e := event.EffectRead; e <= event.EffectIrreversible; e++ {
				if e.String() == value {
					c.Effect = e
				}
			}
		}
	}
	return c
}

// collector keeps what a shard emits, in order.
type collector struct{ outs []Output }

func (c *collector) Event(_, _ int32, o Output)                    { c.outs = append(c.outs, o) }
func (c *collector) Deadline(_ int32, _ int64, _ string, o Output) { c.outs = append(c.outs, o) }

// replay runs steps through one shard, each line a record, and closes what is
// open at the end.
func replay(t *testing.T, c Config, steps []byte) []Output {
	t.Helper()
	rules, err := NewRuleset(c)
	if err != nil {
		t.Fatal(err)
	}
	s, out := rules.NewShard(), &collector{}
	clock := int64(event.None)
	n := int32(0)
	for line := range strings.Lines(string(steps)) {
		if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#") {
			continue
		}
		var d event.Decoder
		d.Reset([]byte(line))
		var st event.Step
		if err := d.Next(&st); errors.Is(err, io.EOF) {
			continue
		} else if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if st.LogTime != event.None {
			clock = max(clock, st.LogTime)
		}
		b := &Batch{Steps: []event.Step{st}, At: []int32{0}, Hash: []uint64{Key(&st)}, Clock: []int64{clock}}
		s.Step(b, []int32{0}, out)
		n++
	}
	s.End(0, out)
	return out.outs
}

// render writes outputs as the scenario files expect them: a line each.
func render(t *testing.T, outs []Output) string {
	var b strings.Builder
	for _, o := range outs {
		switch r := o.Record.(type) {
		case *event.Failure:
			fmt.Fprintf(&b, "%s %s %s %q", r.State, r.Severity, strings.Join(r.Rules, "+"), r.Subject)
			fmt.Fprintf(&b, " seq=%s..%s count=%d confidence=%d fault=%s", seq(r.FirstSeq), seq(r.LastSeq), r.Count, r.Confidence, r.Fault)
			if r.Recovered {
				b.WriteString(" recovered")
			}
			b.WriteString("\n")
		case *event.TaskRecord:
			fmt.Fprintf(&b, "task %s steps=%d classes=%s", r.Now.Outcome, r.Steps, strings.Join(r.Classes, ","))
			var cov []string
			for _, c := range r.Coverage {
				// Agents without a plan are no exception, so it is not said each time.
				if c.Reason != "no_plan" && !slices.Contains(cov, c.Reason) {
					cov = append(cov, c.Reason)
				}
			}
			if len(cov) > 0 {
				fmt.Fprintf(&b, " abstained=%s", strings.Join(cov, ","))
			}
			if r.Partial {
				b.WriteString(" partial")
			}
			if r.Rev > 0 {
				fmt.Fprintf(&b, " rev=%d was=%s", r.Rev, r.Was.Outcome)
			}
			b.WriteString("\n")
		default:
			t.Fatalf("unknown record %T", o.Record)
		}
	}
	return b.String()
}

// told writes what the failures among the outputs tell a person: what happened,
// and the steps that show it.
func told(outs []Output) string {
	var b strings.Builder
	for _, o := range outs {
		f, ok := o.Record.(*event.Failure)
		if !ok || f.State == event.StateResolved {
			continue
		}
		fmt.Fprintf(&b, "%s\n", f.Message)
		for _, e := range f.Evidence {
			fmt.Fprintf(&b, "\t%s: %s\n", seq(e.Seq), e.Note)
		}
		if f.Wasted != (event.Wasted{}) {
			fmt.Fprintf(&b, "\twasted %d tokens, %d micro-USD\n", f.Wasted.Tokens, f.Wasted.CostMicroUSD)
		}
	}
	return b.String()
}

// records writes what the task records among the outputs add up.
func records(outs []Output) string {
	var b strings.Builder
	for _, o := range outs {
		r, ok := o.Record.(*event.TaskRecord)
		if !ok {
			continue
		}
		fmt.Fprintf(&b, "%s by %s in minute %d: %d ms, %d active, %d tokens, %d micro-USD", r.Now.Outcome, r.Now.ScoredBy, r.Now.Bucket/60, r.WallMS, r.ActiveMS, r.Tokens, r.CostMicroUSD)
		if len(r.Escalated) > 0 {
			fmt.Fprintf(&b, ", escalated to %s", strings.Join(r.Escalated, ", "))
		}
		b.WriteString("\n")
		for _, u := range r.Tools {
			fmt.Fprintf(&b, "\t%s: %d ok, %d the agent's fault, %d the tool's, %d the user's, %d timeout, %d denied, %d unknown\n",
				u.Tool, u.OK, u.AgentFault, u.ToolFault, u.UserFault, u.Timeout, u.Denied, u.Unknown)
		}
	}
	return b.String()
}

func seq(n int64) string {
	if n == event.None {
		return "?"
	}
	return fmt.Sprint(n)
}
