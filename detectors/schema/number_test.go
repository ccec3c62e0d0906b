package schema

import (
	"encoding/json"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

var numberText = rapid.OneOf(
	rapid.StringMatching(`-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,2})?`),
	rapid.StringMatching(`-?(0|[1-9][0-9]{0,2})(\.[0-9]{1,2})?`),
	rapid.StringMatching(`-?[0-9]{17,20}`).Filter(func(s string) bool { return json.Valid([]byte(s)) }),
	rapid.StringMatching(`-?[1-9]0{0,20}(\.0{1,3})?`),
)

func TestNumbersAgainstRationals(t *testing.T) {
	check := func(t interface{ Fatalf(string, ...any) }, x, y string) {
		rx, _ := new(big.Rat).SetString(x)
		ry, _ := new(big.Rat).SetString(y)
		nx, ny := parseNumber([]byte(x)), parseNumber([]byte(y))
		if got := nx.compare(&ny); got != rx.Cmp(ry) {
			t.Fatalf("%s to %s: %d, want %d", x, y, got, rx.Cmp(ry))
		}
		if got := isInteger([]byte(x)); got != rx.IsInt() {
			t.Fatalf("%s is an integer: %v", x, got)
		}
		if i, ok := small([]byte(x)); ok && new(big.Rat).SetInt64(i).Cmp(rx) != 0 {
			t.Fatalf("%s is read as %d", x, i)
		}
		if ry.Sign() > 0 {
			want := new(big.Rat).Quo(rx, ry).IsInt()
			if got, judged := nx.multiple(&ny); got != want || !judged {
				t.Fatalf("%s is a multiple of %s: %v (judged %v), want %v", x, y, got, judged, want)
			}
		}
	}
	some := []string{
		"0", "-0", "0.0", "-0.00e5", "1", "-1", "1.0", "10", "10.5", "100.25", "1e1", "1e2", "3e7", "9e18", "5e-1", "0.5", "0.05",
		"0.050", "-0.05", "2", "3", "7", "12", "1.2", "1.20", "12e-1", "0.3", "0.7", "999999999999999999", "1000000000000000000",
		"9223372036854775807", "9223372036854775808", "123456789012345678901234567890", "1.5e-20", "3.0e-20", "1e25", "7e25",
	}
	for _, x := range some {
		for _, y := range some {
			check(t, x, y)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		check(t, numberText.Draw(t, "x"), numberText.Draw(t, "y"))
	})
}

func TestNumbersBeyondReason(t *testing.T) {
	huge, tiny := parseNumber([]byte("1e99999999999999999999")), parseNumber([]byte("1e-99999999999999999999"))
	one := parseNumber([]byte("1"))
	if huge.compare(&one) <= 0 || tiny.compare(&one) >= 0 || !huge.integer() || tiny.integer() {
		t.Error("exponents beyond all bounds are not told apart")
	}
	if yes, judged := huge.multiple(&one); !yes || !judged {
		t.Error("1e99999999999999999999 is no multiple of 1")
	}
	if yes, judged := one.multiple(&huge); yes || !judged {
		t.Error("1 is a multiple of 1e99999999999999999999")
	}
	long := make([]byte, 2*maxDigits)
	for i := range long {
		long[i] = '7'
	}
	n := parseNumber(long)
	if _, judged := n.multiple(&one); judged {
		t.Error("thousands of digits are judged")
	}
}

func TestJSONNumber(t *testing.T) {
	for _, text := range []string{"", "-", "0", "-0", "01", "1.", ".5", "1.5", "1e", "1e5", "1E+5", "1e-", "+1", "1 ", "0x1", "NaN", "--1", "1.5e3x", "00", "-1.25E-7"} {
		if got, want := jsonNumber([]byte(text)), json.Valid([]byte(text)) && text[len(text)-1] != ' '; got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[-+0-9.eE]{1,8}`).Draw(t, "text")
		if got, want := jsonNumber([]byte(text)), json.Valid([]byte(text)); got != want {
			t.Fatalf("%q: %v, want %v", text, got, want)
		}
	})
}
