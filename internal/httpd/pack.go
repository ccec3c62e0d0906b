package httpd

import (
	"errors"
	"io"
	"strconv"
	"sync"

	"misstep/event"
	"misstep/internal/intake"
)

// maxMessage is how many bytes of events are packed into one message.
const maxMessage = 900 << 10

// maxSubjects is how many workflows get a subject of their own. JetStream keeps
// each subject in memory, and a workflow is whatever a producer says.
const maxSubjects = 1024

// batch is the body of one request, taken apart.
type batch struct {
	events  []item
	runs    []run
	refused int
	errors  []eventError // the first of them
}

// item is one event that is taken.
type item struct {
	raw []byte // on one line
	run int
}

// run is one trajectory of the request. All its events go to one subject, also
// those that do not repeat the workflow: only within one message, and between
// the messages of one subject, is their order kept.
type run struct{ workflow, trajectory string }

// split decodes and checks each event of a body. What it gives borrows from
// body, in which it may change white space.
func split(body []byte) *batch {
	b := new(batch)
	index := map[string]int{}
	d := event.Decoder{MaxEvent: len(body) + 1} // long fields are cut here, not refused
	d.Reset(body)
	var s event.Step
	var key []byte
	for {
		err := d.Next(&s)
		if errors.Is(err, io.EOF) {
			return b
		}
		if err != nil {
			b.refuse(describe(err))
			continue
		}
		raw := oneLine(s.Raw)
		if intake.Cut(&s) {
			raw = event.AppendStep(nil, &s)
		}
		if len(raw) > event.DefaultMaxEvent {
			b.refuse(eventError{
				Index: d.Index(), Offset: s.Offset,
				Message: "the event is longer than " + itoa(event.DefaultMaxEvent) + " bytes though its text and content were cut; leave earlier messages out and say how many in messages_skipped, or split it",
			})
			continue
		}
		key = append(append(append(key[:0], s.Tenant...), 0), s.TrajectoryID...)
		i, ok := index[string(key)]
		if !ok {
			i = len(b.runs)
			index[string(key)] = i
			b.runs = append(b.runs, run{trajectory: string(s.TrajectoryID)})
		}
		if b.runs[i].workflow == "" {
			b.runs[i].workflow = string(s.Workflow)
		}
		b.events = append(b.events, item{raw, i})
		d.Release()
	}
}

func (b *batch) refuse(e eventError) {
	b.refused++
	if len(b.errors) < maxListed {
		b.errors = append(b.errors, e)
	}
}

// group is what the events of one message have in common.
type group struct{ workflow, key string }

// pack puts the events into messages: those of one workflow, or of one
// trajectory if they are keyed, together, in their order, as many as fit. A wave
// has one message of each at most, and comes after the wave before.
func (b *batch) pack(s *subjects, keyed bool) (waves [][]Message) {
	type place struct{ wave, at int }
	open := map[group]place{} // the last message of each
	of := make([]group, len(b.runs))
	for i, r := range b.runs {
		if keyed {
			of[i].key = r.trajectory
		} else {
			of[i].workflow = s.name(r.workflow)
		}
	}
	for _, e := range b.events {
		g := of[e.run]
		p, ok := open[g]
		if !ok {
			p.wave = -1
		}
		if !ok || len(waves[p.wave][p.at].Data)+1+len(e.raw) > maxMessage {
			p.wave++
			if p.wave == len(waves) {
				waves = append(waves, nil)
			}
			p.at = len(waves[p.wave])
			waves[p.wave] = append(waves[p.wave], Message{Workflow: g.workflow, Key: g.key})
			open[g] = p
		}
		m := &waves[p.wave][p.at]
		if len(m.Data) > 0 {
			m.Data = append(m.Data, '\n')
		}
		m.Data = append(m.Data, e.raw...)
		m.Events++
	}
	return waves
}

// oneLine puts JSON on one line, in place: line breaks inside strings are
// escaped, so all others are white space.
func oneLine(raw []byte) []byte {
	for i, c := range raw {
		if c == '\n' || c == '\r' {
			raw[i] = ' '
		}
	}
	return raw
}

// subjects remembers which workflows have a subject of their own. It is safe
// for concurrent use.
type subjects struct {
	mu   sync.Mutex
	seen map[string]bool
}

func newSubjects() *subjects { return &subjects{seen: map[string]bool{}} }

// name gives the workflow whose subject takes events of a workflow: its own,
// or none when too many have one.
func (s *subjects) name(workflow string) string {
	if workflow == "" {
		return ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen[workflow] {
		return workflow
	}
	if len(s.seen) >= maxSubjects {
		return ""
	}
	s.seen[workflow] = true
	return workflow
}

func itoa(n int) string { return strconv.Itoa(n) }
