package replay

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"misstep/event"
	"misstep/sinks"
)

// TestReadme holds what the README says one sees to what comes out.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	in, err := Find([]string{sample}, Auto, nil)
	if err != nil {
		t.Fatal(err)
	}
	var first *event.Failure
	c := newCollector(in)
	c.onFail = func(f *event.Failure) {
		if first == nil {
			first = f
		}
	}
	_, stats, err := replay(t.Context(), &Options{Inputs: in, Rules: rules(t)}, c)
	if err != nil || first == nil {
		t.Fatal(first, err)
	}
	var shown bytes.Buffer
	if err := sinks.NewTerminal(&shown, sinks.TerminalOptions{}).Write(t.Context(), []sinks.Record{{Value: first}}); err != nil {
		t.Fatal(err)
	}
	if c.fold.total != 5 {
		t.Errorf("the README speaks of five failures, there are %d", c.fold.total)
	}
	for _, want := range []string{
		"```\n" + shown.String() + "```\n",
		fmt.Sprintf(`{"accepted":%d}`, stats.Events),
		"replayer explain " + first.ID[:5] + " fixtures/sample.jsonl\n",
	} {
		if !strings.Contains(string(readme), want) {
			t.Errorf("the README does not hold\n%s", want)
		}
	}
}
