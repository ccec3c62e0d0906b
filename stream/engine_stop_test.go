package stream

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// fakeClaim is an ownership that a test can take away.
type fakeClaim struct {
	lost     chan struct{}
	acquired int
	released int
	refuse   error
}

func (c *fakeClaim) Acquire(context.Context, string, int32) (Claim, error) {
	c.acquired++
	return c, c.refuse
}
func (c *fakeClaim) Lost() <-chan struct{} { return c.lost }
func (c *fakeClaim) Release() error        { c.released++; return nil }

func TestLostOwnershipStopsWhileReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := NewMemoryLog("toy", 3)
		log.Append(1, []byte("a;a;a"))
		claim := &fakeClaim{lost: make(chan struct{})}
		results := NewMemoryResults()
		e := newToy(t, log.Open(0), results, Options[toyEvent]{Shards: 2, Ownership: claim})
		done := make(chan error, 1)
		go func() { done <- e.Run(t.Context()) }()
		synctest.Wait()
		if n := len(results.Outputs()); n != 1 {
			t.Fatalf("%d outputs while waiting for records, want 1", n)
		}
		close(claim.lost)
		if err := <-done; !errors.Is(err, ErrLost) {
			t.Fatalf("Run gave %v", err)
		}
		if claim.acquired != 1 || claim.released != 1 {
			t.Fatalf("acquired %d times, released %d times", claim.acquired, claim.released)
		}
	})
}

// heedless takes outputs although ctx has ended.
type heedless struct{ *MemoryResults }

func (h heedless) Append(_ context.Context, outs []Output) error {
	return h.MemoryResults.Append(context.Background(), outs)
}

func TestNothingIsAppendedAfterOwnershipIsLost(t *testing.T) {
	for range 100 {
		nothingIsAppended(t)
	}
}

func nothingIsAppended(t *testing.T) {
	claim := &fakeClaim{lost: make(chan struct{})}
	results := NewMemoryResults()
	log := &recordsLog{recs: []Record{{Offset: 0, Time: 1, Value: []byte("a;a;a")}}}
	lossy := &hookLog{recordsLog: log, afterRead: func() { close(claim.lost) }}
	e := newToy(t, lossy, heedless{results}, Options[toyEvent]{Shards: 1, Ownership: claim})
	if err := e.Run(t.Context()); !errors.Is(err, ErrLost) {
		t.Fatalf("Run gave %v", err)
	}
	if n := len(results.Outputs()); n != 0 {
		t.Fatalf("%d outputs were appended after the loss", n)
	}
}

type hookLog struct {
	*recordsLog
	afterRead func()
}

func (l *hookLog) Read(ctx context.Context, dst []Record) (int, error) {
	n, err := l.recordsLog.Read(ctx, dst)
	if n > 0 {
		l.afterRead()
	}
	return n, err
}

func TestEmptyLogEndsWithoutOutputs(t *testing.T) {
	results := NewMemoryResults()
	e := newToy(t, &recordsLog{}, results, Options[toyEvent]{Shards: 1, End: EndIdle})
	e.shards[0].(*toyShard).keys["x"] = &toyState{N: 3} // there is no record it could belong to
	if err := e.Run(t.Context()); err != nil || len(results.Outputs()) > 0 {
		t.Fatalf("Run gave %v and %d outputs", err, len(results.Outputs()))
	}
}

func TestLargeOutputsHoldTheEngineBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := NewMemoryLog("toy", 3)
		for i := range 100 {
			log.Append(int64(i), append([]byte("!"), make([]byte, 1<<20)...))
		}
		results := newStuckResults()
		e := newToy(t, log.Open(0), results, Options[toyEvent]{Shards: 1, BatchRecords: 1})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- e.Run(ctx) }()
		time.Sleep(time.Minute)
		if s := e.Stats(); s.Records > 3*maxPendingBytes>>20 {
			t.Fatalf("%d MiB of outputs wait for the primary", s.Records)
		}
		cancel()
		<-done
	})
}

func TestOwnershipIsAskedFirst(t *testing.T) {
	claim := &fakeClaim{refuse: errors.New("not yours")}
	e := newToy(t, &recordsLog{recs: manyRecords(3)}, NewMemoryResults(), Options[toyEvent]{Ownership: claim})
	if err := e.Run(t.Context()); err == nil || err.Error() != "acquire toy/3: not yours" {
		t.Fatalf("Run gave %v", err)
	}
	if s := e.Stats(); s.Records != 0 {
		t.Fatalf("read %d records without owning them", s.Records)
	}
}

// fencedResults refuse as JetStream does when another process took over.
type fencedResults struct {
	*MemoryResults
	fenced  int
	appends int
}

func (f *fencedResults) Fence(context.Context, string, int32) error { f.fenced++; return nil }
func (f *fencedResults) Append(context.Context, []Output) error {
	f.appends++
	return ErrFenced
}

func TestFencedStopsAtOnce(t *testing.T) {
	results := &fencedResults{MemoryResults: NewMemoryResults()}
	e := newToy(t, &recordsLog{recs: manyRecords(50)}, results, Options[toyEvent]{Shards: 1, End: EndIdle})
	if err := e.Run(t.Context()); !errors.Is(err, ErrFenced) {
		t.Fatalf("Run gave %v", err)
	}
	if results.fenced != 1 || results.appends != 1 {
		t.Fatalf("fenced %d times, appended %d times, want 1 and 1", results.fenced, results.appends)
	}
}

