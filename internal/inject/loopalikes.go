package inject

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

func (p *plant) pollProgress() bool {
	if !p.scene() {
		return false
	}
	p.user(p.say("opening"))
	p.lookup()
	p.user(p.say("create"))
	job := p.d.jobID(p.r)
	p.call(p.d.create, map[string]any{p.d.idParam: p.e.id, "item_ref": p.e.sub})
	p.ok(map[string]any{"status": "started", p.d.jobParam: job})
	for i := range 9 {
		p.gap = 5 * time.Second
		p.call(p.d.poll, map[string]any{p.d.jobParam: job})
		state := "running"
		if i == 8 {
			state = "finished"
		}
		p.bad(p.ok(map[string]any{p.d.jobParam: job, "state": state, "percent": 3 + i*12}))
	}
	p.agent(p.say("finished"))
	return true
}

func (p *plant) paging() bool {
	if !p.scene() {
		return false
	}
	p.user(p.say("list"))
	next := ""
	for i := range 14 {
		args := map[string]any{}
		if next != "" {
			args[p.d.cursorParam] = next
		}
		p.call(p.d.list, args)
		next = fmt.Sprintf("c%d_%s", i+1, digits(p.r, 4))
		page := map[string]any{"next": next, "rows": []any{p.d.newID(p.r), p.d.newID(p.r), p.d.newID(p.r)}}
		if i == 13 {
			page["next"] = nil
		}
		p.bad(p.ok(page))
	}
	p.agent(p.say("finished"))
	return true
}

func (p *plant) batch() bool {
	if !p.scene() || !p.addTools(map[string]any{"name": "tag_document", "description": "Put a tag on one document.", "effect": "write", "parameters": map[string]any{
		"type": "object", "properties": map[string]any{"path": map[string]any{"type": "string"}, "tag": map[string]any{"type": "string"}}, "required": []string{"path", "tag"},
	}}) {
		return false
	}
	p.user("Please put the tag 'reviewed' on scans/0001.pdf to scans/0050.pdf.")
	for i := range 50 {
		p.call("tag_document", map[string]any{"path": fmt.Sprintf("scans/%04d.pdf", i+1), "tag": "reviewed"})
		p.bad(p.okText("done"))
	}
	p.agent("All fifty scans carry the tag now.")
	return true
}

func (p *plant) backoff() bool {
	if !p.scene() {
		return false
	}
	p.user(p.say("opening"))
	for i := range 3 {
		p.gap = time.Duration(2<<(2*i)) * time.Second
		p.call(p.d.look, map[string]any{p.d.idParam: p.e.id})
		p.gap = time.Second
		p.bad(p.fail(p.d.busy))
	}
	p.gap = 128 * time.Second
	p.call(p.d.look, map[string]any{p.d.idParam: p.e.id})
	p.ok(p.e.record(p.d))
	p.agent(p.say("status"))
	return true
}

func (p *plant) editTest() bool {
	if !p.scene() || !p.addTools(
		map[string]any{"name": "edit_file", "description": "Replace text in a file.", "effect": "write", "parameters": map[string]any{
			"type": "object", "properties": map[string]any{"path": map[string]any{"type": "string"}, "old": map[string]any{"type": "string"}, "new": map[string]any{"type": "string"}}, "required": []string{"path", "old", "new"},
		}},
		map[string]any{"name": "run_tests", "description": "Build and test.", "effect": "read", "parameters": map[string]any{"type": "object", "properties": map[string]any{"package": map[string]any{"type": "string"}}, "required": []string{"package"}}},
	) {
		return false
	}
	p.user("The tests of ./cart fail since this morning, please mend them.")
	failing := []string{"TestTotal", "TestTotalWithTax", "TestRounding", "TestEmptyCart", "TestDiscount"}
	for i := range 6 {
		p.call("run_tests", map[string]any{"package": "./cart"})
		if i == 5 {
			p.okText("ok  \tshop/cart\t0.31s")
			break
		}
		p.bad(p.fail(failure{fmt.Sprintf("--- FAIL: %s (0.00s)\n    cart_test.go:%d: got %d, want %d\nFAIL\tshop/cart\t0.2%ds", failing[i], 20+9*i, 3+i, 7+i, i), "exit_1"}))
		p.call("edit_file", map[string]any{"path": "cart/cart.go", "old": fmt.Sprintf("return total + %d", i), "new": fmt.Sprintf("return total + tax(%d)", i)})
		p.okText("1 replacement")
	}
	p.agent("The tests of ./cart pass again.")
	return true
}

func (p *plant) fanOut() bool {
	if !p.scene() {
		return false
	}
	p.user(p.say("opening"))
	var calls []*step
	turn := encode("turn-" + digits(p.r, 4))
	for range 3 {
		p.gap = time.Millisecond
		c := p.call(p.d.look, map[string]any{p.d.idParam: p.e.id})
		c.call.rest = map[string]json.RawMessage{"turn": turn}
		calls = append(calls, c)
	}
	for _, c := range calls {
		p.gap = time.Millisecond
		p.bad(p.answerTo(c.call, "ok", p.d.write(p.e.record(p.d)), ""))
	}
	p.agent(p.say("status"))
	return true
}

// readAfterWrite looks again after each change.
func (p *plant) readAfterWrite() bool {
	if !p.opening() {
		return false
	}
	for i := range 3 {
		p.user(p.say("change", "{value}", p.d.values[i]))
		p.call(p.d.update, map[string]any{p.d.idParam: p.e.id, p.d.valueParam: p.d.values[i]})
		p.ok(map[string]any{"status": "saved"})
		p.call(p.d.look, map[string]any{p.d.idParam: p.e.id})
		rec := p.e.record(p.d)
		rec[p.d.valueParam] = p.d.values[i]
		p.bad(p.ok(rec))
		p.agent(p.say("changed", "{value}", p.d.values[i]))
	}
	return true
}

// differentErrors meets one error after the other, each mended.
func (p *plant) differentErrors() bool {
	if !p.opening() {
		return false
	}
	p.agree()
	args := p.actArgs()
	args[p.d.amountParam] = json.Number("0")
	p.call(p.d.act, args)
	p.bad(p.fail(failure{"the " + p.d.amountParam + " must be more than 0", "validation"}))
	args = p.actArgs()
	p.call(p.d.act, args)
	p.bad(p.fail(p.d.busy))
	p.gap = 20 * time.Second
	p.call(p.d.act, p.actArgs())
	p.ok(p.acted())
	p.agent(p.say("acted"))
	return true
}

// refinedSearch asks step by step for less, and finds something else each time.
func (p *plant) refinedSearch() bool {
	if !p.scene() {
		return false
	}
	p.user(p.say("search"))
	for i := range 5 {
		p.call(p.d.search, map[string]any{p.d.queryParam: p.d.queries[i], "limit": json.Number(strconv.Itoa(10 + 5*i))})
		var rows []any
		for range 3 {
			e := p.d.entity(p.r)
			rows = append(rows, map[string]any{"ref": e.sub, "title": e.item, "city": e.city, "price": json.Number(e.amount)})
		}
		p.bad(p.ok(map[string]any{"hits": 3, "results": rows}))
	}
	p.agent(p.say("finished"))
	return true
}

// readEachTurn looks the same thing up each time the user asks for it.
func (p *plant) readEachTurn() bool {
	if !p.opening() {
		return false
	}
	for range 3 {
		p.agent(p.say("status"))
		p.gap = 40 * time.Minute / 10
		p.user(p.say("any_news"))
		p.bad(p.lookup())
	}
	p.agent(p.say("status"))
	return true
}
