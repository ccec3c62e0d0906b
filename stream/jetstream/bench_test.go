package jetstream

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"misstep/stream"
)

// stepLine is a step event of about 400 bytes.
var stepLine = append(append([]byte(`{"trajectory_id":"t1","kind":"tool_call","call":{"tool":"search","arguments":{"q":"`), bytes.Repeat([]byte{'x'}, 300)...), []byte(`"}}}`)...)

func packed(n int) []byte {
	return bytes.Repeat(append(bytes.Clone(stepLine), '\n'), n)
}

// BenchmarkPublishAndConsume publishes events with so many in a message, and
// reads them at the same time; the metric counts events.
func BenchmarkPublishAndConsume(b *testing.B) {
	for _, pack := range []int{1, 64} {
		b.Run(fmt.Sprintf("packed=%d", pack), func(b *testing.B) {
			e := embedded(b, b.TempDir())
			p, l := publisher(b, connect(b, e)), openLog(b, connect(b, e), LogOptions{})
			value := packed(pack)
			b.ResetTimer()
			done := make(chan error, 1)
			go func() {
				msgs := make([]StepMessage, 0, 512)
				for left := b.N; left > 0; left -= len(msgs) {
					msgs = msgs[:0]
					for range min(left, cap(msgs)) {
						msgs = append(msgs, StepMessage{Value: value})
					}
					if err := p.Publish(context.Background(), msgs); err != nil {
						done <- err
						return
					}
				}
				done <- nil
			}()
			readN(b, l, b.N)
			if err := <-done; err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(b.N*pack)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

func readN(b *testing.B, l *Log, n int) {
	dst := make([]stream.Record, stream.DefaultBatchRecords)
	for n > 0 {
		m, err := l.Read(b.Context(), dst[:min(n, len(dst))])
		if err != nil {
			b.Fatal(err)
		}
		n -= m
	}
}

// BenchmarkConsume reads what is there already.
func BenchmarkConsume(b *testing.B) {
	for _, pack := range []int{1, 64} {
		b.Run(fmt.Sprintf("packed=%d", pack), func(b *testing.B) {
			e := embedded(b, b.TempDir())
			p := publisher(b, connect(b, e))
			value := packed(pack)
			msgs := make([]StepMessage, b.N)
			for i := range msgs {
				msgs[i].Value = value
			}
			if err := p.Publish(b.Context(), msgs); err != nil {
				b.Fatal(err)
			}
			l := openLog(b, connect(b, e), LogOptions{})
			b.ResetTimer()
			readN(b, l, b.N)
			b.ReportMetric(float64(b.N*pack)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// BenchmarkAppend stores results, so many in an Append.
func BenchmarkAppend(b *testing.B) {
	for _, n := range []int{1, 10, 100, 999} {
		b.Run(fmt.Sprintf("results=%d", n), func(b *testing.B) {
			r := NewResults(connect(b, embedded(b, b.TempDir())))
			outs := make([]stream.Output, n)
			offset := int64(0)
			for b.Loop() {
				for i := range outs {
					offset++
					outs[i] = stream.Output{Topic: stream.Failures, Class: "retry_loop", Key: "t1", Origin: stream.Origin{Source: "s", Offset: offset}, Value: stepLine}
				}
				if err := r.Append(b.Context(), outs); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "results/s")
		})
	}
}

// BenchmarkSync publishes with each way of forcing to disk, events alone and
// packed; the metric counts events that were acknowledged. 2 min is what a NATS
// server does that nobody told otherwise.
func BenchmarkSync(b *testing.B) {
	for _, pack := range []int{1, 64} {
		for _, sync := range []struct {
			name string
			opts EmbeddedOptions
		}{
			{"always", EmbeddedOptions{SyncAlways: true}},
			{"1s", EmbeddedOptions{SyncInterval: time.Second}},
			{"2m", EmbeddedOptions{SyncInterval: 2 * time.Minute}},
		} {
			b.Run(fmt.Sprintf("packed=%d/sync=%s", pack, sync.name), func(b *testing.B) {
				opts := sync.opts
				opts.Dir, opts.Listen = b.TempDir(), "127.0.0.1:0"
				e, err := StartEmbedded(opts)
				if err != nil {
					b.Fatal(err)
				}
				b.Cleanup(func() { _ = e.Close() }) // the folder goes anyway
				nc := connect(b, e)
				if err := EnsureSteps(b.Context(), nc, Limits{}); err != nil {
					b.Fatal(err)
				}
				p := publisher(b, nc)
				msgs := make([]StepMessage, 256)
				for i := range msgs {
					msgs[i].Value = packed(pack)
				}
				b.ResetTimer()
				for left := b.N; left > 0; left -= len(msgs) {
					if err := p.Publish(b.Context(), msgs[:min(left, len(msgs))]); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.N*pack)/b.Elapsed().Seconds(), "events/s")
			})
		}
	}
}
