package intake

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"misstep/event"
)

// readTraces gives the steps and refusals of an input as lines.
func readTraces(t testing.TB, in string) (steps, refused string) {
	t.Helper()
	var out, bad bytes.Buffer
	r := NewOTLP(strings.NewReader(in), func(v Refusal) {
		fmt.Fprintf(&bad, "%d byte %d %s: %s: %s\n", v.Line, v.At, v.Field, v.Reason, v.Message)
	})
	for {
		err := r.Next(func(s *event.Step) error {
			out.Write(event.AppendStep(nil, s))
			out.WriteByte('\n')
			return nil
		})
		if errors.Is(err, io.EOF) {
			return out.String(), bad.String()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestOTLP(t *testing.T) {
	const file = "testdata/otlp.txtar"
	a, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	have := &txtar.Archive{Comment: a.Comment}
	want := map[string]string{}
	for _, f := range a.Files {
		want[f.Name] = string(f.Data)
	}
	for _, f := range a.Files {
		name, ok := strings.CutSuffix(f.Name, ".in")
		if !ok {
			continue
		}
		steps, refused := readTraces(t, string(f.Data))
		have.Files = append(have.Files, f, txtar.File{Name: name + ".want", Data: []byte(steps)}, txtar.File{Name: name + ".refused", Data: []byte(refused)})
		if *update {
			continue
		}
		if steps != want[name+".want"] {
			t.Errorf("%s: steps:\n%swant:\n%s", name, steps, want[name+".want"])
		}
		if refused != want[name+".refused"] {
			t.Errorf("%s: refused:\n%swant:\n%s", name, refused, want[name+".refused"])
		}
	}
	if *update {
		if err := os.WriteFile(file, txtar.Format(have), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestOTLPOrder sends the same spans in any order, and one by one or together.
func TestOTLPOrder(t *testing.T) {
	a, err := txtar.ParseFile("testdata/otlp.txtar")
	if err != nil {
		t.Fatal(err)
	}
	in := strings.Split(strings.TrimSpace(string(a.Files[0].Data)), "\n")
	want, _ := readTraces(t, strings.Join(in, "\n"))
	back := make([]string, 0, len(in))
	for i := range in {
		back = append(back, in[len(in)-1-i])
	}
	if got, _ := readTraces(t, strings.Join(back, "\n")); got != want {
		t.Errorf("backwards:\n%swant:\n%s", got, want)
	}
	if got, _ := readTraces(t, "["+strings.Join(in, ",\n")+"]"); got != want {
		t.Errorf("as one array:\n%swant:\n%s", got, want)
	}
}

// FuzzOTLP feeds anything to the reader: it must come to an end, and whatever
// step it makes must be one that the decoder reads, or refuses for a limit.
func FuzzOTLP(f *testing.F) {
	a, err := txtar.ParseFile("testdata/otlp.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range a.Files {
		if strings.HasSuffix(file.Name, ".in") {
			for line := range bytes.Lines(file.Data) {
				f.Add(line)
			}
		}
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var dec event.Decoder
		steps, _ := readTraces(t, string(in))
		for line := range strings.Lines(steps) {
			dec.Reset([]byte(line))
			var s event.Step
			err := dec.Next(&s)
			var refused *event.DecodeError
			if errors.As(err, &refused) && refused.Reason != event.ReasonDepth && refused.Reason != event.ReasonSize && refused.Reason != event.ReasonValue || err != nil && refused == nil {
				t.Fatalf("%s: %v", line, err)
			}
		}
	})
}
