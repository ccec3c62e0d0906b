package facts

import (
	"bytes"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"

	"misstep/event"
)

// keepsPlan guesses from the words of a tool's name whether its calls tell a
// plan: TodoWrite, update_plan, write_todos.
func keepsPlan(words []string) bool {
	plan, reads := false, false
	for i, w := range words {
		switch w {
		case "todo", "todos", "todolist", "checklist":
			plan = true
		case "plan", "plans":
			plan = plan || i == len(words)-1 || i+1 < len(words) && (words[i+1] == "update" || words[i+1] == "write" || words[i+1] == "steps" || words[i+1] == "tasks")
		case "read", "get", "list", "fetch", "find", "search", "show", "view", "delete", "cancel":
			reads = i == 0
		case "subscription", "price", "pricing", "phone", "data", "insurance", "meal", "payment":
			return false
		}
	}
	return plan && !reads
}

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
		if i := slices.Index(listNames, name); i >= 0 && i < best && (v.Form == event.Array || v.IsString() || v.Form == event.Object) {
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
		case "step", "description", "task", "todo":
			rank = 1
		case "title", "name", "subject":
			rank = 2
		case "id", "key", "step_id":
			it.id = hashID(c.Value(), &w.text)
			continue
		case "tool", "tool_name", "function":
			it.Tool = string(w.plainText(c.Value(), event.MaxName))
			continue
		case "status", "state":
			it.Status = itemStatus(w.plainText(c.Value(), 32))
			continue
		case "done", "completed", "complete", "checked":
			if v := c.Value(); v.Form == event.Bool && string(v.Raw) == "true" {
				it.Status = ItemDone
			}
			continue
		case "depends_on", "dependsOn", "dependencies", "deps", "blockedBy", "blocked_by", "after":
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

func itemStatus(b []byte) ItemStatus {
	var buf [32]byte
	switch string(appendLower(buf[:0], b[:min(len(b), len(buf))])) {
	case "done", "completed", "complete", "finished", "success", "succeeded", "ok", "closed", "x":
		return ItemDone
	case "in_progress", "in-progress", "inprogress", "in progress", "active", "doing", "running", "started", "current":
		return ItemInProgress
	case "dropped", "cancelled", "canceled", "skipped", "removed", "deleted", "abandoned", "obsolete", "blocked", "failed":
		return ItemDropped
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

// maxPlanText is how much of a text is looked through for a plan.
const maxPlanText = 8 << 10

// mayList spares most texts the search for a list.
func mayList(v event.Value) bool {
	return v.IsString() && (bytes.Contains(v.Raw, []byte("1.")) || bytes.Contains(v.Raw, []byte("1)")) || bytes.Contains(v.Raw, []byte("- [")))
}

// planFromText reads a plan that a text declares: a line that speaks of a plan
// and, at once after it, a list of two items at least.
func (w *Workspace) planFromText(v event.Value) []PlanItem {
	if !mayList(v) {
		return nil
	}
	text := w.plainText(v, maxPlanText)
	for at := 0; at < len(text); {
		end := lineEnd(text, at)
		if line := text[at:end]; declaresPlan(line) {
			if items := appendListed(nil, text[min(end+1, len(text)):], 2); len(items) >= 2 && areActions(items) {
				return items
			}
		}
		at = end + 1
	}
	return nil
}

func lineEnd(text []byte, at int) int {
	if i := bytes.IndexByte(text[at:], '\n'); i >= 0 {
		return at + i
	}
	return len(text)
}

// planCues are what a line says that declares what the agent itself is going to
// do; youCues that somebody else is.
var (
	planCues = []string{"plan", "i will", "i'll", "i'm going to", "i am going to", "let me", "my steps", "steps:", "next steps", "todo", "to-do", "ich werde", "schritte", "vorgehen"}
	youCues  = []string{"you can", "you need", "you should", "you could", "you may", "you will", "you'll", "please", "your plan", "options", "plans available", "plan options", "payment plan", "following plans", "need", "require", "provide", "information", "details:", "here are", "found", "available", "sie können", "bitte", "?"}
)

func declaresPlan(line []byte) bool {
	const longest = 200
	line = bytes.TrimSpace(line)
	if len(line) == 0 {
		return false
	}
	var buf [longest]byte
	low := appendLower(buf[:0], line[max(0, len(line)-longest):])
	for _, c := range youCues {
		if bytes.Contains(low, []byte(c)) {
			return false
		}
	}
	for _, c := range planCues {
		if i := bytes.Index(low, []byte(c)); i >= 0 && (i == 0 || !isAlnum(low[i-1])) {
			return true
		}
	}
	return false
}

// areActions reports whether most items of a list tell what to do, rather than
// name things: options, facts, what is needed.
func areActions(items []PlanItem) bool {
	no := 0
	for i := range items {
		first, _, _ := strings.Cut(items[i].Text, " ")
		switch strings.ToLower(first) {
		case "the", "your", "a", "an", "option", "flight", "my", "it", "is", "this", "there", "what", "which", "who", "whether", "how", "why", "for":
			no++
		default:
			if strings.HasSuffix(first, ":") || strings.HasSuffix(strings.TrimRight(items[i].Text, "*"), ":") {
				no++
			}
		}
	}
	return 2*no < len(items)
}

// appendListed appends the items of the list that a text begins with, empty
// lines before and between them. Lines that go deeper belong to the item above.
// It gives up before a list of fewer than least.
func appendListed(dst []PlanItem, text []byte, least int) []PlanItem {
	for at := 0; at < len(text) && len(dst) < MaxPlanItems; {
		end := lineEnd(text, at)
		line := text[at:end]
		at = end + 1
		body, status, ok := listed(line)
		switch {
		case ok:
			it := PlanItem{Text: itemText(body), Status: status}
			if it.Text != "" {
				it.setWords()
				it.Deps = afterItem(&it, len(dst))
				dst = append(dst, it)
			}
		case len(bytes.TrimSpace(line)) == 0:
		case len(dst) > 0 && (line[0] == ' ' || line[0] == '\t'):
		default:
			at = len(text)
		}
	}
	if len(dst) < least {
		return nil
	}
	return dst
}

// listed takes the mark off a line of a list that is not indented: a number, a
// dash with a box, or, of a checklist, a box alone.
func listed(line []byte) (body []byte, status ItemStatus, ok bool) {
	for i := 0; i < 3 && len(line) > 0 && line[0] == ' '; i++ {
		line = line[1:]
	}
	n := 0
	for n < len(line) && n < 3 && isDigit(line[n]) {
		n++
	}
	switch {
	case n > 0 && n < len(line) && (line[n] == '.' || line[n] == ')' || line[n] == ':'):
		body, ok = line[n+1:], true
	case len(line) > 2 && (line[0] == '-' || line[0] == '*') && line[1] == ' ':
		body, ok = line[2:], bytes.HasPrefix(bytes.TrimSpace(line[2:]), []byte("["))
	case len(line) > 2 && line[0] == '[':
		body, ok = line, true
	}
	body = bytes.Trim(bytes.TrimSpace(body), "*")
	if len(body) > 3 && body[0] == '[' && body[2] == ']' {
		switch body[1] {
		case 'x', 'X':
			status = ItemDone
		case '-', '~', '/', '>':
			status = ItemInProgress
		case ' ':
		default:
			return nil, 0, false
		}
		body = bytes.TrimSpace(body[3:])
	} else if ok && len(line) > 0 && !isDigit(line[0]) {
		return nil, 0, false
	}
	return body, status, ok
}

// afterItem reads "after step 2" and the like in an item's text: the steps
// before that it says it depends on.
func afterItem(it *PlanItem, before int) uint64 {
	var buf [maxItemText]byte
	low := appendLower(buf[:0], []byte(it.Text))
	for _, cue := range []string{"after step ", "once step ", "depends on step ", "requires step ", "nach schritt "} {
		i := bytes.Index(low, []byte(cue))
		if i < 0 {
			continue
		}
		n := 0
		for _, c := range low[i+len(cue):] {
			if !isDigit(c) || n > MaxPlanItems {
				break
			}
			n = n*10 + int(c-'0')
		}
		if n >= 1 && n <= before {
			return 1 << (n - 1)
		}
	}
	return 0
}
