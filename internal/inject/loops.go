package inject

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func loop(kind, name string, plant func(p *plant) bool) operator {
	return operator{"retry_loop", kind, name, plant}
}

func loops() []operator {
	return []operator{
		loop(Positive, "identical_x2_permanent", func(p *plant) bool { return p.identical(2, p.d.invalid) }),
		loop(Positive, "identical_x3", func(p *plant) bool { return p.identical(3, p.d.notFound) }),
		loop(Positive, "identical_x5", func(p *plant) bool { return p.identical(5, p.d.busy) }),
		loop(Positive, "same_error_varied", (*plant).varied),
		loop(Positive, "identical_alien", (*plant).alien),
		loop(Positive, "cycle_ab", func(p *plant) bool { return p.cycle(2, 3) }),
		loop(Positive, "cycle_abc", func(p *plant) bool { return p.cycle(3, 3) }),
		loop(Positive, "cycle_6", func(p *plant) bool { return p.cycle(6, 3) }),
		loop(Positive, "same_result", func(p *plant) bool { return p.sameResult(false) }),
		loop(Positive, "same_result_stamped", func(p *plant) bool { return p.sameResult(true) }),
		loop(Positive, "reworded_search", (*plant).reworded),
		loop(Positive, "monologue", (*plant).monologue),
		loop(Positive, "compaction_loop", (*plant).compactions),
		loop(Positive, "thrash", (*plant).thrash),
		loop(Positive, "nothing_new", (*plant).nothingNew),
		loop(LookAlike, "poll_waiting", (*plant).pollWaiting),
		loop(LookAlike, "poll_progress", (*plant).pollProgress),
		loop(LookAlike, "paging", (*plant).paging),
		loop(LookAlike, "batch_50", (*plant).batch),
		loop(LookAlike, "backoff_success", (*plant).backoff),
		loop(LookAlike, "edit_build_test", (*plant).editTest),
		loop(LookAlike, "parallel_fan_out", (*plant).fanOut),
		loop(LookAlike, "read_after_write", (*plant).readAfterWrite),
		loop(LookAlike, "different_errors", (*plant).differentErrors),
		loop(LookAlike, "refined_search", (*plant).refinedSearch),
		loop(LookAlike, "same_read_each_turn", (*plant).readEachTurn),
	}
}

// identical makes one call fail n times. From the second on it is a loop; the
// third completes the evidence, the second where trying again cannot help.
func (p *plant) identical(n int, with failure) bool {
	if !p.scene() {
		return false
	}
	p.user(p.say("opening"))
	for i := range n {
		if i > 0 && p.r.IntN(2) == 0 {
			p.agent(p.say("again"))
		}
		p.gap = 900 * time.Millisecond // no backing off
		c := p.call(p.d.look, map[string]any{p.d.idParam: p.e.id})
		r := p.fail(with.of(p.e.id))
		if i > 0 {
			p.bad(c)
		}
		if i == min(n, 3)-1 {
			p.complete(r)
		} else if i > 0 {
			p.bad(r)
		}
	}
	p.agent(p.say("give_up"))
	return true
}

func (p *plant) varied() bool {
	if !p.scene() {
		return false
	}
	p.user(p.say("opening"))
	p.verified()
	for i := range 4 {
		args := p.actArgs()
		args[p.d.amountParam] = json.Number(strconv.Itoa(10 + 7*i + p.r.IntN(5)))
		c := p.call(p.d.act, args)
		r := p.fail(p.d.denied.of(p.e.id))
		switch {
		case i == 2:
			p.bad(c)
			p.complete(r)
		case i > 0:
			p.bad(c)
			p.bad(r)
		}
	}
	p.agent(p.say("give_up"))
	return true
}

func (p *plant) alien() bool {
	if !p.scene() {
		return false
	}
	p.user(p.say("opening"))
	for i := range 4 {
		if i == 2 {
			p.call(p.d.search, map[string]any{p.d.queryParam: p.d.queries[0]})
			p.ok(map[string]any{"hits": 0})
		}
		c := p.call(p.d.look, map[string]any{p.d.idParam: p.e.id})
		r := p.fail(p.d.notFound.of(p.e.id))
		switch {
		case i == 2:
			p.bad(c)
			p.complete(r)
		case i > 0:
			p.bad(c)
			p.bad(r)
		}
	}
	p.agent(p.say("give_up"))
	return true
}

