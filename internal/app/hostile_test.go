package app_test

import (
	"fmt"
	"strings"
	"testing"
)

// TestHostile sends what nobody should: it is refused or bounded, and the
// detector goes on finding.
func TestHostile(t *testing.T) {
	c := settings(t.TempDir())
	c.Metrics.MaxWorkflows, c.Metrics.MaxTools = 5, 5
	d := start(t, c)
	tasks := d.subscribe("agent.tasks")

	deep := strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000)
	var tools []string
	for i := range 100_000 {
		tools = append(tools, fmt.Sprintf(`{"name":"tool%d"}`, i))
	}
	for name, body := range map[string]string{
		"deep":      `{"trajectory_id":"h","kind":"tool_call","call":{"tool":"t","arguments":` + deep + `}}`,
		"no UTF-8":  "{\"trajectory_id\":\"h\xff\",\"kind\":\"user_message\",\"text\":\"x\"}",
		"tools":     `{"trajectory_id":"h","kind":"task_start","task":{"tools":[` + strings.Join(tools, ",") + `]}}`,
		"long id":   `{"trajectory_id":"` + strings.Repeat("x", 1<<20) + `","kind":"user_message","text":"x"}`,
		"broken":    `[{"trajectory_id":"h","kind":"user_message","text":"x"},`,
		"a number":  `7`,
		"many bad":  strings.Repeat("{}\n", 10_000),
		"open text": `{"trajectory_id":"h","kind":"user_message","text":"` + strings.Repeat("x", 1<<20),
	} {
		if got := post(t, d.HTTP, body); !strings.HasPrefix(got, `{"accepted":0,`) {
			t.Errorf("%s: %.200s", name, got)
		}
		// Over NATS, where nobody looks at it first.
		if len(body) < 2<<20 {
			if err := d.nc.Publish("agent.steps", []byte(body)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}

	// Thousands of names as labels, with all that a terminal or a subject minds.
	const n = 2_000
	var body strings.Builder
	for i := range n {
		name := fmt.Sprintf(`*.> {\"}%d \u202e`, i)
		fmt.Fprintf(&body, `{"trajectory_id":"h%d","workflow":"%s","kind":"task_start","task":{"tools":[{"name":"%s"}]}}
{"trajectory_id":"h%d","kind":"tool_call","call":{"id":"1","tool":"%s"}}
{"trajectory_id":"h%d","kind":"tool_result","result":{"call_id":"1","status":"ok","content":"x"}}
{"trajectory_id":"h%d","kind":"tool_call","call":{"tool":"other%d"}}
{"trajectory_id":"h%d","kind":"task_end","outcome":{"status":"failure"}}
`, i, name, name, i, name, i, i, i, i)
	}
	d.post(body.String())
	for range n {
		next(t, tasks)
	}
	stored := d.stored()
	d.post(misstep("last"))
	for !strings.Contains(stored(), `"last"`) {
	}
	_, metrics := d.get("/metrics")
	series := 0
	for line := range strings.Lines(metrics) {
		if strings.HasPrefix(line, "misstep_") {
			series++
		}
	}
	if series > 700 {
		t.Errorf("%d lines of metrics", series)
	}
	for _, want := range []string{`workflow="__other__"`, `tool="__unknown__"`} {
		if !strings.Contains(metrics, want) {
			t.Errorf("there is no %s", want)
		}
	}
	if strings.Contains(metrics, "other1999") || strings.ContainsAny(metrics, "\x1b\x00\u202e") {
		t.Error("a foreign name went into the metrics as it is")
	}
	d.stop()
	// A terminal that is slower than the results log shows less, and that is said.
	slow := strings.Contains(d.log.String(), "the terminal is too slow")
	if shown := d.terminal.String(); strings.ContainsAny(shown, "\x1b\x00\u202e") || !slow && !strings.Contains(shown, "trajectory last") {
		t.Errorf("the terminal shows\n%.2000s", shown)
	}
}
