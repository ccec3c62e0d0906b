package inject

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// thrash calls one tool again and again, each time in another way, and fails
// each time for another reason.
func (p *plant) thrash() bool {
	if !p.scene() {
		return false
	}
	p.user(p.say("search"))
	for i := range 10 {
		c := p.call(p.d.search, map[string]any{p.d.queryParam: p.d.queries[i%5] + strings.Repeat("*", 1+i/5), "limit": json.Number(fmt.Sprint(1 + i*3))})
		r := p.fail(failure{pick(p, []string{"Error: cannot parse near '", "Error: unbalanced operator at '", "Error: no index for '"}) + p.d.queries[i%5][:4+i] + "'", ""})
		if i >= 4 {
			p.bad(c)
			p.bad(r)
		}
		if i == 7 {
			p.done = r
		}
	}
	p.agent(p.say("give_up"))
	return true
}

// nothingNew asks in many ways and learns what it knows already.
func (p *plant) nothingNew() bool {
	if !p.opening() {
		return false
	}
	known := p.e.record(p.d)
	calls := []struct {
		tool string
		args map[string]any
	}{
		{p.d.search, map[string]any{p.d.queryParam: p.e.id}},
		{p.d.search, map[string]any{p.d.queryParam: p.e.item}},
		{p.d.list, map[string]any{}},
		{p.d.search, map[string]any{p.d.queryParam: p.e.name}},
		{p.d.look, map[string]any{p.d.idParam: p.e.id}},
		{p.d.search, map[string]any{p.d.queryParam: p.e.email}},
		{p.d.search, map[string]any{p.d.queryParam: p.e.item + " " + p.e.city}},
		{p.d.search, map[string]any{p.d.queryParam: p.e.user}},
		{p.d.search, map[string]any{p.d.queryParam: p.e.id + " " + p.e.name}},
		{p.d.search, map[string]any{p.d.queryParam: p.e.city + " " + p.e.id}},
		{p.d.search, map[string]any{p.d.queryParam: p.e.sub}},
	}
	for i, c := range calls {
		s := p.call(c.tool, c.args)
		r := p.ok(known)
		if i >= 3 {
			p.bad(s)
			p.bad(r)
		}
		if i == 6 {
			p.done = r
		}
	}
	p.agent(p.say("give_up"))
	return true
}

// pollWaiting asks a tool that is made to be asked again, which has nothing new
// for a while.
func (p *plant) pollWaiting() bool {
	name := "wait_for_job"
	if !p.addTools(map[string]any{"name": name, "description": "Wait for a job; call again until it is finished.", "effect": "read", "polls": true, "parameters": map[string]any{
		"type": "object", "properties": map[string]any{p.d.jobParam: map[string]any{"type": "string"}}, "required": []string{p.d.jobParam},
	}}) || !p.opening() {
		return false
	}
	p.user(p.say("create"))
	job := p.d.jobID(p.r)
	p.call(p.d.create, map[string]any{p.d.idParam: p.e.id, "item_ref": p.e.sub})
	p.ok(map[string]any{"status": "started", p.d.jobParam: job})
	for i := range 7 {
		p.gap = 20 * time.Second
		p.call(name, map[string]any{p.d.jobParam: job})
		state := "waiting"
		if i == 6 {
			state = "finished"
		}
		p.bad(p.ok(map[string]any{p.d.jobParam: job, "state": state}))
	}
	p.agent(p.say("finished"))
	return true
}

// wrapped makes two calls through the wrapper that some models use.
func (p *plant) wrapped() bool {
	if !p.scene() {
		return false
	}
	p.user(p.say("opening"))
	p.bad(p.call("multi_tool_use.parallel", map[string]any{"tool_uses": []any{
		map[string]any{"recipient_name": "functions." + p.d.look, "parameters": map[string]any{p.d.idParam: p.e.id}},
	}}))
	p.ok(p.e.record(p.d))
	p.agent(p.say("status"))
	return true
}

// exampleValue takes the example out of a tool's description for a value.
func (p *plant) exampleValue() bool {
	id := p.d.newID(p.r)
	if !p.addTools(map[string]any{"name": "trace_item", "description": "Trace one item.", "effect": "read", "parameters": map[string]any{
		"type": "object", "properties": map[string]any{"ref": map[string]any{"type": "string", "description": "The reference, such as '" + id + "'."}}, "required": []string{"ref"},
	}}) || !p.scene() {
		return false
	}
	p.user(p.say("no_id"))
	p.complete(p.call("trace_item", map[string]any{"ref": id}))
	p.ok(map[string]any{"ref": id, "state": p.d.live})
	p.agent(p.say("status"))
	return true
}

// mintedName names a file that the agent makes.
func (p *plant) mintedName() bool {
	if !p.addTools(map[string]any{"name": "save_report", "description": "Write a new file under a name of your choice.", "effect": "write", "parameters": map[string]any{
		"type": "object", "properties": map[string]any{"file_name": map[string]any{"type": "string"}, "text": map[string]any{"type": "string"}}, "required": []string{"file_name", "text"},
	}}) || !p.opening() {
		return false
	}
	p.user("Please keep a short report about it in a file.")
	name := strings.ToLower(strings.ReplaceAll(p.d.noun, " ", "_")) + fmt.Sprintf("_report_v%d.md", 1+p.r.IntN(3))
	p.bad(p.call("save_report", map[string]any{"file_name": name, "text": p.fill("{noun} {id}: {item}")}))
	p.okText("written")
	p.agent("I have written it to " + name + ".")
	return true
}

