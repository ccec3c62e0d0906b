package inject

import (
	"encoding/json"
	"strconv"
)

func contexts() []operator {
	of := func(kind, name string, plant func(p *plant) bool) operator {
		return operator{"context_loss", kind, name, plant}
	}
	return []operator{
		of(Positive, "asks_again", (*plant).asksAgain),
		of(Positive, "asks_again_after_compaction", (*plant).asksAfterCompaction),
		of(Positive, "swapped_entity", (*plant).swapped),
		of(Positive, "outdated_value", (*plant).outdated),
		of(Positive, "limit_overstepped", (*plant).limitOverstepped),
		of(Positive, "exclusion_ignored", (*plant).exclusionIgnored),
		of(Positive, "write_repeated", (*plant).writeRepeated),
		of(Positive, "default_after_compaction", (*plant).defaultAfterCompaction),
		of(Positive, "begins_anew", (*plant).beginsAnew),
		of(Positive, "reads_again_after_compaction", (*plant).readsAgain),
		of(LookAlike, "value_from_tool", (*plant).valueFromTool),
		of(LookAlike, "correction_followed", (*plant).correctionFollowed),
		of(LookAlike, "verification_again", (*plant).verificationAgain),
		of(LookAlike, "second_entity", (*plant).secondEntity),
		of(LookAlike, "echo", (*plant).echo),
		of(LookAlike, "limit_raised", (*plant).limitRaised),
		of(LookAlike, "within_limit", (*plant).withinLimit),
		of(LookAlike, "write_for_another", (*plant).writeForAnother),
		of(LookAlike, "asks_after_failed_lookup", (*plant).asksAfterFailed),
		of(LookAlike, "compaction_survived", (*plant).compactionSurvived),
		of(LookAlike, "write_asked_again", (*plant).writeAskedAgain),
	}
}

// smallTalk puts a few turns between what the user said and what comes of it.
func (p *plant) smallTalk() {
	for range 1 + p.r.IntN(2) {
		p.user(p.say("aside"))
		p.agent(p.say("aside_answer"))
	}
}

func (p *plant) compacted() *step {
	s := p.put("context_compacted")
	s.rest["context"] = encode(map[string]any{"tokens_before": 80000 + p.r.IntN(20000), "tokens_after": 8000 + p.r.IntN(4000)})
	return s
}

func (p *plant) update(id, value string) *step {
	s := p.call(p.d.update, map[string]any{p.d.idParam: id, p.d.valueParam: value})
	p.ok(map[string]any{p.d.idParam: id, p.d.valueParam: value, "status": "saved"})
	return s
}

// asksAgain asks for the id that the user gave, and that was used.
func (p *plant) asksAgain() bool {
	if !p.opening() {
		return false
	}
	p.agent(p.say("status"))
	p.smallTalk()
	p.user(p.say("change"))
	p.complete(p.agent(p.say("ask_id")))
	p.user(p.say("said_already"))
	p.update(p.e.id, p.e.value)
	p.agent(p.say("changed"))
	return true
}

func (p *plant) asksAfterCompaction() bool {
	if !p.opening() {
		return false
	}
	p.agent(p.say("status"))
	p.smallTalk()
	p.bad(p.compacted())
	p.user(p.say("change"))
	p.complete(p.agent(p.say("ask_id")))
	p.user(p.say("said_already"))
	p.update(p.e.id, p.e.value)
	p.agent(p.say("changed"))
	return true
}

// swapped writes to another thing than the one that the user named.
func (p *plant) swapped() bool {
	if !p.opening() {
		return false
	}
	p.agent(p.say("status"))
	other := p.d.entity(p.r)
	p.user(p.say("compare", "{id2}", other.id))
	p.call(p.d.look, map[string]any{p.d.idParam: other.id})
	p.ok(other.record(p.d))
	p.agent(p.say("aside_answer"))
	p.user(p.say("change_pinned"))
	p.complete(p.update(other.id, p.e.value))
	p.agent(p.say("changed"))
	return true
}

// outdated writes the value that the user took back.
func (p *plant) outdated() bool {
	if !p.opening() {
		return false
	}
	p.user(p.say("change"))
	p.agent(p.say("ask_confirm_value"))
	p.user(p.say("correct", "{value2}", p.e.value2))
	if p.r.IntN(2) == 0 {
		p.smallTalk()
	}
	p.complete(p.update(p.e.id, p.e.value))
	p.agent(p.say("finished"))
	return true
}

