package event

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// tree builds what encoding/json builds of a value with UseNumber.
func tree(c *Cursor) any {
	form := c.Form()
	switch form {
	case Object, Hidden:
		m := map[string]any{}
		c.Enter()
		for c.More() {
			k := string(c.Key().AppendText(nil))
			m[k] = tree(c)
		}
		return m
	case Array:
		list := []any{}
		c.Enter()
		for c.More() {
			list = append(list, tree(c))
		}
		return list
	}
	v := c.Value()
	if v.Form != form {
		return fmt.Errorf("%v was %v", v.Form, form)
	}
	switch v.Form {
	case Null:
		return nil
	case Bool:
		return string(v.Raw) == "true"
	case Number:
		return json.Number(v.Raw)
	}
	return string(v.AppendText(nil))
}

func TestCursor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		_, b := anyJSON(t, 4)
		v, err := JSONValue(b)
		if err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		dec := json.NewDecoder(bytes.NewReader(b))
		dec.UseNumber()
		var want any
		if err := dec.Decode(&want); err != nil {
			t.Fatal(err)
		}
		c := NewCursor(v)
		if got := tree(&c); !reflect.DeepEqual(got, want) {
			t.Fatalf("%s\n got %v\nwant %v", b, got, want)
		}
		if c.More() {
			t.Fatalf("%s: more after the end", b)
		}
		// Value, Skip and a walk end in the same place.
		c1, c2 := NewCursor(v), NewCursor(v)
		if v.Form == Object || v.Form == Array {
			c1.Enter()
			c2.Enter()
			for c1.More() && c2.More() {
				if v.Form == Object && !reflect.DeepEqual(c1.Key(), c2.Key()) {
					t.Fatal("keys differ")
				}
				place := c1
				c1.Skip()
				e := c2.Value()
				if c1.pos != c2.pos || c1.first != c2.first {
					t.Fatalf("%s: Skip ends at %d, Value at %d", b, c1.pos, c2.pos)
				}
				if again := place.Value(); !reflect.DeepEqual(again, e) {
					t.Fatalf("%s: a copy gives another value", b)
				}
			}
		}
	})
}

func TestCursorForms(t *testing.T) {
	hidden, _ := JSONValue([]byte(`{"$hidden":{"mac":"m"}}`))
	for _, v := range []Value{{}, {Form: Null}, StringValue("a"), StringValue("a\n"), hidden} {
		c := NewCursor(v)
		if c.Form() != v.Form || c.Enter() {
			t.Errorf("%v: %v", v.Form, c.Form())
		}
		if got := c.Value(); !reflect.DeepEqual(got, v) {
			t.Errorf("got %v, want %v", got, v)
		}
		if got := c.Value(); got.Form != Absent {
			t.Errorf("%v comes twice", got.Form)
		}
		c = NewCursor(v)
		c.Skip()
		if got := c.Value(); got.Form != Absent {
			t.Errorf("%v comes after Skip", got.Form)
		}
	}
	inside, _ := JSONValue([]byte(`[{"$hidden":{"mac":"m"}},{"$hidden":1}]`))
	c := NewCursor(inside)
	c.Enter()
	for _, want := range []Form{Hidden, Object} {
		if !c.More() || c.Form() != want || c.Value().Form != want {
			t.Errorf("want %v", want)
		}
	}
}

func TestCursorAllocatesNothing(t *testing.T) {
	v, _ := JSONValue([]byte(`{"a":[1,{"b":"\n"},null],"\u0063":{"$hidden":{}},"d":true}`))
	if n := testing.AllocsPerRun(100, func() {
		walk(NewCursor(v), 0)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
