// Package sinktest is the suite that every sink passes.
package sinktest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"misstep/event"
	"misstep/sinks"
)

// Subject is one sink under test.
type Subject struct {
	Sink sinks.Sink
	// IDs gives the ids of the failures that the destination holds, in order;
	// nil when it keeps none.
	IDs func() []string
	// Fail has the destination answer the next request so; nil: it cannot be
	// made to.
	Fail func(f Fault)
}

// Fault is what a destination does with a request.
type Fault int

// The faults of a destination.
const (
	Busy    Fault = iota // it asks to try again later
	Refuses              // it will never take what was sent
	Forgets              // it takes what was sent, but the answer is lost
)

// Test runs the suite. open gives a new sink with an empty destination; it may
// register clean-ups.
func Test(t *testing.T, open func(t *testing.T) Subject) {
	for _, c := range []struct {
		name    string
		explain string // printed when the case fails
		run     func(*testing.T, Subject) error
	}{
		{"Name", "a sink has one name, fit to be a metric label", name},
		{"Nothing", "writing nothing is no error", nothing},
		{"Order", "records arrive in the order in which they were written, each once", order},
		{"Reuse", "a sink does not keep the slice that it is given", reuse},
		{"Untouched", "a sink only reads its records", untouched},
		{"Unknown", "a sink passes over values that it does not know", unknown},
		{"Hostile", "names and texts come from models and may hold anything", hostile},
		{"Cancelled", "a Write whose context has ended takes nothing and says so", cancelled},
		{"Revs", "all revs of a failure arrive, in order", revs},
		{"Transient", "after an error that passes the same records can be written again", transient},
		{"Permanent", "what is refused for good is a permanent WriteError, that says how many were taken before", permanent},
		{"Again", "records that are written again after a lost answer leave the destination as it was", again},
		{"Close", "Close may be called twice, and ends Write with ErrClosed", closes},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t)
			if err := c.run(t, s); err != nil {
				t.Errorf("%v\n%s", err, c.explain)
			}
			if err := s.Sink.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
	}
}

// Failure gives a plausible failure, another one for each n.
func Failure(n int) *event.Failure {
	return &event.Failure{
		ID: fmt.Sprintf("%032x", n+1), Labels: event.Labels{TrajectoryID: fmt.Sprint("run-", n), Workflow: "support"},
		Class: event.RetryLoop, Rule: "same_error", Rules: []string{"same_error"}, Subject: "search",
		Severity: event.Error, Fault: event.FaultAgent, Confidence: 900, Time: 1_700_000_000_000_000_000,
		FirstSeq: 1, LastSeq: int64(n), Count: 3, Message: "The agent met the same error three times.",
		Evidence:    []event.Evidence{{Seq: 1, ID: "a", Note: "error"}, {Seq: event.None, ID: "b"}},
		Fingerprint: "0123456789abcdef", Detector: event.DetectorRef{Name: "retry_loop", Version: 1}, Ruleset: "0011223344556677",
	}
}

func records(values ...any) []sinks.Record {
	out := make([]sinks.Record, len(values))
	for i, v := range values {
		out[i] = sinks.Record{Value: v, Encoded: []byte(`{}`)}
		if f, ok := v.(*event.Failure); ok {
			out[i].Encoded = event.AppendFailure(nil, f)
			out[i].Note, _ = sinks.NewNote(sinks.KindFailure, out[i].Encoded) // nil without an id
		}
	}
	return out
}

