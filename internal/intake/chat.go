package intake

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/cespare/xxhash/v2"

	"misstep/event"
)

// Chat reads OpenAI chat transcripts: objects with `messages` and perhaps `id`,
// `tools` (or the older `functions`) and `model`, or bare arrays of messages;
// one a line, one document, or one array of them.
//
// A transcript becomes one trajectory that begins with a task_start and ends
// with a task_end of unknown outcome. Its id is the transcript's, else
// file:line; the second transcript with an id that was there before is another
// run and gets `#2`. The calls of one assistant message share a turn. The
// format knows neither times nor how a call ended, so none are made up.
type Chat struct {
	refuser
	units *units
	file  string
	seen  map[uint64]int // how often an id was there, by its hash

	step  event.Step
	emit  func(*event.Step) error
	id    []byte
	model []byte
	seq   int64
	calls map[string]openCall // by the id of the call
	text  []byte
}

// openCall is what a later result needs to know of its call.
type openCall struct{ tool, agent []byte }

// NewChat reads transcripts from r. file is the name that ids are made of where
// a transcript has none. refuse is told of what cannot be taken.
func NewChat(r io.Reader, file string, refuse func(Refusal)) *Chat {
	return &Chat{
		refuser: refuser{refuse: refuse}, units: newUnits(r, MaxUnit), file: file,
		seen: map[uint64]int{}, calls: map[string]openCall{},
	}
}

// Line implements Reader.
func (c *Chat) Line() int64 { return c.line }

// Next implements Reader.
func (c *Chat) Next(emit func(*event.Step) error) error {
	raw, line, err := c.units.next()
	c.line, c.emit = line, emit
	switch {
	case errors.Is(err, errTooLong):
		_ = c.at(-1, "", ReasonSize, "a transcript of more than %d bytes; write an array of transcripts as one transcript a line", MaxUnit)
		return nil
	case errors.Is(err, errCut):
		_ = c.at(-1, "", ReasonSyntax, "JSON that comes to no end; the input may have been cut off")
		return nil
	case err != nil:
		return err
	}
	return skipRefused(c.unit(raw))
}

// skipRefused goes on after what was refused: that is counted already.
func skipRefused(err error) error {
	if errors.Is(err, errRefused) {
		return nil
	}
	return err
}

func (c *Chat) unit(raw []byte) error {
	if i := invalidUTF8(raw); i >= 0 {
		return c.at(i, "", ReasonUTF8, "a byte that is not UTF-8; write the input as UTF-8")
	}
	var elements []json.RawMessage
	if len(raw) == 0 || raw[0] != '[' {
		return c.transcript(raw, "", 0)
	}
	if err := json.Unmarshal(raw, &elements); err != nil {
		return c.broken(err, "")
	}
	if len(elements) > 0 && !hasKey(elements[0], "messages") {
		return c.messages(&transcript{Messages: elements}, "", 0)
	}
	for i, element := range elements {
		if err := skipRefused(c.transcript(element, fmt.Sprintf("[%d].", i), i)); err != nil {
			return err
		}
	}
	return nil
}

// transcript is one line of a file of chat transcripts.
type transcript struct {
	ID        json.RawMessage   `json:"id"`
	Model     json.RawMessage   `json:"model"`
	Messages  []json.RawMessage `json:"messages"`
	Tools     []json.RawMessage `json:"tools"`
	Functions []json.RawMessage `json:"functions"`
}

func (c *Chat) transcript(raw []byte, path string, index int) error {
	var t transcript
	if err := json.Unmarshal(raw, &t); err != nil {
		return c.broken(err, path)
	}
	if t.Messages == nil {
		return c.at(-1, path+"messages", ReasonType, "no messages; a transcript is an object with the array messages, or that array alone")
	}
	return c.messages(&t, path, index)
}

// broken refuses what does not parse.
func (c *Chat) broken(err error, path string) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return c.at(int(syntax.Offset), strings.TrimSuffix(path, "."), ReasonSyntax, "%s; one transcript is one JSON value", syntax)
	case errors.As(err, &kind):
		return c.at(-1, strings.TrimSuffix(path+kind.Field, "."), ReasonType, "a JSON %s where chat transcripts have %s", kind.Value, describe(kind.Type.Kind().String()))
	}
	return c.at(-1, strings.TrimSuffix(path, "."), ReasonSyntax, "%s", err)
}

