package detect

import (
	"context"
	"io"
	"os"
	"strconv"
	"testing"
	"time"

	"misstep/detectors"
	"misstep/event"
	"misstep/internal/gen"
	"misstep/stream"
)

// feed is a log that hands out lines. When warm of them have been read, it
// calls begin.
type feed struct {
	lines [][]byte
	at    int
	warm  int
	begin func()
}

func (f *feed) Source() string   { return "bench" }
func (f *feed) Partition() int32 { return 0 }
func (f *feed) Close() error     { return nil }

func (f *feed) Read(_ context.Context, dst []stream.Record) (int, error) {
	n := 0
	for ; n < len(dst) && f.at < len(f.lines); n++ {
		if f.at == f.warm {
			f.begin()
		}
		dst[n] = stream.Record{Offset: int64(f.at), Time: int64(f.at) * 1_000_000, Value: f.lines[f.at]}
		f.at++
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

type nowhere struct{}

func (nowhere) Append(context.Context, []stream.Output) error { return nil }
func (nowhere) Last(context.Context, string, int32) (stream.Origin, bool, error) {
	return stream.Origin{}, false, nil
}

// BenchmarkDetect runs the whole program over generated traffic of 10,000
// trajectories, interleaved, a step every millisecond; those that ended are
// forgotten after two minutes, so that memory stands still.
func BenchmarkDetect(b *testing.B) {
	g := gen.New(gen.Options{Seed: 1, Trajectories: liveForBench()})
	warm := g.Warm()
	lines := make([][]byte, warm+b.N)
	bytes := 0
	for i := range lines {
		l, ok := g.Next()
		if !ok {
			b.Fatal("the generator ended")
		}
		lines[i] = append([]byte(nil), l...)
		bytes += len(l)
	}
	rules, err := detectors.NewRuleset(detectors.Config{Idle: 2 * time.Minute, Retain: 2 * time.Minute})
	if err != nil {
		b.Fatal(err)
	}
	e, err := stream.New(stream.Options[event.Step]{
		Program: NewProgram(rules, "bench", 0), Log: &feed{lines: lines, warm: warm, begin: b.ResetTimer}, Results: nowhere{}, Shards: 1,
	})
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(bytes / len(lines)))
	b.ReportAllocs()
	if err := e.Run(context.Background()); err != nil {
		b.Fatal(err)
	}
}

func liveForBench() int {
	if n, err := strconv.Atoi(os.Getenv("LIVE")); err == nil {
		return n
	}
	return 10_000
}
