package stream

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recordsLog gives the records it holds, and spoils what it gave at the next
// Read, as a log may.
type recordsLog struct {
	recs  []Record
	given [][]byte
	end   func(ctx context.Context) error // after the last, instead of io.EOF
}

func (l *recordsLog) Source() string   { return "toy" }
func (l *recordsLog) Partition() int32 { return 3 }
func (l *recordsLog) Close() error     { return nil }

func (l *recordsLog) Read(ctx context.Context, dst []Record) (int, error) {
	for _, v := range l.given {
		for i := range v {
			v[i] = '#'
		}
	}
	l.given = l.given[:0]
	if len(l.recs) == 0 {
		if l.end != nil {
			return 0, l.end(ctx)
		}
		return 0, io.EOF
	}
	n := copy(dst, l.recs)
	for i := range n {
		dst[i].Value = slices.Clone(dst[i].Value)
		l.given = append(l.given, dst[i].Value)
	}
	l.recs = l.recs[n:]
	return n, nil
}

var genRecords = rapid.Custom(func(t *rapid.T) []Record {
	logClock := rapid.Bool().Draw(t, "logClock")
	keys := rapid.IntRange(1, 12).Draw(t, "keys")
	n := rapid.IntRange(0, 200).Draw(t, "records")
	var recs []Record
	offset, now := int64(0), int64(100)
	for range n {
		offset += int64(rapid.IntRange(1, 3).Draw(t, "gap"))
		now += int64(rapid.SampledFrom([]int{0, 0, 0, 1, 1, 2, 3, 8, 30, -4}).Draw(t, "dt"))
		rec := Record{Offset: offset, Time: NoTime}
		var b strings.Builder
		switch rapid.IntRange(0, 9).Draw(t, "timed") {
		case 0: // neither the log nor the record has a time
		case 1: // both have, and the log's counts
			rec.Time = now
			fmt.Fprintf(&b, "@%d|", now+1000)
		default:
			if logClock {
				rec.Time = now
			} else {
				fmt.Fprintf(&b, "@%d|", now)
			}
		}
		if rapid.IntRange(0, 30).Draw(t, "big") == 0 {
			rec.Oversize = 1 << 30
			recs = append(recs, rec)
			continue
		}
		for i := range rapid.SampledFrom([]int{0, 1, 1, 1, 1, 2, 3, 40}).Draw(t, "packed") {
			if i > 0 {
				b.WriteByte(';')
			}
			if rapid.IntRange(0, 9).Draw(t, "refused") == 0 {
				b.WriteByte('!')
			}
			fmt.Fprintf(&b, "k%d", rapid.IntRange(0, keys).Draw(t, "key"))
		}
		rec.Value = []byte(b.String())
		recs = append(recs, rec)
	}
	return recs
})

func newToy(t testing.TB, log Log, results Results, opts Options[toyEvent]) *Engine[toyEvent] {
	t.Helper()
	opts.Program, opts.Log, opts.Results = toy{}, log, results
	e, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestSameOutputWhateverTheShape(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	rapid.Check(t, func(rt *rapid.T) {
		recs := genRecords.Draw(rt, "log")
		end := rapid.SampledFrom([]End{EndOpen, EndIdle}).Draw(rt, "end")
		want := model("toy", recs, end)
		for _, procs := range []int{1, 2} {
			runtime.GOMAXPROCS(procs)
			for _, shards := range []int{1, 2, 7, 16} {
				for _, batch := range []int{1, 7, 64, 1000} {
					results := NewMemoryResults()
					var tapped []Output
					e := newToy(t, &recordsLog{recs: recs}, results, Options[toyEvent]{
						Shards: shards, BatchRecords: batch, End: end,
						Tap: func(outs []Output) { tapped = append(tapped, outs...) },
					})
					// Small, so that little input crosses all the paths.
					e.roundBytes = rapid.SampledFrom([]int{1, 20, 300, defaultRoundBytes}).Draw(rt, "round")
					e.inlineBytes = rapid.SampledFrom([]int{0, 100, defaultInlineBytes}).Draw(rt, "inline")
					if err := e.Run(t.Context()); err != nil {
						rt.Fatal(err)
					}
					if err := sameOutputs(results.Outputs(), want); err != nil {
						rt.Fatalf("%d processors, %d shards, batches of %d: %v", procs, shards, batch, err)
					}
					if err := sameOutputs(tapped, want); err != nil {
						rt.Fatalf("tap: %v", err)
					}
					if s := e.Stats(); s.Records != int64(len(recs)) || s.Outputs != int64(len(want)) {
						rt.Fatalf("stats are %+v for %d records and %d outputs", s, len(recs), len(want))
					}
				}
			}
		}
	})
}