func (p *plant) limit() (limit int, over, under string) {
	limit = 100 + 50*p.r.IntN(8)
	return limit, strconv.Itoa(limit+15+p.r.IntN(60)) + ".50", strconv.Itoa(limit-10-p.r.IntN(60)) + ".50"
}

func (p *plant) addBuy() bool {
	return p.addTools(map[string]any{"name": "buy_option", "description": "Buy one of the options that were shown.", "effect": "write", "parameters": map[string]any{
		"type": "object", "properties": map[string]any{"ref": map[string]any{"type": "string"}, "price": map[string]any{"type": "number"}, "vendor": map[string]any{"type": "string"}}, "required": []string{"ref", "price"},
	}})
}

var vendors = []string{"Northwind", "Acme", "Globex", "Initech"}

// options shows two options, and gives their references.
func (p *plant) options(price1, price2 string) (ref1, ref2 string) {
	ref1, ref2 = p.d.subID(p.r), p.d.subID(p.r)
	p.call(p.d.search, map[string]any{p.d.queryParam: pick(p, p.d.queries)})
	p.ok(map[string]any{"results": []any{
		map[string]any{"ref": ref1, "price": json.Number(price1), "vendor": vendors[p.family]},
		map[string]any{"ref": ref2, "price": json.Number(price2), "vendor": vendors[(p.family+1)%4]},
	}})
	return ref1, ref2
}

func (p *plant) limitOverstepped() bool {
	if !p.addBuy() || !p.scene() {
		return false
	}
	limit, over, under := p.limit()
	p.user(p.say("limit", "{limit}", strconv.Itoa(limit)))
	ref, _ := p.options(over, under)
	p.smallTalk()
	p.complete(p.call("buy_option", map[string]any{"ref": ref, "price": json.Number(over), "vendor": vendors[p.family]}))
	p.okText("bought")
	p.agent(p.say("finished"))
	return true
}

func (p *plant) exclusionIgnored() bool {
	if !p.addBuy() || !p.scene() {
		return false
	}
	_, over, under := p.limit()
	p.user(p.say("exclude", "{vendor}", vendors[p.family]))
	ref, _ := p.options(under, over)
	p.smallTalk()
	p.complete(p.call("buy_option", map[string]any{"ref": ref, "price": json.Number(under), "vendor": vendors[p.family]}))
	p.okText("bought")
	p.agent(p.say("finished"))
	return true
}

// writeRepeated does again what was done.
func (p *plant) writeRepeated() bool {
	if !p.opening() {
		return false
	}
	p.agree()
	p.call(p.d.act, p.actArgs())
	p.ok(p.acted())
	p.agent(p.say("acted"))
	p.smallTalk()
	p.complete(p.call(p.d.act, p.actArgs()))
	p.ok(p.acted())
	p.agent(p.say("acted"))
	return true
}

// defaultAfterCompaction forgets the user's value with the context.
func (p *plant) defaultAfterCompaction() bool {
	if !p.opening() {
		return false
	}
	p.user(p.say("keep", "{value}", p.e.value))
	p.agent(p.say("kept"))
	p.smallTalk()
	p.bad(p.compacted())
	p.user(p.say("go_on"))
	p.complete(p.update(p.e.id, p.e.value2))
	p.agent(p.say("finished"))
	return true
}

func (p *plant) beginsAnew() bool {
	if !p.opening() {
		return false
	}
	p.agent(p.say("status"))
	p.smallTalk()
	p.user(p.say("change"))
	p.complete(p.agent(p.say("greeting")))
	p.user(p.say("said_already"))
	p.update(p.e.id, p.e.value)
	p.agent(p.say("changed"))
	return true
}

func (p *plant) readsAgain() bool {
	if !p.opening() {
		return false
	}
	other := p.d.entity(p.r)
	p.user(p.say("compare", "{id2}", other.id))
	p.call(p.d.look, map[string]any{p.d.idParam: other.id})
	p.ok(other.record(p.d))
	p.bad(p.compacted())
	p.complete(p.lookup())
	p.bad(p.call(p.d.look, map[string]any{p.d.idParam: other.id}))
	p.bad(p.ok(other.record(p.d)))
	p.agent(p.say("status"))
	return true
}

func (p *plant) correctionFollowed() bool {
	if !p.opening() {
		return false
	}
	p.user(p.say("change"))
	p.agent(p.say("ask_confirm_value"))
	p.user(p.say("correct", "{value2}", p.e.value2))
	p.bad(p.update(p.e.id, p.e.value2))
	p.agent(p.say("finished"))
	return true
}

