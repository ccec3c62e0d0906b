package event

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"github.com/buger/jsonparser"
)

// benchLines gives steps as a producer sends them, of 526 bytes on average: a
// call, its result, a message, in turn.
func benchLines() (payload []byte, lines [][]byte) {
	const n = 300
	for i := range n {
		head := fmt.Sprintf(`{"v":1,"id":"run-%06d#%d","trajectory_id":"run-%06d","seq":%d,"time":"2026-03-01T10:%02d:%02d.%03dZ","workflow":"support","agent":"billing-agent","model":"gpt-4o-2024-08-06","release":"2026.03.1",`,
			i/9, i%9, i/9, i%9, i/60%60, i%60, i%1000)
		var line string
		switch i % 3 {
		case 0:
			line = head + fmt.Sprintf(`"kind":"tool_call","usage":{"input_tokens":%d,"output_tokens":87,"cost_usd":0.004215},"call":{"id":"call_%08x","tool":"get_reservation_details","arguments":{"reservation_id":"UM3OG%d","include":["flights","passengers"],"limit":20,"since":"2024-05-08T14:32:07","note":"asks for the status of the refund and its date","dry_run":false}}}`, 1800+i, i*7919, i%10)
		case 1:
			line = head + fmt.Sprintf(`"kind":"tool_result","result":{"call_id":"call_%08x","tool":"get_reservation_details","status":"ok","duration_ms":%d,"content":{"reservation_id":"UM3OG%d","user_id":"omar_rossi_1241","origin":"SEA","destination":"DFW","cabin":"economy","price":117,"nights":0,"created_at":"2024-05-08T14:32:07","flights":[{"number":"HAT113","price":117.5}]}}}`, (i-1)*7919, 40+i, i%10)
		default:
			line = head + `"kind":"agent_message","usage":{"input_tokens":2412,"output_tokens":187},"text":"I have found the reservation. It has two flights, from Seattle to Dallas on the 26th of May and back on the 28th, for one passenger in economy.\nThe refund of 117 dollars was sent to your gift card; it arrives in five to seven days."}`
		}
		lines = append(lines, []byte(line))
	}
	return append(bytes.Join(lines, []byte("\n")), '\n'), lines
}

func BenchmarkDecode(b *testing.B) {
	payload, lines := benchLines()
	var d Decoder
	var s Step
	b.ReportAllocs()
	b.SetBytes(int64(len(payload) / len(lines)))
	for i := 0; b.Loop(); i++ {
		if i%len(lines) == 0 {
			d.Release()
			d.Reset(payload)
		}
		if err := d.Next(&s); err != nil && err != io.EOF {
			b.Fatal(err)
		}
	}
}

// BenchmarkDecodeSingle decodes payloads of one event each.
func BenchmarkDecodeSingle(b *testing.B) {
	payload, lines := benchLines()
	var d Decoder
	var s Step
	b.ReportAllocs()
	b.SetBytes(int64(len(payload) / len(lines)))
	for i := 0; b.Loop(); i++ {
		d.Release()
		d.Reset(lines[i%len(lines)])
		if err := d.Next(&s); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkObjectEach is what Decode is measured against: one pass over the
// same bytes that finds the top-level members and checks nothing.
func BenchmarkObjectEach(b *testing.B) {
	payload, lines := benchLines()
	n := 0
	each := func(key, value []byte, _ jsonparser.ValueType, _ int) error {
		n += len(value)
		return nil
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(payload) / len(lines)))
	for i := 0; b.Loop(); i++ {
		if err := jsonparser.ObjectEach(lines[i%len(lines)], each); err != nil {
			b.Fatal(err)
		}
	}
}

// benchArguments are those of the calls in benchLines.
func benchArguments(b *testing.B) Value {
	_, lines := benchLines()
	var d Decoder
	var s Step
	d.Reset(lines[0])
	if err := d.Next(&s); err != nil {
		b.Fatal(err)
	}
	return s.Call.Arguments
}

func BenchmarkCanonical(b *testing.B) {
	v := benchArguments(b)
	var c Canonicalizer
	var dst []byte
	b.ReportAllocs()
	b.SetBytes(int64(len(v.Raw)))
	for b.Loop() {
		dst = c.Append(dst[:0], v, nil)
	}
}

func BenchmarkCursor(b *testing.B) {
	v := benchArguments(b)
	b.ReportAllocs()
	b.SetBytes(int64(len(v.Raw)))
	for b.Loop() {
		c := NewCursor(v)
		c.Enter()
		for c.More() {
			c.Key()
			c.Skip()
		}
	}
}

func BenchmarkAppendFailure(b *testing.B) {
	f := fullFailure()
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendFailure(dst[:0], f)
	}
}

func BenchmarkFailureID(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		FailureID("acme", "run-000123", RetryLoop, "same_call", "search", "run-000123#4")
	}
}