// localeNumber reads an amount as people of another country write it.
func (p *plant) localeNumber() bool {
	if !p.opening() {
		return false
	}
	n := fmt.Sprintf("%d", 1000+p.r.IntN(8000))
	p.verified()
	p.user(p.fill([]string{
		"Please {act} it, the agreed amount is " + n[:1] + "." + n[1:] + ",50 EUR.", "could you {act} it? we said " + n[:1] + "," + n[1:] + ".50",
		"{act}: " + n[:1] + " " + n[1:] + ",50.", "Kindly {act} it in the sum of " + n[:1] + "'" + n[1:] + ".50.",
	}[p.family]))
	p.e.amount = n + ".50"
	p.agent(p.say("offer"))
	p.user(p.say("confirm"))
	p.bad(p.call(p.d.act, p.actArgs()))
	p.ok(p.acted())
	p.agent(p.say("acted"))
	return true
}

// yesToAll has one word of the user for three acts.
func (p *plant) yesToAll() bool {
	if !p.scene() {
		return false
	}
	ids := []string{p.e.id, p.e.other, p.d.newID(p.r)}
	all := strings.Join(ids, ", ")
	p.user(p.fill([]string{
		"Please {cancel} all three of my {noun}s: " + all + ".", "I wanna {cancel} these: " + all,
		"{cancel} " + all + ".", "Kindly {cancel} the {noun}s " + all + ".",
	}[p.family]))
	p.agent(p.fill([]string{
		"I will {cancel} " + all + "; this cannot be undone. Do you confirm all of them?", "So {cancel} all three (" + all + "), no way back - sure?",
		"{cancel} " + all + ". Irreversible. Confirm all?", "It is final to {cancel} " + all + ". Do you confirm for each of them?",
	}[p.family]))
	p.user([]string{"Yes, all of them, please.", "yep, all three!", "Yes, all.", "I confirm it for all of them."}[p.family])
	for _, id := range ids {
		p.bad(p.call(p.d.cancel, map[string]any{p.d.idParam: id}))
		p.ok(map[string]any{p.d.idParam: id, "status": p.d.dead})
	}
	p.agent(p.say("finished"))
	return true
}

// valueFromTool uses the user's value as a tool has put it right.
func (p *plant) valueFromTool() bool {
	if !p.addTools(map[string]any{"name": "normalise_value", "description": "Give a value in its official form.", "effect": "read", "parameters": map[string]any{
		"type": "object", "properties": map[string]any{"value": map[string]any{"type": "string"}}, "required": []string{"value"},
	}}) || !p.opening() {
		return false
	}
	p.user(p.say("change"))
	p.call("normalise_value", map[string]any{"value": p.e.value})
	official := strings.ToUpper(p.e.value) + " (DE)"
	p.ok(map[string]any{"given": p.e.value, "official": official})
	p.bad(p.update(p.e.id, official))
	p.agent(p.say("changed", "{value}", official))
	return true
}

// conditionMet refuses until a condition is met, which the user then meets.
func (p *plant) conditionMet() bool {
	if !p.deny() {
		return false
	}
	p.user(p.say("push"))
	p.agent(p.fill([]string{
		"I can only {act} it once the {field} is {value}. Shall I change that first?", "If we switch the {field} to {value}, I could {act} it - want that?",
		"Needs {field} {value} first. Change?", "Were the {field} amended to {value}, it would qualify. Do you wish so?",
	}[p.family]))
	p.user(p.say("confirm"))
	p.update(p.e.id, p.e.value)
	p.call(p.d.look, map[string]any{p.d.idParam: p.e.id})
	rec := p.e.record(p.d)
	rec[p.d.valueParam], rec["eligible"] = p.e.value, true
	p.ok(rec)
	p.agent(p.say("offer"))
	p.user(p.say("confirm"))
	p.bad(p.call(p.d.act, p.actArgs()))
	p.ok(p.acted())
	p.agent(p.say("acted"))
	return true
}

// notKeptUp makes a plan once, follows it, and never speaks of it again.
func (p *plant) notKeptUp() bool {
	if !p.planned() {
		return false
	}
	p.lookup()
	p.update(p.e.id, p.e.value)
	p.verified()
	p.agent(p.say("offer"))
	p.user(p.say("confirm"))
	p.bad(p.call(p.d.act, p.actArgs()))
	p.ok(p.acted())
	p.call(p.d.notify, map[string]any{"to": p.e.email, "body": p.say("note")})
	p.okText("sent")
	p.agent(p.say("finished"))
	return true
}

// recreated finds the thing gone, then there again, and goes on.
func (p *plant) recreated() bool {
	if !p.planned() {
		return false
	}
	p.call(p.d.look, map[string]any{p.d.idParam: p.e.id})
	p.ok(p.deadRecord())
	p.agent(p.fill([]string{"{id} is not active. Shall I have it put back?", "Huh, {id} is dead - revive it?", "{id} inactive. Restore?", "{id} is not in force. Might it be reinstated?"}[p.family]))
	p.user(p.say("confirm"))
	p.call(p.d.create, map[string]any{p.d.idParam: p.e.id, "item_ref": p.e.sub})
	p.ok(map[string]any{p.d.idParam: p.e.id, "status": p.d.live, "note": "reinstated"})
	p.lookup()
	p.bad(p.update(p.e.id, p.e.value))
	p.agent(p.say("changed"))
	return true
}
