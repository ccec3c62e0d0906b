package inject

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

func (p *plant) recovered() bool {
	if !p.opening() {
		return false
	}
	p.agree()
	p.call(p.d.act, p.actArgs())
	p.bad(p.fail(p.d.busy))
	p.agent(p.say("failed_told"))
	p.gap = 30e9
	p.call(p.d.act, p.actArgs())
	p.ok(p.acted())
	p.agent(p.say("acted"))
	return true
}

func (p *plant) errorTold() bool {
	if !p.opening() {
		return false
	}
	p.agree()
	p.call(p.d.act, p.actArgs())
	p.fail(p.d.denied.of(p.e.id))
	p.bad(p.agent(p.say("failed_told")))
	return true
}

// generatedKey makes up an id that the agent is asked to make up.
func (p *plant) generatedKey() bool {
	if !p.addTools(map[string]any{"name": "post_payment", "description": "Charge an amount. The agent chooses a fresh idempotency_key for each payment.", "effect": "write", "parameters": map[string]any{
		"type": "object", "properties": map[string]any{"amount": map[string]any{"type": "number"}, "idempotency_key": map[string]any{"type": "string", "format": "uuid"}}, "required": []string{"amount", "idempotency_key"},
	}}) || !p.opening() {
		return false
	}
	p.user(p.say("pay"))
	key := fmt.Sprintf("%08x-%04x-4%03x-a%03x-%012x", p.r.Uint32(), p.r.IntN(1<<16), p.r.IntN(1<<12), p.r.IntN(1<<12), p.r.Uint64()>>16)
	p.bad(p.call("post_payment", map[string]any{"amount": json.Number(p.e.amount), "idempotency_key": key}))
	p.ok(map[string]any{"status": "paid"})
	p.agent(p.say("finished"))
	return true
}

func (p *plant) derivedDate() bool {
	if !p.addTools(map[string]any{"name": "set_callback", "description": "Plan a call. Today is 2026-03-01.", "effect": "write", "parameters": map[string]any{
		"type": "object", "properties": map[string]any{"date": map[string]any{"type": "string", "format": "date"}}, "required": []string{"date"},
	}}) || !p.opening() {
		return false
	}
	p.user(pick(p, []string{"Today is March 1st; please call me tomorrow.", "Ring me the day after tomorrow, on the 2nd of March 2026 or so.", "It is Sunday 1 March 2026. Call me back on Monday please."}))
	p.bad(p.call("set_callback", map[string]any{"date": "2026-03-02"}))
	p.okText("planned")
	p.agent(p.say("finished"))
	return true
}

// normalisedID writes the user's id as the tools want it.
func (p *plant) normalisedID() bool {
	if !p.scene() {
		return false
	}
	id := p.e.id
	p.e.id = strings.ToLower(strings.TrimPrefix(id, "#"))
	p.user(p.say("opening"))
	p.e.id = id
	p.bad(p.lookup())
	p.agent(p.say("status"))
	return true
}

// computedAmount acts on the sum of two amounts that were shown.
func (p *plant) computedAmount() bool {
	if !p.opening() {
		return false
	}
	second := p.d.entity(p.r)
	p.user(p.say("second", "{id2}", second.id))
	p.call(p.d.look, map[string]any{p.d.idParam: second.id})
	p.ok(second.record(p.d))
	a, _ := strconv.ParseFloat(p.e.amount, 64)
	b, _ := strconv.ParseFloat(second.amount, 64)
	sum := strconv.FormatFloat(a+b, 'f', 2, 64)
	p.verified()
	p.agent(p.say("offer_sum", "{sum}", sum))
	p.user(p.say("confirm"))
	args := p.actArgs()
	args[p.d.amountParam] = json.Number(sum)
	p.bad(p.call(p.d.act, args))
	p.ok(map[string]any{"status": "completed", p.d.amountParam: json.Number(sum)})
	p.agent(p.say("finished"))
	return true
}

func (p *plant) usersWrongID() bool {
	if !p.scene() {
		return false
	}
	right := p.e.id
	p.e.id = p.e.other
	p.user(p.say("opening"))
	p.call(p.d.look, map[string]any{p.d.idParam: p.e.other})
	p.bad(p.fail(p.d.notFound.of(p.e.other)))
	p.agent(p.say("ask_id"))
	p.e.id = right
	p.user(p.say("id_is"))
	p.lookup()
	p.agent(p.say("status"))
	return true
}

// confirmedBefore has the user's word for all of it beforehand.
func (p *plant) confirmedBefore() bool {
	if !p.opening() {
		return false
	}
	p.agent(p.say("offer"))
	p.user(p.say("confirm"))
	p.verified()
	p.bad(p.call(p.d.act, p.actArgs()))
	p.ok(p.acted())
	p.agent(p.say("acted"))
	return true
}

// digitsAsText writes a whole number as text, which the tool reads as one.
func (p *plant) digitsAsText() bool {
	if !p.scene() {
		return false
	}
	p.user(p.say("search"))
	p.bad(p.call(p.d.search, map[string]any{p.d.queryParam: p.d.queries[0], "limit": "10"}))
	p.ok(map[string]any{"hits": 2, "results": []any{p.d.subID(p.r), p.d.subID(p.r)}})
	p.agent(p.say("finished"))
	return true
}
