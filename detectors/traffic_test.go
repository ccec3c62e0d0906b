package detectors

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"misstep/event"
)

// wireStep is a step as it stands in a log, and what the tests need to know
// of it.
type wireStep struct {
	line string
	id   string
	seq  int64
	log  int64 // seconds
}

// traffic draws the steps of one trajectory: loops, cycles, errors, names that
// do not exist, claims, parallel turns, several agents, tasks and pauses, mixed
// at random but with a leaning to go on with what went before. Steps have ids;
// logged ones have log times, others are of a file that has none.
type traffic struct {
	t       *rapid.T
	name    string
	logged  bool
	now     int64 // seconds
	steps   []wireStep
	pending []wireCall
	past    []wireCall
	task    int
}

// wireCall is a call and what it is answered with.
type wireCall struct {
	id, agent, tool string
	args, answer    string // JSON members, as text
}

func drawTraffic(t *rapid.T, name string, logged bool) []wireStep {
	g := &traffic{t: t, name: name, logged: logged, now: int64(rapid.IntRange(0, 5000).Draw(t, "begin"))}
	if g.odds(3, 4) {
		g.emit("task_start", "", fmt.Sprintf(`"task":{"tools":%s,"limits":{"max_steps":%d,"max_cost_usd":0.01}}`, wireTools, g.int(3, 30)))
	}
	for range rapid.IntRange(0, 30).Draw(t, "moves") {
		g.move()
	}
	return g.steps
}

const wireTools = `[{"name":"get_order","effect":"read","parameters":{"type":"object","properties":{"order_id":{"type":"string"}},"required":["order_id"]}},` +
	`{"name":"refund_order","effect":"irreversible","parameters":{"type":"object","properties":{"order_id":{"type":"string"},"cents":{"type":"integer"}}}},` +
	`{"name":"job_status","polls":true},{"name":"note","effect":"write"}]`

var (
	wireNames   = []string{"get_order", "get_order", "refund_order", "job_status", "note", "getOrder", "get_ordr", "teleport", "web_search"}
	wireArgs    = []string{`"arguments":{"order_id":"1"}`, `"arguments":{"order_id":"2"}`, `"arguments":{"order_id":"W1000001","amount":15}`, `"arguments":{"order_id":"W1000002","amount":30,"card":"pm_1001"}`, `"arguments":{"order_id":"W1000003","text":"visa"}`, `"arguments":{"order_id":3,"verbose":true}`, `"arguments":{}`, `"arguments_raw":"order 1"`, `"arguments":{"$hidden":{"kid":"k","mac":"m"}}`, `"arguments":{"order_id":{"$hidden":{"kid":"k"}}}`}
	wireAnswers = []string{
		`"status":"ok","content":{"order_id":"1","status":"closed"}`, `"status":"error","content":"order 2 is expired"`, `"status":"ok","content":"Order 1 was cancelled."`,
		`"status":"ok","content":{"state":"sent","n":1}`, `"status":"ok","content":{"state":"sent","n":2}`, `"status":"ok","content":"done at 2026-03-02T09:00:00Z"`,
		`"status":"error","content":"The order service hung up"`, `"status":"error","content":"Error 404: order 17 not found"`,
		`"status":"error","error_type":"rate_limited","content":"retry after 2 seconds"`, `"status":"timeout"`, `"status":"denied","content":"not yours"`,
		`"status":"ok","content":{"error":"away"}`, `"status":"error","content":"Unknown tool"`, `"content":"Error: away"`, `"status":"ok"`,
		`"status":"ok","content":{"cards":[{"id":"pm_1001","last_four":"9087"}],"order_id":"W1000003","price":44}`,
	}
	wireTexts = []string{
		"I will now call get_order.", "Could you please provide your order number?", "Shall I refund W1000002? It costs $30.", "Hello! How can I help you today?", "Your order has been refunded and the refund was issued.", "I am sorry, that failed.", "Let me see.", "I have retrieved the order and noted it.",
		"Our policy does not allow a refund of order 1.", "I'm sorry, I cannot refund that.", "I will make an exception and refund it.", "Yes, it is.", "No, the answer is 42.", "The answer is 43.",
	}
	wireAsks = []string{
		"Go on.", "I want a refund of order 1.", "Are you sure?", "This is unacceptable, I will sue you!", "Just this once, please.", "Here is the receipt of W-77.", "Ich bestehe darauf.", "Por favor, el pedido no ha llegado.", "Actually, I changed my mind, do not refund it.", "Forget it, refund order 2 instead of 1.", "Yes, as planned.",
		"Refund order W1000001, please.", "Sorry, I meant W1000002, not W1000001.", "Refund no more than $20.", "Not the visa, only the giro, and by May 20.", "What about my other order W1000003?", "Use the card ending in 4421.", "No. Twice.", "Hello, again?",
	}
	wireItems = []string{"Look up order 1", "Refund order 1", "Refund order 2 after step 1", "Note what was done", "Check the job"}
)

