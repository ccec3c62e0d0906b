package httpd_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"misstep/event"
	"misstep/internal/intake"
)

// published decodes all that the log holds, in order.
func published(t interface{ Fatalf(string, ...any) }, log *fakeLog) (steps []*event.Step, workflows []string) {
	for _, m := range log.messages {
		if len(m.Data) > 900<<10 && m.Events > 1 {
			t.Fatalf("a message of %d events has %d bytes", m.Events, len(m.Data))
		}
		lines := bytes.Split(m.Data, []byte("\n"))
		if len(lines) != m.Events {
			t.Fatalf("a message of %d events has %d lines", m.Events, len(lines))
		}
		var d event.Decoder
		for _, line := range lines {
			d.Reset(line)
			s := new(event.Step)
			if err := d.Next(s); err != nil {
				t.Fatalf("%v in %.200s", err, line)
			}
			steps = append(steps, s.Clone())
			workflows = append(workflows, m.Workflow)
		}
	}
	return steps, workflows
}

// TestPackKeepsOrder posts interleaved trajectories, most of whose events do
// not repeat their workflow: each trajectory arrives whole and in order, under
// one workflow.
func TestPackKeepsOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := newServer(t, nil)
		var body strings.Builder
		want, wantUnder := map[string][]int64{}, map[string]string{}
		n := rapid.IntRange(1, 60).Draw(rt, "events")
		for i := range n {
			id := rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(rt, "trajectory")
			label := ""
			if rapid.Bool().Draw(rt, "labelled") {
				wantUnder[id] = map[string]string{"a": "w1", "b": "w1", "c": "w2", "d": "w3"}[id]
				label = fmt.Sprintf(`,"workflow":%q`, wantUnder[id])
			}
			size := rapid.SampledFrom([]int{0, 100, 30 << 10}).Draw(rt, "size")
			fmt.Fprintf(&body, `{"trajectory_id":%q,"seq":%d,"kind":"user_message","text":%q%s}`+"\n", id, i, strings.Repeat("x", size), label)
			want[id] = append(want[id], int64(i))
		}
		w := s.call("POST", "/v1/steps", body.String(), asNDJSON)
		if w.Code != 200 || w.Body.String() != fmt.Sprintf("{\"accepted\":%d}\n", n) {
			rt.Fatalf("got %d %s", w.Code, w.Body)
		}
		got := map[string][]int64{}
		steps, workflows := published(rt, s.log)
		for i, step := range steps {
			id := string(step.TrajectoryID)
			if workflows[i] != wantUnder[id] {
				rt.Fatalf("trajectory %s is under %q, want %q", id, workflows[i], wantUnder[id])
			}
			got[id] = append(got[id], step.Seq)
		}
		for id := range want {
			if !slices.Equal(got[id], want[id]) {
				rt.Fatalf("trajectory %s arrived as %d, want %d", id, got[id], want[id])
			}
		}
	})
}

func TestPackSizes(t *testing.T) {
	s := newServer(t, nil)
	one := `{"trajectory_id":"t","workflow":"w","kind":"user_message","text":"` + strings.Repeat("x", 20<<10) + `"}` + "\n"
	n := 15 << 20 / len(one)
	if w := s.call("POST", "/v1/steps", strings.Repeat(one, n), asNDJSON); w.Code != 200 {
		t.Fatalf("got %d %s", w.Code, w.Body)
	}
	steps, _ := published(t, s.log)
	if len(steps) != n {
		t.Errorf("%d events arrived, want %d", len(steps), n)
	}
	if got, most := len(s.log.messages), n*len(one)/(870<<10)+1; got > most {
		t.Errorf("%d messages, want at most %d: they are not filled", got, most)
	}
}

