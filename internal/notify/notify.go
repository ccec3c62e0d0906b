// Package notify has sinks follow the log of results, each at a position of its
// own: what is slow or broken there is lag, and never holds up detection.
package notify

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/time/rate"

	"misstep/event"
	"misstep/sinks"
	"misstep/stream"
)

// Filter says what a sink is told of. An empty list lets all pass.
type Filter struct {
	Kinds, Classes, Rules, States []string
	Workflows, Tenants            []string // globs
	MinSeverity                   string   // empty: all
}

// Pass reports whether a sink is told of a record.
func (f *Filter) Pass(n *sinks.Note) bool {
	in := func(list []string, s string) bool { return len(list) == 0 || slices.Contains(list, s) }
	like := func(globs []string, s string) bool {
		return len(globs) == 0 || slices.ContainsFunc(globs, func(g string) bool { ok, _ := path.Match(g, s); return ok })
	}
	failure := n.Kind == sinks.KindFailure
	return in(f.Kinds, n.Kind) && (!failure || in(f.Classes, n.Class) && in(f.Rules, n.Rule) && in(f.States, n.State)) &&
		like(f.Workflows, n.Workflow) && like(f.Tenants, n.Tenant) && (f.MinSeverity == "" || sinks.SeverityAtLeast(n.Severity, f.MinSeverity))
}

// Options say how a sink is fed. Sink, Follower and Dead are required.
type Options struct {
	Sink     sinks.Sink
	Follower stream.Follower
	Filter   Filter
	// PerMinute bounds the messages; 0: it does not. What is over waits.
	PerMinute int
	// GroupWait gathers records for so long, and up to GroupMost, into one
	// message; 0: each is a message. The sink must be a sinks.Grouper.
	GroupWait time.Duration
	GroupMost int
	// FirstRetry and LastRetry bound the pause after an error that passes, which
	// doubles each time.
	FirstRetry, LastRetry time.Duration
	// MaxAge is the age, since the log took it, at which a record is given up; 0:
	// it never is.
	MaxAge time.Duration
	// Dead takes what is given up.
	Dead func(ctx context.Context, d event.DeadLetter) error
	// Random gives numbers from 0 to 1, for jitter.
	Random func() float64
	Log    zerolog.Logger
}

// Stats are counts since the start.
type Stats struct {
	Sent, Filtered, Retries, Refused, Expired atomic.Int64
	Age                                       atomic.Int64 // of what was sent last when it was sent, in nanoseconds
	Failing                                   atomic.Bool  // the last try failed
}

// Notifier feeds one sink.
type Notifier struct {
	opts    Options
	limit   *rate.Limiter
	keeper  sinks.Keeper // nil: the sink has no state
	grouper sinks.Grouper

	at      map[stream.Place]stream.Progress
	again   map[stream.Place]int64 // below it, records were delivered in an earlier run
	pending []pending              // of the group that is gathered
	since   time.Time              // when the first of them came
	tick    time.Time              // when the keeper is due
	Stats   Stats
}

type pending struct {
	record sinks.Record
	time   int64
}

// New makes a notifier; Run starts it.
func New(o Options) *Notifier {
	n := &Notifier{opts: o}
	n.keeper, _ = o.Sink.(sinks.Keeper)
	if o.GroupWait > 0 {
		n.grouper, _ = o.Sink.(sinks.Grouper)
	}
	if o.PerMinute > 0 {
		n.limit = rate.NewLimiter(rate.Limit(float64(o.PerMinute)/60), max(o.PerMinute/6, 1))
	}
	return n
}

// Name is the sink's.
func (n *Notifier) Name() string { return n.opts.Sink.Name() }

// Lag is how many records the sink has not been given yet, about.
func (n *Notifier) Lag(ctx context.Context) (int64, error) { return n.opts.Follower.Lag(ctx) }

// Run delivers until ctx ends, and closes sink and follower. Nothing else ends
// it: what goes wrong is logged and tried again.
func (n *Notifier) Run(ctx context.Context) {
	retry := n.opts.FirstRetry
	for ctx.Err() == nil {
		began := time.Now()
		err := n.session(ctx)
		if ctx.Err() != nil {
			break
		}
		if time.Since(began) > n.opts.LastRetry {
			retry = n.opts.FirstRetry
		}
		n.opts.Log.Warn().Err(err).Str("sink", n.Name()).Msg("the sink follows no more; trying again")
		if pause(ctx, n.jitter(retry)) != nil {
			break
		}
		retry = min(2*retry, n.opts.LastRetry)
	}
	if err := errors.Join(n.opts.Sink.Close(), n.opts.Follower.Close()); err != nil {
		n.opts.Log.Warn().Err(err).Str("sink", n.Name()).Msg("close sink")
	}
}

