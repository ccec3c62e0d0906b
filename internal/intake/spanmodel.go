package intake

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"

	"misstep/event"
)

// spanMessage is one message in the attributes of a model's span.
type spanMessage struct {
	role, text, callID string
	calls              []spanCall
}

type spanCall struct{ id, tool, arguments string }

// messages gives the messages below a prefix of the attributes.
func (s *span) messages(prefix string) []spanMessage {
	var out []spanMessage
	for i := 0; ; i++ {
		p := prefix + "." + strconv.Itoa(i) + ".message."
		role, ok := s.attrs[p+"role"]
		text, has := s.attrs[p+"content"]
		if !ok && !has {
			return out
		}
		if text == "" {
			text = s.parts(p + "contents.")
		}
		out = append(out, spanMessage{role: role, text: text, callID: s.attrs[p+"tool_call_id"], calls: s.calls(p + "tool_calls.")})
	}
}

// parts joins the texts of a message in parts.
func (s *span) parts(prefix string) string {
	var texts []string
	for i := 0; ; i++ {
		p := prefix + strconv.Itoa(i) + ".message_content."
		kind, ok := s.attrs[p+"type"]
		if !ok {
			return strings.Join(texts, "\n")
		}
		if text, ok := s.attrs[p+"text"]; ok {
			texts = append(texts, text)
		} else {
			texts = append(texts, "["+kind+"]")
		}
	}
}

func (s *span) calls(prefix string) []spanCall {
	var out []spanCall
	for i := 0; ; i++ {
		p := prefix + strconv.Itoa(i) + ".tool_call."
		tool, ok := s.attrs[p+"function.name"]
		if !ok {
			return out
		}
		out = append(out, spanCall{id: s.attrs[p+"id"], tool: tool, arguments: s.attrs[p+"function.arguments"]})
	}
}

// model puts out what a model was shown that is new, and what it answered.
func (w *spanWriter) model(s *span, in scope) {
	w.shownTo(s, in)
	var text []string
	var calls []spanCall
	for _, m := range s.messages("llm.output_messages") {
		if m.text != "" {
			text = append(text, m.text)
		}
		calls = append(calls, m.calls...)
	}
	answer := strings.Join(text, "\n")
	// An answer without calls speaks to the user, but where a framework reads
	// it as a plan or as code.
	spoken := len(calls) == 0 && answer != "" && (!s.smolagents() || in.agents == 0)
	w.put(s, event.ModelCall, in.agent, s.end, func(e *event.Step) {
		w.modelCall(e, s, in)
		if !spoken && answer != "" {
			e.Text = event.StringValue(answer)
		}
	})
	if spoken {
		w.say(s, event.AgentMessage, in.agent, s.end, answer)
	}
	for i, c := range calls {
		w.asked(s, in, c, s.id+"/"+strconv.Itoa(i))
	}
	switch {
	case !s.smolagents() || len(calls) > 0 || answer == "":
	case in.step != nil:
		w.code(s, in, answer)
	case in.agents > 0:
		w.plan(s, in, answer)
	}
}

func (w *spanWriter) modelCall(e *event.Step, s *span, in scope) {
	m := &e.ModelCall
	m.Status = event.StatusOK
	switch {
	case s.failed:
		m.Status, m.ErrorType = event.StatusError, []byte(cutName(errorType(s)))
	case in.step != nil && in.step.failed && strings.HasPrefix(in.step.message, "AgentParsingError"):
		m.FinishReason = []byte("unparsable")
	}
	if s.start != event.None && s.end >= s.start {
		m.DurationMS = (s.end - s.start) / 1e6
	}
	u := &e.Usage
	u.InputTokens, u.Has = count(s.attrs["llm.token_count.prompt"], u.Has)
	u.OutputTokens, u.Has = count(s.attrs["llm.token_count.completion"], u.Has)
	u.CacheReadTokens, u.Has = count(s.attrs["llm.token_count.prompt_details.cache_read"], u.Has)
	u.CacheWriteTokens, u.Has = count(s.attrs["llm.token_count.prompt_details.cache_write"], u.Has)
	u.ReasoningTokens, u.Has = count(s.attrs["llm.token_count.completion_details.reasoning"], u.Has)
	if u.InputTokens > 0 {
		m.ContextTokens = u.InputTokens
	}
}

func count(text string, has bool) (int64, bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0, has
	}
	return n, true
}

// shownTo puts out the system and user messages that were not there before, and
// the results of calls of which no span told. smolagents writes prompts and
// results as messages of a user: there only the system's are taken, of the
// agent's steps.
func (w *spanWriter) shownTo(s *span, in scope) {
	for _, m := range s.messages("llm.input_messages") {
		switch m.role {
		case "system", "developer":
			if (!s.smolagents() || in.step != nil) && w.unseen("system", m.text) {
				w.say(s, event.SystemMessage, in.agent, s.start, m.text)
			}
		case "user":
			task, isTask := strings.CutPrefix(m.text, "New task:\n")
			if in.agents == 0 && isTask && s.smolagents() {
				m.text = task // of a trace without the agent's span
			}
			if (in.agents == 0 && isTask || in.agents <= 1 && !s.smolagents()) && w.unseen("user", m.text) {
				w.say(s, event.UserMessage, in.agent, s.start, m.text)
			}
		case "tool":
			if a := w.take(in.agent, func(a *askedOf) bool { return m.callID != "" && a.id == m.callID }); a != nil {
				w.put(s, event.ToolResult, in.agent, s.start, func(e *event.Step) {
					r := &e.Result
					r.CallID, r.Tool, r.Content = []byte(a.id), []byte(cutTool(a.tool)), event.StringValue(m.text)
				})
			}
		}
	}
}