// TestLongFieldsAreCut: an event that is longer than the log takes is taken
// when its text is what makes it long.
func TestLongFieldsAreCut(t *testing.T) {
	s := newServer(t, nil)
	text := strings.Repeat("日", 3<<20/3)
	w := s.call("POST", "/v1/steps", `{"trajectory_id":"t","kind":"tool_result","other":1,"result":{"tool":"read","status":"ok","content":"`+text+`"}}`, asJSON)
	if w.Code != 200 {
		t.Fatalf("got %d %s", w.Code, w.Body)
	}
	steps, _ := published(t, s.log)
	r := steps[0].Result
	if !r.Cut.Truncated || r.Cut.Len != 3<<20 || len(r.Cut.Hash) == 0 || len(r.Content.Raw) > intake.MaxField || string(r.Tool) != "read" {
		t.Errorf("arrived as %+v with %d bytes", r.Cut, len(r.Content.Raw))
	}
	// What cannot be cut is refused, and what comes after it is not.
	plan := `{"trajectory_id":"t","kind":"plan_update","plan":{"items":[{"id":"1","text":"` + strings.Repeat("x", 1<<20) + `"}]}}`
	w = s.call("POST", "/v1/steps?partial=true", "["+plan+`,{"trajectory_id":"t","kind":"user_message","text":"x"}]`, asJSON)
	if w.Code != 200 || !strings.HasPrefix(w.Body.String(), `{"accepted":1,"total":1,"errors":[{"index":0,"offset":1,"field":"","message":"the event is longer than 1048576 bytes`) {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

// TestPretty: events that are spread over lines go out on one.
func TestPretty(t *testing.T) {
	s := newServer(t, nil)
	w := s.call("POST", "/v1/steps", "\xef\xbb\xbf[\n  {\n    \"trajectory_id\": \"t\",\r\n    \"kind\": \"user_message\",\n    \"text\": \"a\\nb\"\n  }\n]\n", asJSON)
	if w.Code != 200 {
		t.Fatalf("got %d %s", w.Code, w.Body)
	}
	steps, _ := published(t, s.log)
	if got := string(steps[0].Text.AppendText(nil)); got != "a\nb" {
		t.Errorf("text arrived as %q", got)
	}
}

func TestSubjectsAreBounded(t *testing.T) {
	s := newServer(t, nil)
	var body strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&body, `{"trajectory_id":"t%d","workflow":"w%d","kind":"user_message","text":""}`+"\n", i, i)
	}
	if w := s.call("POST", "/v1/steps", body.String(), asNDJSON); w.Code != 200 {
		t.Fatalf("got %d %s", w.Code, w.Body)
	}
	steps, workflows := published(t, s.log)
	slices.Sort(workflows)
	if n := len(slices.Compact(workflows)); len(steps) != 10_000 || n != 1025 {
		t.Errorf("%d events under %d workflows, want 10000 under 1024 and none", len(steps), n)
	}
}

// FuzzSteps posts anything: the answer is one of few, and what was accepted is
// what the decoder takes, event for event.
func FuzzSteps(f *testing.F) {
	f.Add([]byte(`{"trajectory_id":"t","kind":"user_message","text":"x"}`), true)
	f.Add([]byte("[{\"trajectory_id\":\"t\",\"kind\":\"tool_call\",\"call\":{\"tool\":\"x\",\n\"arguments\":{}}},{}]"), true)
	f.Add([]byte("{\"trajectory_id\":\"t\",\"kind\":\"user_message\",\"text\":\"x\"}\n{\n}\n{\"trajectory_id\":\"t\""), false)
	f.Fuzz(func(t *testing.T, body []byte, partial bool) {
		s := newServer(t, nil)
		w := s.call("POST", fmt.Sprintf("/v1/steps?partial=%t", partial), string(body), asNDJSON)
		if w.Code != 200 && w.Code != 400 {
			t.Fatalf("got %d %s", w.Code, w.Body)
		}
		good, bad := 0, 0
		var d event.Decoder
		d.Reset(bytes.Clone(body))
		for {
			var step event.Step
			err := d.Next(&step)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				bad++
			} else {
				good++
			}
		}
		if bad > 0 && !partial {
			good = 0
		}
		if steps, _ := published(t, s.log); len(steps) != good {
			t.Fatalf("%d events arrived, want %d", len(steps), good)
		}
	})
}
