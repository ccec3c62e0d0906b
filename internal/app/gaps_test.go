package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"misstep/stream"
	"misstep/stream/jetstream"
)

// TestGaps: each gap counts, and so many are told that a log can be read.
func TestGaps(t *testing.T) {
	var log bytes.Buffer
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	var events []string
	fail := false
	g := gaps{log: zerolog.New(&log), source: "S", now: func() time.Time { return now }, publish: func(_ context.Context, _ int32, from, to int64) error {
		if fail {
			return errors.New("no room")
		}
		events = append(events, fmt.Sprint(from, "-", to))
		return nil
	}}
	r := prometheus.NewRegistry()
	if err := g.register(r); err != nil {
		t.Fatal(err)
	}
	for i := range int64(60) {
		g.found(0, 10*i+1, 10*i+3)
	}
	if len(events) != gapsTold || events[0] != "1-3" || strings.Count(log.String(), "data gap: ") != gapsTold {
		t.Errorf("%d events, %d lines of the log", len(events), strings.Count(log.String(), "data gap: "))
	}
	now = now.Add(2 * gapsEvery)
	fail = true
	g.found(0, 1000, 1000)
	for _, want := range []string{`"gaps":10,"message":"more data gaps`, `"from":1000,"to":1000,`, `"error":"no room"`} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %s", want)
		}
	}
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		got[f.GetName()] = f.GetMetric()[0].GetCounter().GetValue()
	}
	if want := map[string]float64{"misstep_gaps_total": 61, "misstep_gap_records_total": 181}; !reflect.DeepEqual(got, want) {
		t.Errorf("metrics are %v, want %v", got, want)
	}
}

// TestTogether holds the sum of two engines' counts to every field there is.
func TestTogether(t *testing.T) {
	var a, b stream.Stats
	va, vb := reflect.ValueOf(&a).Elem(), reflect.ValueOf(&b).Elem()
	for i := range va.NumField() {
		va.Field(i).SetInt(int64(i + 1))
		vb.Field(i).SetInt(int64(100 * (i + 1)))
	}
	sum := reflect.ValueOf(together(a, b))
	for i := range va.NumField() {
		want := vb.Field(i).Int()
		switch sum.Type().Field(i).Name {
		case "Offset", "Clock", "CheckpointBytes", "CheckpointOffset", "CheckpointTook", "CheckpointTime": // as it is now
		default:
			want += va.Field(i).Int()
		}
		if got := sum.Field(i).Int(); got != want {
			t.Errorf("%s is %d, want %d", sum.Type().Field(i).Name, got, want)
		}
	}
}

// TestPatiently: a server that does not answer is waited for, a mistake is not.
func TestPatiently(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mistake, away := errors.New("mistake"), fmt.Errorf("stream: %w", jetstream.ErrUnavailable)
		begin := time.Now()
		for _, c := range []struct {
			errs  []error // the last again and again
			want  error
			calls int
		}{{[]error{nil}, nil, 1}, {[]error{mistake}, mistake, 1}, {[]error{away, away, nil}, nil, 3}, {[]error{away, mistake}, mistake, 2}, {[]error{away}, away, 62}} {
			calls := 0
			err := patiently(t.Context(), zerolog.Nop(), func() error {
				calls++
				return c.errs[min(calls, len(c.errs))-1]
			})
			if !errors.Is(err, c.want) || calls != c.calls {
				t.Errorf("%v: %d calls gave %v, want %d", c.errs, calls, err, c.calls)
			}
		}
		if took := time.Since(begin); took < startPatience || took > 2*startPatience {
			t.Errorf("took %v", took)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := patiently(ctx, zerolog.Nop(), func() error { return away }); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}