// cycle goes round k different reads, n times and a bit, with the same results.
func (p *plant) cycle(k, n int) bool {
	if !p.scene() {
		return false
	}
	p.user(p.say("opening"))
	type round struct {
		tool    string
		args    map[string]any
		content map[string]any
	}
	var rounds []round
	// All ids of the rounds come from a list that was read before.
	var listed []entity
	var rows []any
	job := p.d.jobID(p.r)
	for range k {
		e := p.d.entity(p.r)
		listed = append(listed, e)
		rows = append(rows, map[string]any{p.d.idParam: e.id})
	}
	p.call(p.d.list, map[string]any{})
	p.ok(map[string]any{"rows": rows, p.d.jobParam: job})
	for i := range k {
		switch i % 3 {
		case 0:
			e := listed[i]
			rounds = append(rounds, round{p.d.look, map[string]any{p.d.idParam: e.id}, e.record(p.d)})
		case 1:
			rounds = append(rounds, round{p.d.search, map[string]any{p.d.queryParam: p.d.queries[i%5]}, map[string]any{"hits": 1, "first": p.d.subID(p.r)}})
		case 2:
			rounds = append(rounds, round{p.d.poll, map[string]any{p.d.jobParam: job}, map[string]any{"state": fmt.Sprint("waiting", i)}})
		}
	}
	for i := range k*n + 1 {
		x := rounds[i%k]
		c := p.call(x.tool, x.args)
		r := p.ok(x.content)
		if i >= k {
			p.bad(c)
			p.bad(r)
		}
		if i == k*3-1 {
			p.done = r
		}
	}
	p.agent(p.say("give_up"))
	return true
}

// sameResult repeats a read that says the same each time, but for the moment
// and the number of the request where it is stamped.
func (p *plant) sameResult(stamped bool) bool {
	if !p.scene() {
		return false
	}
	p.user(p.say("opening"))
	for i := range 5 {
		c := p.call(p.d.look, map[string]any{p.d.idParam: p.e.id})
		content := p.e.record(p.d)
		if stamped {
			content["request_id"] = fmt.Sprintf("req-%08x-%04x", p.r.Uint32(), p.r.IntN(1<<16))
			content["generated_at"] = time.Unix(1772323200+int64(i*7+p.r.IntN(5)), 0).UTC().Format(time.RFC3339)
		}
		r := p.ok(content)
		switch {
		case i == 2:
			p.bad(c)
			p.complete(r)
		case i > 0:
			p.bad(c)
			p.bad(r)
		}
	}
	p.agent(p.say("give_up"))
	return true
}

// reworded asks the same in other words, and is told the same.
func (p *plant) reworded() bool {
	if !p.scene() {
		return false
	}
	p.user(p.say("search"))
	hit := p.d.subID(p.r)
	for i, q := range p.d.queries {
		c := p.call(p.d.search, map[string]any{p.d.queryParam: q})
		r := p.ok(map[string]any{"hits": 1, "results": []any{map[string]any{"ref": hit, "title": p.d.items[0], "note": "out of stock"}}})
		switch {
		case i == 2:
			p.bad(c)
			p.complete(r)
		case i > 0:
			p.bad(c)
			p.bad(r)
		}
	}
	p.agent(p.say("give_up"))
	return true
}

// monologue says the same to nobody.
func (p *plant) monologue() bool {
	if !p.opening() {
		return false
	}
	text := p.say("monologue")
	for i := range 5 {
		s := p.agent(text + []string{"", " ", " Please wait.", "", " One moment."}[i])
		if i > 0 {
			p.bad(s)
		}
		if i == 2 {
			p.done = s
		}
	}
	return true
}

func (p *plant) compactions() bool {
	if !p.opening() {
		return false
	}
	for i := range 3 {
		s := p.put("context_compacted")
		s.rest["context"] = encode(map[string]any{"tokens_before": 90000 + p.r.IntN(9000), "tokens_after": 70000 + p.r.IntN(9000)})
		if i > 0 {
			p.bad(s)
		}
		if i == 2 {
			p.done = s
		}
		p.lookup()
	}
	return true
}
