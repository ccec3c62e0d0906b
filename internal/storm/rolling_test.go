//go:build unix

package main

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

func second(s float64) time.Time { return time.Unix(0, int64(s*float64(time.Second))) }

// TestRolled: the longest wait counts, of any partition, and so does what was
// written again.
func TestRolled(t *testing.T) {
	steps, got := map[position]time.Time{}, []result(nil)
	for p := range int32(kafkaPartitions) {
		steps[position{p, 7}] = second(10)
		got = append(got, result{key: "k", partition: p, offset: 7, stored: second(10.5)})
	}
	longest, err := waited(steps, got)
	if err != nil {
		t.Fatal(err)
	}
	if text, ok := rolled(longest, 3, 0); !ok || !strings.Contains(text, "500ms") {
		t.Errorf("half a second is called too long, %t: %s", ok, text)
	}
	if text, ok := rolled(longest, 3, 1); ok || !strings.Contains(text, "written again") {
		t.Errorf("what was written again is let pass: %s", text)
	}
	got[4].stored = second(15.1)
	if longest, err = waited(steps, got); err != nil {
		t.Fatal(err)
	}
	if text, ok := rolled(longest, 3, 0); ok || !strings.Contains(text, "5.1s, in partition 4") {
		t.Errorf("5.1 s are let pass: %s", text)
	}
	delete(longest, 4)
	if _, ok := rolled(longest, 3, 0); ok {
		t.Error("a partition without any output is let pass")
	}
	got[0].offset = 8
	if _, err := waited(steps, got); err == nil {
		t.Error("an output of no step is let pass")
	}
}

// TestKafkaRecoveries: the last of the partitions counts, and a death is alone
// when nothing else is near it.
func TestKafkaRecoveries(t *testing.T) {
	got := []result{
		{partition: 1, stored: second(9)},
		{partition: 1, stored: second(12)},
		{partition: 2, stored: second(13)},
		{partition: 1, stored: second(33)},
		{partition: 2, stored: second(39)},
	}
	deaths := []death{{second(10), []int32{1, 2}}, {second(30), []int32{1, 2}}, {second(50), []int32{1}}}
	troubles := []trouble{{second(10), second(11)}, {second(30), second(31)}, {second(32), second(37)}}
	all, alone := kafkaRecoveries(deaths, troubles, 2*time.Second, got)
	if !slices.Equal(all, []time.Duration{3 * time.Second, 9 * time.Second}) {
		t.Errorf("all: %v", all)
	}
	if !slices.Equal(alone, []time.Duration{3 * time.Second}) {
		t.Errorf("alone: %v", alone)
	}
	if _, alone = kafkaRecoveries(deaths[:1], []trouble{{second(5), second(9)}}, 2*time.Second, got); len(alone) != 0 {
		t.Errorf("a death within a session of another: %v", alone)
	}
}

func TestIsReady(t *testing.T) {
	code := http.StatusServiceUnavailable
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/readyz" {
			w.WriteHeader(code)
		}
	}))
	addr := s.Listener.Addr().String()
	if isReady(t.Context(), addr) {
		t.Error("503 is called ready")
	}
	code = http.StatusOK
	if !isReady(t.Context(), addr) {
		t.Error("200 is not called ready")
	}
	s.Close()
	http.DefaultClient.CloseIdleConnections()
	if isReady(t.Context(), addr) {
		t.Error("what does not answer is called ready")
	}
}
