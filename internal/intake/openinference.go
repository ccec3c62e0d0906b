package intake

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/cespare/xxhash/v2"

	"misstep/event"
)

// spanWriter turns the spans of one trace into steps, in the order in which
// the agents did them: spans by their start, what a span holds before its end.
//
// A call that a model asked for and the span of the tool that ran it are one
// call: the model's words give its name, id and arguments, the tool's span the
// result. A tool that ran without having been asked for (code called it) gives
// both.
type spanWriter struct {
	id    string
	emit  func(*event.Step) error
	err   error
	seq   int64
	count map[string]int // steps of each span

	shown map[uint64]bool       // system and user messages that were put out, by their hash
	names map[string]string     // of agents that others manage, by the id of their span
	open  map[string][]*askedOf // calls without a result, by agent
}

// askedOf is a call that a model asked for.
type askedOf struct{ id, tool string }

// scope is what a span inherits.
type scope struct {
	agent  string
	agents int   // around it
	depth  int   // spans around it
	step   *span // of smolagents, nil elsewhere
}

func putTrace(t *trace, emit func(*event.Step) error) error {
	w := &spanWriter{
		id: t.id, emit: emit, count: map[string]int{}, shown: map[uint64]bool{},
		names: map[string]string{}, open: map[string][]*askedOf{},
	}
	roots := link(t.spans)
	all := flatten(nil, roots)
	if !slices.ContainsFunc(all, func(s *span) bool { return s.kind() != "" }) {
		return nil // nothing of OpenInference's
	}
	w.nameAgents(all)
	w.put(all[0], event.TaskStart, "", all[0].start, func(s *event.Step) {
		s.Task.Tools, s.Task.Goal = spanTools(all), goal(all)
	})
	for _, r := range roots {
		w.walk(r, scope{})
	}
	last := slices.MaxFunc(all, func(a, b *span) int { return cmp.Compare(a.end, b.end) })
	w.put(last, event.TaskEnd, "", last.end, func(s *event.Step) {
		s.Outcome = event.Outcome{Has: true, Status: event.OutcomeUnknown, Score: event.None}
	})
	return w.err
}

// link hangs the spans under their parents and gives those that have none.
func link(spans []*span) []*span {
	byID := make(map[string]*span, len(spans))
	for _, s := range spans {
		byID[s.id] = s
	}
	var roots []*span
	for _, s := range spans {
		if p := byID[s.parent]; p != nil && !within(byID, p, s) {
			p.children = append(p.children, s)
		} else {
			roots = append(roots, s)
		}
	}
	byStart := func(a, b *span) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.end, b.end), cmp.Compare(a.id, b.id))
	}
	for _, s := range spans {
		slices.SortStableFunc(s.children, byStart)
	}
	slices.SortStableFunc(roots, byStart)
	return roots
}

// within reports whether s is among the ancestors of p, which a hostile trace
// can say: its spans then stand without a parent.
func within(byID map[string]*span, p, s *span) bool {
	for n := 0; p != nil && n <= len(byID); n++ {
		if p == s {
			return true
		}
		p = byID[p.parent]
	}
	return p != nil
}

func flatten(dst, spans []*span) []*span {
	for _, s := range spans {
		dst = flatten(append(dst, s), s.children)
	}
	return dst
}

func (s *span) kind() string { return s.attrs["openinference.span.kind"] }

func (s *span) smolagents() bool { return s.scope == "openinference.instrumentation.smolagents" }

// maxSpanDepth bounds how deep spans are followed into one another.
const maxSpanDepth = 1000

func (w *spanWriter) walk(s *span, in scope) {
	if in.depth++; in.depth > maxSpanDepth {
		return
	}
	switch s.kind() {
	case "AGENT":
		w.agent(s, in)
	case "LLM":
		w.model(s, in)
		w.children(s, in)
	case "TOOL":
		w.tool(s, in)
	case "RETRIEVER":
		w.retrieved(s, in)
		w.children(s, in)
	default:
		if s.smolagents() && s.kind() == "CHAIN" {
			in.step = s
		}
		w.children(s, in)
		if in.step == s {
			w.stepEnd(s, in)
		}
	}
}

func (w *spanWriter) children(s *span, in scope) {
	for _, c := range s.children {
		w.walk(c, in)
	}
}

// put puts out one step that a span tells of.
func (w *spanWriter) put(from *span, k event.Kind, agent string, time int64, fill func(*event.Step)) {
	if w.err != nil {
		return
	}
	id := w.id + "/" + from.id
	if n := w.count[from.id]; n > 0 {
		id += "/" + strconv.Itoa(n)
	}
	w.count[from.id]++
	s := blank(k)
	s.TrajectoryID, s.ID, s.Agent = []byte(w.id), []byte(id), []byte(cutName(agent))
	s.Workflow, s.Release, s.Model = []byte(cutName(from.service)), []byte(cutName(from.release)), []byte(cutName(from.attrs["llm.model_name"]))
	s.Seq, s.Time = w.seq, time
	w.seq++
	fill(&s)
	Cut(&s)
	w.err = w.emit(&s)
}

// cutName shortens what is too long for a label, and drops controls.
func cutName(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
	if len(s) <= event.MaxName {
		return s
	}
	cut := event.MaxName
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut]
}

func (w *spanWriter) say(from *span, k event.Kind, agent string, time int64, text string) {
	w.put(from, k, agent, time, func(s *event.Step) { s.Text = event.StringValue(text) })
}

