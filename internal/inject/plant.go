package inject

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// operator plants one kind of failure, or of what looks like one.
type operator struct {
	class, kind, name string
	plant             func(p *plant) bool // false: it does not fit the run
}

// operators gives all, in a fixed order.
func operators() []operator {
	return slices.Concat(misuse(), inventions(), loops(), contexts(), pressures(), plans())
}

// plant is what an operator works on: a copy of a clean run, which it changes
// at the place at.
type plant struct {
	r      *rand.Rand
	base   *run
	run    *run
	family int
	d      *domain
	at     int
	gap    time.Duration // before the next step
	calls  int
	marked []*step
	done   *step // completes the evidence; nil: the last that is marked
	e      entity
	strict bool // a call of the run itself is to be spoilt, none of a scene
}

func newPlant(base *run, r *rand.Rand, family int) *plant {
	p := &plant{r: r, base: base, run: base.clone(), family: family, d: &families[family].domain}
	p.e = p.d.entity(r)
	return p
}

// scene makes room for a scene of its own, in which the tools of the family's
// domain are there: in the place of the last words of the run, or before the
// first of the user.
func (p *plant) scene() bool {
	first := slices.IndexFunc(p.run.steps, func(s *step) bool { return s.kind == "user_message" })
	end := slices.IndexFunc(p.run.steps, func(s *step) bool { return s.kind == "task_end" || s.kind == "outcome" })
	if first < 0 || end < 0 || !p.addTools() {
		return false
	}
	if p.at = end; p.r.IntN(3) == 0 {
		p.at = first
	}
	return true
}

// addTools adds the domain's tools to the catalogue. A run without one cannot
// tell what is invented, so it is left alone.
func (p *plant) addTools(more ...map[string]any) bool {
	for _, s := range p.run.steps {
		if s.kind != "task_start" {
			continue
		}
		var task map[string]json.RawMessage
		var tools []json.RawMessage
		if json.Unmarshal(s.rest["task"], &task) != nil || json.Unmarshal(task["tools"], &tools) != nil || len(tools) == 0 {
			return false
		}
		have := map[string]bool{}
		for _, t := range tools {
			var spec struct{ Name string }
			if json.Unmarshal(t, &spec) == nil {
				have[spec.Name] = true
			}
		}
		for _, t := range append(p.d.specs(), more...) {
			if !have[t["name"].(string)] {
				tools = append(tools, encode(t))
			}
		}
		task["tools"] = encode(tools)
		s.rest["task"] = encode(task)
		return true
	}
	return false
}

// encode gives JSON of what always has one.
func encode(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		return json.RawMessage("null")
	}
	return b
}

// put inserts a step. It carries the labels of the run.
func (p *plant) put(kind string) *step {
	s := &step{kind: kind, made: true, rest: map[string]json.RawMessage{}, gap: p.gap}
	if s.gap == 0 {
		s.gap = time.Duration(800+p.r.IntN(4000)) * time.Millisecond
	}
	p.gap = 0
	for _, of := range p.run.steps {
		if of.kind == "user_message" || of.kind == "agent_message" || of.kind == "tool_call" {
			for _, k := range []string{"agent", "workflow", "release", "model", "tenant", "task_id"} {
				if v, ok := of.rest[k]; ok {
					s.rest[k] = v
				}
			}
			break
		}
	}
	p.run.steps = slices.Insert(p.run.steps, p.at, s)
	p.at++
	return s
}

func (p *plant) words(kind, text string) *step {
	s := p.put(kind)
	s.text = &text
	return s
}

func (p *plant) user(text string) *step  { return p.words("user_message", text) }
func (p *plant) agent(text string) *step { return p.words("agent_message", text) }

// call inserts a call.
func (p *plant) call(tool string, args map[string]any) *step {
	s := p.put("tool_call")
	p.calls++
	s.call = &call{id: fmt.Sprintf("call_x%06x%02d", p.r.IntN(1<<24), p.calls), tool: tool, args: args}
	return s
}

// answer inserts the result of the last call that was put.
func (p *plant) answer(status string, content json.RawMessage, errorType string) *step {
	var c *call
	for i := p.at - 1; i >= 0 && c == nil; i-- {
		c = p.run.steps[i].call
	}
	return p.answerTo(c, status, content, errorType)
}