func (g *traffic) int(low, high int) int { return rapid.IntRange(low, high).Draw(g.t, "n") }

func (g *traffic) odds(n, of int) bool { return g.int(1, of) <= n }

func (g *traffic) text(from []string) string { return rapid.SampledFrom(from).Draw(g.t, "text") }

func (g *traffic) emit(kind, agent, body string) {
	s := wireStep{id: fmt.Sprintf("%s-%d", g.name, len(g.steps)), seq: int64(len(g.steps)), log: g.now}
	if g.odds(1, 8) { // out of order
		s.seq = int64(g.int(0, 40))
	}
	line := fmt.Sprintf(`{"trajectory_id":%q,"kind":%q,"id":%q,"seq":%d,"time":%q`, g.name, kind, s.id, s.seq, wireTime(g.now))
	if g.logged {
		line += fmt.Sprintf(`,"log_time":%q`, wireTime(g.now))
	}
	if agent != "" {
		line += fmt.Sprintf(`,"agent":%q`, agent)
	}
	if g.task > 0 {
		line += fmt.Sprintf(`,"task_id":"%s.%d"`, g.name, g.task)
	}
	if body != "" {
		line += "," + body
	}
	s.line = line + "}"
	g.steps = append(g.steps, s)
	g.now += int64(g.int(0, 3))
}

func wireTime(sec int64) string {
	return time.Unix(1_772_442_000+sec, 0).UTC().Format(time.RFC3339)
}

func (g *traffic) move() {
	switch g.text([]string{
		"call", "call", "turn", "again", "again", "again", "vary", "vary", "round", "round", "cycle", "answer", "user", "agent", "agent", "model", "plan", "plan", "compact", "tools", "end", "outcome", "pause",
	}) {
	case "call":
		g.call(g.fresh())
		g.answer()
	case "turn":
		for range g.int(1, 4) {
			g.call(g.fresh())
		}
		for len(g.pending) > 0 && g.odds(5, 6) {
			g.answer()
		}
	case "again":
		g.round(1)
	case "round":
		g.round(g.int(1, 3))
	case "cycle":
		for range g.int(2, 5) {
			g.round(2)
		}
	case "vary":
		if n := len(g.past); n > 0 {
			c := g.past[n-1]
			c.args = g.text(wireArgs)
			g.call(c)
			g.answer()
		}
	case "answer":
		g.answer()
	case "user":
		g.emit("user_message", "", fmt.Sprintf(`"text":%q`, g.text(wireAsks)))
	case "plan":
		g.plan()
	case "compact":
		g.emit("context_compacted", g.text([]string{"", "alice"}), `"context":{"tokens_before":90000,"tokens_after":9000}`)
	case "agent":
		g.emit("agent_message", g.text([]string{"", "alice"}), fmt.Sprintf(`"text":%q`, g.text(wireTexts)))
	case "model":
		if g.odds(1, 3) {
			g.emit("context_compacted", "", `"context":{"tokens_before":9000,"tokens_after":900}`)
		}
		g.emit("model_call", "", fmt.Sprintf(`"context_tokens":%d,"messages":[{"role":"user","content":"about W1000002"}],"usage":{"input_tokens":%d,"output_tokens":7,"cost_usd":0.002}`, 9000*g.int(0, 3)+100, g.int(0, 500)))
	case "tools":
		g.emit("tools_changed", "", g.text([]string{`"tools":{"remove":["get_order"]}`, `"tools":{"add":[{"name":"teleport"},{"name":"get_order"}]}`}))
	case "end":
		g.emit("task_end", "", g.text([]string{`"outcome":{"status":"success","scored_by":"check"}`, `"outcome":{"status":"success"}`, `"outcome":{"status":"failure"}`}))
		g.pending = nil
		if g.odds(1, 2) {
			g.task++
		}
	case "outcome":
		g.emit("outcome", "", g.text([]string{`"outcome":{"status":"success","scored_by":"human"}`, `"outcome":{"status":"failure","scored_by":"judge"}`}))
	case "pause":
		g.now += int64(g.int(1000, 3000))
		g.task++ // of a task that may have been abandoned by now nobody speaks again
	}
}

