package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// The model is a decoder of steps written with encoding/json, slowly and
// plainly, out of a table. The real one has to agree with it on every input.

type fieldType int

const (
	aName    fieldType = iota // string of at most max bytes, no controls
	aTool                     // as aName, or hidden
	aWord                     // string
	aTurn                     // string or number
	aText                     // string or hidden
	anyForm                   // any JSON
	anArray                   // or hidden
	anObject                  // or hidden
	aTools                    // any JSON; what it has to be depends on the kind
	aCount                    // integer of 0 or more
	aFixed                    // decimal with scale digits kept
	aFlag
	aTime
	anEnum
	aVersion
	aGroup // object with fields of its own
)

type fieldRule struct {
	is     fieldType
	max    int
	scale  int
	signed bool
	names  []string // of an enumeration, the one for unknown values first
	fields map[string]fieldRule
}

func name() fieldRule { return fieldRule{is: aName, max: MaxName} }

func group(fields map[string]fieldRule) fieldRule { return fieldRule{is: aGroup, fields: fields} }

func fixedPoint(scale int, signed bool) fieldRule {
	return fieldRule{is: aFixed, scale: scale, signed: signed}
}

func withCut(fields map[string]fieldRule) map[string]fieldRule {
	fields["truncated"] = fieldRule{is: aFlag}
	fields["content_len"] = fieldRule{is: aCount}
	fields["content_hash"] = fieldRule{is: aWord}
	return fields
}

func stepRules() map[string]fieldRule {
	word, text, count := fieldRule{is: aWord}, fieldRule{is: aText}, fieldRule{is: aCount}
	tool := fieldRule{is: aTool, max: MaxToolName}
	status := fieldRule{is: anEnum, names: statusNames[:]}
	return withCut(map[string]fieldRule{
		"trajectory_id": name(), "kind": {is: anEnum, names: kindNames[:]}, "v": {is: aVersion},
		"id": name(), "seq": count, "time": {is: aTime}, "log_time": {is: aTime}, "task_id": name(),
		"agent": name(), "parent_trajectory_id": name(), "workflow": name(), "release": name(),
		"model": name(), "tenant": name(),
		"usage": group(map[string]fieldRule{
			"input_tokens": count, "output_tokens": count, "cache_read_tokens": count,
			"cache_write_tokens": count, "reasoning_tokens": count, "cost_usd": fixedPoint(6, false),
		}),
		"text": text, "source": word, "messages": {is: anArray}, "messages_skipped": count,
		"context_tokens": count, "status": status, "error_type": word, "finish_reason": word,
		"duration_ms": count, "tools": {is: aTools}, "plan": {is: anObject},
		"task": group(map[string]fieldRule{
			"goal": text, "tools": {is: anArray},
			"limits": group(map[string]fieldRule{
				"max_steps": count, "max_cost_usd": fixedPoint(6, false), "deadline_s": fixedPoint(3, false),
			}),
		}),
		"call": group(withCut(map[string]fieldRule{
			"id": word, "tool": tool, "arguments": {is: anObject}, "arguments_raw": text, "turn": {is: aTurn},
		})),
		"result": group(withCut(map[string]fieldRule{
			"call_id": word, "tool": tool, "status": status, "error_type": word, "content": {is: anyForm},
			"duration_ms": count,
		})),
		"context":  group(map[string]fieldRule{"tokens_before": count, "tokens_after": count}),
		"approval": group(map[string]fieldRule{"call_id": word, "granted": {is: aFlag}, "by": word}),
		"escalation": group(map[string]fieldRule{
			"to": {is: anEnum, names: escalationNames[:]}, "reason": text,
		}),
		"guardrail": group(map[string]fieldRule{"action": word, "reason": text}),
		"handoff":   group(map[string]fieldRule{"to": name()}),
		"outcome": group(map[string]fieldRule{
			"status": {is: anEnum, names: outcomeNames[:OutcomeAbandoned]}, "score": fixedPoint(3, true),
			"scored_by": {is: anEnum, names: scoredByNames[:]},
		}),
		"feedback": group(map[string]fieldRule{"failure_id": name(), "verdict": word, "by": word}),
	})
}

