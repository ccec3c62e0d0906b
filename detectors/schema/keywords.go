package schema

import (
	"cmp"
	"fmt"
	"regexp"
	"regexp/syntax"

	"misstep/event"
)

// counted is how a limit reads after "is not".
func counted(limit string, n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%s %d %s long", limit, n, what)
}

func (k *keyworded) strings() (err error) {
	s := &stringCheck{max: -1}
	if s.min, err = k.size("minLength", 0); err != nil {
		return err
	}
	if s.max, err = k.size("maxLength", -1); err != nil {
		return err
	}
	if v, there := k.kw["pattern"]; there {
		if !v.IsString() {
			return k.errorf("pattern", "want a string, found %s", formName(v.Form))
		}
		s.pattern = k.c.pattern(string(v.AppendText(nil)), k.at("pattern"))
	}
	s.wantMin = counted("at least", s.min, "character")
	s.wantMax = counted("at most", s.max, "character")
	if s.min > 0 || s.max >= 0 || s.pattern != nil {
		k.n.str = s
	}
	return nil
}

const (
	maxPattern      = 4096 // bytes
	maxInstructions = 4096
)

// pattern compiles a regular expression; nil when there is none to judge by.
func (c *compiler) pattern(text, where string) *pattern {
	p := newPattern(text)
	if p == nil {
		c.unjudged = append(c.unjudged, where)
	}
	return p
}

// unicodeEscape finds what RE2 writes as \x{....}.
var unicodeEscape = regexp.MustCompile(`((?:^|[^\\])(?:\\\\)*)\\u([0-9a-fA-F]{4})`)

func newPattern(text string) *pattern {
	if len(text) > maxPattern {
		return nil
	}
	re2 := unicodeEscape.ReplaceAllString(text, `${1}\x{${2}}`)
	parsed, err := syntax.Parse(re2, syntax.Perl)
	if err != nil {
		return nil
	}
	prog, err := syntax.Compile(parsed.Simplify())
	if err != nil || len(prog.Inst) > maxInstructions {
		return nil
	}
	re, err := regexp.Compile(re2)
	if err != nil {
		return nil
	}
	return &pattern{re: re, want: "of the form " + quoted(text, maxWant), cost: len(prog.Inst)}
}

func (k *keyworded) numbers() (err error) {
	var nc numberCheck
	if nc.min, err = k.bound("minimum", "exclusiveMinimum", "at least", "more than", -1); err != nil {
		return err
	}
	if nc.max, err = k.bound("maximum", "exclusiveMaximum", "at most", "less than", +1); err != nil {
		return err
	}
	if v, there := k.kw["multipleOf"]; there {
		if v.Form != event.Number {
			return k.errorf("multipleOf", "want a number, found %s", formName(v.Form))
		}
		nc.multiple = newBound("multipleOf", "a multiple of", v)
		if m := &nc.multiple.exact; m.neg || m.digits() == 0 {
			return k.errorf("multipleOf", "want a number above 0, found %s", describe(v))
		}
	}
	if nc != (numberCheck{}) {
		k.n.num = &nc
	}
	return nil
}

func newBound(keyword, want string, v event.Value) *bound {
	b := &bound{keyword: keyword, want: fmt.Sprintf("%s %.40s", want, v.Raw), exact: parseNumber(v.Raw)}
	b.small, b.isSmall = small(v.Raw)
	return b
}

// bound reads a limit and its exclusive form; side is where numbers beyond it
// lie. Of two the stricter holds.
func (k *keyworded) bound(key, exclusive, want, wantMore string, side int) (*bound, error) {
	var b *bound
	v, there := k.kw[key]
	if there {
		if v.Form != event.Number {
			return nil, k.errorf(key, "want a number, found %s", describe(v))
		}
		b = newBound(key, want, v)
	}
	x, there := k.kw[exclusive]
	switch {
	case !there:
	case x.Form == event.Bool: // draft 4: says of the limit that it is excluded
		if b != nil && string(x.Raw) == "true" {
			b = newBound(key, wantMore, v)
			b.excluded = true
		}
	case x.Form == event.Number:
		more := newBound(exclusive, wantMore, x)
		more.excluded = true
		if b == nil || more.exact.compare(&b.exact)*side <= 0 {
			b = more
		}
	default:
		return nil, k.errorf(exclusive, "want a number, found %s", describe(x))
	}
	return b, nil
}

