package notify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"misstep/event"
	"misstep/sinks"
	"misstep/stream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var place = stream.Place{Log: "R"}

// log is a follower in memory, whose position outlives its readers.
type log struct {
	entries []stream.Entry
	at      map[stream.Place]stream.Progress
	next    int64
	lose    int // this many commits are refused
}

func (l *log) Acquire(context.Context) (map[stream.Place]stream.Progress, error) {
	l.next = l.at[place].From
	return maps.Clone(l.at), nil
}

func (l *log) Read(ctx context.Context, dst []stream.Entry) ([]stream.Entry, error) {
	for _, e := range l.entries {
		if e.Offset >= l.next && len(dst) < 3 {
			dst = append(dst, e)
			l.next = e.Offset + 1
		}
	}
	if len(dst) > 0 {
		return dst, nil
	}
	<-ctx.Done()
	return dst, ctx.Err()
}

func (l *log) Commit(_ context.Context, at map[stream.Place]stream.Progress) error {
	if l.lose > 0 {
		l.lose--
		return stream.ErrLost
	}
	maps.Copy(l.at, at)
	return nil
}

func (l *log) Lag(context.Context) (int64, error) { return int64(len(l.entries)) - l.next, nil }
func (l *log) Close() error                       { return nil }

// filled has n failures, severities in turn, all of now.
func filled(n int) *log {
	l := &log{at: map[stream.Place]stream.Progress{}}
	for i := range n {
		f := event.Failure{
			ID: fmt.Sprintf("%032x", i), Labels: event.Labels{TrajectoryID: "t", Workflow: fmt.Sprint("w", i%2)}, Class: event.RetryLoop, Rule: "same_error",
			Severity: event.Info + event.Severity(i%4),
		}
		l.entries = append(l.entries, stream.Entry{Place: place, Offset: int64(i), Time: time.Now().UnixNano(), Topic: stream.Failures, Value: event.AppendFailure(nil, &f)})
	}
	return l
}

// sink takes what its behave allows.
type sink struct {
	got    []string
	when   []time.Duration
	groups []int
	began  time.Time
	tries  int
	behave func(try int) error
	closed bool
}

func (s *sink) Name() string { return "test" }
func (s *sink) Close() error { s.closed = true; return nil }

func (s *sink) Write(ctx context.Context, records []sinks.Record) error {
	s.tries++
	if s.behave != nil {
		if err := s.behave(s.tries); err != nil {
			return err
		}
	}
	for _, r := range records {
		s.got = append(s.got, r.Note.Key())
		s.when = append(s.when, time.Since(s.began))
	}
	return nil
}

func (s *sink) WriteGroup(ctx context.Context, records []sinks.Record) error {
	s.groups = append(s.groups, len(records))
	return s.Write(ctx, records)
}

func options(s *sink, l *log, dead *[]event.DeadLetter) Options {
	s.began = time.Now()
	return Options{
		Sink: s, Follower: l, FirstRetry: time.Second, LastRetry: 16 * time.Second, Random: func() float64 { return 1 }, Log: zerolog.New(io.Discard),
		Dead: func(_ context.Context, d event.DeadLetter) error {
			*dead = append(*dead, d)
			return nil
		},
	}
}

// run has a notifier work for so long.
func run(n *Notifier, d time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	n.Run(ctx)
}

func keys(from, to int) (out []string) {
	for i := from; i < to; i++ {
		out = append(out, fmt.Sprintf("%032x/0", i))
	}
	return out
}

func TestAllInOrderOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dead []event.DeadLetter
		s, l := &sink{}, filled(10)
		run(New(options(s, l, &dead)), time.Minute)
		s2 := &sink{}
		run(New(options(s2, l, &dead)), time.Minute)
		if !slices.Equal(s.got, keys(0, 10)) || len(s2.got) > 0 || !s.closed || l.at[place] != (stream.Progress{From: 10, Next: 10}) {
			t.Errorf("got %q, then %q, at %v", s.got, s2.got, l.at)
		}
	})
}

// TestBackoff: pauses double up to the last, an error that passes loses nothing,
// and the destination's own wish is kept.
func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dead []event.DeadLetter
		s, l := &sink{}, filled(2)
		s.behave = func(try int) error {
			switch {
			case try <= 7:
				return errors.New("down")
			case try == 8:
				return &sinks.WriteError{Err: errors.New("busy"), After: time.Minute}
			}
			return nil
		}
		n := New(options(s, l, &dead))
		run(n, time.Hour)
		// 1, 2, 4, 8, 16, 16, 16 seconds, then a minute.
		if want := 63*time.Second + time.Minute; len(s.when) != 2 || s.when[0] != want || len(dead) > 0 {
			t.Errorf("taken at %v, want %v; dead letters %v", s.when, want, dead)
		}
		if n.Stats.Retries.Load() != 8 || n.Stats.Sent.Load() != 2 || n.Stats.Failing.Load() {
			t.Errorf("%d retries, %d sent", n.Stats.Retries.Load(), n.Stats.Sent.Load())
		}
	})
}

// TestDownForAnHour: nothing is lost where it may be tried again, and what is
// older than max_age goes to the dead letter, each once.
func TestDownForAnHour(t *testing.T) {
	for _, c := range []struct {
		maxAge time.Duration
		dead   int
	}{{2 * time.Hour, 0}, {30 * time.Minute, 5}} {
		synctest.Test(t, func(t *testing.T) {
			var dead []event.DeadLetter
			s, l := &sink{}, filled(5)
			s.behave = func(int) error {
				if time.Since(s.began) < time.Hour {
					return errors.New("down")
				}
				return nil
			}
			o := options(s, l, &dead)
			o.MaxAge = c.maxAge
			n := New(o)
			run(n, 3*time.Hour)
			if len(dead) != c.dead || len(s.got) != 5-c.dead || n.Stats.Expired.Load() != int64(c.dead) {
				t.Errorf("max_age %v: got %q, dead letters %v", c.maxAge, s.got, dead)
			}
			for i, d := range dead {
				if d.Reason != "expired" || d.Offset != int64(i) || d.Source != "R" || d.Field != "sinks.test" {
					t.Errorf("dead letter %+v", d)
				}
			}
		})
	}
}

func TestRefusedGoesToTheDeadLetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dead []event.DeadLetter
		s, l := &sink{}, filled(3)
		l.entries[2].Value = []byte(`{"id":`)
		s.behave = func(try int) error {
			if try == 1 {
				return &sinks.WriteError{Permanent: true, Err: errors.New("400 \x1b[31m")}
			}
			return nil
		}
		run(New(options(s, l, &dead)), time.Minute)
		if len(dead) != 2 || dead[0].Offset != 0 || dead[1].Offset != 2 || dead[0].Reason != "refused" || dead[0].Message != `400 \x1b[31m` {
			t.Errorf("dead letters %+v", dead)
		}
		if !slices.Equal(s.got, keys(1, 2)) {
			t.Errorf("got %q", s.got)
		}
	})
}

func TestFilter(t *testing.T) {
	n := &sinks.Note{Kind: "failure", Class: "retry_loop", Rule: "same_error", State: "open", Severity: "warning", Workflow: "support-eu", Tenant: "a"}
	incident := &sinks.Note{Kind: "incident", Workflow: "support-eu"}
	for _, c := range []struct {
		f              Filter
		note, incident bool
	}{
		{Filter{}, true, true},
		{Filter{Kinds: []string{"incident"}}, false, true},
		{Filter{Classes: []string{"tool_misuse"}}, false, true},
		{Filter{Rules: []string{"same_error"}}, true, true},
		{Filter{States: []string{"resolved"}}, false, true},
		{Filter{MinSeverity: "warning"}, true, true},
		{Filter{MinSeverity: "error"}, false, true},
		{Filter{Workflows: []string{"x", "support-*"}}, true, true},
		{Filter{Tenants: []string{"b"}}, false, false},
	} {
		if c.f.Pass(n) != c.note || c.f.Pass(incident) != c.incident {
			t.Errorf("%+v: %v, %v", c.f, c.f.Pass(n), c.f.Pass(incident))
		}
	}
}

func TestRateWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dead []event.DeadLetter
		s, l := &sink{}, filled(30)
		o := options(s, l, &dead)
		o.PerMinute = 60 // ten at once, then one a second
		run(New(o), time.Hour)
		if len(s.when) != 30 || s.when[9] != 0 || s.when[29] != 20*time.Second {
			t.Errorf("sent at %v", s.when)
		}
	})
}

// TestGroups: what comes within the wait is one message, and none is passed over
// by an end in between.
func TestGroups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dead []event.DeadLetter
		s, l := &sink{}, filled(5)
		o := options(s, l, &dead)
		o.GroupWait, o.GroupMost = 30*time.Second, 4
		run(New(o), 10*time.Second)
		if !slices.Equal(s.groups, []int{4}) || l.at[place] != (stream.Progress{From: 4, Next: 4}) {
			t.Errorf("groups %v, at %v", s.groups, l.at[place])
		}
		s2 := &sink{}
		o.Sink, s2.began = s2, time.Now()
		run(New(o), time.Minute)
		if !slices.Equal(s2.got, keys(4, 5)) || s2.when[0] != 30*time.Second || l.at[place].From != 5 {
			t.Errorf("after a restart %q at %v, at %v", s2.got, s2.when, l.at[place])
		}
	})
}

// keeper needs its first record for ever.
type keeper struct {
	sink
	again, ticks []string
}

func (k *keeper) Every() time.Duration { return time.Minute }
func (k *keeper) Tick(context.Context) error {
	k.ticks = append(k.ticks, fmt.Sprint(time.Since(k.began), len(k.again)))
	return nil
}
func (k *keeper) Needs(yield func(string, int32, int64)) { yield("R", 0, 1) }
func (k *keeper) Write(ctx context.Context, records []sinks.Record) error {
	for _, r := range records {
		if r.Again {
			k.again = append(k.again, r.Note.Key())
		}
	}
	return k.sink.Write(ctx, records)
}

// TestKeeper: a sink with a state is given again what it needs, marked as told,
// and does not tick before that.
func TestKeeper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dead []event.DeadLetter
		k, l := &keeper{}, filled(5)
		o := options(&k.sink, l, &dead)
		o.Sink = k
		run(New(o), 10*time.Second)
		if l.at[place] != (stream.Progress{From: 1, Next: 5}) || len(k.again) > 0 {
			t.Errorf("at %v, again %q", l.at[place], k.again)
		}
		k = &keeper{sink: sink{began: time.Now()}}
		o.Sink = k
		n := New(o)
		run(n, 90*time.Second)
		if !slices.Equal(k.again, keys(1, 5)) || !slices.Equal(k.ticks, []string{"0s 4", "1m0s 4"}) || n.Stats.Sent.Load() > 0 {
			t.Errorf("again %q, ticks %q, %d sent", k.again, k.ticks, n.Stats.Sent.Load())
		}
	})
}

func TestLostReaderStartsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dead []event.DeadLetter
		s, l := &sink{}, filled(3)
		l.lose = 1
		run(New(options(s, l, &dead)), time.Minute)
		if !slices.Equal(s.got, append(keys(0, 3), keys(0, 3)...)) || l.at[place].Next != 3 {
			t.Errorf("got %q, at %v", s.got, l.at)
		}
	})
}