func TestLogErrorComesAfterWhatWasRead(t *testing.T) {
	torn := errors.New("torn")
	recs := manyRecords(40)
	log := &recordsLog{recs: recs, end: func(context.Context) error { return torn }}
	results := NewMemoryResults()
	e := newToy(t, log, results, Options[toyEvent]{Shards: 2, End: EndIdle})
	err := e.Run(t.Context())
	if !errors.Is(err, torn) || err.Error() != "read toy/3 after offset 78: torn" {
		t.Fatalf("Run gave %v", err)
	}
	if err := sameOutputs(results.Outputs(), model("toy", recs, EndOpen)); err != nil {
		t.Fatal(err)
	}
}

func TestOffsetsMustRise(t *testing.T) {
	for _, offsets := range [][]int64{{3, 3}, {3, 2}, {1, 2, 3, 4, 4}} {
		for _, batch := range []int{1, 2, 10} {
			var recs []Record
			for _, o := range offsets {
				recs = append(recs, Record{Offset: o, Time: NoTime, Value: []byte("a")})
			}
			e := newToy(t, &recordsLog{recs: recs}, NewMemoryResults(), Options[toyEvent]{Shards: 1, BatchRecords: batch})
			if err := e.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "comes after") {
				t.Fatalf("offsets %v in batches of %d: Run gave %v", offsets, batch, err)
			}
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	good := Options[toyEvent]{Program: toy{}, Log: &recordsLog{}, Results: NewMemoryResults()}
	for _, bad := range []func(*Options[toyEvent]){
		func(o *Options[toyEvent]) { o.Program = nil },
		func(o *Options[toyEvent]) { o.Log = nil },
		func(o *Options[toyEvent]) { o.Results = nil },
		func(o *Options[toyEvent]) { o.Shards = -1 },
		func(o *Options[toyEvent]) { o.BatchRecords = -1 },
	} {
		opts := good
		bad(&opts)
		if _, err := New(opts); err == nil {
			t.Errorf("took %+v", opts)
		}
	}
	e, err := New(good)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := e.Run(t.Context()); err == nil {
		t.Fatal("ran twice")
	}
}

func TestClockThatGoesBackIsCounted(t *testing.T) {
	recs := []Record{
		{Offset: 0, Time: 10, Value: []byte("a")},
		{Offset: 1, Time: 9, Value: []byte("a")},
		{Offset: 2, Time: NoTime, Value: []byte("a")},
		{Offset: 3, Time: 10, Value: []byte("a")},
	}
	e := newToy(t, &recordsLog{recs: recs}, NewMemoryResults(), Options[toyEvent]{Shards: 1})
	if err := e.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := e.Stats(); s.Regressions != 1 || s.Clock != 10 || s.Offset != 3 {
		t.Fatalf("stats are %+v", s)
	}
}

// silent is a program that does next to nothing, to see what the engine costs.
type silent struct{}

type silentDecoder struct{}

type silentShard struct{ seen int }

func (silent) NewDecoder() Decoder[int64] { return silentDecoder{} }
func (silent) NewShard() Shard[int64]     { return &silentShard{} }
func (silentDecoder) Reset()              {}
func (silentDecoder) Decode(b *Batch[int64], r int32, _ *Emitter) {
	*b.Add(r) = b.Records[r].Offset
	b.Hash[len(b.Hash)-1] = uint64(b.Records[r].Offset) * 0x9e3779b97f4a7c15
}
func (s *silentShard) Step(_ *Batch[int64], mine []int32, _ *Emitter)       { s.seen += len(mine) }
func (s *silentShard) End(int32, *Emitter)                                  {}
func (s *silentShard) NextDeadline() (int64, bool)                          { return 0, false }
func (s *silentShard) Freeze()                                              {}
func (s *silentShard) Thaw()                                                {}
func (s *silentShard) AppendFrozen(dst []byte, _ int) ([]byte, bool, error) { return dst, true, nil }
func (s *silentShard) LoadState([]byte, func(hash uint64) bool) error       { return nil }

// countLog gives n records without holding them.
type countLog struct {
	recordsLog
	n, next int64
	value   []byte
}

func (l *countLog) Read(ctx context.Context, dst []Record) (int, error) {
	if l.next >= l.n {
		return l.recordsLog.Read(ctx, dst)
	}
	i := 0
	for ; i < len(dst) && l.next < l.n; i++ {
		dst[i] = Record{Offset: l.next, Time: l.next, Value: l.value}
		l.next++
	}
	return i, nil
}

func runSilent(t testing.TB, records int64, shards int) {
	e, err := New(Options[int64]{Program: silent{}, Log: &countLog{n: records, value: make([]byte, 500)}, Results: NewMemoryResults(), Shards: shards})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := e.Stats(); s.Events != records {
		t.Fatalf("%d events of %d", s.Events, records)
	}
}

func TestNoAllocationPerEvent(t *testing.T) {
	for _, shards := range []int{1, 4} {
		few := testing.AllocsPerRun(3, func() { runSilent(t, 10_000, shards) })
		many := testing.AllocsPerRun(3, func() { runSilent(t, 110_000, shards) })
		if per := (many - few) / 100_000; per > 0.03 {
			t.Errorf("%d shards: %.3f allocations for each event", shards, per)
		}
	}
}

func BenchmarkEngine(b *testing.B) {
	for _, shards := range []int{1, 2} {
		b.Run(map[int]string{1: "shards=1", 2: "shards=2"}[shards], func(b *testing.B) {
			b.ReportAllocs()
			runSilent(b, int64(b.N), shards)
		})
	}
}
