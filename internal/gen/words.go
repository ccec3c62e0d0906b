package gen

import "strings"

// words are what all free text is made of: plain ones, and some that need
// escapes or more than one byte a letter.
var words = strings.Fields(`
the a to of and in for on with is my your it this that please can need want
would like have has was not order flight account ticket room report number
change move open close check find show send book cancel refund update review
before after until today tomorrow morning evening Monday Friday March April
customer agent manager team office hotel airport station address phone email
card payment invoice price total balance discount fee credit amount date time
status pending confirmed shipped delivered delayed missing broken wrong right
first second last next earlier later again still already soon never always
because since while though but so then there here which who what when where
how all any both each few many more most other some such only own same than
too very small large blue green black white single double early late cheap
expensive direct available sure thanks hello okay great sorry help question
details information option policy request result summary note plan step list
email@example.com €49 café Zürich naïve São_Paulo 東京 확인 "urgent" C:\temp
10:45 24h 3rd #42 A/B R&D <b> 50% two-way e-mail don't I'm it's we'll`)

// appendText appends n words of text, already escaped for a JSON string.
func appendText(b []byte, r *rng, n int) []byte {
	for i := range n {
		w := words[r.below(len(words))]
		if i > 0 {
			switch r.below(24) {
			case 0:
				b = append(b, '.')
			case 1:
				b = append(b, ',')
			case 2:
				b = append(b, `.\n`...)
				b = appendEscaped(b, w)
				continue
			}
			b = append(b, ' ')
		}
		b = appendEscaped(b, w)
	}
	return append(b, '.')
}

// mishap is an error as tools report it. No two have the same words, so that
// an error that came up once is never taken for a loop.
type mishap struct {
	kind string // error_type
	text string // % stands for an id
	json bool   // reported as an object
	// permanent says that trying again cannot help; loops are planted with
	// these alone, since patience with a passing error is no failure.
	permanent bool
}

var mishaps = []mishap{
	{"not_found", "No record % exists in this account", false, true},
	{"validation_error", "Validation failed: field date must lie in the future", true, true},
	{"permission_denied", "Permission denied: % belongs to another customer", false, true},
	{"conflict", "409 conflict: % was changed by somebody else", true, true},
	{"bad_request", "Bad request: quantity exceeds stock of %", false, true},
	{"invalid_state", "% is closed and cannot be edited any more", true, true},
	{"payment_declined", "Payment declined by issuer, reference %", true, true},
	{"not_eligible", "Fare rules forbid this change for %", false, true},
	{"quota", "Monthly quota of this workspace is used up", true, true},
	{"not_found", "404: page % does not exist", false, true},
	{"validation_error", "Invalid address: zip code unknown to carrier", false, true},
	{"archived", "Document % is archived, reading only", true, true},
	{"timeout", "Upstream timed out after 30 s", false, false},
	{"rate_limited", "429 too many requests, retry after 5 s", true, false},
	{"unavailable", "503 service unavailable", false, false},
	{"reset", "Connection reset by peer while reading %", false, false},
	{"deadlock", "Deadlock victim, transaction % rolled back", true, false},
	{"maintenance", "Planned maintenance, come back at noon", false, false},
}
