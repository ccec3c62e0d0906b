package sinks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// AlertmanagerOptions say where alerts go, and how long they live.
type AlertmanagerOptions struct {
	Name     string
	Endpoint Endpoint // its URL is that of the server, without /api/v2
	// Labels are put on every alert.
	Labels map[string]string
	// Resend is how often alerts that fire are sent again; 0: a minute.
	Resend time.Duration
	// Expire is how long an alert fires that is not sent again, as when this
	// process is gone for good; 0: fifteen minutes.
	Expire time.Duration
	// Hold is how long an episode counts as open when nothing ends it; 0: a day.
	Hold time.Duration
}

// Alertmanager sends alerts to the API v2 of an Alertmanager. An alert stands for
// all open episodes of one set of labels: class, rule, severity, workflow,
// tenant. It fires while there are any, and resolves when the last one does.
type Alertmanager struct {
	opts   AlertmanagerOptions
	open   map[string]*openEpisode // by id
	alerts map[string]*alert       // by set of labels
	closed bool
}

type openEpisode struct {
	alert     string
	rev       int
	since     time.Time
	log       string
	partition int32
	offset    int64
}

type alert struct {
	labels map[string]string
	since  time.Time
	count  int
	last   *Note
	ended  time.Time // set when it is over and that was not sent yet
	dirty  bool
}

// maxAlerts is how many sets of labels fire at once; what is over goes into one
// with the workflow __other__.
const maxAlerts = 10_000

// NewAlertmanager sends nothing yet.
func NewAlertmanager(o AlertmanagerOptions) *Alertmanager {
	if o.Resend == 0 {
		o.Resend = time.Minute
	}
	if o.Expire == 0 {
		o.Expire = 15 * time.Minute
	}
	if o.Hold == 0 {
		o.Hold = 24 * time.Hour
	}
	return &Alertmanager{opts: o, open: map[string]*openEpisode{}, alerts: map[string]*alert{}}
}

// Name is the one given.
func (a *Alertmanager) Name() string { return a.opts.Name }

// Every is how often alerts that fire are sent again.
func (a *Alertmanager) Every() time.Duration { return a.opts.Resend }

// Needs gives the records of the open episodes.
func (a *Alertmanager) Needs(yield func(log string, partition int32, offset int64)) {
	for _, e := range a.open {
		yield(e.log, e.partition, e.offset)
	}
}

