package gen

import "strconv"

// kit is what one workflow's agents work with.
type kit struct {
	workflow, agent, model string
	tools                  []tool
	catalogue              string // JSON array of ToolSpec
}

// tool is one tool of a kit.
type tool struct {
	name   string
	effect string
	params []param
	schema bool // whether the catalogue has its parameters
}

// param is one parameter of a tool.
type param struct {
	name     string
	form     form
	required bool
	enum     []string // of a choice; of an id its prefix
}

// form is what a parameter holds.
type form int

const (
	formID form = iota
	formDate
	formCount
	formAmount
	formFlag
	formChoice
	formText
	formAddress // an object that holds another one
	formItems   // an array of objects
	formTags    // an array of strings
)

var domains = []struct {
	workflow, agent, model string
	things                 [3]string
	tools                  int
}{
	{"airline", "desk", "gpt-4o", [3]string{"reservation", "flight", "passenger"}, 14},
	{"retail", "shop-assistant", "claude-sonnet-4-5", [3]string{"order", "product", "customer"}, 12},
	{"banking", "teller", "gpt-4.1-mini", [3]string{"account", "transfer", "card"}, 8},
	{"operations", "sre-bot", "claude-opus-4-1", [3]string{"host", "deployment", "incident"}, 10},
	{"sales", "crm-agent", "gemini-2.5-pro", [3]string{"contact", "deal", "ticket"}, 6},
	{"documents", "librarian", "mistral-large", [3]string{"document", "folder", "comment"}, 8},
	{"hotel", "concierge", "qwen3-235b", [3]string{"booking", "room", "guest"}, 10},
	{"logistics", "dispatcher", "llama-4-maverick", [3]string{"shipment", "truck", "depot"}, 6},
}

var verbs = []struct{ name, effect string }{
	{"get", "read"},
	{"search", "read"},
	{"update", "write"},
	{"list", "read"},
	{"create", "write"},
	{"cancel", "irreversible"},
	{"check", "read"},
}

// kits are the same whatever the seed, as a company's toolsets are the same on
// every day.
var kits = makeKits()

func makeKits() []kit {
	ks := make([]kit, len(domains))
	for i, d := range domains {
		k := kit{workflow: d.workflow, agent: d.agent, model: d.model}
		for j := range d.tools {
			p := j * 5 % (len(verbs) * len(d.things)) // each pair once
			verb, thing := verbs[p%len(verbs)], d.things[p/len(verbs)]
			k.tools = append(k.tools, tool{
				name:   verb.name + "_" + thing,
				effect: verb.effect,
				params: params(verb.name, thing),
				schema: j%2 == 0,
			})
		}
		k.catalogue = string(appendCatalogue(nil, k.tools))
		ks[i] = k
	}
	return ks
}

func params(verb, thing string) []param {
	id := param{thing + "_id", formID, true, []string{thing[:2]}}
	switch verb {
	case "get":
		return []param{id, {"view", formChoice, false, []string{"short", "full", "history"}}}
	case "search":
		return []param{
			{"query", formText, true, nil},
			{"limit", formCount, false, nil},
			{"near", formAddress, false, nil},
			{"tags", formTags, false, nil},
		}
	case "list":
		return []param{{"since", formDate, true, nil}, {"owner_id", formID, true, []string{"u"}}, {"page", formCount, false, nil}}
	case "create":
		return []param{
			{"title", formText, true, nil},
			{"items", formItems, true, nil},
			{"amount", formAmount, true, nil},
			{"deliver_to", formAddress, false, nil},
			{"on", formDate, false, nil},
			{"urgent", formFlag, false, nil},
		}
	case "update":
		return []param{
			id,
			{"status", formChoice, true, []string{"open", "held", "paid", "closed"}},
			{"note", formText, false, nil},
			{"amount", formAmount, false, nil},
			{"items", formItems, false, nil},
		}
	case "cancel":
		return []param{id, {"reason", formText, true, nil}, {"notify", formFlag, false, nil}}
	default:
		return []param{id, {"on", formDate, true, nil}, {"seats", formCount, false, nil}}
	}
}