func (k *keyworded) objects() (err error) {
	o := &objectCheck{max: -1}
	place := map[string]int{}
	add := func(name string) *property {
		i, ok := place[name]
		if !ok {
			i = len(o.props)
			place[name] = i
			o.props = append(o.props, property{name: name})
		}
		return &o.props[i]
	}
	err = k.each("properties", func(name string, n *node) error {
		p := add(name)
		p.node, p.declared = n, true
		return nil
	})
	if err != nil {
		return err
	}
	// An object that declares no properties is one of any; but parameters that
	// are declared to be none are.
	_, declares := k.kw["properties"]
	declares = len(o.props) > 0 || declares && k.n.where == "#"
	switch v := k.kw["required"]; v.Form {
	case event.Absent, event.Bool: // draft 3 says of a property itself whether it is required
	default:
		names, err := k.texts("required", v)
		if err != nil {
			return err
		}
		for _, name := range names {
			add(name).required = true
		}
	}
	err = k.each("patternProperties", func(text string, n *node) error {
		if p := k.c.pattern(text, at(k.at("patternProperties"), text)); p != nil {
			o.patterns = append(o.patterns, patternProperty{*p, n})
		}
		return nil
	})
	if err != nil {
		return err
	}
	additional, there, err := k.sub("additionalProperties")
	if err != nil {
		return err
	}
	rest, evaluated := k.kw["unevaluatedProperties"]
	switch shut := rest.Form == event.Bool && string(rest.Raw) == "false"; {
	case additional != nil && additional.never:
		o.closed, o.strict, k.n.shuts = true, true, true
	case there || evaluated && !shut:
		o.additional, k.n.opens = additional, true
	case shut:
		o.strict, k.n.shuts = true, true
	default:
		o.strict = declares
	}
	if o.min, err = k.size("minProperties", 0); err != nil {
		return err
	}
	if o.max, err = k.size("maxProperties", -1); err != nil {
		return err
	}
	o.wantMin, o.wantMax = counted("at least", o.min, "member"), counted("at most", o.max, "member")
	o.distinct = o.min > 0 || o.max >= 0 || len(o.patterns) > 0 || o.additional != nil
	if len(o.props) == 0 && !o.strict && !o.distinct {
		return nil
	}
	o.finish()
	k.n.obj = o
	return nil
}

func (o *objectCheck) finish() {
	o.required = make([]uint64, (len(o.props)+63)/64)
	o.index = make(map[string]int32, len(o.props))
	for i, p := range o.props {
		o.index[p.name] = int32(i)
		if p.required {
			o.required[i/64] |= 1 << (i % 64)
		}
	}
}

func (k *keyworded) arrays() (err error) {
	a := &arrayCheck{max: -1, wantUnique: "free of repeated elements"}
	list := "prefixItems"
	rest := "items"
	if k.kw["items"].Form == event.Array { // as up to 2019-09
		list, rest = "items", "additionalItems"
	}
	if a.prefix, err = k.subs(list); err != nil {
		return err
	}
	if a.items, _, err = k.sub(rest); err != nil {
		return err
	}
	if a.min, err = k.size("minItems", 0); err != nil {
		return err
	}
	if a.max, err = k.size("maxItems", -1); err != nil {
		return err
	}
	if a.unique, err = k.flag("uniqueItems"); err != nil {
		return err
	}
	a.wantMin, a.wantMax = counted("at least", a.min, "element"), counted("at most", a.max, "element")
	if len(a.prefix) > 0 || a.items != nil || a.min > 0 || a.max >= 0 || a.unique {
		k.n.arr = a
	}
	return nil
}

func (k *keyworded) combined() (err error) {
	n := k.n
	if n.all, err = k.subs("allOf"); err != nil {
		return err
	}
	if n.any, err = k.subs("anyOf"); err != nil {
		return err
	}
	if n.one, err = k.subs("oneOf"); err != nil {
		return err
	}
	not, there, err := k.sub("not")
	if err != nil {
		return err
	}
	if there {
		n.not = cmp.Or(not, &node{types: tAny, where: k.at("not")})
	}
	cond, there, err := k.sub("if")
	if err != nil || !there {
		return err
	}
	if n.then, _, err = k.sub("then"); err != nil {
		return err
	}
	if n.els, _, err = k.sub("else"); err != nil {
		return err
	}
	if n.then != nil || n.els != nil {
		n.cond = cmp.Or(cond, &node{types: tAny, where: k.at("if")})
	}
	return nil
}

// others compiles the keywords that are left to the library, so that what they
// hold is checked and counted.
func (k *keyworded) others() error {
	n, used := k.n, false
	for _, key := range []string{"contains", "propertyNames", "unevaluatedItems", "unevaluatedProperties"} {
		sub, there, err := k.sub(key)
		if err != nil {
			return err
		}
		if there {
			used = true
			n.others = append(n.others, sub)
		}
	}
	collect := func(_ string, sub *node) error {
		used = true
		n.others = append(n.others, sub)
		return nil
	}
	if err := k.each("dependentSchemas", collect); err != nil {
		return err
	}
	if v := k.kw["dependencies"]; v.Form == event.Object {
		used, k.c.dependent = true, true
		c := event.NewCursor(v)
		for c.Enter(); c.More(); {
			key := string(c.Key().AppendText(nil))
			if x := c.Value(); x.Form != event.Array {
				sub, err := k.c.subschema(x, at(k.at("dependencies"), key), k.depth+1)
				if err != nil {
					return err
				}
				n.others = append(n.others, sub)
			}
		}
	}
	if _, there := k.kw["dependentRequired"]; there {
		used = true
	}
	if used {
		n.foreign = true
		k.c.foreign = append(k.c.foreign, n)
	}
	return nil
}
