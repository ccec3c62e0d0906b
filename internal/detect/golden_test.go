package detect

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const goldenHash = "../../fixtures/output.sha256"

// TestGoldenHash: what comes out of generated traffic is what it was when the
// file was written, on every operating system and processor.
func TestGoldenHash(t *testing.T) {
	got := fmt.Sprintf("%x\n", sha256.Sum256(text(run(t, traffic(t, 12_000), 3, 100))))
	if *update {
		if err := os.WriteFile(goldenHash, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(goldenHash)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("outputs hash to %swant %sIf a rule or its text was changed, run this test with -update.", got, want)
	}
}
