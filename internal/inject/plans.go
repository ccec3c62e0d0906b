package inject

func plans() []operator {
	of := func(kind, name string, plant func(p *plant) bool) operator {
		return operator{"plan_corruption", kind, name, plant}
	}
	return []operator{
		of(Positive, "stale_step", func(p *plant) bool { return p.stale(0) }),
		of(Positive, "stale_step_later", func(p *plant) bool { return p.stale(2) }),
		of(Positive, "old_goal", (*plant).oldGoal),
		of(Positive, "skipped", (*plant).skipped),
		of(Positive, "false_done", (*plant).falseDone),
		of(Positive, "reordered", (*plant).reordered),
		of(Positive, "no_new_plan", (*plant).noNewPlan),
		of(LookAlike, "new_plan", (*plant).newPlan),
		of(LookAlike, "item_dropped", (*plant).itemDropped),
		of(LookAlike, "transient_failure", (*plant).transient),
		of(LookAlike, "independent_order", (*plant).independent),
		of(LookAlike, "check_of_the_dead", (*plant).checkOfTheDead),
		of(LookAlike, "old_goal_confirmed", (*plant).oldGoalConfirmed),
		of(LookAlike, "plan_not_kept_up", (*plant).notKeptUp),
		of(LookAlike, "recreated", (*plant).recreated),
		of(LookAlike, "plan_kept", (*plant).planKept),
	}
}

// item is one item of a plan.
type item struct {
	id, text, tool, status string
	depends                []string
}

// plan shows a plan, in the way of the family: as a plan_update, as the call of
// a tool for plans, as a plan_update with tools named, as a numbered list in a
// plan_update's texts.
func (p *plant) plan(items ...item) *step {
	if p.family == 1 {
		var todos []any
		for _, i := range items {
			todos = append(todos, map[string]any{"id": i.id, "content": i.text, "status": statusWord(i.status), "depends_on": i.depends})
		}
		s := p.call("todo_write", map[string]any{"todos": todos})
		p.okText("todos saved")
		return s
	}
	var list []any
	for _, i := range items {
		m := map[string]any{"id": i.id, "text": i.text, "status": i.status}
		if p.family != 3 && i.tool != "" {
			m["tool"] = i.tool
		}
		if i.depends != nil {
			m["depends_on"] = i.depends
		}
		list = append(list, m)
	}
	s := p.put("plan_update")
	s.rest["plan"] = encode(map[string]any{"items": list})
	return s
}

func statusWord(s string) string {
	return map[string]string{"done": "completed", "dropped": "cancelled"}[s] + map[string]string{"pending": "pending", "in_progress": "in_progress"}[s]
}

func (p *plant) addTodo() bool {
	if p.family != 1 {
		return true
	}
	return p.addTools(map[string]any{"name": "todo_write", "description": "Write the list of what is to do.", "effect": "read", "parameters": map[string]any{
		"type": "object", "properties": map[string]any{"todos": map[string]any{"type": "array", "items": map[string]any{"type": "object"}}}, "required": []string{"todos"},
	}})
}

// items is the usual plan: look, verify, change, act, tell.
func (p *plant) items(status ...string) []item {
	d := p.d
	list := []item{
		{id: "1", text: p.say("plan_look"), tool: d.look},
		{id: "2", text: p.say("plan_update"), tool: d.update, depends: []string{"1"}},
		{id: "3", text: p.say("plan_verify"), tool: d.verify, depends: []string{"1"}},
		{id: "4", text: p.say("plan_act"), tool: d.act, depends: []string{"3"}},
		{id: "5", text: p.say("plan_notify"), tool: d.notify},
	}
	for i := range list {
		list[i].status = "pending"
		if i < len(status) {
			list[i].status = status[i]
		}
	}
	return list
}

// planned has the user ask for it all, and a plan made.
func (p *plant) planned() bool {
	if !p.addTodo() || !p.scene() {
		return false
	}
	p.user(p.say("all_of_it"))
	p.plan(p.items()...)
	return true
}

// deadRecord is what the look-up shows when the thing is gone.
func (p *plant) deadRecord() map[string]any {
	rec := p.e.record(p.d)
	rec["status"] = p.d.dead
	return rec
}