func describe(goKind string) string {
	switch goKind {
	case "slice":
		return "an array"
	case "struct":
		return "an object"
	}
	return "a " + goKind
}

// messages puts out the steps of one transcript.
func (c *Chat) messages(t *transcript, path string, index int) error {
	c.id = c.trajectory(t.ID, index)
	if len(c.id) > event.MaxName || bytes.ContainsFunc(c.id, unicode.IsControl) {
		return c.at(-1, path+"id", ReasonValue, "want at most %d bytes without control characters, found %d bytes", event.MaxName, len(c.id))
	}
	c.model = text(t.Model)
	c.seq = 0
	clear(c.calls)

	c.begin(event.TaskStart)
	c.step.Task.Tools = c.catalogue(t, path)
	if err := c.put(); err != nil {
		return err
	}
	for i, raw := range t.Messages {
		if err := skipRefused(c.message(raw, i, path)); err != nil {
			return err
		}
	}
	c.begin(event.TaskEnd)
	c.step.Outcome = event.Outcome{Has: true, Status: event.OutcomeUnknown, Score: event.None}
	return c.put()
}

// trajectory gives the id of a transcript's trajectory.
func (c *Chat) trajectory(raw json.RawMessage, index int) []byte {
	id := text(raw)
	if len(id) == 0 && len(raw) > 0 && raw[0] != '"' && raw[0] != '{' && raw[0] != '[' && raw[0] != 'n' {
		id = raw // a number
	}
	if len(id) == 0 {
		id = fmt.Appendf(nil, "%s:%d", c.file, c.line)
		if index > 0 {
			id = fmt.Appendf(id, ":%d", index)
		}
	}
	h := xxhash.Sum64(id)
	c.seen[h]++
	if n := c.seen[h]; n > 1 {
		id = fmt.Appendf(bytes.Clone(id), "#%d", n)
	}
	return id
}

func (c *Chat) begin(k event.Kind) {
	c.step = blank(k)
	c.step.TrajectoryID, c.step.Model, c.step.Seq = c.id, c.model, c.seq
	c.seq++
}

func (c *Chat) put() error {
	Cut(&c.step)
	return c.emit(&c.step)
}

// message is one element of messages.
type message struct {
	Role         string            `json:"role"`
	Name         string            `json:"name"`
	Content      json.RawMessage   `json:"content"`
	Refusal      json.RawMessage   `json:"refusal"`
	ToolCalls    []json.RawMessage `json:"tool_calls"`
	FunctionCall *function         `json:"function_call"`
	ToolCallID   string            `json:"tool_call_id"`
}

type function struct {
	Name      string          `json:"name"`
	Arguments json.RawMessage `json:"arguments"`
	Input     json.RawMessage `json:"input"`
}

func (c *Chat) message(raw []byte, i int, path string) error {
	path += "messages[" + strconv.Itoa(i) + "]"
	var m message
	if err := json.Unmarshal(raw, &m); err != nil {
		return c.broken(err, path+".")
	}
	switch m.Role {
	case "system", "developer":
		return c.say(event.SystemMessage, c.content(m.Content), nil)
	case "user":
		return c.say(event.UserMessage, c.content(m.Content), nil)
	case "assistant":
		return c.assistant(&m, i, path)
	case "tool", "function":
		return c.result(&m)
	case "":
		return c.at(-1, path+".role", ReasonType, "a message without a role")
	}
	return c.at(-1, path+".role", ReasonRole, "role %q; there are system, developer, user, assistant, tool and function", short(m.Role))
}

func (c *Chat) say(k event.Kind, v event.Value, agent []byte) error {
	c.begin(k)
	c.step.Text, c.step.Agent = v, agent
	return c.put()
}

func (c *Chat) assistant(m *message, i int, path string) error {
	agent := []byte(m.Name)
	v := c.content(m.Content)
	if len(v.Raw) == 0 && len(m.Refusal) > 0 {
		v = c.content(m.Refusal)
	}
	calls := len(m.ToolCalls)
	if m.FunctionCall != nil {
		calls++
	}
	if len(v.Raw) > 0 || calls == 0 {
		if err := c.say(event.AgentMessage, v, agent); err != nil {
			return err
		}
	}
	turn := []byte("m" + strconv.Itoa(i))
	for k, raw := range m.ToolCalls {
		if err := skipRefused(c.call(raw, turn, agent, path+".tool_calls["+strconv.Itoa(k)+"]")); err != nil {
			return err
		}
	}
	if m.FunctionCall == nil {
		return nil
	}
	return c.called(m.FunctionCall, "", turn, agent, path+".function_call")
}

