package facts

import (
	"bytes"
	"slices"
	"strings"

	"misstep/detectors/schema"
	"misstep/event"
)

// Shape is what a value in the arguments of a call looks like.
type Shape uint8

// The shapes of values whose provenance tells something.
const (
	Identifier Shape = iota
	Amount
	Told // an identifier in what is told to somebody, that nobody showed
)

// Ground says where one value in the arguments of a call comes from. It borrows
// from the step.
type Ground struct {
	Path   string // of the parameter, without the numbers of array elements
	Value  []byte
	Shape  Shape
	From   Source // who showed it, 0 for nobody
	Amount int64  // in hundredths
	Hash   uint64 // of an identifier, without its case
	// Example says that the tool's description holds it, as an example.
	Example bool
	// Foreign says that an identifier is one of another kind of thing than the
	// parameter names.
	Foreign bool
}

// maxGrounds bounds the values of one call that are looked at.
const maxGrounds = 32

// ground looks for identifiers and amounts in the arguments of a call, before
// they are shown themselves.
func (t *Trajectory) ground(w *Workspace, tool *Tool, args event.Value) {
	if args.Form != event.Object {
		return
	}
	g := grounding{w: w, v: t.provenance, tool: tool}
	c := event.NewCursor(args)
	g.walk(&c, "", 0)
}

type grounding struct {
	w    *Workspace
	v    *Provenance
	tool *Tool
}

// maxGroundDepth bounds how deep arguments are looked into.
const maxGroundDepth = 6

// walk looks at the next element, which stands at path.
func (g *grounding) walk(c *event.Cursor, path string, depth int) {
	switch form := c.Form(); {
	case form == event.Object && depth < maxGroundDepth:
		c.Enter()
		for c.More() {
			g.walk(c, g.w.join(path, c.Key()), depth+1)
		}
	case form == event.Array && depth < maxGroundDepth:
		c.Enter()
		for c.More() {
			g.walk(c, path, depth+1)
		}
	case form == event.String || form == event.Escaped || form == event.Number:
		g.value(c.Value(), path)
	default:
		c.Skip()
	}
}

func (g *grounding) value(v event.Value, path string) {
	if len(g.w.Cur.Grounds) == maxGrounds {
		return
	}
	p := g.w.param(path)
	if p.prose && v.IsString() && !g.tool.RunsCode {
		g.told(v, path)
	}
	if p.free {
		return
	}
	raw := v.Raw
	switch {
	case p.amount && (v.Form == event.Number || v.Form == event.String):
		r, ok := nextRun(raw, 0, false)
		if !ok || !r.digits || r.from > 1 || r.from == 1 && raw[0] != '$' {
			return
		}
		a, end, ok := amountAt(raw, r)
		if !ok || end != len(raw) || a < leastAmount {
			return
		}
		from := Source(0)
		if r.to-r.from >= leastRun {
			from = g.v.Of(raw[r.from:r.to], false)
		}
		g.add(Ground{Path: path, Value: raw, Shape: Amount, Amount: a, From: from})
	case v.Form == event.Number && !p.names:
	case isIdentifier(raw, v.Form):
		raw = bytes.TrimLeft(raw, "#")
		how := g.tool.names(raw)
		if how == asValue {
			return
		}
		g.add(Ground{Example: how == asExample, Path: path, Value: raw, Shape: Identifier, From: g.v.Of(raw, v.Form == event.Escaped), Hash: identifierHash(raw)})
	}
}

// told looks for identifiers that nobody showed in what is told to somebody.
func (g *grounding) told(v event.Value, path string) {
	for word := range namings(v.Raw, v.Form == event.Escaped) {
		if g.v.Of(word, false) == 0 && !g.tool.mentions(word) && len(g.w.Cur.Grounds) < maxGrounds {
			g.add(Ground{Path: path, Value: word, Shape: Told})
		}
	}
}

func (g *grounding) add(x Ground) { g.w.Cur.Grounds = append(g.w.Cur.Grounds, x) }

// specHolds says how a tool's own specification holds a value.
type specHolds uint8

const (
	notNamed  specHolds = iota
	asExample           // in the middle of a description
	asValue             // as a whole string: a member of an enum, a default
)

// names reports how the tool's specification holds a value.
func (t *Tool) names(value []byte) specHolds {
	how := notNamed
	for from := 0; len(value) > 0; {
		i := bytes.Index(t.spec[from:], value)
		if i < 0 {
			return how
		}
		i += from
		end := i + len(value)
		if i > 0 && t.spec[i-1] == '"' && !isEscape(t.spec, i-1) && end < len(t.spec) && t.spec[end] == '"' {
			return asValue
		}
		if (i == 0 || !joinsName(t.spec[i-1])) && (end == len(t.spec) || !joinsName(t.spec[end])) {
			how = asExample
		}
		from = i + 1
	}
	return how
}

// mentions reports whether the tool's own description holds the value: an enum
// member, a default or an example.
func (t *Tool) mentions(value []byte) bool { return bytes.Contains(t.spec, value) }

// The lengths of what can be an identifier, in bytes.
const (
	leastIdentifier = 4
	mostIdentifier  = 80
	leastNumber     = 5 // digits of one that is nothing but digits
)

