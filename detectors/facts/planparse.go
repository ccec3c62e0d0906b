package facts

import (
	"bytes"
	"slices"

	"github.com/cespare/xxhash/v2"

	"misstep/event"
)

// keepsPlan guesses from the words of a tool's name whether its calls tell a
// plan: TodoWrite, update_plan, write_todos.
func keepsPlan(words []string) bool {
	plan, reads := false, false
	for i, w := range words {
		switch w {
		case "todo", "todos", "todolist", "checklist", "tasklist", "workplan", "worklist":
			plan = true
		case "plan", "plans", "planner":
			plan = plan || i == len(words)-1 || slices.Contains(planVerbs, words[i+1])
		case "tasks", "steps":
			plan = plan || i > 0 && slices.Contains(planVerbs, words[0])
		case "read", "get", "list", "fetch", "find", "search", "show", "view", "delete", "cancel":
			reads = reads || i == 0 || i == len(words)-1 && w != "list"
		case "subscription", "price", "pricing", "phone", "data", "insurance", "meal", "payment":
			return false
		}
	}
	return plan && !reads
}

// planVerbs say of a plan that it is told.
var planVerbs = []string{"update", "write", "set", "create", "revise", "save", "put", "edit", "manage", "make", "steps", "tasks", "items"}

// listNames are the members of a plan tool's arguments that hold its items.
var listNames = []string{"todos", "items", "plan", "steps", "tasks", "todo_list", "todoList", "plan_items", "todo", "checklist", "list"}

// planFromTool reads the items of a plan tool's call.
func (w *Workspace) planFromTool(args event.Value) []PlanItem {
	best := len(listNames)
	var list event.Value
	c := event.NewCursor(args)
	if args.Form != event.Object || !c.Enter() {
		return nil
	}
	for c.More() {
		name := string(c.Key().Text(&w.text))
		v := c.Value()
		i := slices.Index(listNames, name)
		if i < 0 && v.Form == event.Array {
			i = len(listNames) - 1 // by whatever name
		}
		if i >= 0 && i < best && (v.Form == event.Array || v.IsString() || v.Form == event.Object) {
			best, list = i, v
		}
	}
	switch list.Form {
	case event.Array:
		return w.planItems(list)
	case event.Object: // {"plan": {"items": [...]}}
		return w.planFromTool(list)
	case event.String, event.Escaped:
		text := w.plainText(list, maxPlanText)
		if v, err := event.JSONValue(text); err == nil && v.Form == event.Array {
			w.plan = append(w.plan[:0], v.Raw...)
			return w.planItems(event.Value{Raw: w.plan, Form: event.Array})
		}
		return appendListed(nil, text, 1)
	}
	return nil
}

// planFromStep reads the plan of a plan_update.
func (w *Workspace) planFromStep(plan event.Value) []PlanItem {
	c := event.NewCursor(plan)
	if plan.Form != event.Object || !c.Enter() {
		return nil
	}
	var items event.Value
	for c.More() {
		if k := c.Key(); k.EqualText("items") {
			items = c.Value()
		} else {
			c.Skip()
		}
	}
	if items.Form != event.Array {
		return nil
	}
	return w.planItems(items)
}

// planItems reads a list of items: objects, or strings.
func (w *Workspace) planItems(list event.Value) []PlanItem {
	var out []PlanItem
	var deps [MaxPlanItems][]uint64
	c := event.NewCursor(list)
	if !c.Enter() {
		return nil
	}
	for c.More() {
		if len(out) == MaxPlanItems {
			c.Skip()
			continue
		}
		v := c.Value()
		var it PlanItem
		switch {
		case v.IsString():
			it.Text = itemText(w.plainText(v, maxItemText))
		case v.Form == event.Object:
			deps[len(out)] = w.planItem(v, &it)
		}
		if it.Text == "" && it.Tool == "" {
			continue
		}
		it.setWords()
		out = append(out, it)
	}
	for i := range out {
		for _, d := range deps[i] {
			for j := range out {
				if j != i && out[j].id == d {
					out[i].Deps |= 1 << j
				}
			}
		}
	}
	return out
}

// planItem reads one item and gives the ids that it depends on.
func (w *Workspace) planItem(v event.Value, it *PlanItem) (deps []uint64) {
	best := 99
	c := event.NewCursor(v)
	c.Enter()
	for c.More() {
		name := c.Key().Text(&w.text)
		rank := 99
		switch string(name) {
		case "text", "content":
			rank = 0
		case "step", "description", "task", "todo", "item", "action":
			rank = 1
		case "title", "name", "subject", "label", "desc", "what", "goal":
			rank = 2
		case "id", "key", "step_id":
			it.id = hashID(c.Value(), &w.text)
			continue
		case "tool", "tool_name", "function":
			it.Tool = string(w.plainText(c.Value(), event.MaxName))
			continue
		case "status", "state", "progress", "stage":
			it.Status = itemStatus(w.plainText(c.Value(), 32))
			continue
		case "done", "completed", "complete", "checked", "finished", "ticked", "is_done", "isDone", "resolved":
			if v := c.Value(); v.Form == event.Bool && string(v.Raw) == "true" {
				it.Status = ItemDone
			}
			continue
		case "depends_on", "dependsOn", "dependencies", "deps", "blockedBy", "blocked_by", "after", "needs", "requires", "prerequisites", "depends":
			list := c.Value()
			d := event.NewCursor(list)
			if list.Form != event.Array || !d.Enter() {
				if list.IsString() || list.Form == event.Number {
					deps = append(deps, hashID(list, &w.text))
				}
				continue
			}
			for d.More() {
				if v := d.Value(); len(deps) < MaxPlanItems {
					deps = append(deps, hashID(v, &w.text))
				}
			}
			continue
		}
		v := c.Value()
		if rank < best && v.IsString() {
			if text := itemText(w.plainText(v, maxItemText)); text != "" {
				it.Text, best = text, rank
			}
		}
		if rank == 1 && v.Form == event.Number { // "step": 3 is an id
			it.id = hashID(v, &w.text)
		}
	}
	return deps
}

// hashID hashes an id, a number as the string of its digits; 0 for none.
func hashID(v event.Value, scratch *[]byte) uint64 {
	if !v.IsString() && v.Form != event.Number {
		return 0
	}
	if b := v.Text(scratch); len(b) > 0 {
		return nonZero(xxhash.Sum64(b))
	}
	return 0
}

// itemStatus reads a status by what it begins with or holds: producers have
// words of their own.
func itemStatus(b []byte) ItemStatus {
	var buf [32]byte
	low := appendLower(buf[:0], b[:min(len(b), len(buf))])
	if bytes.HasPrefix(low, []byte("not")) || bytes.HasPrefix(low, []byte("un")) || bytes.HasPrefix(low, []byte("incomplete")) {
		return ItemPending
	}
	for _, s := range statusStems {
		if bytes.Contains(low, []byte(s.stem)) {
			return s.status
		}
	}
	switch string(low) {
	case "ok", "x", "yes", "true", "success":
		return ItemDone
	}
	return ItemPending
}

func itemText(b []byte) string { return string(bytes.TrimSpace(b[:min(len(b), maxItemText)])) }

// setWords derives what matching needs from the text.
func (i *PlanItem) setWords() {
	var buf [maxItemWords]word
	i.words, i.names = i.words[:0], i.names[:0]
	for _, w := range appendWords(buf[:0], []byte(i.Text), maxItemWords) {
		if w.id {
			i.names = addWord(i.names, w.hash, maxItemWords)
		}
		i.words = addWord(i.words, w.hash, maxItemWords)
	}
}
