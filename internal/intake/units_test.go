package intake

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// units of an input as text: line:value or line!error, joined by bars.
func all(t *testing.T, r io.Reader, most int) string {
	t.Helper()
	u := newUnits(r, most)
	var out []string
	for range 100 {
		raw, line, err := u.next()
		switch {
		case errors.Is(err, io.EOF):
			return strings.Join(out, " | ")
		case errors.Is(err, errTooLong):
			out = append(out, fmt.Sprintf("%d!long", line))
		case errors.Is(err, errCut):
			out = append(out, fmt.Sprintf("%d!cut", line))
		case err != nil:
			t.Fatal(err)
		default:
			out = append(out, fmt.Sprintf("%d:%s", line, raw))
		}
	}
	t.Fatalf("no end: %q", out)
	return ""
}

func TestUnits(t *testing.T) {
	long := strings.Repeat("x", 60)
	for _, c := range []struct{ name, in, want string }{
		{"empty", "", ""},
		{"blank", " \n\t\r\n", ""},
		{"lines", "{\"a\":1}\n[2]\n", "1:{\"a\":1} | 2:[2]"},
		{"no last line end", "{\"a\":1}\n{}", "1:{\"a\":1} | 2:{}"},
		{"blank lines", "\n\n{}\r\n\r\n {} \n", "3:{} | 5:{}"},
		{"trailing", "{} x\n{}\n", "1:{} x | 2:{}"},
		{"no JSON", "x\n{}\n", "1:x | 2:{}"},
		{"document", "{\n\"a\": \"}\"\n}\n", "1:{\n\"a\": \"}\"\n}"},
		{"documents", "{\n}\n\n[\n]", "1:{\n} | 4:[\n]"},
		{"document cut", "{\n\"a\":", "1!cut"},
		{"second document cut", "{\n}\n{\n", "1:{\n} | 3!cut"},
		{"line cut in a string", "{\"a\":\"b\n{}\n{}\n", "1:{\"a\":\"b | 2:{} | 3:{}"},
		{"line cut outside", "{\"a\":\n{\"b\":1}\n{}\n", "1:{\"a\": | 2:{\"b\":1} | 3:{}"},
		{"long line", "{}\n\"" + long + "\"\n{}\n", "1:{} | 2!long | 3:{}"},
		{"long first line", "[\"" + long + "\"]\n{}\n", "1!long | 2:{}"},
		{"long document", "[\n\"" + long + "\"]\n{}\n", "1!long"},
		{"long second document", "{\n}\n[\n\"" + long + "\"]\n{}\n", "1:{\n} | 3!long"},
		{"escapes", "{\"\\\"{\":\"\\\\\"}\n{}\n", "1:{\"\\\"{\":\"\\\\\"} | 2:{}"},
		{"closing first", "]\n{}\n", "1:] | 2:{}"},
	} {
		t.Run(c.name, func(t *testing.T) {
			const most = 50
			if got := all(t, strings.NewReader(c.in), most); got != c.want {
				t.Errorf("%q:\n got %q\nwant %q", c.in, got, c.want)
			}
			if got := all(t, iotest.OneByteReader(strings.NewReader(c.in)), most); got != c.want {
				t.Errorf("%q, a byte at a time:\n got %q\nwant %q", c.in, got, c.want)
			}
		})
	}
}

func TestUnitsReadError(t *testing.T) {
	broken := errors.New("disk on fire")
	for _, in := range []string{"", "{}\n", "{}\n{", "{\n", "{\n}\n"} {
		u := newUnits(io.MultiReader(strings.NewReader(in), iotest.ErrReader(broken)), 50)
		var err error
		for range 10 {
			if _, _, err = u.next(); err != nil {
				break
			}
		}
		if !errors.Is(err, broken) {
			t.Errorf("%q: error %v, want %v", in, err, broken)
		}
	}
}