// isIdentifier reports whether a value names one thing rather than to describe
// or to count: one word with a run of letters and digits that counts, and
// neither a date, a time, a path nor a number of a few digits.
func isIdentifier(b []byte, form event.Form) bool {
	if len(b) < leastIdentifier || len(b) > mostIdentifier {
		return false
	}
	letters, digits, counts := 0, 0, false
	for _, c := range b {
		switch class := byteClass[c]; {
		case class == isLetter:
			letters++
		case class == isNumeral:
			digits++
		case c != '-' && c != '_' && c != '#' && c != ':' && c != '.' && c != '@' && c != '+':
			return false
		}
	}
	if digits == 0 || looksLikeDate(b) {
		return false
	}
	if letters == 0 {
		return digits >= leastNumber && !bytes.ContainsAny(b, ".:")
	}
	forEachRun(b, form == event.Escaped, func(_ uint64, joined bool) { counts = counts || !joined })
	return counts
}

// looksLikeDate reports whether a value is a date or begins with one, or is a time of
// the day.
func looksLikeDate(b []byte) bool {
	pattern := func(p string) bool {
		if len(b) < len(p) {
			return false
		}
		for i := range len(p) {
			if p[i] == '0' && byteClass[b[i]] != isNumeral || p[i] != '0' && b[i] != p[i] {
				return false
			}
		}
		return true
	}
	return pattern("0000-00-00") || pattern("00-00-0000") || pattern("00.00.0000") || pattern("00:00") || pattern("0:00") || pattern("0000-00")
}

// identifierHash hashes an identifier without its case.
func identifierHash(b []byte) uint64 {
	h := uint64(len(b)) * 0x9e3779b97f4a7c15
	for _, c := range b {
		if c-'A' < 26 {
			c |= 0x20
		}
		h = (h ^ uint64(c)) * 0x100000001b3
	}
	return nonZero(mix(h))
}

// param is what the name of a parameter says about its values.
type param struct {
	free   bool // the agent may write what it likes
	amount bool // of money
	names  bool // a number in it names something
	prose  bool // the agent tells somebody something
}

// proseWords are words of parameters that hold what the agent tells somebody.
var proseWords = []string{"message", "body", "text", "note", "notes", "comment", "content", "reply", "subject", "description", "summary", "reason"}

// freeWords are words of parameters that the agent fills with its own words,
// with what it computes, or with names that it is free to choose.
var freeWords = []string{
	"date", "time", "timestamp", "datetime", "day", "month", "year", "dob", "birth", "since", "until", "start", "end", "from", "to",
	"count", "limit", "offset", "page", "size", "width", "height", "length", "max", "min", "top", "k", "n", "index", "row", "line", "lines", "column",
	"version", "model", "query", "queries", "q", "search", "term", "terms", "text", "message", "content", "contents", "body", "sql", "command", "cmd", "script",
	"expression", "formula", "title", "name", "label", "labels", "tag", "tags", "description", "note", "notes", "reason", "summary", "comment", "thought", "plan", "answer", "question",
	"filename", "file", "files", "path", "paths", "dir", "directory", "folder", "url", "uri", "link", "seed", "color", "colour", "unit",
	"format", "pattern", "regex", "range", "diff", "patch", "input", "prompt", "timeout", "duration", "quantity", "qty", "percent", "rate", "ratio", "score", "temperature", "lat", "lon", "latitude", "longitude",
}

// mintedWords are words of parameters whose values the agent has to make up.
var mintedWords = []string{"nonce", "idempotency", "correlation", "trace", "span", "request", "dedup", "deduplication", "client", "session", "uuid", "guid", "random", "salt"}

var amountWords = []string{
	"amount", "price", "total", "cost", "fee", "refund", "payment", "balance", "charge", "deposit", "budget", "sum", "credit", "discount",
	"usd", "eur", "gbp", "cents", "dollars", "euros", "betrag", "preis",
}

// namingWords are words of parameters whose numbers are no quantities.
var namingWords = []string{"id", "ids", "number", "no", "code", "key", "ref", "reference", "account", "order", "invoice", "ticket", "zip", "postcode", "phone", "ssn", "iban", "card", "sku", "isbn", "user", "customer"}

// param gives what the last name of a path says. Names that say two things at
// once, such as payment_id, name.
func (w *Workspace) param(path string) param {
	if p, ok := w.params[path]; ok {
		return p
	}
	p, words := param{}, schema.Words(string(lastName(path)))
	has := func(list []string) bool {
		return slices.ContainsFunc(words, func(word string) bool { return slices.Contains(list, word) })
	}
	p.names = has(namingWords)
	p.free = has(mintedWords) || has(freeWords) && !(p.names && len(words) > 1)
	p.prose = has(proseWords)
	p.amount = !p.names && has(amountWords)
	if len(w.params) >= maxNames {
		clear(w.params)
	}
	w.params[path] = p
	return p
}

// lastName gives the last name of a path.
func lastName(path string) []byte { return []byte(path[strings.LastIndexByte(path, '.')+1:]) }

// join gives the path of a member.
func (w *Workspace) join(path string, key event.Value) string {
	name := key.Text(&w.text)
	if path == "" {
		return w.intern(name)
	}
	w.path = append(append(append(w.path[:0], path...), '.'), name...)
	return w.intern(w.path)
}
