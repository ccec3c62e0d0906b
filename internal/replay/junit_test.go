package replay

import (
	"bytes"
	"encoding/xml"
	"strings"
	"testing"

	"misstep/event"
)

func TestJUnit(t *testing.T) {
	hostile := "a<b>&\"'\x00\x1b[31m\xff\u202e]]>"
	j := &JUnit{From: event.Error}
	fail := func(id string, s event.Severity, st event.State) {
		j.failure(&event.Failure{
			ID: id, Labels: event.Labels{TrajectoryID: hostile, Workflow: "w"}, Class: event.RetryLoop, Rule: "cycle", Subject: hostile,
			Severity: s, State: st, Message: hostile, Evidence: []event.Evidence{{Seq: 3, Note: hostile}},
		})
	}
	fail("1", event.Warning, event.StateOpen)
	fail("1", event.Error, event.StateEscalated)
	fail("1", event.Error, event.StateResolved)
	fail("2", event.Warning, event.StateOpen)
	j.task(&event.TaskRecord{Labels: event.Labels{TrajectoryID: hostile, Workflow: "w"}, WallMS: 1500})
	j.task(&event.TaskRecord{Labels: event.Labels{TrajectoryID: "clean"}})
	var b bytes.Buffer
	if err := j.Write(&b); err != nil {
		t.Fatal(err)
	}
	var suite junitSuite
	if err := xml.Unmarshal(b.Bytes(), &suite); err != nil {
		t.Fatalf("%v\n%s", err, b.String())
	}
	if suite.Tests != 2 || suite.Failures != 1 || len(suite.Cases) != 2 {
		t.Fatalf("%+v", suite)
	}
	c := suite.Cases[0]
	want := "a<b>&\"'\\x00\\x1b[31m\ufffd\\u202e]]>"
	if c.Class != "w" || c.Name != want || c.Time != "1.500" || len(c.Failures) != 1 {
		t.Errorf("%+v", c)
	}
	if f := c.Failures[0]; f.Type != "retry_loop/cycle" || f.Message != want || !strings.Contains(f.Text, "step #3 "+want) {
		t.Errorf("%+v", f)
	}
	if !strings.HasPrefix(c.Output, "warning retry_loop/cycle") {
		t.Errorf("output %q", c.Output)
	}
	if c := suite.Cases[1]; c.Name != "clean" || c.Class != "misstep" || len(c.Failures) != 0 {
		t.Errorf("%+v", c)
	}
}

func TestJUnitFailsFromWarning(t *testing.T) {
	j := &JUnit{}
	j.failure(&event.Failure{ID: "1", Labels: event.Labels{TrajectoryID: "a"}, Severity: event.Warning})
	j.failure(&event.Failure{ID: "2", Labels: event.Labels{TrajectoryID: "b"}, Severity: event.Info})
	var b bytes.Buffer
	if err := j.Write(&b); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), `tests="2" failures="1"`) {
		t.Error(b.String())
	}
}
