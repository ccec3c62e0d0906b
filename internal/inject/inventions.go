package inject

import (
	"strings"
	"unicode"
)

func inventions() []operator {
	of := func(kind, name string, plant func(p *plant) bool) operator {
		return operator{"hallucinated_tool", kind, name, plant}
	}
	renamed := func(name string, rename func(p *plant, tool string) string) operator {
		return of(Positive, name, func(p *plant) bool { return p.renamed(rename, false) })
	}
	alias := func(name string, rename func(p *plant, tool string) string) operator {
		return of(LookAlike, name, func(p *plant) bool { return p.renamed(rename, true) })
	}
	return []operator{
		renamed("typo", typo),
		renamed("synonym", synonym),
		renamed("invented", func(p *plant, _ string) string { return pick(p, invented[p.family]) }),
		of(Positive, "variant_storm", (*plant).variants),
		of(Positive, "extra_parameter", (*plant).extraParameter),
		of(Positive, "phantom_call", (*plant).phantomCall),
		of(Positive, "phantom_result", (*plant).phantomResult),
		of(Positive, "call_in_text", (*plant).callInText),
		alias("alias_camel", func(_ *plant, t string) string { return recase(t) }),
		alias("alias_prefix", func(p *plant, t string) string {
			return []string{"functions.", "mcp__shop__", "tools.", "mcp__freight__"}[p.family] + t
		}),
		alias("alias_kebab", func(_ *plant, t string) string { return kebab(t) }),
		of(LookAlike, "parallel_wrapper", (*plant).wrapped),
		of(LookAlike, "tool_added", (*plant).toolAdded),
		of(LookAlike, "promise", (*plant).promise),
		of(LookAlike, "told_after_call", (*plant).toldAfterCall),
		of(LookAlike, "id_from_result", (*plant).idFromResult),
		of(LookAlike, "open_schema", (*plant).openSchema),
	}
}

var invented = [][]string{
	{"escalate_to_finance", "get_customer_sentiment", "apply_loyalty_bonus"},
	{"sync_loyalty_miles", "query_weather_risk", "open_lounge_access"},
	{"ai.summarise_case", "hr.lookup_manager", "sales.upsell_offer"},
	{"estimateCarbon", "auctionCargo", "notarizeBill"},
}

// renamed calls the right tool under a wrong name. An alias is the same name
// written in another way, which the runtime takes; of the others it takes half.
func (p *plant) renamed(rename func(p *plant, tool string) string, alias bool) bool {
	if !p.scene() {
		return false
	}
	p.user(p.say("opening"))
	name := rename(p, p.d.look)
	if name == p.d.look || p.specOf(name) != nil {
		return false
	}
	s := p.call(name, map[string]any{p.d.idParam: p.e.id})
	p.complete(s)
	if alias || p.r.IntN(2) == 0 {
		p.ok(p.e.record(p.d))
	} else {
		p.fail(p.unknown(name))
		p.lookup()
	}
	p.agent(p.say("status"))
	return true
}

// unknown is how a runtime says that there is no such tool.
func (p *plant) unknown(name string) failure {
	return []failure{
		{"Error: unknown tool " + name, "unknown_tool"},
		{"Tool '" + name + "' is not available.", "ToolNotFound"},
		{`{"error":"no such function","name":"` + name + `"}`, ""},
		{"java.lang.NoSuchMethodError: " + name, "NoSuchMethodError"},
	}[p.family]
}

// typo drops or swaps a letter.
func typo(p *plant, tool string) string {
	i := 2 + p.r.IntN(len(tool)-4)
	if p.r.IntN(2) == 0 {
		return tool[:i] + tool[i+1:]
	}
	if tool[i] == tool[i+1] {
		i--
	}
	return tool[:i] + string(tool[i+1]) + string(tool[i]) + tool[i+2:]
}

var verbs = map[string][]string{
	"get": {"retrieve", "read"}, "find": {"obtain", "read"}, "lookup": {"inspect", "describe"}, "fetch": {"obtain", "inspect"},
}

// synonym says the same with another verb, and a word more.
func synonym(p *plant, tool string) string {
	for _, v := range sortedKeys(verbs) {
		if strings.Contains(tool, v) {
			name := strings.Replace(tool, v, pick(p, verbs[v]), 1)
			if strings.ContainsAny(tool, "_.") {
				return name + pick(p, []string{"_info", "_by_ref", "_summary"})
			}
			return name + pick(p, []string{"Info", "ByRef", "Summary"})
		}
	}
	return tool + "_details"
}

// recase writes snake_case as camelCase, and the other way round.
func recase(tool string) string {
	if !strings.ContainsAny(tool, "_") {
		return snake(tool, "_")
	}
	parts := strings.Split(tool, "_")
	for i, w := range parts[1:] {
		parts[i+1] = strings.ToUpper(w[:1]) + w[1:]
	}
	return strings.Join(parts, "")
}

func kebab(tool string) string { return strings.ReplaceAll(snake(tool, "-"), "_", "-") }

