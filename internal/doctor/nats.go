package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"misstep/event"
	"misstep/internal/app"
	"misstep/internal/config"
	"misstep/stream"
	"misstep/stream/jetstream"
)

// newest is how many of the newest messages are looked at.
const newest = 1000

const natsMend = "`detector topics --for nats` prints the commands, and the rights"

// NATS looks at the server of a configuration. The error says that it cannot be
// reached.
func NATS(ctx context.Context, n *config.NATS) (*Report, error) {
	r := &Report{}
	if !n.External() {
		r.add(OK, "connection", "", "the embedded NATS server runs in the detector, which sees to it; /readyz tells of a detector that runs")
		return r, nil
	}
	nc, err := jetstream.Connect(ctx, app.ConnectOptions(n, "misstep doctor", zerolog.Nop()))
	if err != nil {
		return nil, err
	}
	defer nc.Close()
	r.add(OK, "connection", "", "%s: NATS %s with JetStream", nc.ConnectedUrlRedacted(), nc.ConnectedServerVersion())
	if n.TLS.InsecureSkipVerify {
		r.add(Warning, "connection", "name the authority as nats.tls.ca_file", "the server's certificate is not checked")
	}
	natsRights(ctx, r, nc, n)
	found, err := jetstream.OpenExternal(ctx, nc, jetstream.ExternalOptions{Stream: n.Stream, Subject: n.Subject, PublishSubject: n.PublishSubject})
	switch {
	case err != nil && n.Create && errors.Is(err, natsjs.ErrStreamNotFound):
		r.add(OK, "streams", "", "%v; the detector makes it, since nats.create is true", err)
	case err != nil:
		r.add(Wrong, "streams", natsMend, "%v", err)
	case !found.TakesSteps:
		r.add(Warning, "streams", "set nats.publish_subject to one that the stream takes", "%s does not take %s, or subjects below it: steps over HTTP are refused", n.Stream, n.PublishSubject)
	default:
		r.add(OK, "streams", "", "%s, %s and %s are as they should be", n.Stream, jetstream.ResultsStream, jetstream.CheckpointsStream)
	}
	if err := natsSteps(ctx, r, nc, n); err != nil {
		r.add(Wrong, "steps", natsMend, "%v", err)
	}
	return r, nil
}

// natsRights holds what the server allows against what is needed.
func natsRights(ctx context.Context, r *Report, nc *nats.Conn, n *config.NATS) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	var answer struct {
		Data *struct {
			Permissions *struct {
				Publish, Subscribe *struct{ Allow, Deny []string }
			}
		}
	}
	m, err := nc.RequestWithContext(ctx, "$SYS.REQ.USER.INFO", nil)
	if err == nil {
		err = json.Unmarshal(m.Data, &answer)
	}
	if err != nil || answer.Data == nil {
		r.add(Warning, "rights", "allow the user to publish to $SYS.REQ.USER.INFO, or compare its permissions with `detector topics --for nats`", "the server does not tell them")
		return
	}
	p := answer.Data.Permissions
	if p == nil || p.Publish == nil && p.Subscribe == nil {
		r.add(OK, "rights", "", "the user may do all in its account")
		return
	}
	var lacks []string
	for _, role := range jetstream.Roles(jetstream.TopicsOptions{Stream: n.Stream, PublishSubject: n.PublishSubject}) {
		if role.Name != "detect" && role.Name != "intake" && (role.Name != "create" || !n.Create) {
			continue
		}
		for _, s := range role.Publish {
			if p.Publish != nil && !may(p.Publish.Allow, p.Publish.Deny, s) {
				lacks = append(lacks, "publish to "+s)
			}
		}
		for _, s := range role.Subscribe {
			if p.Subscribe != nil && !may(p.Subscribe.Allow, p.Subscribe.Deny, s) {
				lacks = append(lacks, "subscribe to "+s)
			}
		}
	}
	if len(lacks) > 0 {
		r.add(Wrong, "rights", natsMend, "there is no right to %s", strings.Join(lacks, ", "))
		return
	}
	r.add(OK, "rights", "", "detect and intake may do what they do")
}