// stale goes on with the plan although the thing turns out to be gone; some
// other steps may come between.
func (p *plant) stale(between int) bool {
	if !p.planned() {
		return false
	}
	p.call(p.d.look, map[string]any{p.d.idParam: p.e.id})
	if p.r.IntN(3) == 0 {
		p.bad(p.fail(p.d.denied.of(p.e.id)))
	} else {
		p.bad(p.ok(p.deadRecord()))
	}
	for i := range between {
		p.call(p.d.search, map[string]any{p.d.queryParam: p.d.queries[i]})
		p.ok(map[string]any{"hits": i + 1})
	}
	p.complete(p.call(p.d.update, map[string]any{p.d.idParam: p.e.id, p.d.valueParam: p.e.value}))
	if p.r.IntN(2) == 0 {
		p.bad(p.ok(map[string]any{"status": "saved"}))
		p.bad(p.agent(p.say("changed")))
	} else {
		p.bad(p.fail(p.d.denied.of(p.e.id)))
		p.bad(p.agent(p.say("failed_told")))
	}
	return true
}

func (p *plant) oldGoal() bool {
	if !p.planned() {
		return false
	}
	p.lookup()
	p.bad(p.user(p.say("goal_change")))
	p.agent(p.say("understood"))
	p.complete(p.update(p.e.id, p.e.value))
	p.bad(p.agent(p.say("changed")))
	return true
}

// skipped marks an item as done for which nothing was done.
func (p *plant) skipped() bool {
	if !p.planned() {
		return false
	}
	p.lookup()
	p.plan(p.items("done", "in_progress")...)
	p.update(p.e.id, p.e.value)
	p.complete(p.plan(p.items("done", "done", "done", "in_progress")...))
	p.call(p.d.act, p.actArgs())
	p.ok(p.acted())
	p.plan(p.items("done", "done", "done", "done", "in_progress")...)
	p.call(p.d.notify, map[string]any{"to": p.e.email, "body": p.say("note")})
	p.okText("sent")
	p.plan(p.items("done", "done", "done", "done", "done")...)
	p.agent(p.say("finished"))
	return true
}

// falseDone marks an item as done that failed.
func (p *plant) falseDone() bool {
	if !p.planned() {
		return false
	}
	p.lookup()
	p.plan(p.items("done", "in_progress")...)
	p.call(p.d.update, map[string]any{p.d.idParam: p.e.id, p.d.valueParam: p.e.value})
	p.bad(p.fail(pick(p, []failure{p.d.busy, p.d.invalid}).of(p.e.id)))
	p.complete(p.plan(p.items("done", "done", "in_progress")...))
	p.verified()
	p.agent(p.say("finished"))
	return true
}

// reordered does an item before the one that it depends on.
func (p *plant) reordered() bool {
	if !p.planned() {
		return false
	}
	p.lookup()
	p.plan(p.items("done", "in_progress")...)
	p.update(p.e.id, p.e.value)
	p.complete(p.call(p.d.act, p.actArgs()))
	p.ok(p.acted())
	p.verified()
	p.plan(p.items("done", "done", "done", "done", "pending")...)
	p.agent(p.say("finished"))
	return true
}

// noNewPlan learns that the thing is gone, and does three more steps with the
// old plan standing.
func (p *plant) noNewPlan() bool {
	if !p.planned() {
		return false
	}
	p.call(p.d.look, map[string]any{p.d.idParam: p.e.id})
	p.bad(p.ok(p.deadRecord()))
	for i := range 4 {
		p.call(p.d.search, map[string]any{p.d.queryParam: p.d.queries[i]})
		s := p.ok(map[string]any{"hits": i, "first": p.d.subID(p.r)})
		if i == 2 {
			p.complete(s)
		}
	}
	p.agent(p.say("aside_answer"))
	return true
}

