package detectors

import (
	"strings"
	"testing"
)

func TestClaims(t *testing.T) {
	words := []string{"refund", "order", "to"} // of refund_order_to
	cases := []struct{ text, want string }{
		{"your refund has been processed.", "processed"},
		{"your refund has now been successfully processed", "processed"},
		{"the order was refunded.", "refunded"},
		{"i refunded it", "refunded"}, // a word of the tool that ends in -ed
		{"i've issued the refund", "issued"},
		{"all orders are cancelled!", "cancelled"},
		{"refund completed successfully", "completed"},
		{"refund completed", ""},                              // no word makes it a claim of the present
		{"successfully a refund, completed", "completed"},     // three words on
		{"is the refund of yours, though, completed now", ""}, // too far from the auxiliary
		{"done. your refund was sent", "sent"},                // the second sentence
		{"it was sent.\nrefund", ""},                          // each in a sentence of its own
		{"the refund of 3.50 euros was sent", "sent"},         // no end of a sentence in 3.50
		{"\"your refund was sent.\" that is all", "sent"},     // the end of a sentence in quotes
		{"was the refund sent? yes, it was sent.", ""},        // the answer does not say what
		{"has your refund been sent? ", ""},                   // white space behind the question
		{"your refund will be sent", ""},                      // a promise
		{"let me know once your refund was sent", ""},         // and another
		{"your parcel was sent", ""},                          // another matter
		{"the refund was quick", ""},                          // nothing done
		{"wir haben den refund veranlasst", ""},               // another language
		{"refund2 was sent", "sent"},                          // digits belong to words
		{"ref was sent", ""},                                  // too short for the stem
		{"the ordering was completed", "completed"},           // the stem counts
		{"toe was sent", ""},                                  // of a word of two letters there is none
		{"", ""},
		{"?", ""},
		{"...", ""},
		{"ä ö ü", ""},                                             // no words
		{"(refund) [was] \tsent", "sent"},                         // whatever stands between
		{"we processed the refund.unless it failed", "processed"}, // a point inside of words ends nothing
	}
	if got := string(claims([]byte("we reserved it"), []string{"reserve", "table"})); got != "reserved" {
		t.Errorf("the tool's own verb claims %q", got)
	}
	if got := claims([]byte("we have walked to the table"), []string{"reserve", "table"}); got != nil {
		t.Errorf("a verb that is not the tool's claims %q", got)
	}
	for _, c := range cases {
		if got := string(claims([]byte(c.text), words)); got != c.want {
			t.Errorf("%q claims %q, want %q", c.text, got, c.want)
		}
	}
}

func TestAcknowledges(t *testing.T) {
	for _, text := range []string{"i am sorry", "that failed.", "we could not do it", "it is no longer there", "please try again"} {
		if !acknowledges([]byte(text)) {
			t.Errorf("%q owns up to trouble", text)
		}
	}
	for _, text := range []string{"", "your refund was sent.", "all is well"} {
		if acknowledges([]byte(text)) {
			t.Errorf("%q owns up to nothing", text)
		}
	}
}

func TestLower(t *testing.T) {
	const text = "AZaz @[`{09 ÄÖ\x00"
	b := []byte(text)
	lower(b)
	if want := strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, text); string(b) != want {
		t.Errorf("%q in lower case is %q, want %q", text, b, want)
	}
}