// nameAgents gives each agent its name: its own, that under which another one
// manages it, or that of its span.
func (w *spanWriter) nameAgents(all []*span) {
	managed := ""
	for _, s := range all {
		if s.kind() == "AGENT" && managed == "" {
			managed = s.attrs["smolagents.managed_agents.0.name"]
		}
	}
	for _, s := range all {
		if s.kind() != "AGENT" {
			continue
		}
		name := cmp.Or(s.attrs["agent.name"], s.attrs["gen_ai.agent.name"], s.attrs["graph.node.id"])
		if name == "" && s.smolagents() && s.attrs["smolagents.managed_agents.0.name"] == "" && strings.Contains(taskOf(s), "named '"+managed+"'") {
			name = managed
		}
		w.names[s.id] = cmp.Or(name, strings.TrimSuffix(s.name, ".run"))
	}
}

// agent puts out what goes into an agent, what it does and what comes out.
func (w *spanWriter) agent(s *span, in scope) {
	name, task := w.names[s.id], taskOf(s)
	if in.agents > 0 {
		w.put(s, event.HandedOff, in.agent, s.start, func(e *event.Step) { e.HandoffTo = []byte(cutName(name)) })
		if task != "" {
			w.put(s, event.ContextAdded, name, s.start, func(e *event.Step) {
				e.Text, e.Source = event.StringValue(task), []byte("other")
			})
		}
	} else if task != "" && w.unseen("user", task) {
		w.say(s, event.UserMessage, name, s.start, task)
	}
	in.agent, in.step = name, nil
	in.agents++
	w.children(s, in)
	if out := s.attrs["output.value"]; out != "" && s.smolagents() {
		w.say(s, event.AgentMessage, name, s.end, out)
	}
}

// taskOf is what an agent was asked to do.
func taskOf(s *span) string {
	if !s.smolagents() {
		return ""
	}
	var input struct {
		Task string `json:"task"`
	}
	if json.Unmarshal([]byte(s.attrs["input.value"]), &input) != nil {
		return ""
	}
	return input.Task
}

func goal(all []*span) event.Value {
	for _, s := range all {
		if s.kind() == "AGENT" && taskOf(s) != "" {
			return event.StringValue(taskOf(s))
		}
	}
	return event.Value{}
}

// unseen reports whether a message was not put out before, and notes it.
func (w *spanWriter) unseen(role, text string) bool {
	h := xxhash.Sum64String(role + "\x00" + text)
	seen := w.shown[h]
	w.shown[h] = true
	return !seen
}

// tool puts out the result of a tool, and its call when no model asked for it.
func (w *spanWriter) tool(s *span, in scope) {
	name := cmp.Or(s.attrs["tool.name"], s.name)
	asked := w.take(in.agent, func(a *askedOf) bool {
		return a.tool == name && (s.attrs["tool_call.id"] == "" || a.id == s.attrs["tool_call.id"])
	})
	if asked == nil {
		asked = &askedOf{id: s.id, tool: name}
		w.put(s, event.ToolCall, in.agent, s.start, func(e *event.Step) {
			c := &e.Call
			c.ID, c.Tool, c.Turn = []byte(asked.id), []byte(cutTool(name)), []byte(s.id)
			c.Arguments, c.Raw = spanArguments(s)
		})
	}
	w.children(s, in)
	w.result(s, in.agent, asked, s.attrs["output.value"], s)
}

// take gives the oldest open call that fits, which is then open no more.
func (w *spanWriter) take(agent string, fits func(*askedOf) bool) *askedOf {
	i := slices.IndexFunc(w.open[agent], fits)
	if i < 0 {
		return nil
	}
	a := w.open[agent][i]
	w.open[agent] = slices.Delete(w.open[agent], i, i+1)
	return a
}

// result puts out how a call ended, as the span of says.
func (w *spanWriter) result(from *span, agent string, a *askedOf, content string, of *span) {
	w.put(from, event.ToolResult, agent, of.end, func(e *event.Step) {
		r := &e.Result
		r.CallID, r.Tool, r.Status = []byte(a.id), []byte(cutTool(a.tool)), event.StatusOK
		if of.failed {
			r.Status, r.ErrorType = event.StatusError, []byte(cutName(errorType(of)))
			content = cmp.Or(content, of.message)
		}
		if content != "" || !of.smolagents() { // which leaves out what it cannot write
			r.Content = event.StringValue(content)
		}
		if of.start != event.None && of.end >= of.start {
			r.DurationMS = (of.end - of.start) / 1e6
		}
	})
}

// errorType is the kind of error that a span ended with: that of its exception,
// else the word before the colon that its message begins with.
func errorType(s *span) string {
	if t := s.attrs["exception.type"]; t != "" {
		return t
	}
	word, _, ok := strings.Cut(s.message, ":")
	if !ok || word == "" || strings.ContainsAny(word, " \t\n'\"") {
		return ""
	}
	return word
}

// cutTool is cutName for the name of a tool, which is never empty in a step.
func cutTool(s string) string {
	if s = cmp.Or(cutName(s), "unnamed"); len(s) <= event.MaxToolName {
		return s
	}
	cut := event.MaxToolName
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut]
}

// retrieved puts out the documents that a retriever found.
func (w *spanWriter) retrieved(s *span, in scope) {
	var b strings.Builder
	for i := 0; ; i++ {
		text, ok := s.attrs["retrieval.documents."+strconv.Itoa(i)+".document.content"]
		if !ok {
			break
		}
		b.WriteString(text + "\n")
	}
	if b.Len() > 0 {
		w.put(s, event.ContextAdded, in.agent, s.end, func(e *event.Step) {
			e.Text, e.Source = event.StringValue(b.String()), []byte("retrieval")
		})
	}
}
