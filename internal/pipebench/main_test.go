package main

import (
	"bytes"
	"regexp"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestTable runs it all over little traffic.
func TestTable(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), []string{"-events", "2000", "-rounds", "1", "-live", "50", "-load", "300ms"}, &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`(?m)^1 +\d+ +\d+ +\d\.\d\d `, `(?m)^64 +\d+ +\d+ +\d+\.\d\d `, `\d+ failures: p50 .* p99 `} {
		if !regexp.MustCompile(want).MatchString(out.String()) {
			t.Errorf("nothing is like %s in\n%s", want, out.String())
		}
	}
}

func TestPacked(t *testing.T) {
	got := packed([][]byte{[]byte("a"), []byte("b"), []byte("c")}, 2)
	if len(got) != 2 || string(got[0]) != "a\nb\n" || string(got[1]) != "c\n" {
		t.Errorf("got %q", got)
	}
	if within(2*time.Second, time.Second) != "1s, MISSED" || within(time.Second, time.Second) != "1s" || verdict(0.5, 0.6) != "0.60 !" {
		t.Error("a target that is missed is not marked")
	}
}
