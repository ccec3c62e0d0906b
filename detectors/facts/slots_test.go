package facts

import (
	"fmt"
	"strings"
	"testing"

	"misstep/event"
)

// talk gives the table of slots after messages; one that begins with "agent: "
// is an agent's.
func talk(t *testing.T, texts ...string) (*Trajectory, *Workspace) {
	t.Helper()
	w := NewWorkspace(Options{Needs: NeedSlots})
	tr := new(Trajectory)
	tr.Reset()
	tr.StartTask(0)
	for i, text := range texts {
		kind := "user_message"
		if rest, ok := strings.CutPrefix(text, "agent: "); ok {
			kind, text = "agent_message", rest
		}
		line := fmt.Sprintf(`{"trajectory_id":"t","kind":%q,"id":"s%d","seq":%d,"text":%q}`, kind, i, i, text)
		apply(t, tr, w, line)
	}
	return tr, w
}

func apply(t *testing.T, tr *Trajectory, w *Workspace, line string) {
	t.Helper()
	var d event.Decoder
	d.Reset([]byte(line))
	var s event.Step
	if err := d.Next(&s); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	tr.Apply(w, &s, event.None)
}

// TestLimits holds limits against a price and against a count.
func TestLimits(t *testing.T) {
	for _, c := range []struct {
		text       string
		keeps, not string // an argument that keeps the limit, and one that breaks it
	}{
		{"It must cost no more than $200.", `"price":200`, `"price":201`},
		{"Please keep it under 200 dollars.", `"price":199`, `"price":200`},
		{"My budget is 1,200 euros.", `"total_cost":1200`, `"total_cost":1200.5`},
		{"I can't spend more than $80 on it.", `"amount":80`, `"amount":81`},
		{"I don't want to pay more than 80.", `"amount":80`, `"amount":81`},
		{"Nothing above $80.", `"price":80`, `"price":81`},
		{"$80 max, please", `"price":80`, `"price":81`},
		{"$80 or less", `"price":80`, `"price":81`},
		{"$80 is the most I can pay", `"price":80`, `"price":81`},
		{"80 is my limit", `"price":80`, `"price":81`},
		{"Max. 80", `"price":80`, `"price":81`},
		{"limit: 80", `"price":80`, `"price":81`},
		{"Cap it at $80.", `"price":80`, `"price":81`},
		{"I won't go higher than 80.", `"price":80`, `"price":81`},
		{"not a penny over $80", `"price":80`, `"price":81`},
		{"It should be cheaper than $80", `"price":79`, `"price":80`},
		{"anything over $80 is too much", `"price":80`, `"price":81`},
		{"Spend 80 at the very most.", `"price":80`, `"price":81`},
		{"The ceiling is $80.", `"price":80`, `"price":81`},
		{"My maximum is 80", `"price":80`, `"price":81`},
		{"I can afford 80 dollars", `"price":80`, `"price":81`},
		{"as long as it stays below 80", `"price":79`, `"price":80`},
		{"Höchstens 80 Euro, bitte.", `"price":80`, `"price":81`},
		{"Nicht mehr als 80 Euro.", `"price":80`, `"price":81`},
		{"At most two guests.", `"guests":2`, `"guests":3`},
		{"No more than 5 replicas.", `"replicas":5`, `"replicas":6`},
		{"We need at least 3 replicas.", `"num_replicas":3`, `"num_replicas":2`},
		{"Order no more than ten units.", `"quantity":10`, `"quantity":11`},
		{"The discount must not exceed 10 percent.", `"discount_percent":10`, `"discount_percent":11`},
		{"Refund at most $50.", `"refund_amount":50`, `"refund_amount":51`},
		{"It has to arrive before 2026-05-20.", `"delivery_date":"2026-05-19"`, `"delivery_date":"2026-05-20"`},
		{"No later than May 20, please.", `"date":"2026-05-20"`, `"date":"2026-05-21"`},
		{"Not before May 20th.", `"date":"2026-05-20"`, `"date":"2026-05-19"`},
		{"Without insurance, please.", `"insurance":"no"`, `"insurance":"yes"`},
		{"I don't want any insurance.", `"insurance":false`, `"insurance":true`},
		{"No checked bags.", `"checked_bags":0`, `"checked_bags":1`},
		{"Don't use my gift card.", `"payment_id":"credit_card_17"`, `"payment_id":"gift_card_17"`},
		{"Anything but Acme.", `"vendor":"Globex"`, `"vendor":"Acme"`},
		{"Just not Acme, please.", `"vendor":"Globex"`, `"vendor":"Acme"`},
		{"Avoid Acme.", `"vendor":"Globex"`, `"vendor":"acme"`},
		{"Please leave out Acme.", `"vendor":"Globex"`, `"vendor":"Acme"`},
		{"Acme is out.", `"vendor":"Globex"`, `"vendor":"Acme"`},
		{"Acme is not an option for me.", `"vendor":"Globex"`, `"vendor":"Acme"`},
		{"I refuse to buy from Acme.", `"vendor":"Globex"`, `"vendor":"Acme"`},
		{"I will not deal with Acme.", `"vendor":"Globex"`, `"vendor":"Acme"`},
		{"Leave Acme out of it.", `"vendor":"Globex"`, `"vendor":"Acme"`},
		{"Never Acme again.", `"vendor":"Globex"`, `"vendor":"Acme"`},
		{"Anyone is fine, except for Acme.", `"vendor":"Globex"`, `"vendor":"Acme"`},
		{"I'm done with Acme", `"vendor":"Globex"`, `"vendor":"Acme"`},
		{"Please stay clear of Acme.", `"vendor":"Globex"`, `"vendor":"Acme"`},
		{"Ohne Acme, bitte.", `"vendor":"Globex"`, `"vendor":"Acme"`},
	} {
		tr, w := talk(t, c.text)
		if !holdsLimits(t, tr, w, c.keeps) || holdsLimits(t, tr, w, c.not) {
			t.Errorf("%q: %s keeps it: %t, %s breaks it: %t; limits %+v", c.text, c.keeps, holdsLimits(t, tr, w, c.keeps), c.not, !holdsLimits(t, tr, w, c.not), tr.Slots.Limits)
		}
	}
}