func snake(tool, by string) string {
	var b strings.Builder
	for _, r := range tool {
		if unicode.IsUpper(r) {
			b.WriteString(by)
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

func (p *plant) variants() bool {
	if !p.scene() {
		return false
	}
	p.user(p.say("opening"))
	for i, name := range []string{synonym(p, p.d.look), p.d.look + "2", pick(p, invented[p.family])} {
		s := p.call(name, map[string]any{p.d.idParam: p.e.id})
		p.bad(s)
		p.fail(p.unknown(name))
		if i == 1 {
			p.done = s
		}
	}
	p.lookup()
	p.agent(p.say("status"))
	return true
}

var extras = [][]string{{"include_history", "customer_tier"}, {"currency", "with_remarks"}, {"verbose", "as_of"}, {"locale", "includeLegs"}}

func (p *plant) extraParameter() bool {
	if !p.scene() {
		return false
	}
	p.user(p.say("opening"))
	extra := pick(p, extras[p.family])
	p.complete(p.call(p.d.look, map[string]any{p.d.idParam: p.e.id, extra: pick(p, []any{true, "full", "EUR"})}))
	if p.r.IntN(2) == 0 {
		p.ok(p.e.record(p.d))
	} else {
		p.fail(p.refusal("", "unexpected argument "+extra))
		p.lookup()
	}
	p.agent(p.say("status"))
	return true
}

// phantomCall says that something was done for which there was no call.
func (p *plant) phantomCall() bool {
	if !p.opening() {
		return false
	}
	p.agree()
	p.complete(p.agent(p.say("acted")))
	p.user(p.say("thanks"))
	return true
}

// phantomResult tells of a record that was never looked up.
func (p *plant) phantomResult() bool {
	if !p.scene() {
		return false
	}
	p.user(p.say("opening"))
	p.complete(p.agent(p.say("made_up", "{fake}", p.d.jobID(p.r), "{fake2}", p.d.subID(p.r))))
	p.user(p.say("thanks"))
	return true
}

// callInText writes a call into the answer instead of making it.
func (p *plant) callInText() bool {
	if !p.scene() {
		return false
	}
	p.user(p.say("opening"))
	args := string(encode(map[string]any{p.d.idParam: p.e.id}))
	p.complete(p.agent([]string{
		"Let me look that up.\n```json\n{\"name\": \"" + p.d.look + "\", \"arguments\": " + args + "}\n```\nYour {noun} is on its way.",
		"<tool_call>{\"name\": \"" + p.d.look + "\", \"arguments\": " + args + "}</tool_call> It is confirmed.",
		"Action: " + p.d.look + "\nAction Input: " + args + "\nObservation: active\nThe account is active.",
		"<function=" + p.d.look + ">" + args + "</function> All is in order with it.",
	}[p.family]))
	*p.done.text = p.fill(*p.done.text)
	return true
}

// toolAdded calls a tool that came in the middle of the run.
func (p *plant) toolAdded() bool {
	if !p.opening() {
		return false
	}
	name := pick(p, invented[p.family])
	s := p.put("tools_changed")
	s.rest["tools"] = encode(map[string]any{"add": []any{map[string]any{
		"name": name, "description": "A further tool.", "effect": "read",
		"parameters": map[string]any{"type": "object", "properties": map[string]any{p.d.idParam: map[string]any{"type": "string"}}, "required": []string{p.d.idParam}},
	}}})
	p.bad(p.call(name, map[string]any{p.d.idParam: p.e.id}))
	p.ok(map[string]any{"status": "fine"})
	p.agent(p.say("status"))
	return true
}

// promise says what will be done, and then does it.
func (p *plant) promise() bool {
	if !p.opening() {
		return false
	}
	p.agree()
	p.bad(p.agent(p.say("will_act")))
	p.call(p.d.act, p.actArgs())
	p.ok(p.acted())
	p.agent(p.say("acted"))
	return true
}

func (p *plant) toldAfterCall() bool {
	if !p.opening() {
		return false
	}
	p.agree()
	p.call(p.d.act, p.actArgs())
	p.ok(p.acted())
	p.call(p.d.notify, map[string]any{"to": p.e.email, "body": p.say("note")})
	p.okText("sent")
	p.bad(p.agent(p.say("acted") + " " + p.say("sent_note")))
	return true
}

// idFromResult quotes ids that a tool gave.
func (p *plant) idFromResult() bool {
	if !p.opening() {
		return false
	}
	p.user(p.say("create"))
	made := strings.ToUpper(p.d.newParam[:2]) + "-" + digits(p.r, 6)
	p.call(p.d.create, map[string]any{p.d.idParam: p.e.id, "item_ref": p.e.sub})
	p.ok(map[string]any{p.d.newParam: made, "status": "open"})
	p.bad(p.agent(p.say("created", "{new}", made)))
	return true
}

// openSchema gives a member that the schema leaves open.
func (p *plant) openSchema() bool {
	if !p.addTools(map[string]any{"name": "log_note", "description": "Keep a note; any further members are kept as they are.", "effect": "write", "parameters": map[string]any{
		"type": "object", "properties": map[string]any{"text": map[string]any{"type": "string"}}, "required": []string{"text"}, "additionalProperties": true,
	}}) || !p.opening() {
		return false
	}
	p.bad(p.call("log_note", map[string]any{"text": p.say("note"), extras[p.family][0]: "yes"}))
	p.okText("kept")
	p.agent(p.say("status"))
	return true
}
