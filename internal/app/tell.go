package app

import (
	"strconv"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/rs/zerolog"

	"misstep/event"
	"misstep/stream"
)

// trajectoryHash stands for the id of a trajectory in the log: an id comes from
// outside and may say more than an id should. `printf %s ID | xxhsum -H1` gives
// the same.
func trajectoryHash(id string) string {
	s := strconv.FormatUint(xxhash.Sum64String(id), 16)
	return "0000000000000000"[len(s):] + s
}

const (
	// lettersTold is how many dead letters are told one by one in lettersEvery;
	// those beyond are counted.
	lettersTold  = 20
	lettersEvery = time.Minute
)

// teller logs where outputs come from, never what is in them: dead letters as
// information, the rest for who debugs. The engine's tap is its only user.
type teller struct {
	log        zerolog.Logger
	now        func() time.Time
	until      time.Time // end of the minute
	told, held int       // dead letters in that minute
}

func (t *teller) write(outs []stream.Output) {
	debug := t.log.GetLevel() <= zerolog.DebugLevel
	for i := range outs {
		o := &outs[i]
		switch r := o.Record.(type) {
		case *event.DeadLetter:
			if t.may() {
				t.where(t.log.Info(), o).Str("reason", r.Reason).Int("at", r.At).Msg("dead letter: a step could not be read")
			}
		case *event.Failure:
			if debug {
				t.where(t.log.Debug(), o).Str("id", r.ID).Int("rev", r.Rev).Stringer("class", r.Class).Str("rule", r.Rule).
					Stringer("severity", r.Severity).Stringer("state", r.State).Msg("failure")
			}
		default:
			if debug {
				t.where(t.log.Debug(), o).Msg(string(o.Topic))
			}
		}
	}
}

// may reports whether one more dead letter is told.
func (t *teller) may() bool {
	if now := t.now(); now.After(t.until) {
		if t.held > 0 {
			t.log.Info().Int("letters", t.held).Msg("more dead letters, too many to tell each; misstep_refused_total counts them")
		}
		t.until, t.told, t.held = now.Add(lettersEvery), 0, 0
	}
	if t.told == lettersTold {
		t.held++
		return false
	}
	t.told++
	return true
}

// where says which record an output comes from.
func (t *teller) where(e *zerolog.Event, o *stream.Output) *zerolog.Event {
	e = e.Str("source", o.Origin.Source).Int32("partition", o.Origin.Partition).Int64("offset", o.Origin.Offset).Int32("index", o.Origin.Index)
	if o.Key != "" {
		e = e.Str("trajectory_hash", trajectoryHash(o.Key))
	}
	return e
}
