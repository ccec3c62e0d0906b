package detectors

import (
	"slices"
	"strconv"

	"misstep/detectors/facts"
	"misstep/event"
)

// episodes are the open failures of one trajectory.
type episodes struct {
	open    []episode
	classes uint8 // bit c: a failure of class c reached warning in this task
}

// episode is one open failure: from its rising edge until it is over.
type episode struct {
	class    event.Class
	subject  string
	severity event.Severity // published
	rules    []*Rule        // the first is the one that opened it
	weights  []int          // confidence per mille of each rule
	fault    event.Fault
	message  string
	teller   *Rule // whose message it is
	evidence []event.Evidence

	detector    *Detector
	agent       string
	id          string
	fingerprint string
	wants       event.Severity // highest that was found
	rev         int
	firstSeq    int64
	lastSeq     int64
	lastStep    int64 // ordinal of the latest step that belongs to it
	lastCall    int64 // calls of the task up to then
	count       int
	tokens      int64 // totals of the trajectory where the waste began
	cost        int64
	wasted      event.Wasted

	over, faded bool // to be resolved after this step
}

// maxEpisodes bounds the open failures of one trajectory. Names that a model
// invents are hostile: beyond the bound no further subject opens a failure.
const maxEpisodes = 64

// maxEvidence bounds the evidence of one failure: the first steps and the
// latest are kept.
const maxEvidence = 8

// creditCalls is within how many calls of the last evidence an agent must put
// a failure right to be given credit for it: a look, a try and the right call.
const creditCalls = 3

func (es *episodes) find(c event.Class, subject string) *episode {
	for i := range es.open {
		if e := &es.open[i]; e.class == c && e.subject == subject {
			return e
		}
	}
	return nil
}

func (es *episodes) reset() {
	clear(es.open)
	es.open, es.classes = es.open[:0], 0
}

func (e *episode) has(r *Rule) bool { return slices.Contains(e.rules, r) }

// touch counts the pass's step into the episode, once: it reports whether it
// was new.
func (e *episode) touch(p *Pass) bool {
	e.over, e.faded = false, false
	if e.lastStep == p.T.Ordinal {
		return false
	}
	e.lastStep, e.lastCall = p.T.Ordinal, p.T.Task.Calls
	e.lastSeq = p.Step.Seq
	e.count++
	e.wasted = event.Wasted{Tokens: p.T.Tokens - e.tokens, CostMicroUSD: p.T.CostMicroUSD - e.cost}
	return true
}

// confidence is a noisy or over the families of its rules, each with its most
// confident rule: 1 - product of (1 - w) (as in noisy-OR belief networks), in whole
// thousandths.
func (e *episode) confidence() int {
	miss := 1000
	for i, r := range e.rules {
		best := e.weights[i]
		first := true
		for j, q := range e.rules {
			if q.Family == r.Family {
				first = first && j >= i
				best = max(best, e.weights[j])
			}
		}
		if first {
			miss = (miss*(1000-best) + 500) / 1000
		}
	}
	return 1000 - miss
}

// apply takes the findings of one step and hands on the transitions that they
// cause: failures that open or rise, in the order in which the detectors
// reported them, then those that are over.
func (es *episodes) apply(p *Pass, env *environment, emit func(*event.Failure)) {
	for i := range p.findings {
		f := &p.findings[i]
		set := p.rules[f.Rule]
		e := es.find(set.detector.Class, f.Subject)
		if e == nil {
			if len(es.open) >= maxEpisodes {
				env.counts.EpisodesCapped++
				continue
			}
			es.open = append(es.open, opened(p, f, set))
			e = &es.open[len(es.open)-1]
		}
		e.join(p, f, p.limit(f.Rule, f.Subject, f.Severity))
	}
	p.findings = p.findings[:0]
	for i := range es.open {
		e := &es.open[i]
		if e.wants <= e.severity {
			continue
		}
		state := event.StateEscalated
		if e.severity == event.SeverityNone {
			state = event.StateOpen
		}
		e.severity = e.wants
		if e.severity >= event.Warning {
			es.classes |= 1 << e.class
		}
		emit(e.failure(p.T, p.Time, env, state))
	}
	es.resolve(p.T, p.Time, env, emit)
}