func appendCatalogue(b []byte, tools []tool) []byte {
	b = append(b, '[')
	for i, t := range tools {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"name":`...)
		b = appendString(b, t.name)
		b = appendField(b, "description", "Use it to "+t.name+".")
		b = appendField(b, "effect", t.effect)
		if t.schema {
			b = append(b, `,"parameters":`...)
			b = appendSchema(b, t.params)
		}
		b = append(b, '}')
	}
	return append(b, ']')
}

func appendSchema(b []byte, ps []param) []byte {
	b = append(b, `{"type":"object","properties":{`...)
	for i, p := range ps {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendKey(b, p.name)
		b = append(b, formSchemas[p.form]...)
		if p.form == formChoice {
			b = append(b, `,"enum":[`...)
			for j, e := range p.enum {
				if j > 0 {
					b = append(b, ',')
				}
				b = appendString(b, e)
			}
			b = append(b, ']')
		}
		b = append(b, '}')
	}
	b = append(b, `},"required":[`...)
	n := 0
	for _, p := range ps {
		if p.required {
			if n++; n > 1 {
				b = append(b, ',')
			}
			b = appendString(b, p.name)
		}
	}
	return append(b, ']', '}')
}

// formSchemas are the schemas of the forms, but for the closing brace.
var formSchemas = [...]string{
	formID:     `{"type":"string","minLength":4`,
	formDate:   `{"type":"string","description":"as YYYY-MM-DD"`,
	formCount:  `{"type":"integer","minimum":1,"maximum":100`,
	formAmount: `{"type":"number","minimum":0`,
	formFlag:   `{"type":"boolean"`,
	formChoice: `{"type":"string"`,
	formText:   `{"type":"string","maxLength":400`,
	formAddress: `{"type":"object","properties":{"street":{"type":"string"},"zip":{"type":"string"},` +
		`"geo":{"type":"object","properties":{"lat":{"type":"number"},"lon":{"type":"number"}}}},"required":["street"]`,
	formItems: `{"type":"array","items":{"type":"object","properties":{"sku":{"type":"string"},` +
		`"quantity":{"type":"integer"}},"required":["sku","quantity"]},"minItems":1`,
	formTags: `{"type":"array","items":{"type":"string"}`,
}

// appendArguments appends an object for the tool's parameters. The same state
// of r gives the same arguments.
func (t *tool) appendArguments(b []byte, r *rng) []byte {
	open := byte('{')
	for _, p := range t.params {
		if !p.required && r.chance(400) {
			continue
		}
		b = append(b, open)
		open = ','
		b = appendKey(b, p.name)
		b = p.appendValue(b, r)
	}
	return append(b, '}')
}

func (p *param) appendValue(b []byte, r *rng) []byte {
	switch p.form {
	case formID:
		b = append(b, '"')
		b = appendID(b, r, p.enum[0])
		return append(b, '"')
	case formDate:
		b = append(b, `"2026-`...)
		b = appendPadded(b, r.between(1, 12), 2)
		b = append(b, '-')
		b = appendPadded(b, r.between(1, 28), 2)
		return append(b, '"')
	case formCount:
		return strconv.AppendInt(b, int64(r.between(1, 100)), 10)
	case formAmount:
		return appendDecimal(b, r.below(2000), r.below(100))
	case formFlag:
		return strconv.AppendBool(b, r.below(2) == 0)
	case formChoice:
		return appendString(b, p.enum[r.below(len(p.enum))])
	case formText:
		b = append(b, '"')
		b = appendText(b, r, r.between(3, 12))
		return append(b, '"')
	case formAddress:
		b = append(b, `{"street":"`...)
		b = appendText(b, r, 2)
		b = append(b, `","zip":"`...)
		b = appendPadded(b, r.below(100_000), 5)
		b = append(b, `","geo":{"lat":`...)
		b = appendDecimal(b, r.between(-89, 89), r.below(100))
		b = append(b, `,"lon":`...)
		b = appendDecimal(b, r.between(-179, 179), r.below(100))
		return append(b, '}', '}')
	case formItems:
		open := byte('[')
		for range r.between(1, 3) {
			b = append(b, open)
			open = ','
			b = append(b, `{"sku":"`...)
			b = appendID(b, r, "sku")
			b = append(b, `","quantity":`...)
			b = strconv.AppendInt(b, int64(r.between(1, 9)), 10)
			b = append(b, '}')
		}
		return append(b, ']')
	default:
		b = append(b, '[')
		for i := range r.between(0, 3) {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendString(b, words[r.below(len(words))])
		}
		return append(b, ']')
	}
}

func appendID(b []byte, r *rng, prefix string) []byte {
	b = append(b, prefix...)
	b = append(b, '_')
	return appendPadded(b, r.below(10_000_000), 7)
}

func appendDecimal(b []byte, whole, hundredths int) []byte {
	b = strconv.AppendInt(b, int64(whole), 10)
	b = append(b, '.')
	return appendPadded(b, hundredths, 2)
}
