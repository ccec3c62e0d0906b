package facts

import (
	"bytes"
	"strings"

	"misstep/event"
)

// maxPlanText is how much of a text is looked through for a plan.
const maxPlanText = 8 << 10

// mayList spares most texts the search for a list.
func mayList(v event.Value) bool {
	return v.IsString() && (bytes.Contains(v.Raw, []byte("1.")) || bytes.Contains(v.Raw, []byte("1)")) || bytes.Contains(v.Raw, []byte("- [")))
}

// planFromText reads a plan that a text declares: a line that speaks of a plan
// and, in it or at once after it, a list of two items at least.
func (w *Workspace) planFromText(v event.Value) []PlanItem {
	if !mayList(v) {
		return nil
	}
	text := w.plainText(v, maxPlanText)
	for at := 0; at < len(text); {
		end := lineEnd(text, at)
		line := text[at:end]
		if i := bytes.Index(line, []byte("1")); i > 0 && i+1 < len(line) && (line[i+1] == ')' || line[i+1] == '.') && declaresPlan(line[:i]) {
			if items := inlineItems(line[i:]); len(items) >= 2 && areActions(items) {
				return items
			}
		}
		if declaresPlan(line) {
			if items := appendListed(nil, text[min(end+1, len(text)):], 2); len(items) >= 2 && areActions(items) {
				return items
			}
		}
		at = end + 1
	}
	return nil
}

// inlineItems splits a list within a line, 1) to n) in their order.
func inlineItems(line []byte) []PlanItem {
	var out []PlanItem
	for n := 1; n <= 9 && len(line) > 2; n++ {
		if line[0] != byte('0'+n) || line[1] != ')' && line[1] != '.' {
			break
		}
		body := line[2:]
		next := len(body)
		for i := 0; i+2 < len(body); i++ {
			if body[i] == ' ' && body[i+1] == byte('0'+n+1) && (body[i+2] == ')' || body[i+2] == '.') {
				next = i
				break
			}
		}
		if it, ok := listedItem(bytes.TrimRight(bytes.TrimSpace(body[:next]), ",;. "), ItemPending, len(out)); ok {
			out = append(out, it)
		}
		line = body[min(next+1, len(body)):]
	}
	return out
}

// listedItem makes an item of the text of a list's line.
func listedItem(body []byte, status ItemStatus, before int) (PlanItem, bool) {
	body, marked := markedStatus(body)
	if marked != ItemPending {
		status = marked
	}
	it := PlanItem{Text: itemText(body), Status: status}
	if it.Text == "" {
		return it, false
	}
	it.setWords()
	it.Deps = afterItem(&it, before)
	return it, true
}

// statusMarks are words in brackets at an item's end, and signs before it, that
// tell how far it is.
var statusMarks = []struct {
	mark   string
	status ItemStatus
}{
	{"(done)", ItemDone},
	{"(completed)", ItemDone},
	{"(complete)", ItemDone},
	{"(finished)", ItemDone},
	{"- done", ItemDone},
	{": done", ItemDone},
	{"[done]", ItemDone},
	{"(erledigt)", ItemDone},
	{"\u2713", ItemDone},
	{"\u2714", ItemDone},
	{"\u2705", ItemDone},
	{"(in progress)", ItemInProgress},
	{"[in progress]", ItemInProgress},
	{"- in progress", ItemInProgress},
	{"(dropped)", ItemDropped},
	{"(skipped)", ItemDropped},
	{"(cancelled)", ItemDropped},
	{"(no longer needed)", ItemDropped},
	{"[dropped]", ItemDropped},
	{"- dropped", ItemDropped},
	{"~~", ItemDropped},
}

// markedStatus takes a mark of how far an item is off its text.
func markedStatus(body []byte) ([]byte, ItemStatus) {
	var buf [maxItemText]byte
	low := appendLower(buf[:0], body[:min(len(body), maxItemText)])
	for _, m := range statusMarks {
		mark := []byte(m.mark)
		if bytes.HasSuffix(low, mark) {
			body = body[:len(low)-len(mark)]
			body = bytes.TrimPrefix(body, mark)
			return bytes.TrimSpace(body), m.status
		}
		if bytes.HasPrefix(low, mark) && (mark[0] >= 0x80 || mark[0] == '[') {
			return bytes.TrimSpace(body[len(mark):]), m.status
		}
	}
	return body, ItemPending
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
	youCues  = []string{"you can", "you need", "you should", "you could", "you may", "you will", "you'll", "please", "your plan", "options", "plans available", "plan options", "payment plan", "following plans", "i'll need", "i will need", "need the following", "need your", "need some", "need you", "required", "provide", "information", "details:", "sie können", "bitte", "?"}
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
			if it, ok := listedItem(body, status, len(dst)); ok {
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

// afterCues come before the number of a step that an item depends on.
var afterCues = []string{"after ", "once ", "depends on ", "requires ", "needs ", "following ", "nach "}

// afterItem reads "after step 2" and the like in an item's text: the steps
// before that it says it depends on.
func afterItem(it *PlanItem, before int) uint64 {
	var buf [maxItemText]byte
	low := appendLower(buf[:0], []byte(it.Text))
	for _, cue := range afterCues {
		i := bytes.Index(low, []byte(cue))
		if i < 0 || i > 0 && isAlnum(low[i-1]) {
			continue
		}
		rest, named := low[i+len(cue):], false
		for _, word := range []string{"steps ", "step ", "items ", "item ", "no. ", "schritt ", "#"} {
			if bytes.HasPrefix(rest, []byte(word)) {
				rest, named = rest[len(word):], true
				break
			}
		}
		n, k := 0, 0
		for k < len(rest) && isDigit(rest[k]) && n <= MaxPlanItems {
			n = n*10 + int(rest[k]-'0')
			k++
		}
		after := rest[k:]
		ends := len(after) == 0 || after[0] == ')' || after[0] == '.' || after[0] == ',' || after[0] == ']' || bytes.HasPrefix(after, []byte(" is ")) || bytes.HasPrefix(after, []byte(" succeeds"))
		if k > 0 && n >= 1 && n <= before && (named || ends) {
			return 1 << (n - 1)
		}
	}
	return 0
}