// plan tells a plan, by a step, by a tool or in a message.
func (g *traffic) plan() {
	agent := g.text([]string{"", "", "alice"})
	var items, lines []string
	for i := range g.int(1, 4) {
		text := g.text(wireItems)
		items = append(items, fmt.Sprintf(`{"id":"%d","text":%q,"status":%q,"depends_on":["%d"]%s}`, i, text,
			g.text([]string{"pending", "pending", "in_progress", "done", "dropped"}), g.int(0, 3), g.text([]string{"", `,"tool":"refund_order"`})))
		lines = append(lines, fmt.Sprintf(`\n%d. %s`, i+1, text))
	}
	switch list := strings.Join(items, ","); g.int(0, 3) {
	case 0:
		g.call(wireCall{agent: agent, tool: "todo_write", args: `"arguments":{"todos":[` + list + `]}`, answer: `"status":"ok","content":"saved"`})
	case 1:
		g.emit("agent_message", agent, `"text":"My plan:`+strings.Join(lines, "")+`"`)
	default:
		g.emit("plan_update", agent, `"plan":{"items":[`+list+`]}`)
	}
}

// round makes the latest k calls again, in their order and with their answers.
func (g *traffic) round(k int) {
	k = min(k, len(g.past))
	for _, c := range g.past[len(g.past)-k:] {
		g.call(c)
		g.answer()
	}
}

func (g *traffic) fresh() wireCall {
	return wireCall{agent: g.text([]string{"", "", "alice", "bob"}), tool: g.text(wireNames), args: g.text(wireArgs), answer: g.text(wireAnswers)}
}

func (g *traffic) call(c wireCall) {
	g.past = append(g.past, c)
	c.id = ""
	members := fmt.Sprintf(`"tool":%q,%s`, c.tool, c.args)
	if g.odds(3, 4) {
		c.id = fmt.Sprintf("c%d", g.int(0, 5))
		members += fmt.Sprintf(`,"id":%q`, c.id)
	}
	if g.odds(1, 6) {
		members += fmt.Sprintf(`,"turn":"m%d"`, g.int(0, 3))
	}
	g.emit("tool_call", c.agent, `"call":{`+members+`}`)
	g.pending = append(g.pending, c)
}

// answer gives the result of a call that waits for it.
func (g *traffic) answer() {
	if len(g.pending) == 0 {
		return
	}
	i := g.int(0, len(g.pending)-1)
	c := g.pending[i]
	g.pending = append(g.pending[:i], g.pending[i+1:]...)
	ref := fmt.Sprintf(`"tool":%q`, c.tool)
	if c.id != "" {
		ref = fmt.Sprintf(`"call_id":%q`, c.id)
	}
	g.emit("tool_result", c.agent, `"result":{`+ref+`,`+c.answer+`}`)
}

// feeder puts steps into one shard, each a record.
type feeder struct {
	shard *Shard
	collector
	clock int64
}

func newFeeder(t testing.TB) *feeder {
	t.Helper()
	rules, err := NewRuleset(Config{})
	if err != nil {
		t.Fatal(err)
	}
	return &feeder{shard: rules.NewShard(), clock: event.None}
}

func (f *feeder) feed(t rapid.TB, s wireStep) {
	var d event.Decoder
	d.Reset([]byte(s.line))
	var st event.Step
	if err := d.Next(&st); err != nil {
		t.Fatalf("%s: %v", s.line, err)
	}
	if st.LogTime != event.None {
		f.clock = max(f.clock, st.LogTime)
	}
	b := &Batch{Steps: []event.Step{st}, At: []int32{0}, Hash: []uint64{Key(&st)}, Clock: []int64{f.clock}}
	f.shard.Step(b, []int32{0}, f)
}

// runTraffic gives what comes out of steps, to the end of the log.
func runTraffic(tb testing.TB, t *rapid.T, steps []wireStep) []Output {
	f := newFeeder(tb)
	for _, s := range steps {
		f.feed(t, s)
	}
	f.shard.End(0, f)
	return f.outs
}

// values are outputs as they leave.
func values(outs []Output) []string {
	v := make([]string, len(outs))
	for i, o := range outs {
		v[i] = fmt.Sprintf("%d %s %s", o.Topic, o.Key, o.Value)
	}
	return v
}

// sameOutputs compares outputs, and shows the steps where they differ.
func sameOutputs(t *rapid.T, what string, got, want []string, steps []wireStep) {
	for i := range max(len(got), len(want)) {
		g, w := "nothing", "nothing"
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g != w {
			t.Fatalf("%s: output %d\n got %s\nwant %s\nof\n%s", what, i, g, w, lines(steps))
		}
	}
}

func lines(steps []wireStep) string {
	out := ""
	for _, s := range steps {
		out += s.line + "\n"
	}
	return out
}

func mustJSON(t *rapid.T, v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