// holdsLimits reports whether an argument keeps all limits.
func holdsLimits(t *testing.T, tr *Trajectory, w *Workspace, arg string) bool {
	t.Helper()
	v, err := event.JSONValue([]byte("{" + arg + "}"))
	if err != nil {
		t.Fatal(err)
	}
	tool := w.loose([]byte("do_it"))
	for _, l := range w.leavesOf(v) {
		for i := range tr.Slots.Limits {
			if m := &tr.Slots.Limits[i]; m.Dead == 0 && m.About(tool, &l) && !m.Holds(&l) {
				return false
			}
		}
	}
	return true
}

// TestNoLimits holds what sets no limit against a price.
func TestNoLimits(t *testing.T) {
	for _, text := range []string{
		"I paid at least $80 for it.", "If it costs more than $80, tell me.", "I bought it before May 5.", "No, I did not.", "No problem.",
		"I have at most 2 of them.", "It was under $80 last week.", "Do not worry.", "I do not know.", "Would it be under $80?",
	} {
		tr, w := talk(t, text)
		for _, arg := range []string{`"price":300`, `"price":1`, `"date":"2026-06-01"`, `"ok":true`, `"note":"yes"`} {
			if !holdsLimits(t, tr, w, arg) {
				t.Errorf("%q: %s breaks %+v", text, arg, tr.Slots.Limits)
			}
		}
	}
}

