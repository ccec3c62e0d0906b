package schema

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"misstep/event"
)

const (
	maxFound = 8  // violations, and unknown parameters, that are told of one call
	maxLabel = 64 // bytes of a key in a path
	maxWant  = 120
)

// Violation is one way in which arguments break their schema.
type Violation struct {
	// Path is the place, such as flights[0].date; empty for the arguments
	// themselves. Keys that are no plain words stand quoted, with control
	// characters escaped.
	Path    string
	Keyword string // of JSON Schema that refuses
	// Want completes "is not": "an integer", "at least 1"; empty for required.
	Want  string
	Found event.Form // Absent for a missing parameter
	// Coercible says that the type is wrong, but the value can be converted
	// without loss into one that the schema takes, such as a number in quotes.
	Coercible bool
}

// String says what is wrong, to continue a sentence.
func (v Violation) String() string {
	place := v.Path
	if place == "" {
		place = "the whole"
	}
	switch v.Keyword {
	case "required":
		return place + " is missing"
	case "type":
		return fmt.Sprintf("%s is %s, not %s", place, formName(v.Found), v.Want)
	default:
		return fmt.Sprintf("%s is not %s", place, v.Want)
	}
}

// Unknown is a parameter that the schema does not know.
type Unknown struct {
	Path    string
	Nearest string // the parameter that was most likely meant, empty for none
	Kind    Kind   // how near it is
	// Strict says that the schema itself refuses what it does not know. Else
	// nothing is said of additional properties, which JSON Schema allows.
	Strict bool
	// Missing says that Nearest is required and missing. It is the same misstep,
	// so it is not among the violations.
	Missing bool
	meant   string // path of Nearest
}

// Violations are what is wrong with the arguments of one call. The zero value
// is ready; it holds scratch space and is used again and again by one
// goroutine, with Reset in between.
type Violations struct {
	Found   []Violation // the first 8, in the order in which they stand
	Unknown []Unknown   // the first 8
	More    int         // how many others there are
	// Unjudged says that some of the arguments were passed over: hidden ones, or
	// when they would have taken too long. What was found before stands.
	Unjudged bool

	quiet     bool // only the verdict is asked for
	lax       bool // and members that are not declared are passed over
	budget    int  // work that is left, about 30 ns each
	path      []segment
	text      []byte
	canonical []byte
	canon     event.Canonicalizer
	spans     []span
}

// segment is one key or index of a path.
type segment struct {
	key   event.Value // Absent: index
	index int
}

type span struct{ start, end int }

// Reset forgets what was found.
func (v *Violations) Reset() {
	v.Found, v.Unknown, v.More, v.Unjudged = v.Found[:0], v.Unknown[:0], 0, false
}

// AddNotObject says that the arguments are a string that is no JSON object.
func (v *Violations) AddNotObject() {
	v.add(Violation{Keyword: "type", Want: "an object", Found: event.String})
}

func (v *Violations) add(x Violation) {
	if len(v.Found) == maxFound {
		v.More++
		return
	}
	v.Found = append(v.Found, x)
}

// fail notes a violation at the current path, if that is asked for. It is
// false, for the caller to return.
func (v *Violations) fail(keyword, want string, found event.Form) bool {
	if !v.quiet {
		v.add(Violation{Path: v.where(), Keyword: keyword, Want: want, Found: found})
	}
	return false
}

// spend takes work from the budget; false says that it is used up.
func (v *Violations) spend(n int) bool {
	if v.budget -= n; v.budget < 0 {
		v.Unjudged = true
		return false
	}
	return true
}

// where is the current path as text.
func (v *Violations) where() string {
	var b strings.Builder
	for _, s := range v.path {
		if s.key.Form == event.Absent {
			fmt.Fprintf(&b, "[%d]", s.index)
			continue
		}
		writeKey(&b, s.key.Text(&v.text))
	}
	return b.String()
}

func writeKey(b *strings.Builder, key []byte) {
	if !plainKey(key) {
		b.WriteString("[" + quoted(key, maxLabel) + "]")
		return
	}
	if b.Len() > 0 {
		b.WriteByte('.')
	}
	b.Write(key)
}

func plainKey(key []byte) bool {
	for _, c := range key {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && c-'0' > 9 && c != '_' && c != '-' && c != '$' {
			return false
		}
	}
	return len(key) > 0 && len(key) <= maxLabel
}

// quoted gives text in quotes, in ASCII, cut to about limit bytes.
func quoted[T string | []byte](text T, limit int) string {
	if len(text) <= limit {
		return strconv.QuoteToASCII(string(text))
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return strconv.QuoteToASCII(string(text[:limit])) + "..."
}

func formName(f event.Form) string {
	switch f {
	case event.Null:
		return "null"
	case event.Bool:
		return "a boolean"
	case event.Number:
		return "a number"
	case event.String, event.Escaped:
		return "a string"
	case event.Object:
		return "an object"
	case event.Array:
		return "an array"
	case event.Hidden:
		return "hidden"
	default:
		return "absent"
	}
}