// jitter gives between half and all of a pause.
func (n *Notifier) jitter(d time.Duration) time.Duration {
	return d/2 + time.Duration(n.opts.Random()*float64(d/2))
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// session is the time from becoming the reader to not being it any more.
func (n *Notifier) session(ctx context.Context) error {
	at, err := n.opts.Follower.Acquire(ctx)
	if err != nil {
		return err
	}
	n.at, n.again = at, map[stream.Place]int64{}
	for p, r := range at {
		n.again[p] = r.Next
	}
	n.pending, n.tick = nil, time.Now()
	room := make([]stream.Entry, 0, 256)
	for {
		entries, err := n.read(ctx, room)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := n.take(ctx, e); err != nil {
				return err
			}
		}
		moved := len(entries) > 0
		if n.due() {
			moved = true
			if err := n.flush(ctx); err != nil {
				return err
			}
		}
		if n.keeper != nil && !time.Now().Before(n.tick) && !n.replaying() {
			moved = true
			n.tick = time.Now().Add(n.keeper.Every())
			if err := n.deliver(ctx, nil, func(ctx context.Context) error { return n.keeper.Tick(ctx) }); err != nil {
				return err
			}
		}
		if moved {
			if err := n.commit(ctx); err != nil {
				return err
			}
		}
	}
}

// replaying reports whether what comes next may have been delivered before.
func (n *Notifier) replaying() bool {
	for p, next := range n.again {
		if n.at[p].From < next {
			return true
		}
	}
	return false
}

// look is how long a read waits before it is looked what else is due.
const look = time.Second

func (n *Notifier) read(ctx context.Context, room []stream.Entry) ([]stream.Entry, error) {
	wait := look
	if len(n.pending) > 0 {
		wait = min(wait, max(time.Until(n.since.Add(n.opts.GroupWait)), time.Millisecond))
	}
	short, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	entries, err := n.opts.Follower.Read(short, room)
	if err != nil && short.Err() != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		err = nil
	}
	return entries, err
}

// kinds are the kinds of records in the logs.
var kinds = map[stream.Topic]string{
	stream.Failures: sinks.KindFailure, stream.Directives: sinks.KindDirective, stream.Incidents: sinks.KindIncident,
	stream.Budgets: sinks.KindBudget, stream.Verdicts: sinks.KindVerdict,
}

// take delivers one entry, or adds it to the group.
func (n *Notifier) take(ctx context.Context, e stream.Entry) error {
	again := e.Offset < n.again[e.Place]
	defer func() {
		p := n.at[e.Place]
		p.From = e.Offset + 1
		p.Next = max(p.Next, e.Offset+1)
		n.at[e.Place] = p
	}()
	note, err := sinks.NewNote(kinds[e.Topic], e.Value)
	if err != nil {
		if again {
			return nil
		}
		n.Stats.Refused.Add(1)
		return n.dead(ctx, []pending{{record: record(e, nil)}}, "refused", err)
	}
	if !n.opts.Filter.Pass(note) {
		if !again {
			n.Stats.Filtered.Add(1)
		}
		return nil
	}
	r := record(e, note)
	r.Again = again
	switch {
	case again && n.keeper == nil:
		return nil
	case n.grouper != nil:
		if len(n.pending) == 0 {
			n.since = time.Now()
		}
		n.pending = append(n.pending, pending{r, e.Time})
		if len(n.pending) >= max(n.opts.GroupMost, 1) {
			return n.flush(ctx)
		}
		return nil
	}
	one := []sinks.Record{r}
	return n.deliver(ctx, []pending{{r, e.Time}}, func(ctx context.Context) error { return n.opts.Sink.Write(ctx, one) })
}

func record(e stream.Entry, note *sinks.Note) sinks.Record {
	return sinks.Record{Note: note, Encoded: e.Value, Log: e.Log, Partition: e.Partition, Offset: e.Offset}
}

