package facts

import (
	"fmt"
	"strings"
	"testing"

	"misstep/event"
)

func items(list []PlanItem) string {
	var out []string
	for _, i := range list {
		out = append(out, fmt.Sprintf("%s/%d/%b", i.Text, i.Status, i.Deps))
	}
	return strings.Join(out, "; ")
}

// TestPlanFromText: which texts tell a plan, and what is in it.
func TestPlanFromText(t *testing.T) {
	w := NewWorkspace(Options{})
	for text, want := range map[string]string{
		"My plan:\n1. Look up A-1\n2. Ship A-1":                              "Look up A-1/0/0; Ship A-1/0/0",
		"I will do this.\n\n1) Look up A-1 (done)\n2) Ship A-1 after step 1": "Look up A-1/2/0; Ship A-1 after step 1/0/1",
		"Plan: 1) look up A-1, 2) ship A-1.":                                 "look up A-1/0/0; ship A-1/0/0",
		"To-do list\n- [x] Look up A-1\n- [ ] Ship A-1\n  - by train":        "Look up A-1/2/0; Ship A-1/0/0",
		"**Plan**\n1. **Look up A-1**\n2. Ship A-1 once 1 is done":           "Look up A-1/0/0; Ship A-1 once 1 is done/0/1",
		"Mein Plan:\n1. A-1 suchen\n2. A-1 senden":                           "A-1 suchen/0/0; A-1 senden/0/0",
		// None of these is one.
		"My plan is simple.":                                           "",
		"My plan:\n1. Look up A-1":                                     "",
		"I'll need some details:\n1. Your name\n2. Your order":         "",
		"Please follow these steps:\n1. Open the box\n2. Send it":      "",
		"Which plan do you want?\n1. Take Basic\n2. Take Team":         "",
		"I will show the flights:\n1. Option 1: HAT1\n2. Option 2: B":  "",
		"The plans are:\n1. **Basic**: 1 GB\n2. **Team**: 5 GB":        "",
		"See the answer below.\n1. It opened in 1972\n2. It has a bar": "",
	} {
		if got := items(w.planFromText(event.StringValue(text))); got != want {
			t.Errorf("%q tells %q, want %q", text, got, want)
		}
	}
}

// TestKeepsPlan: which tools keep a plan, by their names.
func TestKeepsPlan(t *testing.T) {
	w := NewWorkspace(Options{})
	for name, want := range map[string]bool{
		"TodoWrite": true, "todo_write": true, "write_todos": true, "update_plan": true, "set_plan": true, "plan_update": true, "manage_todo_list": true,
		"update_tasks": true, "TodoRead": false, "get_plan": false, "change_payment_plan": false, "upgrade_subscription_plan": false,
		"explain_plan_query": false, "run_tasks": false,
	} {
		if got := w.loose([]byte(name)).plans; got != want {
			t.Errorf("%s keeps a plan: %t, want %t", name, got, want)
		}
	}
}

// TestItemStatus: statuses in the words of producers.
func TestItemStatus(t *testing.T) {
	for text, want := range map[string]ItemStatus{
		"pending": ItemPending, "": ItemPending, "not started": ItemPending, "not_done": ItemPending, "incomplete": ItemPending, "unfinished": ItemPending,
		"in_progress": ItemInProgress, "In Progress": ItemInProgress, "doing": ItemInProgress, "started": ItemInProgress,
		"done": ItemDone, "COMPLETED": ItemDone, "finished": ItemDone, "x": ItemDone,
		"dropped": ItemDropped, "cancelled": ItemDropped, "skipped": ItemDropped,
	} {
		if got := itemStatus([]byte(text)); got != want {
			t.Errorf("%q is %d, want %d", text, got, want)
		}
	}
}

// TestEndStates: words for what is over, and for what is not.
func TestEndStates(t *testing.T) {
	for text, want := range map[string]bool{
		"cancelled": true, "CLOSED": true, "sold_out": true, "not available": true, "no longer offered": true, "decommissioned": true,
		"open": false, "delivered": false, "pending": false, "active": false, "completed": false, "not cancelled": false, "available": false, "refunded": false,
	} {
		if got := isEndState([]byte(text)); got != want {
			t.Errorf("%q is an end: %t, want %t", text, got, want)
		}
	}
	for _, c := range []struct {
		class ErrorClass
		text  string
		reads bool
		what  string
		whole bool
	}{
		{NotFound, "no such order", true, "not found", true},
		{Conflict, "order 1 is already refunded", false, "already done", false},
		{Conflict, "version mismatch", true, "conflict", true},
		{Denied, "no permission", false, "denied", false},
		{Unavailable, "service unavailable", false, "", false},
		{RateLimited, "quota exceeded, already 5 requests", false, "", false},
		{Unavailable, "connection closed", false, "", false},
		{Invalid, "method must be card", false, "", false},
		{OtherError, "the item is sold out", false, "sold out", true},
	} {
		if what, whole := endsFor(c.class, []byte(c.text), c.reads); what != c.what || whole != c.whole {
			t.Errorf("%s %q means %q, %t, want %q, %t", c.class, c.text, what, whole, c.what, c.whole)
		}
	}
}

// TestNovelty: what is new of a text, against those before.
func TestNovelty(t *testing.T) {
	var s tokenSet
	var scratch [setWords]uint64
	long := strings.Repeat("alpha beta gamma delta ", 1000)
	for i, c := range []struct {
		text      string
		low, high int32
	}{
		{"one two three four", 1000, 1000},
		{"four three two one", 0, 0},
		{"One, two; THREE\\nfour", 0, 0},
		{"one two three five", 250, 260},
		{"", 0, 0},
		{long, 1000, 1000},
		{long, 0, 0},
	} {
		if got := s.novelty([]byte(c.text), &scratch); got < c.low || got > c.high {
			t.Errorf("text %d is new by %d per mille, want %d to %d", i, got, c.low, c.high)
		}
	}
	for i := range 20_000 { // old tokens are forgotten, new ones are told all the time
		text := fmt.Sprintf("word%d", i)
		s.novelty([]byte(text), &scratch)
	}
	text := make([]string, 400)
	for i := range text {
		text[i] = fmt.Sprintf("fresh%d", i)
	}
	if got := s.novelty([]byte(strings.Join(text, " ")), &scratch); got < 850 {
		t.Errorf("a new text is new by %d per mille after many others, want about 1000", got)
	}
}

// TestAlike: how alike the words of two texts are.
func TestAlike(t *testing.T) {
	of := func(text string) sketch { return sketchOf(appendWords(nil, []byte(text), sketchMost)) }
	long := strings.Repeat("please find the record of the company and its owner in the city ", 3)
	for _, c := range []struct {
		a, b      string
		low, high int32
	}{
		{"opening year of the Aurora line", "year the Aurora line opened", 700, 1000},
		{"searching hotels in Norvik", "search a hotel in Norvik", 1000, 1000},
		{"status of order A1001", "status of order A1002", 0, 0},
		{"weather in Paris", "weather in Rome", 0, 400},
		{"", "anything", 0, 0},
		{long, long + " quickly", 800, 1000},
	} {
		a, b := of(c.a), of(c.b)
		if got := a.alike(&b); got < c.low || got > c.high || got != b.alike(&a) {
			t.Errorf("%q and %q are alike by %d (%d), want %d to %d", c.a, c.b, got, b.alike(&a), c.low, c.high)
		}
	}
}