// may reports whether a subject, wildcards included, is allowed in full and
// denied in no part.
func may(allow, deny []string, subject string) bool {
	ok := len(allow) == 0
	for _, a := range allow {
		ok = ok || covers(a, subject)
	}
	for _, d := range deny {
		ok = ok && !covers(d, subject) && !covers(subject, d)
	}
	return ok
}

// covers reports whether all that subject s means is meant by pattern.
func covers(pattern, s string) bool {
	a, b := strings.Split(pattern, "."), strings.Split(s, ".")
	for i, t := range a {
		switch {
		case t == ">":
			return i < len(b)
		case i >= len(b), b[i] == ">", t != "*" && t != b[i]:
			return false
		}
	}
	return len(a) == len(b)
}

// natsSteps looks into the stream of the steps.
func natsSteps(ctx context.Context, r *Report, nc *nats.Conn, n *config.NATS) error {
	js, err := natsjs.New(nc)
	if err != nil {
		return err
	}
	before := time.Now()
	s, err := js.Stream(ctx, n.Stream)
	if errors.Is(err, natsjs.ErrStreamNotFound) {
		return nil // told already
	}
	if err != nil {
		return err
	}
	info := s.CachedInfo()
	if at := info.TimeStamp; !at.IsZero() {
		skew(r, at.Sub(before.Add(time.Since(before)/2)))
	}
	if limits := info.Config; limits.MaxAge > 0 && limits.MaxAge < minKept {
		r.add(Warning, "streams", "raise its max age", "%s keeps steps for %v; a detector that is down for longer misses some", n.Stream, limits.MaxAge)
	}
	natsLag(ctx, r, nc, n, info.State)
	last := int64(info.State.LastSeq)
	part, err := jetstream.FindRange(ctx, nc, jetstream.RangeOptions{Stream: n.Stream, Subject: n.Subject, From: jetstream.Bound{Sequence: max(1, last-newest+1)}})
	if err != nil {
		return err
	}
	var found sample
	if !part.Empty() {
		if err := natsSample(ctx, nc, part, &found); err != nil {
			return err
		}
	}
	found.report(r)
	return nil
}

func natsSample(ctx context.Context, nc *nats.Conn, part *jetstream.Range, into *sample) error {
	log, err := jetstream.OpenRange(ctx, nc, part, nil, nil)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // read only
	decoder, records, now := &event.Decoder{}, make([]stream.Record, 256), time.Now()
	for {
		n, err := log.Read(ctx, records)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, rec := range records[:n] {
			into.add(decoder, rec.Value, now)
		}
	}
}

func skew(r *Report, d time.Duration) {
	const tolerated = 2 * time.Second
	if d.Abs() > tolerated {
		direction := "ahead of"
		if d < 0 {
			direction = "behind"
		}
		r.add(Warning, "clocks", "set the clocks of the server and of this machine by NTP", "the server's clock is %v %s this machine's", round(d.Abs()), direction)
		return
	}
	r.add(OK, "clocks", "", "the server's clock is within %v of this machine's", tolerated)
}

// natsLag says of which step the newest result came.
func natsLag(ctx context.Context, r *Report, nc *nats.Conn, n *config.NATS, state natsjs.StreamState) {
	o, ok, err := jetstream.NewResults(nc).Last(ctx, n.Stream, 0)
	switch {
	case err != nil:
		return // told already, of the stream of results
	case !ok:
		r.add(OK, "lag", "", "no detector has put out anything yet; %s holds %s", n.Stream, count(int64(state.Msgs), "message", "messages"))
	case o.Offset > int64(state.LastSeq):
		r.add(Wrong, "lag", "was the stream made anew? The detector says at its start what it does", "the newest result came of message %d, and %s ends at %d", o.Offset, n.Stream, state.LastSeq)
	default:
		r.add(OK, "lag", "", "the newest result came of message %d of %d", o.Offset, state.LastSeq)
	}
	if ok && err == nil && state.FirstSeq > uint64(o.Offset)+1 && state.Msgs > 0 {
		r.add(Warning, "lag", "keep steps for longer", "%s begins at message %d, after the newest result: steps may have been removed before they were judged", n.Stream, state.FirstSeq)
	}
}
