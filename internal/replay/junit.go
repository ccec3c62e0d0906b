package replay

import (
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"misstep/event"
)

// JUnit collects one test case for each trajectory, for a report that a CI
// system shows. Failures from a severity on fail it, milder ones are told in
// its output. It keeps every trajectory of the run in memory.
type JUnit struct {
	From  event.Severity // SeverityNone means Warning
	runs  map[string]*run
	order []*run
}

type run struct {
	labels   event.Labels
	failures []*Entry
	byID     map[string]*Entry
	wallMS   int64
}

func (j *JUnit) run(l *event.Labels) *run {
	k := runKey(l)
	r := j.runs[k]
	if r == nil {
		if j.runs == nil {
			j.runs = map[string]*run{}
		}
		r = &run{labels: *l, byID: map[string]*Entry{}}
		j.runs[k] = r
		j.order = append(j.order, r)
	}
	return r
}

func (j *JUnit) task(t *event.TaskRecord) { j.run(&t.Labels).wallMS += t.WallMS }

func (j *JUnit) failure(f *event.Failure) {
	r := j.run(&f.Labels)
	if e := r.byID[f.ID]; e != nil {
		e.Last = f
		return
	}
	e := &Entry{First: f, Last: f}
	r.byID[f.ID] = e
	r.failures = append(r.failures, e)
}

type junitSuite struct {
	XMLName  xml.Name    `xml:"testsuite"`
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class    string         `xml:"classname,attr"`
	Name     string         `xml:"name,attr"`
	Time     string         `xml:"time,attr"`
	Failures []junitFailure `xml:"failure"`
	Output   string         `xml:"system-out,omitempty"`
}

type junitFailure struct {
	Type    string `xml:"type,attr"`
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// Write writes the report. Whatever XML cannot hold is replaced by U+FFFD.
func (j *JUnit) Write(w io.Writer) error {
	from := j.From
	if from == event.SeverityNone {
		from = event.Warning
	}
	suite := junitSuite{Name: "misstep", Tests: len(j.order)}
	for _, r := range j.order {
		c := r.testCase(from)
		if len(c.Failures) > 0 {
			suite.Failures++
		}
		suite.Cases = append(suite.Cases, c)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(suite); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func (r *run) testCase(from event.Severity) junitCase {
	class := r.labels.Workflow
	if class == "" {
		class = "misstep"
	}
	c := junitCase{
		Class: shown(class), Name: shown(r.labels.TrajectoryID),
		Time: fmt.Sprintf("%d.%03d", r.wallMS/1000, r.wallMS%1000),
	}
	var notes []string
	for _, e := range r.failures {
		f := e.Last
		head := fmt.Sprintf("%s %s/%s %s", f.Severity, f.Class, f.Rule, f.Subject)
		if f.Severity < from {
			notes = append(notes, shown(head+": "+f.Message))
			continue
		}
		var text strings.Builder
		fmt.Fprintf(&text, "%s\ncount %d\nid %s\n", head, f.Count, f.ID)
		for _, v := range f.Evidence {
			fmt.Fprintf(&text, "step %s %s\n", stepName(v.Seq, v.ID), v.Note)
		}
		c.Failures = append(c.Failures, junitFailure{
			Type: f.Class.String() + "/" + f.Rule, Message: shown(f.Message), Text: shown(text.String()),
		})
	}
	c.Output = strings.Join(notes, "\n")
	return c
}

// shown writes control characters, which readers of the report choke on, as
// escapes; line ends stay.
func shown(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n' || r == utf8.RuneError || strconv.IsPrint(r):
			b.WriteRune(r)
		default:
			q := strconv.QuoteRune(r)
			b.WriteString(q[1 : len(q)-1])
		}
	}
	return b.String()
}