func (c *Chat) call(raw []byte, turn, agent []byte, path string) error {
	var t struct {
		ID       string    `json:"id"`
		Function *function `json:"function"`
		Custom   *function `json:"custom"`
	}
	if err := json.Unmarshal(raw, &t); err != nil {
		return c.broken(err, path+".")
	}
	switch {
	case t.Function != nil:
		return c.called(t.Function, t.ID, turn, agent, path+".function")
	case t.Custom != nil:
		t.Custom.Arguments = t.Custom.Input
		return c.called(t.Custom, t.ID, turn, agent, path+".custom")
	}
	return c.at(-1, path+".function", ReasonType, "a call without a function")
}

func (c *Chat) called(f *function, id string, turn, agent []byte, path string) error {
	if f.Name == "" {
		return c.at(-1, path+".name", ReasonType, "a call without the name of a tool")
	}
	c.begin(event.ToolCall)
	c.step.Agent = agent
	call := &c.step.Call
	call.ID, call.Tool, call.Turn = []byte(id), []byte(f.Name), turn
	call.Arguments, call.Raw = arguments(f.Arguments)
	if id != "" {
		c.calls[id] = openCall{tool: call.Tool, agent: agent}
	}
	return c.put()
}

// arguments tells an object apart from what is none. Nothing at all, which some
// servers write for a tool without parameters, is an absent object.
func arguments(raw json.RawMessage) (object, other event.Value) {
	v := value(raw)
	switch {
	case v.Form == event.Absent, v.Form == event.Null:
		return event.Value{}, event.Value{}
	case v.Form == event.Object:
		return v, event.Value{}
	case !v.IsString():
		return event.Value{}, quoted(v.Raw)
	}
	s := bytes.TrimSpace(text(raw))
	switch {
	case len(s) == 0:
		return event.Value{}, event.Value{}
	case s[0] == '{' && json.Valid(s) && utf8.Valid(s):
		return value(s), event.Value{}
	}
	return event.Value{}, v
}

func (c *Chat) result(m *message) error {
	c.begin(event.ToolResult)
	r := &c.step.Result
	r.CallID, r.Tool = []byte(m.ToolCallID), []byte(m.Name)
	if open, ok := c.calls[m.ToolCallID]; ok && m.ToolCallID != "" {
		c.step.Agent = open.agent
		if len(r.Tool) == 0 {
			r.Tool = open.tool
		}
	}
	r.Content = c.content(m.Content)
	return c.put()
}

// content gives the text of a message: a string as it is, the text of parts
// joined by line ends, a part of another type as its type in brackets.
func (c *Chat) content(raw json.RawMessage) event.Value {
	v := value(raw)
	switch v.Form {
	case event.String, event.Escaped:
		return v
	case event.Absent, event.Null:
		return event.Value{Form: event.String}
	case event.Array:
	default:
		return quoted(v.Raw)
	}
	var parts []json.RawMessage
	if json.Unmarshal(raw, &parts) != nil {
		return quoted(v.Raw)
	}
	c.text = c.text[:0]
	for i, p := range parts {
		if i > 0 {
			c.text = append(c.text, '\n')
		}
		c.text = append(c.text, partText(p)...)
	}
	return quoted(c.text)
}

func partText(raw json.RawMessage) []byte {
	var part struct {
		Type    string          `json:"type"`
		Text    json.RawMessage `json:"text"`
		Refusal json.RawMessage `json:"refusal"`
	}
	if value(raw).IsString() {
		return text(raw)
	}
	if json.Unmarshal(raw, &part) != nil {
		return raw
	}
	switch {
	case value(part.Text).IsString():
		return text(part.Text)
	case value(part.Refusal).IsString():
		return text(part.Refusal)
	case part.Type == "":
		return raw
	}
	return []byte("[" + part.Type + "]")
}

// maxShown is how much of a hostile name a message quotes.
const maxShown = 40

func short(s string) string {
	if len(s) <= maxShown {
		return s
	}
	cut := maxShown
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "..."
}

// invalidUTF8 gives the place of the first byte that is not UTF-8, -1 when
// there is none.
func invalidUTF8(b []byte) int {
	if utf8.Valid(b) {
		return -1
	}
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return math.MaxInt // not reached: Valid said otherwise
}
