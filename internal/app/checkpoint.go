package app

import (
	"context"
	"sync"

	"github.com/rs/zerolog"

	"misstep/detectors"
	"misstep/internal/config"
	"misstep/stream"
)

// checkpointing says how the engine keeps its state, and logs what becomes of
// it.
func checkpointing(log zerolog.Logger, c *config.Checkpoint, store stream.Checkpoints, ruleset string) stream.Checkpointing {
	return stream.Checkpointing{
		Store: store, Ruleset: ruleset, Work: c.Work, Every: c.Interval,
		OnRestore: func(r stream.Restored) {
			if r.ID == "" {
				log.Info().Msg("no checkpoint yet; the log of steps is applied from its beginning")
				return
			}
			ev := log.Info().Str("checkpoint", r.ID).Int64("offset", r.Offset).Int64("bytes", r.Bytes)
			if r.Ruleset != ruleset {
				ev = ev.Str("old", r.Ruleset).Str("new", ruleset)
			}
			ev.Msg("state restored; the log of steps is applied from there")
		},
		OnFallback: func(reason error) {
			log.Warn().Err(reason).Msg("a checkpoint cannot be used; an earlier one is, or the log of steps")
		},
		OnTaken: func(t stream.Taken) {
			if t.Err != nil {
				log.Warn().Err(t.Err).Int64("offset", t.Offset).Msg("checkpoint failed; the one before stays current")
				return
			}
			log.Debug().Str("checkpoint", t.ID).Int64("offset", t.Offset).Int64("bytes", t.Bytes).Int("parts", t.Parts).
				Dur("took", t.Took).Dur("cost", t.Cost).Msg("checkpoint is current")
		},
	}
}

// inForce is the ruleset that the next term begins with.
type inForce struct {
	mu    sync.Mutex
	rules *detectors.Ruleset
}

func (f *inForce) get() *detectors.Ruleset {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.rules
}

func (f *inForce) set(r *detectors.Ruleset) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = r
}

// change puts rules in force from where the log of steps is applied now, in each
// partition. A term that begins meanwhile begins with them, and is changed
// likewise; after an error those before are in force.
func (a *app) change(ctx context.Context, rules *detectors.Ruleset) error {
	before := a.rules.get()
	a.beginning.Lock()
	a.rules.set(rules)
	all := a.terms.all()
	a.beginning.Unlock()
	for i, t := range all {
		err := a.changeOne(ctx, t, rules)
		if err == nil {
			continue
		}
		a.beginning.Lock()
		a.rules.set(before)
		a.beginning.Unlock()
		for _, t := range all[:i] {
			if back := a.changeOne(ctx, t, before); back != nil {
				a.opts.Log.Error().Err(back).Int32("partition", t.partition).Msg("the rules before could not be put in force again; a restart does")
			}
		}
		return err
	}
	return nil
}

// changeOne changes the rules of one term, or of those that follow it meanwhile.
func (a *app) changeOne(ctx context.Context, t *term, rules *detectors.Ruleset) error {
	for {
		p := a.newProgram(rules, t.log.Source(), t.log.Partition(), t.shards)
		err := t.engine.Switch(ctx, p, rules.Hash())
		if err == nil {
			a.terms.replace(t, p)
			return nil
		}
		if a.terms.goesOn(t) || ctx.Err() != nil {
			return err
		}
		if t = a.terms.of(t.partition); t == nil {
			return nil // another process's, which changes its own
		}
	}
}