// Write applies records, and sends the alerts that they change.
func (a *Alertmanager) Write(ctx context.Context, records []Record) error {
	if a.closed {
		return ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	now := time.Now()
	again := len(records) > 0
	for _, r := range records {
		if r.Note != nil && (r.Note.Kind == KindFailure || r.Note.Kind == KindIncident) {
			a.apply(&r, now)
		}
		again = again && r.Again
	}
	if again {
		return nil
	}
	return a.send(ctx, now, false)
}

// Tick sends what fires again, so that it does not expire.
func (a *Alertmanager) Tick(ctx context.Context) error {
	if a.closed {
		return ErrClosed
	}
	now := time.Now()
	for id, e := range a.open {
		if now.Sub(e.since) > a.opts.Hold {
			a.leave(id, now, false)
		}
	}
	return a.send(ctx, now, true)
}

func (a *Alertmanager) apply(r *Record, now time.Time) {
	n := r.Note
	e := a.open[n.ID]
	if e != nil && n.Rev <= e.rev {
		return // it was here before
	}
	if n.Resolved() {
		if e != nil {
			a.leave(n.ID, now, r.Again)
		}
		return
	}
	since := now
	if !n.Time.IsZero() && n.Time.Before(now) {
		since = n.Time
	}
	if now.Sub(since) > a.opts.Hold {
		return
	}
	key, labels := a.labels(n)
	next := &openEpisode{alert: key, rev: n.Rev, since: since, log: r.Log, partition: r.Partition, offset: r.Offset}
	if e != nil {
		next.since = e.since
		if e.alert == key {
			e.rev, e.offset = n.Rev, r.Offset
			return
		}
		a.leave(n.ID, now, r.Again) // a higher severity is another alert
	}
	al := a.alerts[key]
	if al == nil {
		al = &alert{labels: labels, since: since}
		a.alerts[key] = al
	}
	if !al.ended.IsZero() {
		al.ended, al.since = time.Time{}, since
	}
	al.count++
	al.last = n
	al.dirty = al.dirty || !r.Again
	a.open[n.ID] = next
}

// leave ends an episode. The server has heard already of what is told again.
func (a *Alertmanager) leave(id string, now time.Time, again bool) {
	e := a.open[id]
	delete(a.open, id)
	al := a.alerts[e.alert]
	if al.count--; al.count > 0 {
		return
	}
	if again {
		delete(a.alerts, e.alert)
		return
	}
	al.ended, al.dirty = now, true
}

// labels are those that the alert of a record has, and their key.
func (a *Alertmanager) labels(n *Note) (string, map[string]string) {
	name := "AgentFailure"
	if n.Kind == KindIncident {
		name = "AgentIncident"
	}
	make := func(workflow string) (string, map[string]string) {
		l := map[string]string{"alertname": name}
		maps.Copy(l, a.opts.Labels)
		for k, v := range map[string]string{"class": n.Class, "rule": n.Rule, "severity": n.Severity, "workflow": workflow, "tenant": n.Tenant} {
			if v = clean(v, 120); v != "" {
				l[k] = v
			}
		}
		var b strings.Builder
		for _, k := range slices.Sorted(maps.Keys(l)) {
			fmt.Fprintf(&b, "%q=%q,", k, l[k])
		}
		return b.String(), l
	}
	key, l := make(n.Workflow)
	if a.alerts[key] == nil && len(a.alerts) >= maxAlerts {
		return make("__other__")
	}
	return key, l
}

// wireAlert is an alert of the API v2.
type wireAlert struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
	StartsAt    time.Time         `json:"startsAt"`
	EndsAt      time.Time         `json:"endsAt"`
}

// send sends what changed, or all.
func (a *Alertmanager) send(ctx context.Context, now time.Time, all bool) error {
	var out []wireAlert
	var keys []string
	for _, key := range slices.Sorted(maps.Keys(a.alerts)) {
		al := a.alerts[key]
		if !all && !al.dirty {
			continue
		}
		w := wireAlert{Labels: al.labels, StartsAt: al.since, EndsAt: now.Add(a.opts.Expire)}
		n := al.last
		w.Annotations = map[string]string{
			"summary":     clean(fmt.Sprintf("%s/%s: %d open", n.Class, n.Rule, al.count), 200),
			"description": clean(n.Message, 400), "open": fmt.Sprint(al.count), "failure_id": clean(n.ID, 64), "trajectory_id": clean(n.TrajectoryID, 128),
		}
		if !al.ended.IsZero() {
			w.EndsAt = al.ended
			if !w.EndsAt.After(w.StartsAt) {
				w.StartsAt = w.EndsAt.Add(-time.Millisecond) // the API refuses an end that is not after the start
			}
		}
		out, keys = append(out, w), append(keys, key)
	}
	most := 256 // in one request
	var refused error
	for len(out) > 0 {
		n := min(len(out), most)
		body, err := json.Marshal(out[:n])
		if err != nil {
			return err
		}
		header := http.Header{"Content-Type": {"application/json"}}
		_, err = a.opts.Endpoint.send(ctx, http.MethodPost, "/api/v2/alerts", header, body)
		var w *WriteError
		if err != nil && (!errors.As(err, &w) || !w.Permanent) {
			return err
		}
		if err != nil && n > 1 {
			most = 1 // to find the one that is refused, which must not hold up the rest
			continue
		}
		if err != nil {
			refused = err
		}
		for _, key := range keys[:n] {
			al := a.alerts[key]
			al.dirty = false
			if !al.ended.IsZero() {
				delete(a.alerts, key)
			}
		}
		out, keys = out[n:], keys[n:]
	}
	return refused
}

// Close ends the sink. What fires goes on until it expires: whoever follows next
// sends it again.
func (a *Alertmanager) Close() error {
	a.closed = true
	a.opts.Endpoint.close()
	return nil
}
