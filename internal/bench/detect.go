package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"misstep/detectors"
	"misstep/event"
	"misstep/internal/detect"
	"misstep/stream"
)

// program is the whole detect program in its engine, with one shard and
// results that go nowhere.
type program struct {
	title string
	feed  *feed
	ended chan struct{} // closed when the engine has ended
	err   error         // with which it ended
}

func newProgram(live int, title string, off map[string]detectors.DetectorConfig) (*program, error) {
	// One that is live has a step every so many lines as there are live ones. Those
	// that ended are forgotten after ten times as many, so that memory stands still.
	keep := 10 * time.Duration(live) * lineTime
	rules, err := detectors.NewRuleset(detectors.Config{Idle: keep, Retain: keep, Detectors: off})
	if err != nil {
		return nil, err
	}
	f := &feed{blocks: make(chan *block), idle: make(chan struct{})}
	engine, err := stream.New(stream.Options[event.Step]{
		Program: detect.NewProgram(rules, f.Source(), f.Partition()),
		Log:     f, Results: nowhere{}, Shards: 1,
	})
	if err != nil {
		return nil, err
	}
	p := &program{title: title, feed: f, ended: make(chan struct{})}
	go func() {
		defer close(p.ended)
		p.err = engine.Run(context.Background())
	}()
	return p, p.settle() // the engine asks for its first block
}

func (p *program) name() string { return p.title }

// run returns when the engine asks for more, which it does after it has applied
// all it was given.
func (p *program) run(b *block) error {
	select {
	case p.feed.blocks <- b:
		return p.settle()
	case <-p.ended:
		return p.early()
	}
}

func (p *program) settle() error {
	select {
	case <-p.feed.idle:
		return nil
	case <-p.ended:
		return p.early()
	}
}

func (p *program) early() error { return fmt.Errorf("detect: the engine ended early: %w", p.err) }

func (p *program) close() error {
	close(p.feed.blocks)
	<-p.ended
	return p.err
}

// feed is a log that gives out blocks, and says when it has none left.
type feed struct {
	blocks chan *block
	idle   chan struct{}
	block  *block
	next   int
}

func (*feed) Source() string   { return "bench" }
func (*feed) Partition() int32 { return 0 }
func (*feed) Close() error     { return nil }

// lineTime is the log time from one line to the next: 5,000 steps a second, as
// 10,000 agents take with two seconds each.
const lineTime = 200 * time.Microsecond

// start is the log time of the first record.
var start = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC).UnixNano()

// Read gives the next records of the block, and waits for another at its end.
func (f *feed) Read(_ context.Context, dst []stream.Record) (int, error) {
	for f.block == nil || f.next == len(f.block.ends) {
		f.idle <- struct{}{}
		b, ok := <-f.blocks
		if !ok {
			return 0, io.EOF
		}
		f.block, f.next = b, 0
	}
	n := min(len(dst), len(f.block.ends)-f.next)
	for i := range dst[:n] {
		line := f.block.first + f.next
		dst[i] = stream.Record{
			Offset: int64(line),
			Time:   start + int64(line)*int64(lineTime),
			Value:  f.block.line(f.next),
		}
		f.next++
	}
	return n, nil
}

// nowhere takes all results and keeps none.
type nowhere struct{}

func (nowhere) Append(context.Context, []stream.Output) error { return nil }

func (nowhere) Last(context.Context, string, int32) (stream.Origin, bool, error) {
	return stream.Origin{}, false, nil
}
