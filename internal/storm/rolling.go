//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/segmentio/kafka-go"

	misstep "misstep/stream/kafka"
)

const (
	// mostUnavailable is the longest time for which a partition may have no
	// detector while all are restarted in order, one after the other.
	mostUnavailable = 5 * time.Second
	// overSession is how much longer than its session a detector that was killed
	// may leave its partitions without one.
	overSession = 500 * time.Millisecond
	// calmFor is how long the group is left alone between two failures, so that
	// none is measured with another.
	calmFor = time.Second
)

// roll restarts the detectors in order, one after the other, as a deploy does:
// the next one when the one before is ready.
func (w *world) roll(ctx context.Context, producer <-chan error, out io.Writer) error {
	for began, n := time.Now(), 0; n == 0 || time.Since(began) < w.opts.length; n++ {
		for _, p := range w.detectors {
			if err := restart(p); err != nil {
				return err
			}
			w.leaves++
			if err := w.allReady(ctx); err != nil {
				return err
			}
		}
		if w.leaves%30 == 0 {
			fmt.Fprintf(out, "%s: %d detectors restarted\n", time.Since(began).Round(time.Second), w.leaves)
		}
	}
	return w.endProducer(producer)
}

// fail kills one detector at a time, and starts it again when the others have
// gone on with its partitions.
func (w *world) fail(ctx context.Context, producer <-chan error, out io.Writer) error {
	for w.kills < w.opts.kills {
		// Anywhere between two heartbeats.
		if err := pause(ctx, calmFor+time.Duration(w.rng.Int64N(int64(calmFor)))); err != nil {
			return err
		}
		p := w.detectors[w.rng.IntN(len(w.detectors))]
		w.deaths = append(w.deaths, death{time.Now(), p.assigned()})
		p.signal(syscall.SIGKILL)
		<-p.ended
		w.suffer(w.deaths[len(w.deaths)-1].at)
		w.kills++
		if err := wait(ctx, time.Minute, "the others have its partitions", func() bool { return w.held() == kafkaPartitions }); err != nil {
			return err
		}
		if err := w.allReady(ctx); err != nil {
			return err
		}
		if err := pause(ctx, calmFor); err != nil {
			return err
		}
		if err := p.start(); err != nil {
			return err
		}
		if err := w.allReady(ctx); err != nil {
			return err
		}
		if w.kills%10 == 0 {
			fmt.Fprintf(out, "%d killed\n", w.kills)
		}
	}
	return w.endProducer(producer)
}

// held is how many partitions the detectors that run were given last.
func (w *world) held() (n int) {
	for _, p := range w.detectors {
		if p.running() {
			n += len(p.assigned())
		}
	}
	return n
}

// restart ends a detector in order, and starts it again.
func restart(p *process) error {
	p.signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(30 * time.Second):
		return fmt.Errorf("%s does not stop", p.name)
	}
	return p.start()
}

// allReady waits until every detector that runs says that it is ready.
func (w *world) allReady(ctx context.Context) error {
	for _, p := range w.detectors {
		if !p.running() {
			continue
		}
		if err := wait(ctx, time.Minute, p.name+" is ready", func() bool { return isReady(ctx, p.http) }); err != nil {
			return err
		}
	}
	return nil
}

func isReady(ctx context.Context, addr string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/readyz", http.NoBody)
	if err != nil {
		return false
	}
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_, _ = io.Copy(io.Discard, r.Body) // what it says besides is not asked for
	return r.Body.Close() == nil && r.StatusCode == http.StatusOK
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// position is that of a step.
type position struct {
	partition int32
	offset    int64
}

// stepTimes gives when the broker took each step.
func (w *world) stepTimes(ctx context.Context) (map[position]time.Time, error) {
	times := map[position]time.Time{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	errs := make([]error, kafkaPartitions)
	for p := range kafkaPartitions {
		wg.Go(func() {
			errs[p] = w.readUp(ctx, misstep.StepsTopic, p, func(m *kafka.Message) {
				mu.Lock()
				defer mu.Unlock()
				times[position{int32(p), m.Offset}] = m.Time
			})
		})
	}
	wg.Wait()
	return times, errors.Join(errs...)
}

// readUp reads a partition from its beginning to where it ends now.
func (w *world) readUp(ctx context.Context, topic string, partition int, found func(*kafka.Message)) error {
	r := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{w.broker.Addr()}, Topic: topic, Partition: partition, MaxWait: 200 * time.Millisecond})
	defer r.Close()
	left, err := r.ReadLag(ctx)
	for ; err == nil && left > 0; left-- {
		var m kafka.Message
		if m, err = r.ReadMessage(ctx); err == nil {
			found(&m)
		}
	}
	if err != nil {
		return fmt.Errorf("read %s/%d: %w", topic, partition, err)
	}
	return nil
}

// waited gives the longest time from when the broker took a step to when it took
// what came of it, by partition. What has no step, as a dead letter of a record
// that was none, or one that is not known, is an error.
func waited(steps map[position]time.Time, got []result) (map[int32]time.Duration, error) {
	longest := map[int32]time.Duration{}
	for _, r := range got {
		taken, ok := steps[position{r.partition, r.offset}]
		if !ok {
			return nil, fmt.Errorf("%s comes of partition %d offset %d, where no step is", r.key, r.partition, r.offset)
		}
		longest[r.partition] = max(longest[r.partition], r.stored.Sub(taken))
	}
	return longest, nil
}

// rolled says how long steps waited while the detectors were restarted, and
// whether that is short enough and nothing was written again.
func rolled(longest map[int32]time.Duration, restarts, dropped int) (string, bool) {
	most, worst := time.Duration(0), int32(0)
	for p, d := range longest {
		if d > most {
			most, worst = d, p
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d detectors restarted in order: the longest that a step waited for its output is %s, in partition %d; at most %s is wanted",
		restarts, most.Round(time.Millisecond), worst, mostUnavailable)
	if dropped > 0 {
		fmt.Fprintf(&b, "\n%d outputs were written again, which a restart in order must not do", dropped)
	}
	return b.String(), most <= mostUnavailable && dropped == 0 && len(longest) == kafkaPartitions
}
