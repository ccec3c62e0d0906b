package event

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"
	"pgregory.net/rapid"
)

func readFixture(t testing.TB, name string, into any) {
	t.Helper()
	b, err := os.ReadFile("../fixtures/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, into); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

type canonicalVector struct {
	Name, Input, Canonical, XXHash64, MAC string
	Drop                                  []string
}

func canonicalVectors(t testing.TB) (key string, vectors []canonicalVector) {
	var doc struct {
		Key     string
		Vectors []canonicalVector
	}
	readFixture(t, "canonical.json", &doc)
	if len(doc.Vectors) < 40 {
		t.Fatalf("canonical.json holds %d vectors", len(doc.Vectors))
	}
	return doc.Key, doc.Vectors
}

func TestCanonicalVectors(t *testing.T) {
	key, vectors := canonicalVectors(t)
	var c Canonicalizer
	for _, tt := range vectors {
		v, err := JSONValue([]byte(tt.Input))
		if err != nil {
			t.Errorf("%s: %v", tt.Name, err)
			continue
		}
		got := c.Append(nil, v, func(key []byte) bool { return slices.Contains(tt.Drop, string(key)) })
		if string(got) != tt.Canonical {
			t.Errorf("%s\n got %s\nwant %s", tt.Name, got, tt.Canonical)
		}
		if got := fmt.Sprintf("%016x", xxhash.Sum64(got)); got != tt.XXHash64 {
			t.Errorf("%s: xxhash64 %s, want %s", tt.Name, got, tt.XXHash64)
		}
		if len(tt.Drop) == 0 {
			if got := MAC([]byte(key), v); got != tt.MAC {
				t.Errorf("%s: mac %s, want %s", tt.Name, got, tt.MAC)
			}
		}
	}
}

func TestCanonicalForms(t *testing.T) {
	hidden, _ := JSONValue([]byte(`{"$hidden":{"mac":"m","kid":"k"}}`))
	for _, tt := range []struct {
		v    Value
		want string
	}{
		{Value{}, `{}`},
		{Value{Form: Null}, `null`},
		{StringValue("a\n"), `"a\n"`},
		{hidden, `{"$hidden":{"kid":"k","mac":"m"}}`},
	} {
		if got := string(AppendCanonical([]byte("x"), tt.v, nil)); got != "x"+tt.want {
			t.Errorf("%v: got %s, want x%s", tt.v.Form, got, tt.want)
		}
	}
}

// Many members, in the worst order, at the greatest depth.
func TestCanonicalLarge(t *testing.T) {
	var in, want strings.Builder
	const n = 3000
	for i := range n {
		fmt.Fprintf(&in, `,"k%05d":[%d,null],"n%d":null`, n-i, i, i)
		fmt.Fprintf(&want, `,"k%05d":[%d,null]`, i+1, n-1-i)
	}
	obj, wantObj := "{"+in.String()[1:]+"}", "{"+want.String()[1:]+"}"
	for range DefaultMaxDepth - 10 {
		obj, wantObj = `{"z":`+obj+`,"a":1}`, `{"a":1,"z":`+wantObj+`}`
	}
	v, err := JSONValue([]byte(obj))
	if err != nil {
		t.Fatal(err)
	}
	var c Canonicalizer
	dst := c.Append(nil, v, nil)
	if string(dst) != wantObj {
		t.Error("differs")
	}
	if n := testing.AllocsPerRun(3, func() { dst = c.Append(dst[:0], v, nil) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestCanonicalAllocatesNothing(t *testing.T) {
	v, _ := JSONValue([]byte(`{"b":[1.50,"x\n\u00e9",null],"a":{"d":null,"c":1e3,"\u0062":true},"a":{"z":1,"y":2}}`))
	drop := func(key []byte) bool { return string(key) == "q" }
	var c Canonicalizer
	var dst []byte
	if n := testing.AllocsPerRun(100, func() { dst = c.Append(dst[:0], v, drop) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// The order of members and the way numbers and strings are written make no
// difference.
func TestCanonicalIsOneForm(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plain, varied := anyJSON(t, 3)
		a, err := JSONValue(plain)
		if err != nil {
			t.Fatalf("%s: %v", plain, err)
		}
		b, err := JSONValue(varied)
		if err != nil {
			t.Fatalf("%s: %v", varied, err)
		}
		x, y := AppendCanonical(nil, a, nil), AppendCanonical(nil, b, nil)
		if !bytes.Equal(x, y) {
			t.Fatalf("\n%s\n%s\ngive\n%s\n%s", plain, varied, x, y)
		}
	})
}

// anyJSON draws a value and writes it twice, in two ways.
func anyJSON(t *rapid.T, depth int) (plain, varied []byte) {
	kinds := 4
	if depth > 0 {
		kinds = 6
	}
	space := func() string { return rapid.SampledFrom([]string{"", " ", "\n", "\t "}).Draw(t, "space") }
	switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
	case 0:
		w := rapid.SampledFrom([]string{"true", "false", "null"}).Draw(t, "word")
		return []byte(w), []byte(w)
	case 1:
		n := rapid.Int64().Draw(t, "n")
		zeros := rapid.IntRange(0, 9).Draw(t, "zeros")
		if n == 0 {
			zeros = 0 // no zeros in front of it
		}
		return fmt.Appendf(nil, "%d", n), fmt.Appendf(nil, "%d%s.%se-%d", n, strings.Repeat("0", zeros), strings.Repeat("0", 1+zeros), zeros)
	case 2:
		n := rapid.Int64Range(1, 99999).Draw(t, "n")
		e := rapid.IntRange(-30, 30).Draw(t, "e")
		return fmt.Appendf(nil, "%de%d", n, e), fmt.Appendf(nil, "%d000E%+d", n, e-3)
	case 3:
		return twoStrings(t)
	case 4:
		plain, varied = []byte{'['}, []byte{'['}
		for i := range rapid.IntRange(0, 3).Draw(t, "len") {
			if i > 0 {
				plain, varied = append(plain, ','), append(varied, ',')
			}
			p, v := anyJSON(t, depth-1)
			plain = append(plain, p...)
			varied = append(append(append(varied, space()...), v...), space()...)
		}
		return append(plain, ']'), append(varied, ']')
	default:
		plain, varied = []byte{'{'}, []byte{'{'}
		var members [][2][]byte
		seen := map[string]bool{}
		for range rapid.IntRange(0, 4).Draw(t, "len") {
			k, kv := twoStrings(t)
			if seen[string(k)] {
				continue
			}
			seen[string(k)] = true
			p, v := anyJSON(t, depth-1)
			members = append(members, [2][]byte{
				append(append(k, ':'), p...),
				append(append(append(append(kv, space()...), ':'), space()...), v...),
			})
		}
		for i, m := range rapid.Permutation(members).Draw(t, "order") {
			if i > 0 {
				varied = append(varied, ',')
			}
			varied = append(varied, m[1]...)
		}
		for i, m := range members {
			if i > 0 {
				plain = append(plain, ',')
			}
			plain = append(plain, m[0]...)
		}
		return append(plain, '}'), append(varied, '}')
	}
}

func twoStrings(t *rapid.T) (plain, varied []byte) {
	plain, varied = []byte{'"'}, []byte{'"'}
	for _, r := range rapid.StringN(0, 6, -1).Draw(t, "string") {
		switch {
		case r == '"' || r == '\\':
			plain = append(plain, '\\', byte(r))
		case r < ' ':
			plain = fmt.Appendf(plain, "\\u%04x", r)
		default:
			plain = append(plain, string(r)...)
		}
		switch {
		case r >= 0x10000:
			r -= 0x10000
			varied = fmt.Appendf(varied, "\\u%04X\\u%04x", 0xD800+r>>10, 0xDC00+r&0x3ff)
		default:
			varied = fmt.Appendf(varied, "\\u%04X", r)
		}
	}
	return append(plain, '"'), append(varied, '"')
}
