package facts

import (
	"fmt"
	"strings"
	"testing"

	"misstep/detectors/lexicon"
)

func TestTokens(t *testing.T) {
	kinds := [...]string{"number", "id", "amount", "date", "code"}
	for text, want := range map[string]string{
		"order #W123, W-4711 and 1234567":        "id W123, id W-4711, id 1234567",
		"#7 and #42":                             "number 7, id 42",
		"write to mia@example.com.":              "id mia@example.com",
		"within 30-day, 24h, 2nd, 5pm, 10 years": "number 30-day, number 24h, number 2nd, number 5pm, number 10",
		"$50, 50 euros, 1,200.50 USD, 30\u20ac":  "amount 50, amount 50, amount 1,200.50, amount 30",
		"on 2024-05-15, 15.05.2024 or 5/15/24":   "date 2024-05-15, date 15.05.2024, date 5/15/24",
		"on May 20, 3. Mai; it may 20 be":        "date 20, date 3, number 20",
		"reservation IFOYYZ, PLEASE, USA, A":     "code IFOYYZ, code PLEASE",
		"call 555-123-4567 or 1.2.3":             "id 555-123-4567, number 1.2.3",
		"user_id and address":                    "",
		"":                                       "",
		"@ . - # 1":                              "number 1",
		"\u00e4\u00f6\u00fc 12\u00e4":            "number 12",
		`{"order_id":"W1x","n":3}`:               "id W1x, number 3",
		"james_patel_9828":                       "id james_patel_9828",
	} {
		var got []string
		for _, k := range appendTokens(nil, []byte(text)) {
			got = append(got, fmt.Sprintf("%s %s", kinds[k.kind], k.text([]byte(text))))
		}
		if have := strings.Join(got, ", "); have != want {
			t.Errorf("%q holds %q, want %q", text, have, want)
		}
	}
	a, b := appendTokens(nil, []byte("w-4711")), appendTokens(nil, []byte("#W-4711"))
	if len(a) != 1 || len(b) != 1 || a[0].hash != b[0].hash {
		t.Errorf("case and # make no difference: %v, %v", a, b)
	}
}

func TestActsOf(t *testing.T) {
	w := NewWorkspace(Options{Needs: NeedDecisions})
	for name, want := range map[string]string{
		"refund_order": "family.refund", "cancel_pending_order": "family.cancel", "approve_refund": "family.refund yes",
		"deny_claim": "family.approve no", "update_reservation_flights": "family.modify", "get_order": "", "unlockAccount": "family.access",
		"check_refund_eligibility": "family.refund asks", "list_approved_vendors": "family.approve", "issue_voucher": "family.compensate",
	} {
		a := w.tool(name, 0, false, false).acts
		var got []string
		for m := range 64 {
			if a.families&(1<<m) != 0 {
				got = append(got, lexicon.Meaning(m).String())
			}
		}
		for _, f := range []struct {
			is   bool
			word string
		}{{a.verdict == grants, "yes"}, {a.verdict == denies, "no"}, {a.inquires, "asks"}} {
			if f.is {
				got = append(got, f.word)
			}
		}
		if have := strings.Join(got, " "); have != want {
			t.Errorf("%s speaks of %q, want %q", name, have, want)
		}
	}
}

func TestDecided(t *testing.T) {
	w := NewWorkspace(Options{Needs: NeedDecisions})
	for raw, want := range map[string]verdict{
		`{"eligible":false}`: denies, `{"eligible": true}`: grants, `{\"decision\": \"DENIED\"}`: denies,
		`{"a":1,"approved":"yes"}`: grants, `{"decision":"later"}`: noVerdict, `{"note":"eligible"}`: noVerdict,
		`eligible`: noVerdict, `{"eligible"`: noVerdict, ``: noVerdict, `{"action":"cancel","status":"rejected"}`: denies,
	} {
		if got := w.decided([]byte(raw)); got != want {
			t.Errorf("%s decides %d, want %d", raw, got, want)
		}
	}
}
