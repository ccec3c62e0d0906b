package schema

import (
	"slices"
	"strings"

	"misstep/event"
)

var typeNames = map[string]types{
	"null": tNull, "boolean": tBool, "integer": tInteger, "number": tNumber,
	"string": tString, "object": tObject, "array": tArray,
}

func (k *keyworded) typed() error {
	n := k.n
	n.types = tAny
	v, there := k.kw["type"]
	if there {
		n.types = 0
		list := []string{}
		if v.IsString() {
			list = append(list, string(v.AppendText(nil)))
		} else {
			var err error
			if list, err = k.texts("type", v); err != nil {
				return err
			}
		}
		for _, name := range list {
			t, ok := typeNames[strings.ToLower(name)]
			if !ok {
				return k.errorf("type", "%s is no type, want object, array, string, number, integer, boolean or null", quoted(name, 40))
			}
			n.types |= t
		}
		if len(list) == 0 {
			return k.errorf("type", "want at least one type")
		}
	}
	var err error
	if n.nullable, err = k.flag("nullable"); err != nil {
		return err
	}
	if n.nullable {
		n.types |= tNull
	}
	n.want = n.types.String()
	return nil
}

// String names the types, to follow "is not".
func (t types) String() string {
	var names []string
	add := func(bit types, name string) {
		if t&bit == bit {
			names = append(names, name)
		}
	}
	add(tObject, "an object")
	add(tArray, "an array")
	add(tString, "a string")
	if t&tFraction == 0 {
		add(tInteger, "an integer")
	} else {
		add(tFraction, "a number")
	}
	add(tBool, "a boolean")
	add(tNull, "null")
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " or " + names[n-1]
	}
	return strings.Join(names, "")
}

func (k *keyworded) values() (err error) {
	if v, there := k.kw["const"]; there {
		k.n.konst = newEnum("const", []event.Value{v})
	}
	v, there := k.kw["enum"]
	if !there {
		return nil
	}
	if v.Form != event.Array {
		return k.errorf("enum", "want an array, found %s", formName(v.Form))
	}
	var values []event.Value
	c := event.NewCursor(v)
	for c.Enter(); c.More(); {
		values = append(values, c.Value())
	}
	k.n.enum = newEnum("enum", values)
	return nil
}

// fewTexts is up to how many strings a list is faster than a map.
const fewTexts = 8

func newEnum(keyword string, values []event.Value) *enum {
	e := &enum{keyword: keyword}
	var canon event.Canonicalizer
	var want []string
	length := 0
	for _, v := range values {
		if v.IsString() {
			e.texts = append(e.texts, string(v.AppendText(nil)))
		} else {
			if e.values == nil {
				e.values = map[string]struct{}{}
			}
			e.values[string(canon.Append(nil, v, nil))] = struct{}{}
		}
		if length < maxWant {
			text := v.AppendJSON(nil)
			if v.IsString() {
				text = []byte(quoted(v.AppendText(nil), maxLabel))
			} else if len(text) > maxLabel || !isPrintable(text) {
				text = []byte(formName(v.Form))
			}
			want = append(want, string(text))
			length += len(text) + 2
		}
	}
	if len(e.texts) > fewTexts {
		e.set = make(map[string]struct{}, len(e.texts))
		for _, t := range e.texts {
			e.set[t] = struct{}{}
		}
		e.texts = nil
	}
	if len(want) < len(values) {
		want = append(want, "...")
	}
	e.want = strings.Join(want, ", ")
	if len(values) != 1 {
		e.want = "one of " + e.want
	}
	return e
}

func isPrintable(text []byte) bool {
	return !slices.ContainsFunc(text, func(c byte) bool { return c < ' ' || c > '~' })
}