// verificationAgain asks for what is known, to see that it is the same person.
func (p *plant) verificationAgain() bool {
	if !p.opening() {
		return false
	}
	p.user(p.say("email_is"))
	p.agent(p.say("status"))
	p.smallTalk()
	p.user(p.say("request"))
	p.bad(p.agent(p.say("reverify")))
	p.user(p.say("email_is"))
	p.agree()
	p.call(p.d.act, p.actArgs())
	p.ok(p.acted())
	p.agent(p.say("acted"))
	return true
}

// secondEntity asks for the id of another thing.
func (p *plant) secondEntity() bool {
	if !p.opening() {
		return false
	}
	p.agent(p.say("status"))
	p.user(p.say("another"))
	p.bad(p.agent(p.say("ask_id")))
	p.e.id = p.e.other
	p.user(p.say("id_is"))
	p.lookup()
	p.agent(p.say("status"))
	return true
}

func (p *plant) echo() bool {
	if !p.opening() {
		return false
	}
	p.agent(p.say("status"))
	p.user(p.say("change"))
	p.bad(p.agent(p.say("ask_confirm_value")))
	p.user(p.say("confirm"))
	p.update(p.e.id, p.e.value)
	p.agent(p.say("changed"))
	return true
}

func (p *plant) limitRaised() bool {
	if !p.addBuy() || !p.scene() {
		return false
	}
	limit, over, _ := p.limit()
	p.user(p.say("limit", "{limit}", strconv.Itoa(limit)))
	ref, _ := p.options(over, strconv.Itoa(limit+200))
	p.agent(p.say("none_within", "{limit}", strconv.Itoa(limit), "{price}", over))
	p.user(p.say("raise", "{limit}", strconv.Itoa(limit+100)))
	p.bad(p.call("buy_option", map[string]any{"ref": ref, "price": json.Number(over), "vendor": vendors[p.family]}))
	p.okText("bought")
	p.agent(p.say("finished"))
	return true
}

func (p *plant) withinLimit() bool {
	if !p.addBuy() || !p.scene() {
		return false
	}
	limit, over, under := p.limit()
	p.user(p.say("limit", "{limit}", strconv.Itoa(limit)))
	_, ref := p.options(over, under)
	p.smallTalk()
	p.bad(p.call("buy_option", map[string]any{"ref": ref, "price": json.Number(under), "vendor": vendors[(p.family+1)%4]}))
	p.okText("bought")
	p.agent(p.say("finished"))
	return true
}

func (p *plant) writeForAnother() bool {
	if !p.opening() {
		return false
	}
	p.user(p.say("change"))
	p.update(p.e.id, p.e.value)
	p.agent(p.say("changed"))
	p.e.id = p.e.other
	p.user(p.say("same_for", "{id2}", p.e.other))
	p.bad(p.update(p.e.other, p.e.value))
	p.agent(p.say("changed"))
	return true
}

func (p *plant) asksAfterFailed() bool {
	if !p.scene() {
		return false
	}
	p.user(p.say("opening"))
	p.call(p.d.look, map[string]any{p.d.idParam: p.e.id})
	p.fail(p.d.notFound.of(p.e.id))
	p.bad(p.agent(p.say("ask_id")))
	p.e.id = p.e.other
	p.user(p.say("id_is"))
	p.lookup()
	p.agent(p.say("status"))
	return true
}

func (p *plant) compactionSurvived() bool {
	if !p.opening() {
		return false
	}
	p.user(p.say("keep", "{value}", p.e.value))
	p.agent(p.say("kept"))
	p.smallTalk()
	p.compacted()
	p.user(p.say("go_on"))
	p.bad(p.update(p.e.id, p.e.value))
	p.agent(p.say("changed"))
	return true
}

// writeAskedAgain does again what the user asks for a second time.
func (p *plant) writeAskedAgain() bool {
	if !p.opening() {
		return false
	}
	p.call(p.d.notify, map[string]any{"to": p.e.email, "body": p.fill("Your {noun} {id}.")})
	p.okText("sent")
	p.agent(p.say("sent_note"))
	p.user(p.say("send_again"))
	p.bad(p.call(p.d.notify, map[string]any{"to": p.e.email, "body": p.fill("Your {noun} {id}.")}))
	p.okText("sent")
	p.agent(p.say("sent_note"))
	return true
}
