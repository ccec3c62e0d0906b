package facts

import (
	"bytes"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"misstep/detectors/schema"
)

func TestMaskedError(t *testing.T) {
	for _, c := range []struct{ a, b string }{
		{"Order 123 not found", "order 77 NOT FOUND"},
		{"timeout after 3.2s", "timeout after 30.05s"},
		{`user "alice_smith" unknown`, `user "bob_jones_2" unknown`},
		{"no file /tmp/a1/b", "no file /tmp/b2/c/d"},
		{"\x1b[31merror\x1b[0m: x", "error: x"},
		{"a   b\n\tc", "a b c"},
		{"id 550e8400-e29b-41d4-a716-446655440000 gone", "id 6ba7b810-9dad-11d1-80b4-00c04fd430c8 gone"},
		{"at 2024-05-15T10:00:00Z", "at 2025-01-02T11:12:13Z"},
	} {
		if a, b := masked(c.a), masked(c.b); a != b {
			t.Errorf("%q and %q differ: %q, %q", c.a, c.b, a, b)
		}
	}
	for _, c := range []struct{ a, b string }{
		{"order not found", "user not found"},
		{"Unknown column 'a'", "Unknown column 'b'"}, // short names are not values
		{`{"error":"user not found"}`, `{"error":"order not found"}`},
		{"can't open the user's file", "can't open the admin's file"},
		{"missing name", "missing email"},
		{"no name", "noname"},
	} {
		if a, b := masked(c.a), masked(c.b); a == b {
			t.Errorf("%q and %q are the same: %q", c.a, c.b, a)
		}
	}
	if n := len(masked(strings.Repeat("word ", 1000))); n != maxErrorText {
		t.Errorf("long text masked to %d bytes, want %d", n, maxErrorText)
	}
}

func masked(s string) string {
	return string(appendMaskedError(nil, appendLower(nil, []byte(s))))
}

func TestResultFingerprint(t *testing.T) {
	same := [][2]string{
		{`{"status":"pending","request_id":"a1"}`, `{"status":"pending","request_id":"b2"}`},
		{`{"took_ms":12}`, `{"took_ms":345}`},
		{`{\"took_ms\":12}`, `{\"took_ms\":345}`},
		{`{\"n\": 1, \"elapsed_ms\": 12}`, `{\"n\": 1, \"elapsed_ms\": 345}`},
		{`at 2024-05-15T10:00:00Z: idle`, `at 2024-05-15T10:00:07Z: idle`},
		{`10:00:01 waiting`, `10:00:59 waiting`},
		{`id 550e8400-e29b-41d4-a716-446655440000`, `id 6ba7b810-9dad-11d1-80b4-00c04fd430c8`},
		{`etag 9f86d081884c7d65`, `etag 2c26b46b68ffc68f`},
		{`at 2024-05-15:10:00:00, idle`, `at 2024-05-15:10:00:07, idle`},
		{`backup-of 2024-05-15-10-00-00 done`, `backup-of 2024-05-16-11-30-00 done`},
		{`line\n2024-05-15T10:00:00Z x`, `line\n2024-05-15T11:30:00Z x`},
	}
	for _, c := range same {
		if fp(c[0]) != fp(c[1]) {
			t.Errorf("%s and %s differ", c[0], c[1])
		}
	}
	differ := [][2]string{
		{`{"progress":10}`, `{"progress":11}`},
		{`{"progress":{"ts":1,"n":10}}`, `{"progress":{"ts":1,"n":11}}`},
		{`{"order_id":"1008292230"}`, `{"order_id":"1008292231"}`},
		{`{"date":"2024-05-15"}`, `{"date":"2024-05-16"}`},
		{`12:30 open`, `12:31 open`},
		{`{"total":1234567890123456}`, `{"total":1234567890123457}`},
		{`#W1234567890`, `#W1234567891`},
		{"a", "b"},
		{`\"n\":1`, `\"n\":2`},
		{`"1`, `"2`},
	}
	for _, c := range differ {
		if fp(c[0]) == fp(c[1]) {
			t.Errorf("%s and %s are the same", c[0], c[1])
		}
	}
	long := strings.Repeat("x", maxMasked) + " 2024-05-15T10:00:00Z"
	if fp(long) == fp(strings.Replace(long, "10:00:00", "11:00:00", 1)) {
		t.Error("a result beyond the limit must count byte for byte")
	}
}

func fp(s string) uint64 {
	var scratch []byte
	return resultFingerprint([]byte(s), &scratch)
}

func TestNextDigit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOfN(rapid.Byte(), 0, 64).Draw(t, "b")
		i := rapid.IntRange(0, len(b)).Draw(t, "i")
		want := bytes.IndexAny(b[i:], "0123456789")
		if want < 0 {
			want = len(b)
		} else {
			want += i
		}
		if got := nextDigit(b, i); got != want {
			t.Fatalf("nextDigit(%q, %d) = %d, want %d", b, i, got, want)
		}
	})
}

func TestMaskingNeverFails(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := []byte(rapid.StringOf(rapid.RuneFrom([]rune("ab1\"'\\{}:-/.\x1b[ \n09é"))).Draw(t, "text"))
		once := appendMaskedError(nil, b)
		if again := appendMaskedError(nil, b); !bytes.Equal(once, again) {
			t.Fatalf("%q masked differently twice", b)
		}
		var scratch []byte
		if resultFingerprint(b, &scratch) == 0 {
			t.Fatalf("fingerprint of %q is 0", b)
		}
		saysError(stringValue(b), &scratch)
	})
}

func TestGuessesByName(t *testing.T) {
	for name, want := range map[string][2]bool{ // changes, polls
		"get_order": {}, "list_issues": {}, "read_file": {}, "open": {},
		"order_pizza": {true}, "create_issue": {true}, "mcp__github__create_issue": {true},
		"updateReservation": {true}, "bash": {},
		"get_order_status": {false, true}, "wait": {false, true}, "take_screenshot": {false, true},
		"start_and_wait": {true, true}, "await": {}, "statusquo": {},
	} {
		if got := [2]bool{changesByName(schema.Words(name)), pollsByName(schema.Words(name))}; got != want {
			t.Errorf("%s: changes, polls = %v, want %v", name, got, want)
		}
	}
}
