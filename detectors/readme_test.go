package detectors

import (
	"os"
	"strings"
	"testing"
	"time"

	"misstep/event"
)

// begin of the README's detector

var slowTool = &Rule{
	Name: "slow_tool", Code: "X1", Family: "time", Fault: event.FaultTool, Doc: "A tool takes very long.",
	Threshold: "From a minute on: warning.", Guards: "Tools that poll may.", Source: "the README",
}

var toolLatency = &Detector{
	Name: "tool_latency", Version: 1, Class: event.ToolMisuse, Doc: "Tools that are slow.",
	Rules: []*Rule{slowTool}, Kinds: []event.Kind{event.ToolResult}, New: func(*Config) Watcher { return latency{} },
}

type latency struct{}

func (latency) Observe(p *Pass) {
	c := p.Call // that this result answers; nil for an orphan
	slow := c != nil && !c.Tool.Polls && c.ResultTime-c.Time >= int64(time.Minute)
	if slow && p.Sees(slowTool, c.Tool.Name, event.Warning) {
		p.Report(Finding{
			Rule: slowTool, Subject: c.Tool.Name, Severity: event.Warning, Confidence: 900,
			Message: c.Tool.Name + " took over a minute.", Evidence: []event.Evidence{p.Here("the result")},
		})
	}
}

// end of the README's detector

// TestReadmeDetector holds the detector in the README to the one above, which
// compiles.
func TestReadmeDetector(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.ReadFile("readme_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, code, _ := strings.Cut(string(self), "// begin of the README's detector\n\n")
	code, _, _ = strings.Cut(code, "\n// end of the README's detector\n")
	if !strings.Contains(string(readme), "```go\n"+code+"```\n") {
		t.Errorf("README.md does not hold\n%s", code)
	}
	if w := toolLatency.New(nil); w == nil {
		t.Error("no watcher")
	}
}
