package event

import (
	"testing"
)

func TestBenchLinesLength(t *testing.T) {
	payload, lines := benchLines()
	t.Log(len(payload) / len(lines))
	var d Decoder
	var s Step
	d.Reset(payload)
	for range lines {
		if err := d.Next(&s); err != nil {
			t.Fatal(err)
		}
	}
}