// asked puts out a call that a model asked for. The calls of one answer share
// a turn.
func (w *spanWriter) asked(s *span, in scope, c spanCall, fallback string) {
	id := c.id
	if id == "" || len(id) > event.MaxName {
		id = fallback
	}
	a := &askedOf{id: id, tool: c.tool}
	w.open[in.agent] = append(w.open[in.agent], a)
	w.put(s, event.ToolCall, in.agent, s.end, func(e *event.Step) {
		e.Call.ID, e.Call.Tool, e.Call.Turn = []byte(cutName(id)), []byte(cutTool(c.tool)), []byte(s.id)
		e.Call.Arguments, e.Call.Raw = argumentText(c.arguments)
	})
}

// argumentText tells JSON arguments apart from text that is none.
func argumentText(text string) (object, raw event.Value) {
	if strings.TrimSpace(text) == "" {
		return event.Value{}, event.Value{}
	}
	if v, err := event.JSONValue([]byte(text)); err == nil && v.Form == event.Object {
		return v, event.Value{}
	}
	return event.Value{}, event.StringValue(text)
}

// codeTool is the name that smolagents gives the tool that runs an answer's code.
const codeTool = "python_interpreter"

var codeBlock = regexp.MustCompile("(?s)```(?:py|python)?[ \\t]*\\n(.*?)\\n?```")

// code puts out the run of the code in an answer as a call of its own, whose
// result is the step's. An answer whose code could not be found is a call that
// could not be read.
func (w *spanWriter) code(s *span, in scope, answer string) {
	blocks := codeBlock.FindAllStringSubmatch(answer, -1)
	unparsable := in.step.failed && strings.HasPrefix(in.step.message, "AgentParsingError")
	if len(blocks) == 0 && !unparsable {
		return
	}
	var code []string
	for _, b := range blocks {
		code = append(code, b[1])
	}
	a := &askedOf{id: in.step.id, tool: codeTool}
	w.open[in.agent] = append(w.open[in.agent], a)
	w.put(s, event.ToolCall, in.agent, s.end, func(e *event.Step) {
		c := &e.Call
		c.ID, c.Tool, c.Turn = []byte(a.id), []byte(codeTool), []byte(in.step.id)
		if unparsable {
			c.Raw = event.StringValue(answer)
			return
		}
		b := event.AppendString([]byte(`{"code":`), strings.Join(code, "\n\n"))
		c.Arguments = event.Value{Form: event.Object, Raw: append(b, '}')}
	})
}

// stepEnd gives the calls of a step of smolagents that have no result yet the
// step's own.
func (w *spanWriter) stepEnd(s *span, in scope) {
	for len(w.open[in.agent]) > 0 {
		a := w.take(in.agent, func(*askedOf) bool { return true })
		w.result(s, in.agent, a, s.attrs["output.value"], s)
	}
}

var planItem = regexp.MustCompile(`(?m)^(\d{1,2})[.)][ \t]+(.+)$`)

// plan puts out the numbered list of an answer to a prompt that asked for a
// plan. smolagents asks for facts first, in lists of their own.
func (w *spanWriter) plan(s *span, in scope, answer string) {
	if !asksForPlan(s) {
		return
	}
	b := []byte(`{"items":[`)
	n := 0
	for _, m := range planItem.FindAllStringSubmatch(answer, 64) {
		if n++; n > 1 {
			b = append(b, ',')
		}
		b = append(b, `{"id":"`+m[1]+`","text":`...)
		b = append(event.AppendString(b, strings.TrimSpace(m[2])), '}')
	}
	if n < 2 {
		return
	}
	w.put(s, event.PlanUpdate, in.agent, s.end, func(e *event.Step) {
		e.Plan = event.Value{Form: event.Object, Raw: append(b, "]}"...)}
	})
}

func asksForPlan(s *span) bool {
	in := s.messages("llm.input_messages")
	for _, m := range in[:min(1, len(in))] {
		if strings.Contains(m.text, "expert at making efficient plans") {
			return true
		}
	}
	return false
}

// spanArguments gives the arguments that a tool's span ran with. smolagents
// writes them by place and by name.
func spanArguments(s *span) (object, raw event.Value) {
	text := s.attrs["input.value"]
	var in struct {
		Args   []json.RawMessage          `json:"args"`
		Kwargs map[string]json.RawMessage `json:"kwargs"`
	}
	if !s.smolagents() || json.Unmarshal([]byte(text), &in) != nil {
		return argumentText(text)
	}
	names := keysInOrder(s.attrs["tool.parameters"])
	b := []byte("{")
	for i, a := range in.Args {
		name := "arg" + strconv.Itoa(i)
		if i < len(names) {
			name = names[i]
		}
		b = appendMember(b, name, a)
	}
	for _, k := range sortedKeys(in.Kwargs) {
		b = appendMember(b, k, in.Kwargs[k])
	}
	return argumentText(string(append(b, '}')))
}

func appendMember(b []byte, key string, v []byte) []byte {
	if len(b) > 1 {
		b = append(b, ',')
	}
	return append(append(event.AppendString(b, key), ':'), v...)
}