var label = regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`)

func name(t *testing.T, s Subject) error {
	if n := s.Sink.Name(); !label.MatchString(n) || n != s.Sink.Name() {
		return fmt.Errorf("name is %q", n)
	}
	return nil
}

func nothing(t *testing.T, s Subject) error {
	return errors.Join(s.Sink.Write(t.Context(), nil), s.Sink.Write(t.Context(), []sinks.Record{}))
}

// holds closes the sink and compares what arrived.
func holds(s Subject, want []string) error {
	if err := s.Sink.Close(); err != nil {
		return fmt.Errorf("close: %w", err)
	}
	if s.IDs == nil {
		return nil
	}
	if got := s.IDs(); !slices.Equal(got, want) {
		return fmt.Errorf("the destination holds\n%q, want\n%q", got, want)
	}
	return nil
}

func order(t *testing.T, s Subject) error {
	var want []string
	for batch := range 5 {
		var values []any
		for i := range 7 {
			f := Failure(batch*7 + i)
			values = append(values, f)
			want = append(want, f.ID)
		}
		if err := s.Sink.Write(t.Context(), records(values...)); err != nil {
			return err
		}
	}
	return holds(s, want)
}

func reuse(t *testing.T, s Subject) error {
	a := records(Failure(1), Failure(2))
	if err := s.Sink.Write(t.Context(), a); err != nil {
		return err
	}
	copy(a, records(Failure(3), Failure(4)))
	return holds(s, []string{Failure(1).ID, Failure(2).ID})
}

func untouched(t *testing.T, s Subject) error {
	a, b := records(Failure(1), &event.TaskRecord{}), records(Failure(1), &event.TaskRecord{})
	if err := s.Sink.Write(t.Context(), a); err != nil {
		return err
	}
	if err := s.Sink.Close(); err != nil {
		return err
	}
	if !reflect.DeepEqual(a, b) {
		return errors.New("a record was changed")
	}
	return nil
}

func unknown(t *testing.T, s Subject) error {
	if err := s.Sink.Write(t.Context(), []sinks.Record{{}, {Value: 7}, {Value: "x"}}); err != nil {
		return err
	}
	if err := s.Sink.Write(t.Context(), records(Failure(1))); err != nil {
		return err
	}
	return holds(s, []string{Failure(1).ID})
}

func hostile(t *testing.T, s Subject) error {
	for _, text := range []string{
		"", "\x00", "\x1b[31mred\x1b]0;title\x07", "a\nb\r\nc", "\xff\xfe", "\u202eevil\u2066", "\"quoted\"{}\\",
		strings.Repeat("x", 1<<20), strings.Repeat("e\u0301\u0301\u0301", 1<<10), "日本語のツール", "__other__",
	} {
		f := Failure(1)
		f.Labels = event.Labels{TrajectoryID: text, TaskID: text, Workflow: text, Agent: text, Release: text, Model: text, Tenant: text}
		f.Rule, f.Subject, f.Message = text, text, text
		f.Evidence = []event.Evidence{{Seq: event.None, ID: text, Note: text}}
		f.Severity, f.Class, f.State, f.Fault, f.Time = 99, 99, 99, 99, event.None
		k := &event.TaskRecord{
			ID: text, Labels: f.Labels, Escalated: []string{text}, Classes: []string{text},
			Tools:    []event.ToolUse{{Tool: text, OK: 1}, {Tool: text, Unknown: -1}},
			Coverage: []event.Abstention{{Detector: text, Rule: text, Reason: text}},
			Steps:    -1, WallMS: event.None, CostMicroUSD: -1,
			Now: event.TaskVerdict{Outcome: 99, ScoredBy: 99},
		}
		d := &event.DeadLetter{Source: text, Reason: text, Field: text, Message: text, Time: event.None}
		if err := s.Sink.Write(t.Context(), records(f, k, d)); err != nil {
			return fmt.Errorf("%.40q: %w", text, err)
		}
	}
	return nil
}

func cancelled(t *testing.T, s Subject) error {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Sink.Write(ctx, records(Failure(1))); !errors.Is(err, context.Canceled) {
		return fmt.Errorf("write gave %w, want context.Canceled", err)
	}
	return holds(s, nil)
}

func closes(t *testing.T, s Subject) error {
	if err := errors.Join(s.Sink.Close(), s.Sink.Close()); err != nil {
		return err
	}
	if err := s.Sink.Write(t.Context(), records(Failure(1))); !errors.Is(err, sinks.ErrClosed) {
		return fmt.Errorf("write after Close gave %w, want ErrClosed", err)
	}
	return nil
}

func revs(t *testing.T, s Subject) error {
	var values []any
	var want []string
	for i, state := range []event.State{event.StateOpen, event.StateEscalated, event.StateEscalated, event.StateOpen} {
		f := Failure(i % 2)
		f.Rev, f.State = i/2, state
		values = append(values, f)
		want = append(want, f.ID)
	}
	if err := s.Sink.Write(t.Context(), records(values...)); err != nil {
		return err
	}
	return holds(s, want)
}

func transient(t *testing.T, s Subject) error {
	if s.Fail == nil {
		return nil
	}
	s.Fail(Busy)
	all := records(Failure(1), Failure(2))
	err := s.Sink.Write(t.Context(), all)
	var w *sinks.WriteError
	if err == nil || errors.As(err, &w) && w.Permanent {
		return fmt.Errorf("write gave %v, want an error that passes", err)
	}
	taken := 0
	if w != nil {
		taken = w.Taken
	}
	if err := s.Sink.Write(t.Context(), all[taken:]); err != nil {
		return err
	}
	return holds(s, []string{Failure(1).ID, Failure(2).ID})
}

func permanent(t *testing.T, s Subject) error {
	if s.Fail == nil {
		return nil
	}
	if err := s.Sink.Write(t.Context(), records(Failure(1))); err != nil {
		return err
	}
	s.Fail(Refuses)
	err := s.Sink.Write(t.Context(), records(Failure(2), Failure(3)))
	var w *sinks.WriteError
	if !errors.As(err, &w) || !w.Permanent || w.Taken != 0 {
		return fmt.Errorf("write gave %#v, want a permanent WriteError", err)
	}
	return nil
}

func again(t *testing.T, s Subject) error {
	if s.Fail == nil {
		return nil
	}
	s.Fail(Forgets)
	all := records(Failure(1))
	if err := s.Sink.Write(t.Context(), all); err == nil {
		return errors.New("a lost answer is no error")
	}
	if err := s.Sink.Write(t.Context(), all); err != nil {
		return err
	}
	return holds(s, []string{Failure(1).ID})
}
