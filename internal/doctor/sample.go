package doctor

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"slices"
	"time"

	"misstep/event"
)

// sample is what steps of a log show.
type sample struct {
	records, steps int64
	refused        int64
	first          string // reason of the first that was refused
	ahead          int64  // steps that are of a time in the future
	farthest       time.Duration
	sources        map[string]*source
}

// source is what one workflow sends.
type source struct {
	steps, ids, times int64
	calls, results    int64
	judged            int64 // results that say how they ended
	trajectories      map[string]bool
	catalogues        map[string]bool // trajectories whose tools are known
	models, usage     int64
}

// maxSources bounds the workflows that are told of one by one.
const maxSources = 20

// add takes a record, and gives the ids of its trajectories.
func (s *sample) add(d *event.Decoder, value []byte, now time.Time) (trajectories [][]byte) {
	s.records++
	if s.sources == nil {
		s.sources = map[string]*source{}
	}
	d.Reset(value)
	defer d.Release()
	var step event.Step
	for {
		err := d.Next(&step)
		if errors.Is(err, io.EOF) {
			return trajectories
		}
		if err != nil {
			s.refused++
			var bad *event.DecodeError
			if s.first == "" && errors.As(err, &bad) {
				s.first = bad.Error()
			}
			if s.refused > 1000 {
				return trajectories // an array that is broken repeats itself
			}
			continue
		}
		s.steps++
		trajectories = append(trajectories, bytes.Clone(step.TrajectoryID))
		s.of(&step).add(&step)
		if step.Time != event.None {
			if d := time.Unix(0, step.Time).Sub(now); d > maxAhead {
				s.ahead++
				s.farthest = max(s.farthest, d)
			}
		}
	}
}

// maxAhead is how far the time of an event may be ahead of the log's.
const maxAhead = 10 * time.Minute

func (s *sample) of(step *event.Step) *source {
	name := string(step.Workflow)
	src := s.sources[name]
	if src == nil {
		if len(s.sources) >= maxSources {
			name = "..."
		}
		if src = s.sources[name]; src == nil {
			src = &source{trajectories: map[string]bool{}, catalogues: map[string]bool{}}
			s.sources[name] = src
		}
	}
	return src
}

func (s *source) add(step *event.Step) {
	s.steps++
	id := string(step.TrajectoryID)
	s.trajectories[id] = true
	if len(step.ID) > 0 {
		s.ids++
	}
	if step.Time != event.None {
		s.times++
	}
	switch step.Kind {
	case event.TaskStart:
		if step.Task.Tools.Form != event.Absent {
			s.catalogues[id] = true
		}
	case event.ToolsChanged:
		s.catalogues[id] = true
	case event.ModelCall:
		s.models++
		if step.Usage.Has {
			s.usage++
		}
		if step.ModelCall.Tools.Form != event.Absent {
			s.catalogues[id] = true
		}
	case event.ToolCall:
		s.calls++
	case event.ToolResult:
		s.results++
		if step.Result.Status != event.StatusUnknown {
			s.judged++
		}
	}
}

// report says what the sources lack, and what cannot be found for that.
func (s *sample) report(r *Report) {
	if s.records == 0 {
		r.add(Warning, "coverage", "send steps, or look at another topic", "there is no step to look at")
		return
	}
	if s.refused > 0 {
		r.add(Wrong, "steps", "correct the producer; what cannot be read goes to the dead letter", "%d of %s cannot be read: %s", s.refused, count(s.steps+s.refused, "step", "steps"), s.first)
	} else {
		r.add(OK, "steps", "", "all of %s in %s can be read", count(s.steps, "step", "steps"), count(s.records, "record", "records"))
	}
	if s.ahead > 0 {
		r.add(Warning, "clocks", "correct the clock of the agents; their times are replaced by the log's meanwhile", "%s of a time more than %v ahead, up to %v", count(s.ahead, "step is", "steps are"), maxAhead, round(s.farthest))
	}
	for _, name := range slices.Sorted(maps.Keys(s.sources)) {
		src := s.sources[name]
		shown := "workflow " + name
		if name == "" {
			shown = "without a workflow"
		}
		lacks := src.lacks()
		if len(lacks) == 0 {
			r.add(OK, "coverage", "", "%s: %s tell all that the detectors need", shown, count(src.steps, "step", "steps"))
		}
		for _, l := range lacks {
			r.add(Warning, "coverage", l[1], "%s: %s", shown, l[0])
		}
	}
}

// lacks are what a source does not tell, each with its mend.
func (s *source) lacks() (out [][2]string) {
	share := func(have, of int64, what, mend string) {
		if of > 0 && have < of {
			out = append(out, [2]string{percent(of-have, of) + " " + what, mend})
		}
	}
	share(s.ids, s.steps, "of the steps have no id: a redelivery counts as a repeat", "set id, the same again when a step is sent again")
	share(s.times, s.steps, "of the steps have no time: the log's counts", "set time to when it happened")
	share(s.judged, s.results, "of the tool results have no status: failing calls are not seen", "set result.status")
	if s.calls > 0 {
		share(int64(len(s.catalogues)), int64(len(s.trajectories)), "of the trajectories do not name their tools, as far as was looked: unknown tools and wrong arguments are not seen",
			"send task_start with task.tools, or model_call with tools")
	}
	share(s.usage, s.models, "of the model calls have no usage: their cost is not known", "set usage")
	return out
}

func percent(n, of int64) string {
	p := n * 100 / of
	switch {
	case p == 0:
		return "under 1 %"
	case n == of:
		return "all"
	}
	return count(p, "%", "%")
}
