package jetstream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// ExternalOptions say what is used of a server of the user's.
type ExternalOptions struct {
	Stream         string // empty is StepsStream
	Subject        string // what of it is read; empty is all
	PublishSubject string // of steps that this process publishes; empty is StepsSubject
	// Create makes ResultsStream, CheckpointsStream, OwnersBucket and, where Stream is StepsStream,
	// that when they do not exist, and adds to ResultsStream what it lacks. A
	// stream of the user's is never made or changed.
	Create   bool
	Replicas int // of what is made; 0 is 1
}

// External is what was found on a server of the user's.
type External struct {
	// TakesSteps says whether steps that are published to PublishSubject come
	// to Stream.
	TakesSteps bool
}

// OpenExternal sees to it that all is there on a server of the user's. The
// error says what lacks, and how it comes to be.
func OpenExternal(ctx context.Context, nc *nats.Conn, opts ExternalOptions) (External, error) {
	if opts.Stream == "" {
		opts.Stream = StepsStream
	}
	if opts.PublishSubject == "" {
		opts.PublishSubject = StepsSubject
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return External{}, fmt.Errorf("open streams: %w", err)
	}
	opts.Replicas = max(opts.Replicas, 1)
	steps, err := openSteps(ctx, js, opts)
	if err != nil {
		return External{}, fmt.Errorf("stream %s: %w", opts.Stream, denied(nc, missing(err)))
	}
	if err := replayable(steps); err != nil {
		return External{}, err
	}
	if opts.Subject != "" && len(steps.Subjects) > 0 && !slices.ContainsFunc(steps.Subjects, func(s string) bool { return collide(s, opts.Subject) }) {
		return External{}, fmt.Errorf("stream %s has the subjects %s, of which none can be %s; correct nats.subject", opts.Stream, strings.Join(steps.Subjects, ", "), opts.Subject)
	}
	for _, want := range []jetstream.StreamConfig{resultsConfig(Limits{}), checkpointsConfig(Limits{})} {
		want.Replicas = opts.Replicas
		if err := openOwn(ctx, js, want, opts.Create); err != nil {
			return External{}, fmt.Errorf("stream %s: %w", want.Name, denied(nc, missing(err)))
		}
	}
	if opts.Create {
		if err := EnsureOwners(ctx, nc, opts.Replicas); err != nil {
			return External{}, err
		}
	}
	return External{
		TakesSteps: takes(steps.Subjects, opts.PublishSubject) && takes(steps.Subjects, opts.PublishSubject+".x"),
	}, nil
}

func openSteps(ctx context.Context, js jetstream.JetStream, opts ExternalOptions) (jetstream.StreamConfig, error) {
	s, err := js.Stream(ctx, opts.Stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) && opts.Stream != StepsStream {
		return jetstream.StreamConfig{}, fmt.Errorf("it does not exist; correct nats.stream, or make it: only %s is made on demand", StepsStream)
	}
	if errors.Is(err, jetstream.ErrStreamNotFound) && opts.Create {
		want := stepsConfig(opts.Stream, opts.PublishSubject, Limits{})
		want.Replicas = opts.Replicas
		s, err = createStream(ctx, js, want)
	}
	if err != nil {
		return jetstream.StreamConfig{}, err
	}
	return s.CachedInfo().Config, nil
}

// openOwn sees to it that a stream of ours is there and has what is wanted.
func openOwn(ctx context.Context, js jetstream.JetStream, want jetstream.StreamConfig, create bool) error {
	s, err := js.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) && create {
		s, err = createStream(ctx, js, want)
	}
	if err != nil {
		return err
	}
	have := s.CachedInfo().Config
	if err := replayable(have); err != nil {
		return err
	}
	mended, changed, err := mend(have, want)
	switch {
	case err != nil || !changed:
		return err
	case !create:
		return fmt.Errorf("it lacks %s; edit it as `detector topics --for nats` prints, or set nats.create to true", lacks(have, want))
	}
	_, err = js.UpdateStream(ctx, mended)
	return err
}

// createStream makes a stream, unless another process is quicker. A server that
// deleted one of the same name just now may not be able to for a moment.
func createStream(ctx context.Context, js jetstream.JetStream, c jetstream.StreamConfig) (jetstream.Stream, error) {
	for wait := firstRetry; ; wait *= 2 {
		s, err := js.CreateStream(ctx, c)
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			return js.Stream(ctx, c.Name)
		}
		var api *jetstream.APIError
		if !errors.As(err, &api) || api.ErrorCode != codeCreateFailed || wait > lastRetry {
			return s, err
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return nil, ctx.Err()
		}
	}
}

// lacks says in words what mend would add.
func lacks(have, want jetstream.StreamConfig) string {
	var out []string
	for _, f := range []struct {
		name       string
		have, want bool
	}{
		{"--allow-rollup", have.AllowRollup, want.AllowRollup},
		{"--allow-msg-ttl", have.AllowMsgTTL, want.AllowMsgTTL},
		{"--allow-batch", have.AllowAtomicPublish, want.AllowAtomicPublish},
	} {
		if f.want && !f.have {
			out = append(out, f.name)
		}
	}
	for _, s := range want.Subjects {
		if !slices.Contains(have.Subjects, s) {
			out = append(out, "the subject "+s)
		}
	}
	return strings.Join(out, ", ")
}

// takes reports whether one of the subjects, wildcards included, is for s.
func takes(subjects []string, s string) bool {
	return slices.ContainsFunc(subjects, func(of string) bool {
		have, want := strings.Split(of, "."), strings.Split(s, ".")
		for i, t := range have {
			switch {
			case t == ">" && i < len(want):
				return true
			case i >= len(want) || t != "*" && t != want[i]:
				return false
			}
		}
		return len(have) == len(want)
	})
}

// collide reports whether some subject is one of both, wildcards included.
func collide(a, b string) bool {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	for i := 0; i < len(x) && i < len(y); i++ {
		if x[i] == ">" || y[i] == ">" {
			return true
		}
		if x[i] != y[i] && x[i] != "*" && y[i] != "*" {
			return false
		}
	}
	return len(x) == len(y)
}
