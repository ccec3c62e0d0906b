package intake

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"misstep/event"
)

// FuzzChat feeds anything to the reader: it must come to an end, and whatever
// step it makes must be one line that the decoder reads as the same step, or
// refuses for a limit.
func FuzzChat(f *testing.F) {
	a, err := txtar.ParseFile("testdata/chat.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range a.Files {
		if strings.HasSuffix(file.Name, ".in") {
			f.Add(file.Data)
			for _, line := range bytes.Split(file.Data, []byte("\n")) {
				f.Add(line)
			}
		}
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var dec event.Decoder
		r := NewChat(bytes.NewReader(in), "f", nil)
		for n := 0; ; n++ {
			if n > len(in)+1 {
				t.Fatal("the reader comes to no end")
			}
			err := r.Next(func(s *event.Step) error {
				line := event.AppendStep(nil, s)
				if bytes.ContainsAny(line, "\n\r") {
					t.Fatalf("a step over several lines: %q", line)
				}
				var back event.Step
				dec.Reset(line)
				err := dec.Next(&back)
				var refused *event.DecodeError
				switch {
				case errors.As(err, &refused):
					switch refused.Reason {
					case event.ReasonDepth, event.ReasonSize, event.ReasonValue:
						return nil
					}
					t.Fatalf("%s: %v", line, err)
				case err != nil:
					t.Fatal(err)
				}
				if again := event.AppendStep(nil, &back); !bytes.Equal(again, line) {
					t.Fatalf("step\n%s\ncomes back as\n%s", line, again)
				}
				return nil
			})
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	})
}

func FuzzRecognise(f *testing.F) {
	f.Add([]byte(`{"kind":"x"}`))
	f.Add([]byte(`[{"role":"user"`))
	f.Fuzz(func(t *testing.T, in []byte) {
		format, found, ok := Recognise(in)
		if ok == (format == "") || !ok && found == "" {
			t.Fatalf("%q: %q, %q, %v", in, format, found, ok)
		}
	})
}