// due reports whether the group has waited for long enough.
func (n *Notifier) due() bool {
	return len(n.pending) > 0 && !time.Now().Before(n.since.Add(n.opts.GroupWait))
}

func (n *Notifier) flush(ctx context.Context) error {
	group := n.pending
	records := make([]sinks.Record, len(group))
	for i, p := range group {
		records[i] = p.record
	}
	n.pending = nil
	return n.deliver(ctx, group, func(ctx context.Context) error { return n.grouper.WriteGroup(ctx, records) })
}

// deliver has one message sent, however long it takes, unless it is refused for
// good or too old. An error is that of the context, of the lease, or of the dead
// letter.
func (n *Notifier) deliver(ctx context.Context, of []pending, send func(context.Context) error) error {
	again := len(of) > 0 && of[0].record.Again
	if n.limit != nil && !again {
		if err := n.limit.Wait(ctx); err != nil {
			return err
		}
	}
	retry := n.opts.FirstRetry
	for {
		if n.old(of) {
			n.Stats.Expired.Add(int64(len(of)))
			return n.dead(ctx, of, "expired", fmt.Errorf("not delivered within %s", n.opts.MaxAge))
		}
		err := send(ctx)
		if err == nil {
			n.Stats.Failing.Store(false)
			if len(of) > 0 && !again {
				n.Stats.Sent.Add(int64(len(of)))
				n.Stats.Age.Store(time.Now().UnixNano() - of[0].time)
			}
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var w *sinks.WriteError
		if errors.As(err, &w) && w.Permanent {
			n.Stats.Refused.Add(int64(len(of)))
			n.opts.Log.Error().Err(err).Str("sink", n.Name()).Int("records", len(of)).Msg("the sink refuses a record; it goes to the dead letter")
			return n.dead(ctx, of, "refused", err)
		}
		n.Stats.Failing.Store(true)
		n.Stats.Retries.Add(1)
		n.opts.Log.Warn().Err(err).Str("sink", n.Name()).Msg("the sink failed; trying again")
		wait := n.jitter(retry)
		if w != nil {
			wait = max(wait, w.After)
		}
		if len(of) == 0 {
			return nil // a tick, of which there is another
		}
		if err := pause(ctx, wait); err != nil {
			return err
		}
		retry = min(2*retry, n.opts.LastRetry)
	}
}

// old reports whether a message is too old to be sent. What a state is made of
// never is.
func (n *Notifier) old(of []pending) bool {
	return n.opts.MaxAge > 0 && n.keeper == nil && len(of) > 0 && time.Now().UnixNano()-of[len(of)-1].time > int64(n.opts.MaxAge)
}

// dead puts records away with the reason, without their content.
func (n *Notifier) dead(ctx context.Context, of []pending, reason string, why error) error {
	for _, p := range of {
		d := event.DeadLetter{
			Time: time.Now().UnixNano(), Source: p.record.Log, Partition: p.record.Partition, Offset: p.record.Offset,
			Reason: reason, Field: "sinks." + n.Name(), Message: sinks.Clean(why.Error(), 300),
		}
		for retry := n.opts.FirstRetry; ; retry = min(2*retry, n.opts.LastRetry) {
			err := n.opts.Dead(ctx, d)
			if err == nil {
				break
			}
			n.opts.Log.Warn().Err(err).Str("sink", n.Name()).Msg("cannot write a dead letter; trying again")
			if err := pause(ctx, n.jitter(retry)); err != nil {
				return err
			}
		}
	}
	return nil
}

// commit makes the position durable, but for what the sink, or the group that is
// gathered, still needs.
func (n *Notifier) commit(ctx context.Context) error {
	if n.replaying() {
		return nil
	}
	out := make(map[stream.Place]stream.Progress, len(n.at))
	for p, r := range n.at {
		out[p] = r
	}
	lower := func(log string, partition int32, offset int64) {
		p := stream.Place{Log: log, Partition: partition}
		r := out[p]
		r.From = min(r.From, offset)
		out[p] = r
	}
	if n.keeper != nil {
		n.keeper.Needs(lower)
	}
	for _, g := range n.pending { // not delivered, so not to be passed over
		p := stream.Place{Log: g.record.Log, Partition: g.record.Partition}
		lower(p.Log, p.Partition, g.record.Offset)
		r := out[p]
		r.Next = min(r.Next, g.record.Offset)
		out[p] = r
	}
	return n.opts.Follower.Commit(ctx, out)
}
