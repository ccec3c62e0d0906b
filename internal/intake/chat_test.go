package intake

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"misstep/event"
)

var update = flag.Bool("update", false, "write what comes out as what is expected")

// read gives the steps and refusals of an input as lines.
func read(t testing.TB, in string) (steps, refused string) {
	t.Helper()
	var out, bad bytes.Buffer
	r := NewChat(strings.NewReader(in), "chat.jsonl", func(v Refusal) {
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

func TestChat(t *testing.T) {
	const file = "testdata/chat.txtar"
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
		steps, refused := read(t, string(f.Data))
		have.Files = append(have.Files, f, txtar.File{Name: name + ".want", Data: []byte(steps)})
		if refused != "" {
			have.Files = append(have.Files, txtar.File{Name: name + ".refused", Data: []byte(refused)})
		}
		if *update {
			continue
		}
		if got, want := steps, want[name+".want"]; got != want {
			t.Errorf("%s: steps:\n%swant:\n%s", name, got, want)
		}
		if got, want := refused, want[name+".refused"]; got != want {
			t.Errorf("%s: refused:\n%swant:\n%s", name, got, want)
		}
	}
	if *update {
		if err := os.WriteFile(file, txtar.Format(have), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestChatCutsWhatIsLong(t *testing.T) {
	long := strings.Repeat("x", 2<<20)
	steps, refused := read(t, `{"id":"a","messages":[{"role":"user","content":"`+long+`"},`+
		`{"role":"assistant","content":null,"tool_calls":[{"id":"c","function":{"name":"f","arguments":"{\"a\":\"`+long+`\"}"}}]},`+
		`{"role":"tool","tool_call_id":"c","content":[{"type":"text","text":"`+long+`"}]}]}`)
	if refused != "" {
		t.Error(refused)
	}
	if n := strings.Count(steps, `"truncated":true`); n != 3 || len(steps) > 4*MaxField {
		t.Errorf("%d of 3 steps are cut, %d bytes in all", n, len(steps))
	}
}

func TestChatRefusesOnce(t *testing.T) {
	for in, want := range map[string]string{
		`{"id":"` + strings.Repeat("x", event.MaxName+1) + `","messages":[{"role":"user","content":"a"}]}`: "1 byte -1 id: value: want at most 512 bytes without control characters, found 513 bytes\n",
		"{\"id\":\"a\xff\",\"messages\":[]}": "1 byte 8 : utf8: a byte that is not UTF-8; write the input as UTF-8\n",
	} {
		if steps, refused := read(t, in); steps != "" || refused != want {
			t.Errorf("%q: steps %q, refused %q, want %q", in, steps, refused, want)
		}
	}
}
