package replay

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what comes out as what is expected")

// TestSample holds the committed sample to the failures that it was made for,
// and to silence where behaviour only looks like one.
func TestSample(t *testing.T) {
	const file = "../../fixtures/sample.want.txt"
	_, r := replayed(t, Options{}, sample)
	var b strings.Builder
	for _, e := range r.Entries {
		f := e.Last
		end := e.end()
		if end == "" {
			end = "not recovered"
		}
		fmt.Fprintf(&b, "%s: %s %s/%s %s, %s\n", f.TrajectoryID, f.Severity, f.Class, strings.Join(f.Rules, "+"), f.Subject, end)
	}
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("the sample gives\n%swant\n%s", b.String(), want)
	}
}