func (p *plant) answerTo(c *call, status string, content json.RawMessage, errorType string) *step {
	s := p.put("tool_result")
	s.result = &result{callID: c.id, tool: c.tool, status: status, content: content}
	if errorType != "" {
		s.result.rest = map[string]json.RawMessage{"error_type": encode(errorType)}
	}
	return s
}

// ok answers the last call well. How the content is written is the family's.
func (p *plant) ok(content map[string]any) *step {
	return p.answer("ok", p.d.write(content), "")
}

func (p *plant) okText(text string) *step { return p.answer("ok", encode(text), "") }

// fail answers the last call with an error.
func (p *plant) fail(e failure) *step { return p.answer("error", encode(e.text), e.kind) }

// bad marks a step as part of what is planted.
func (p *plant) bad(s *step) *step {
	p.marked = append(p.marked, s)
	return s
}

// complete marks the step with which the evidence is complete.
func (p *plant) complete(s *step) *step {
	p.bad(s)
	p.done = s
	return s
}

// pick gives one of a list.
func pick[T any](p *plant, list []T) T { return list[p.r.IntN(len(list))] }

// say gives a wording of the family for a purpose, with the entity's facts and
// further values in the place of {names}.
func (p *plant) say(key string, pairs ...string) string {
	list := words[key][p.family]
	return p.fill(pick(p, list), pairs...)
}

func (p *plant) fill(text string, pairs ...string) string {
	d, e := p.d, &p.e
	base := []string{
		"{id}", e.id, "{noun}", d.noun, "{item}", e.item, "{amount}", e.amount, "{name}", e.name, "{email}", e.email,
		"{city}", e.city, "{date}", e.date, "{act}", d.actWord, "{acted}", d.actDone, "{cancel}", d.cancelWord,
		"{cancelled}", d.cancelDone, "{value}", e.value, "{field}", d.field, "{why}", d.policy, "{look}", d.look,
		"{acttool}", d.act, "{canceltool}", d.cancel, "{proof}", d.proof, "{user}", e.user,
	}
	return strings.NewReplacer(append(pairs, base...)...).Replace(text)
}

// opening has the user raise a matter, and the agent look it up.
func (p *plant) opening() bool {
	if !p.scene() {
		return false
	}
	p.user(p.say("opening"))
	p.lookup()
	return true
}

// lookup looks the entity up; the result shows all of it.
func (p *plant) lookup() *step {
	p.call(p.d.look, map[string]any{p.d.idParam: p.e.id})
	return p.ok(p.e.record(p.d))
}

// verified verifies the customer, as the catalogue asks for before money leaves.
func (p *plant) verified() {
	p.call(p.d.verify, p.verifyArgs())
	p.ok(map[string]any{"verified": true, p.d.idParam: p.e.id})
}

func (p *plant) verifyArgs() map[string]any {
	with := p.e.email
	switch p.d.verifyParam {
	case "last_name":
		with = p.e.name[strings.IndexByte(p.e.name, ' ')+1:]
	case "consignee":
		with = p.e.name
	}
	return map[string]any{p.d.idParam: p.e.id, p.d.verifyParam: with}
}

// agree has the customer verified, and their word for the domain's act.
func (p *plant) agree() {
	p.verified()
	p.agent(p.say("offer"))
	p.user(p.say("confirm"))
}

func (p *plant) actArgs() map[string]any {
	return map[string]any{p.d.idParam: p.e.id, p.d.amountParam: json.Number(p.e.amount), p.d.reasonParam: p.d.reasons[0]}
}

// acted is the result of the domain's act.
func (p *plant) acted() map[string]any {
	return map[string]any{p.d.idParam: p.e.id, "status": "completed", p.d.amountParam: json.Number(p.e.amount)}
}

// index gives the places of the steps that fit.
func (p *plant) index(fits func(s *step) bool) []int {
	var out []int
	for i, s := range p.run.steps {
		if fits(s) {
			out = append(out, i)
		}
	}
	return out
}

// resultOf gives the place of the result of the call at i, -1 without one.
func (p *plant) resultOf(i int) int {
	c := p.run.steps[i].call
	for k := i + 1; k < len(p.run.steps); k++ {
		r := p.run.steps[k].result
		if r != nil && (c.id != "" && r.callID == c.id || c.id == "" && r.callID == "" && r.tool == c.tool) {
			return k
		}
	}
	return -1
}