// seen is what a step holds, by path: a text that is the same where the content
// is. A group that is there has an entry of its own.
type seen map[string]string

var errModel = errors.New("refused")

var rfc3339 = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$`)

// modelStep decodes one event, which has to be all of b.
func modelStep(b []byte) (seen, error) {
	if !utf8.Valid(b) || !json.Valid(b) || nesting(b) > DefaultMaxDepth || bytes.TrimLeft(b, " \t\r\n")[0] != '{' {
		return nil, errModel
	}
	got := seen{}
	if err := modelGroup(b, "", stepRules(), got); err != nil {
		return nil, err
	}
	return got, modelRequired(got)
}

func nesting(b []byte) (most int) {
	depth, inString := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			depth++
			most = max(most, depth)
		case c == '}' || c == ']':
			depth--
		}
	}
	return most
}

func modelGroup(b []byte, path string, rules map[string]fieldRule, got seen) error {
	members, err := membersOf(b)
	if err != nil {
		return err
	}
	for _, m := range members {
		rule, known := rules[m.key]
		if !known {
			continue
		}
		at := strings.TrimPrefix(path+"."+m.key, ".")
		for k := range got {
			if k == at || strings.HasPrefix(k, at+".") {
				delete(got, k)
			}
		}
		if string(m.raw) == "null" {
			if rule.is == anyForm {
				got[at] = "null"
			}
			continue
		}
		if rule.is == aGroup {
			if m.raw[0] != '{' {
				return fmt.Errorf("%s: %w", at, errModel)
			}
			got[at] = "there"
			if err := modelGroup(m.raw, at, rule.fields, got); err != nil {
				return err
			}
			continue
		}
		text, err := rule.read(m.raw)
		if err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
		got[at] = text
	}
	return nil
}

type member struct {
	key string
	raw json.RawMessage
}

func membersOf(b []byte) ([]member, error) {
	dec := json.NewDecoder(bytes.NewReader(b))
	if _, err := dec.Token(); err != nil {
		return nil, err
	}
	var list []member
	for dec.More() {
		k, err := dec.Token()
		if err != nil {
			return nil, err
		}
		m := member{key: k.(string)}
		if err := dec.Decode(&m.raw); err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	return list, nil
}

func (r fieldRule) read(raw json.RawMessage) (string, error) {
	switch r.is {
	case aName, aTool, aWord, aText, aTurn, anEnum, aTime:
		if raw[0] == '"' {
			var s string
			if err := json.Unmarshal(raw, &s); err != nil {
				return "", err
			}
			return r.readString(s)
		}
		h, isHidden := hiddenMember(raw)
		switch {
		case r.is == aTurn && (raw[0] == '-' || raw[0]-'0' <= 9):
			return string(raw), nil
		case r.is == aText && isHidden:
			return "hidden " + compacted(h), nil
		case r.is == aTool && isHidden:
			return readHiddenName(h)
		}
	case anyForm:
		if h, ok := hiddenMember(raw); ok {
			return "hidden " + compacted(h), nil
		}
		return compacted(raw), nil
	case aTools:
		return compacted(raw), nil
	case anArray, anObject:
		if h, ok := hiddenMember(raw); ok {
			return "hidden " + compacted(h), nil
		}
		if raw[0] == '[' && r.is == anArray || raw[0] == '{' && r.is == anObject {
			return compacted(raw), nil
		}
	case aFlag:
		if string(raw) == "true" || string(raw) == "false" {
			return string(raw), nil
		}
	case aCount, aVersion, aFixed:
		return r.readNumber(raw)
	}
	return "", errModel
}

func (r fieldRule) readString(s string) (string, error) {
	switch r.is {
	case aName, aTool:
		if len(s) > r.max || strings.ContainsFunc(s, unicode.IsControl) {
			return "", errModel
		}
	case anEnum:
		if !slices.Contains(r.names, s) {
			return r.names[0], nil
		}
	case aTime:
		// encoding/json is not as strict as RFC 3339.
		if !rfc3339.MatchString(s) {
			return "", errModel
		}
		var at time.Time
		if err := at.UnmarshalText([]byte(s)); err != nil {
			return "", err
		}
		sec := big.NewInt(at.Unix())
		ns := sec.Mul(sec, big.NewInt(nanosecond)).Add(sec, big.NewInt(int64(at.Nanosecond())))
		if !ns.IsInt64() || at.UTC().Year() < 1678 {
			return "", errModel
		}
		return ns.String(), nil
	}
	return s, nil
}

func (r fieldRule) readNumber(raw json.RawMessage) (string, error) {
	if raw[0] != '-' && raw[0]-'0' > 9 {
		return "", errModel
	}
	if _, exp, ok := strings.Cut(strings.ToLower(string(raw)), "e"); ok && len(strings.TrimLeft(exp, "+-0")) > 4 {
		return "", errTooBig
	}
	n, ok := new(big.Rat).SetString(string(raw))
	if !ok {
		return "", errModel
	}
	scale := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(r.scale)), nil))
	n.Mul(n, scale)
	if r.is != aFixed && !n.IsInt() {
		return "", errModel
	}
	if n.Sign() < 0 && !r.signed {
		return "", errModel
	}
	// Half up is the floor of n + 1/2.
	n.Add(n, big.NewRat(1, 2))
	whole := new(big.Int).Div(n.Num(), n.Denom())
	if !whole.IsInt64() || whole.Int64() == None {
		return "", errModel
	}
	if r.is == aVersion && whole.Int64() != 1 {
		return "", errModel
	}
	return whole.String(), nil
}

func sortedKeys[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}

// errTooBig says that math/big would take too long.
var errTooBig = errors.New("exponent too big for the model")

func hiddenMember(raw json.RawMessage) (json.RawMessage, bool) {
	if raw[0] != '{' {
		return nil, false
	}
	members, err := membersOf(raw)
	if err != nil || len(members) != 1 || members[0].key != "$hidden" || members[0].raw[0] != '{' {
		return nil, false
	}
	return members[0].raw, true
}

func readHiddenName(h json.RawMessage) (string, error) {
	members, err := membersOf(h)
	if err != nil {
		return "", err
	}
	name := map[string]string{}
	for _, m := range members {
		var err error
		null := string(m.raw) == "null"
		switch m.key {
		case "kid", "mac":
			s := ""
			if !null {
				err = json.Unmarshal(m.raw, &s)
			}
			name[m.key] = s
		case "len":
			if !null {
				_, err = fieldRule{is: aCount}.readNumber(m.raw)
			}
		case "tokens":
			if !null && m.raw[0] != '[' {
				err = errModel
			}
		}
		if err != nil {
			return "", errModel
		}
	}
	mac := strings.TrimRight(name["mac"], "=")
	if len(mac) > MaxToolName || strings.ContainsFunc(mac, unicode.IsControl) {
		return "", errModel
	}
	return "hidden " + name["kid"] + " " + mac, nil
}

func compacted(raw json.RawMessage) string {
	if raw[0] == '"' {
		var s string
		_ = json.Unmarshal(raw, &s)
		return "text " + s
	}
	var b bytes.Buffer
	_ = json.Compact(&b, raw)
	return b.String()
}

// modelRequired refuses what says nothing for its kind.
func modelRequired(got seen) error {
	need := func(path string) error {
		if got[path] == "" {
			return fmt.Errorf("%s: %w", path, errModel)
		}
		return nil
	}
	if got["trajectory_id"] == "" {
		return errModel
	}
	if _, ok := got["kind"]; !ok {
		return errModel
	}
	switch got["kind"] {
	case "system_message", "user_message", "agent_message", "context_added":
		if _, ok := got["text"]; !ok {
			return errModel
		}
	case "tool_call":
		return need("call.tool")
	case "tool_result":
		return need("result")
	case "plan_update":
		return need("plan")
	case "approval":
		return need("approval.granted")
	case "escalation":
		return need("escalation")
	case "guardrail":
		return need("guardrail")
	case "handoff":
		return need("handoff.to")
	case "outcome":
		return need("outcome")
	case "feedback":
		return need("feedback.failure_id")
	case "model_call":
		if t := got["tools"]; t != "" && t[0] != '[' {
			if _, ok := hiddenMember(json.RawMessage(t)); !ok {
				return errModel
			}
		}
	case "tools_changed":
		t := got["tools"]
		if t == "" || t[0] != '{' {
			return errModel
		}
		if _, ok := hiddenMember(json.RawMessage(t)); ok {
			return nil
		}
		members, err := membersOf([]byte(t))
		if err != nil {
			return err
		}
		for _, m := range members {
			if m.key != "add" && m.key != "remove" || string(m.raw) == "null" || m.raw[0] == '[' {
				continue
			}
			if _, ok := hiddenMember(m.raw); !ok {
				return errModel
			}
		}
	}
	return nil
}

// seenIn lists what a decoded step holds, in the terms of the model.
func seenIn(s *Step) seen {
	got := seen{"kind": s.Kind.String()}
	text := func(path string, b []byte) {
		if b != nil {
			got[path] = string(b)
		}
	}
	num := func(path string, n int64) {
		if n != None {
			got[path] = fmt.Sprint(n)
		}
	}
	value := func(path string, v Value) {
		switch {
		case v.Form == Hidden:
			got[path] = "hidden " + compacted(v.Raw)
		case v.IsString():
			got[path] = string(v.AppendText(nil))
		case v.Form != Absent:
			got[path] = compacted(v.AppendJSON(nil))
		}
	}
	tool := func(path string, name, kid []byte, hidden bool) {
		text(path, name)
		if hidden {
			got[path] = "hidden " + string(kid) + " " + string(name)
		}
	}
	cut := func(path string, c Cut) {
		if c.Truncated {
			got[path+"truncated"] = "true"
		}
		num(path+"content_len", c.Len)
		text(path+"content_hash", c.Hash)
	}
	text("trajectory_id", s.TrajectoryID)
	text("id", s.ID)
	num("seq", s.Seq)
	num("time", s.Time)
	num("log_time", s.LogTime)
	text("task_id", s.TaskID)
	text("agent", s.Agent)
	text("parent_trajectory_id", s.Parent)
	text("workflow", s.Workflow)
	text("release", s.Release)
	text("model", s.Model)
	text("tenant", s.Tenant)
	num("usage.input_tokens", s.Usage.InputTokens)
	num("usage.output_tokens", s.Usage.OutputTokens)
	num("usage.cache_read_tokens", s.Usage.CacheReadTokens)
	num("usage.cache_write_tokens", s.Usage.CacheWriteTokens)
	num("usage.reasoning_tokens", s.Usage.ReasoningTokens)
	num("usage.cost_usd", s.Usage.CostMicroUSD)
	value("text", s.Text)
	cut("", s.Cut)
	text("source", s.Source)
	value("messages", s.ModelCall.Messages)
	num("messages_skipped", s.ModelCall.MessagesSkipped)
	num("context_tokens", s.ModelCall.ContextTokens)
	got["status"] = s.ModelCall.Status.String()
	text("error_type", s.ModelCall.ErrorType)
	text("finish_reason", s.ModelCall.FinishReason)
	num("duration_ms", s.ModelCall.DurationMS)
	value("plan", s.Plan)
	value("task.goal", s.Task.Goal)
	value("task.tools", s.Task.Tools)
	num("task.limits.max_steps", s.Task.MaxSteps)
	num("task.limits.max_cost_usd", s.Task.MaxCostMicroUSD)
	num("task.limits.deadline_s", s.Task.DeadlineMS)
	text("call.id", s.Call.ID)
	tool("call.tool", s.Call.Tool, s.Call.ToolKID, s.Call.ToolHidden)
	value("call.arguments", s.Call.Arguments)
	value("call.arguments_raw", s.Call.Raw)
	text("call.turn", s.Call.Turn)
	cut("call.", s.Call.Cut)
	text("result.call_id", s.Result.CallID)
	tool("result.tool", s.Result.Tool, s.Result.ToolKID, s.Result.ToolHidden)
	got["result.status"] = s.Result.Status.String()
	text("result.error_type", s.Result.ErrorType)
	if s.Result.Content.IsString() {
		got["result.content"] = "text " + string(s.Result.Content.AppendText(nil))
	} else {
		value("result.content", s.Result.Content)
	}
	num("result.duration_ms", s.Result.DurationMS)
	cut("result.", s.Result.Cut)
	num("context.tokens_before", s.Compaction.TokensBefore)
	num("context.tokens_after", s.Compaction.TokensAfter)
	text("approval.call_id", s.Approval.CallID)
	got["approval.granted"] = fmt.Sprint(s.Approval.Granted)
	text("approval.by", s.Approval.By)
	got["escalation.to"] = s.Escalation.To.String()
	value("escalation.reason", s.Escalation.Reason)
	text("guardrail.action", s.Guardrail.Action)
	value("guardrail.reason", s.Guardrail.Reason)
	text("handoff.to", s.HandoffTo)
	got["outcome.status"] = s.Outcome.Status.String()
	num("outcome.score", s.Outcome.Score)
	got["outcome.scored_by"] = s.Outcome.ScoredBy.String()
	text("feedback.failure_id", s.Feedback.FailureID)
	text("feedback.verdict", s.Feedback.Verdict)
	text("feedback.by", s.Feedback.By)
	return got
}

// differences compares what the model saw with what the step holds. What reads
// as its default may be absent from one of them.
func differences(model seen, s *Step) []string {
	defaults := map[string]string{
		"status": "unknown", "result.status": "unknown", "approval.granted": "false", "escalation.to": "unknown",
		"outcome.status": "unknown", "outcome.scored_by": "agent",
		"truncated": "false", "call.truncated": "false", "result.truncated": "false",
		"messages_skipped": "0", "usage.input_tokens": "0", "usage.output_tokens": "0", "usage.cache_read_tokens": "0",
		"usage.cache_write_tokens": "0", "usage.reasoning_tokens": "0", "usage.cost_usd": "0",
	}
	got := seenIn(s)
	var list []string
	for path, want := range model {
		if want == "there" || path == "v" || path == "tools" {
			continue
		}
		have, ok := got[path]
		if !ok && defaults[path] != "" {
			have = defaults[path]
		} else if !ok {
			have = "nothing"
		}
		if have != want {
			list = append(list, fmt.Sprintf("%s: got %q, want %q", path, have, want))
		}
	}
	for path, have := range got {
		if _, ok := model[path]; !ok && have != defaults[path] {
			list = append(list, fmt.Sprintf("%s: got %q, want nothing", path, have))
		}
	}
	if _, ok := model["usage"]; ok != s.Usage.Has {
		list = append(list, "Usage.Has")
	}
	if _, ok := model["usage.cost_usd"]; ok != s.Usage.HasCost {
		list = append(list, "Usage.HasCost")
	}
	if _, ok := model["outcome"]; ok != s.Outcome.Has {
		list = append(list, "Outcome.Has")
	}
	list = append(list, toolsDiffer(model, s)...)
	return list
}

// toolsDiffer compares the member that is a list or a change.
func toolsDiffer(model seen, s *Step) []string {
	show := func(v Value) string {
		if v.Form == Absent {
			return ""
		}
		return compacted(v.AppendJSON(nil))
	}
	var wantTools, wantAdd, wantRemove string
	tools := model["tools"]
	switch model["kind"] {
	case "model_call":
		wantTools = tools
	case "tools_changed":
		if _, ok := hiddenMember(json.RawMessage(tools)); ok {
			wantAdd, wantRemove = tools, tools
			break
		}
		members, _ := membersOf([]byte(tools))
		for _, m := range members {
			text := compacted(m.raw)
			if text == "null" {
				text = ""
			}
			switch m.key {
			case "add":
				wantAdd = text
			case "remove":
				wantRemove = text
			}
		}
	}
	hiddenAs := func(text string) string {
		if text != "" {
			if h, ok := hiddenMember(json.RawMessage(text)); ok {
				return `{"$hidden":` + string(h) + `}`
			}
		}
		return text
	}
	var list []string
	for _, c := range [...][3]string{
		{"tools", show(s.ModelCall.Tools), hiddenAs(wantTools)},
		{"tools.add", show(s.Change.Add), hiddenAs(wantAdd)},
		{"tools.remove", show(s.Change.Remove), hiddenAs(wantRemove)},
	} {
		if c[1] != c[2] {
			list = append(list, fmt.Sprintf("%s: got %q, want %q", c[0], c[1], c[2]))
		}
	}
	return list
}