// resolve hands on a last transition of each failure that is over, and drops
// it.
func (es *episodes) resolve(t *facts.Trajectory, now int64, env *environment, emit func(*event.Failure)) {
	kept := es.open[:0]
	for i := range es.open {
		e := &es.open[i]
		if !e.over {
			kept = append(kept, *e)
			continue
		}
		f := e.failure(t, now, env, event.StateResolved)
		f.Recovered = !e.faded && t.Task.Calls-e.lastCall <= creditCalls
		emit(f)
	}
	clear(es.open[len(kept):])
	es.open = kept
}

// close resolves every open failure: the task is over, and nothing recovered.
func (es *episodes) close(t *facts.Trajectory, now int64, env *environment, emit func(*event.Failure)) {
	for i := range es.open {
		es.open[i].over, es.open[i].faded = true, true
	}
	es.resolve(t, now, env, emit)
}

func opened(p *Pass, f *Finding, set *setting) episode {
	t := p.T
	subject := maskedSubject(f.Subject)
	return episode{
		class: set.detector.Class, subject: f.Subject, detector: set.detector,
		id:          event.FailureID(t.Labels.Tenant, t.Labels.TrajectoryID, set.detector.Class, f.Rule.Name, f.Subject, p.stepID()),
		fingerprint: event.Fingerprint(t.Labels.Tenant, set.detector.Class, f.Rule.Name, subject, errorHex(f.Error)),
		firstSeq:    firstSeq(f.Evidence, p.Step.Seq),
		tokens:      f.Tokens, cost: f.CostMicroUSD,
		agent: p.Agent.Name,
	}
}

// join adds a finding to the episode.
func (e *episode) join(p *Pass, f *Finding, s event.Severity) {
	e.touch(p)
	conf := p.ruleset.confidence(f.Rule, p.T.Labels.Workflow, f.Confidence)
	if i := slices.Index(e.rules, f.Rule); i >= 0 {
		e.weights[i] = max(e.weights[i], conf)
	} else {
		e.rules = append(e.rules, f.Rule)
		e.weights = append(e.weights, conf)
	}
	e.count = max(e.count, f.Count)
	if s > e.wants || e.message == "" {
		e.message, e.teller = f.Message, f.Rule
		e.fault = f.Fault
		if e.fault == event.FaultUnknown {
			e.fault = f.Rule.Fault
		}
	}
	e.wants = max(e.wants, s)
	for _, v := range f.Evidence {
		e.cite(v)
	}
}

// again is the note of a step that was only counted into an episode.
const again = "again"

// cite adds a piece of evidence once, by the step's id; of more than
// maxEvidence the latest gives way, so that the beginning and the end stay.
func (e *episode) cite(v event.Evidence) {
	for i := range e.evidence {
		if have := &e.evidence[i]; have.ID == v.ID {
			if have.Note == again {
				have.Note = v.Note
			}
			return
		}
	}
	if len(e.evidence) == maxEvidence {
		e.evidence = e.evidence[:maxEvidence-1]
	}
	e.evidence = append(e.evidence, v)
}

func (e *episode) failure(t *facts.Trajectory, now int64, env *environment, state event.State) *event.Failure {
	f := &event.Failure{
		ID: e.id, Rev: e.rev, Labels: t.Labels, Class: e.class,
		Rule: e.rules[0].Name, Rules: make([]string, len(e.rules)),
		Subject: e.subject, Severity: e.severity, Fault: e.fault, Confidence: e.confidence(),
		State: state, Time: now, FirstSeq: e.firstSeq, LastSeq: e.lastSeq, Count: e.count,
		Message: e.message, Evidence: slices.Clone(e.evidence), Wasted: e.wasted,
		Fingerprint: e.fingerprint,
		Detector:    event.DetectorRef{Name: e.detector.Name, Version: e.detector.Version},
		Ruleset:     env.hash,
	}
	f.Agent = e.agent
	for i, r := range e.rules {
		f.Rules[i] = r.Name
	}
	e.rev++
	return f
}

func firstSeq(evidence []event.Evidence, seq int64) int64 {
	for _, v := range evidence {
		if v.Seq != event.None {
			return v.Seq
		}
	}
	return seq
}

// maskedSubject is the subject as the fingerprint sees it: digits out, so that
// the same trouble in other trajectories has the same one.
func maskedSubject(s string) string {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < '0' || c > '9' {
			b = append(b, c)
		} else if len(b) == 0 || b[len(b)-1] != '#' {
			b = append(b, '#')
		}
	}
	return string(b)
}

func errorHex(h uint64) string {
	if h == 0 {
		return ""
	}
	return strconv.FormatUint(h, 16)
}