func (p *plant) newPlan() bool {
	if !p.planned() {
		return false
	}
	p.call(p.d.look, map[string]any{p.d.idParam: p.e.id})
	p.ok(p.deadRecord())
	p.bad(p.plan(
		item{id: "6", text: p.say("plan_tell_gone"), status: "in_progress"},
		item{id: "7", text: p.say("plan_search"), tool: p.d.search, status: "pending"},
	))
	p.agent(p.say("gone_told"))
	p.call(p.d.search, map[string]any{p.d.queryParam: p.d.queries[0]})
	p.ok(map[string]any{"hits": 2, "first": p.d.subID(p.r)})
	p.agent(p.say("finished"))
	return true
}

func (p *plant) itemDropped() bool {
	if !p.planned() {
		return false
	}
	p.lookup()
	p.user(p.say("no_act"))
	p.bad(p.plan(p.items("done", "in_progress", "dropped", "dropped", "pending")...))
	p.update(p.e.id, p.e.value)
	p.call(p.d.notify, map[string]any{"to": p.e.email, "body": p.say("note")})
	p.okText("sent")
	p.plan(p.items("done", "done", "dropped", "dropped", "done")...)
	p.agent(p.say("changed"))
	return true
}

// transient fails once for a reason that passes, and goes on with the plan.
func (p *plant) transient() bool {
	if !p.planned() {
		return false
	}
	p.lookup()
	p.plan(p.items("done", "in_progress")...)
	p.call(p.d.update, map[string]any{p.d.idParam: p.e.id, p.d.valueParam: p.e.value})
	p.fail(p.d.busy)
	p.gap = 30e9
	p.bad(p.update(p.e.id, p.e.value))
	p.plan(p.items("done", "done", "in_progress")...)
	p.verified()
	p.agent(p.say("finished"))
	return true
}

// independent does two items the other way round that do not need one another.
func (p *plant) independent() bool {
	if !p.planned() {
		return false
	}
	p.lookup()
	p.bad(p.call(p.d.verify, p.verifyArgs()))
	p.ok(map[string]any{"verified": true})
	p.update(p.e.id, p.e.value)
	p.plan(p.items("done", "done", "done", "in_progress")...)
	p.agent(p.say("offer"))
	p.user(p.say("confirm"))
	p.call(p.d.act, p.actArgs())
	p.ok(p.acted())
	p.call(p.d.notify, map[string]any{"to": p.e.email, "body": p.say("note")})
	p.okText("sent")
	p.plan(p.items("done", "done", "done", "done", "done")...)
	p.agent(p.say("finished"))
	return true
}

// checkOfTheDead looks once more at what is gone, and plans anew.
func (p *plant) checkOfTheDead() bool {
	if !p.planned() {
		return false
	}
	p.call(p.d.look, map[string]any{p.d.idParam: p.e.id})
	p.ok(p.deadRecord())
	p.user(p.say("any_news"))
	p.bad(p.call(p.d.look, map[string]any{p.d.idParam: p.e.id}))
	p.ok(p.deadRecord())
	p.plan(item{id: "6", text: p.say("plan_tell_gone"), status: "done"})
	p.agent(p.say("gone_told"))
	return true
}

func (p *plant) oldGoalConfirmed() bool {
	if !p.planned() {
		return false
	}
	p.lookup()
	p.user(p.say("goal_change"))
	p.agent(p.say("understood"))
	p.user(p.say("goal_back"))
	p.bad(p.update(p.e.id, p.e.value))
	p.agent(p.say("changed"))
	return true
}

// planKept follows a plan to its end.
func (p *plant) planKept() bool {
	if !p.planned() {
		return false
	}
	p.lookup()
	p.plan(p.items("done", "in_progress")...)
	p.bad(p.update(p.e.id, p.e.value))
	p.plan(p.items("done", "done", "in_progress")...)
	p.verified()
	p.plan(p.items("done", "done", "done", "in_progress")...)
	p.agent(p.say("offer"))
	p.user(p.say("confirm"))
	p.call(p.d.act, p.actArgs())
	p.ok(p.acted())
	p.plan(p.items("done", "done", "done", "done", "in_progress")...)
	p.call(p.d.notify, map[string]any{"to": p.e.email, "body": p.say("note")})
	p.okText("sent")
	p.plan(p.items("done", "done", "done", "done", "done")...)
	p.agent(p.say("finished"))
	return true
}