// TestCorrections holds which of two values stands after a message.
func TestCorrections(t *testing.T) {
	for _, text := range []string{
		"Sorry, I meant W2222222.", "Actually it's W2222222.", "Not W1111111 but W2222222.", "W2222222, not W1111111.", "Use W2222222 instead of W1111111.",
		"Wrong number! It should be W2222222.", "Correction: W2222222", "No, W2222222.", "Please change it from W1111111 to W2222222.", "Scratch that, W2222222.",
		"W1111111 was a typo, it is W2222222.", "Entschuldigung, ich meinte W2222222.", "My mistake. W2222222", "I gave you the wrong one, W2222222 is right.",
	} {
		tr, _ := talk(t, "Cancel order W1111111.", text)
		old, by := tr.Slots.Mention(slotHash([]byte("w1111111"))), tr.Slots.Mention(slotHash([]byte("w2222222")))
		if old == nil || by == nil || old.Live() || !by.Live() || old.By != by.Hash {
			t.Errorf("%q: %+v, %+v", text, old, by)
		}
	}
	for _, text := range []string{"And also W2222222.", "W2222222 too, please.", "What about my other order W2222222?", "W2222222"} {
		tr, _ := talk(t, "Cancel order W1111111.", text)
		if old := tr.Slots.Mention(slotHash([]byte("w1111111"))); !old.Live() {
			t.Errorf("%q takes the first order back", text)
		}
	}
}

// TestAsks holds what a message of an agent asks for.
func TestAsks(t *testing.T) {
	for _, text := range []string{
		"Could you please provide your order number?", "What is your order ID?", "May I have the order number, please?", "Which order?", "order number?",
		"I'll need your order number.", "Can you tell me the number of your order?", "Please share your order ID.", "What was the order number again?",
		"Remind me, which order was it?", "Do you have the order number handy?", "Please enter the order number.", "And the order number is?",
		"I would need the order number first.", "Kindly give me your order ID.", "Which order are we talking about?", "Your order number, please.", "Wie lautet Ihre Bestellnummer?",
	} {
		_, w := talk(t, "Refund it.", "agent: "+text)
		found := false
		for _, a := range w.Cur.Asks {
			found = found || a.Noun == stemHash([]byte("order"))
		}
		if !found {
			t.Errorf("%q asks for %+v", text, w.Cur.Asks)
		}
	}
	for _, text := range []string{
		"Your order number is W1.", "Please confirm your order number.", "Is there another order number?", "For security, what is your order number?", "I have your order.",
		"I could not find that order number. What is it?", "Shall I cancel the order?",
	} {
		if _, w := talk(t, "Refund it.", "agent: "+text); len(w.Cur.Asks) > 0 {
			t.Errorf("%q asks for %+v", text, w.Cur.Asks)
		}
	}
}

// TestSlotBounds feeds a table with more than it keeps.
func TestSlotBounds(t *testing.T) {
	var texts []string
	for i := range 200 {
		texts = append(texts,
			fmt.Sprintf("no more than %d guests, not Vendor%d, only W%07d at most $%d before 2026-05-%02d %s", i, i, i, i, i%28+1, strings.Repeat("x/", 40)),
			fmt.Sprintf("agent: W%07d and %s", i, strings.Repeat("under 17 ", 900)))
	}
	tr, w := talk(t, texts...)
	s := tr.Slots
	if len(s.Mentions) > maxMentions || len(s.Limits) > maxLimits || len(s.echoes) > maxEchoes || len(s.said) > maxSaid {
		t.Errorf("%d mentions, %d limits, %d echoes, %d messages", len(s.Mentions), len(s.Limits), len(s.echoes), len(s.said))
	}
	apply(t, tr, w, `{"trajectory_id":"t","kind":"user_message","text":"\u2019\u00e2\u0080 # $ - / 1/2/3/4 99999999999999999999 \u0000 not  only"}`)
	if n := s.size(); n > 24<<10 {
		t.Errorf("%d bytes", n)
	}
}

// TestPhraseLists checks that each list has a bit of its own.
func TestPhraseLists(t *testing.T) {
	if phraseLists > 64 {
		t.Errorf("%d lists of phrases, and 64 bits", phraseLists)
	}
}
