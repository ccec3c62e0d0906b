package intake

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// Format is what an input holds.
type Format string

// The formats that are understood.
const (
	Steps  Format = "steps" // step events, one a line, in arrays or documents
	OpenAI Format = "chat"  // OpenAI chat transcripts, see Chat
	Traces Format = "otlp"  // OTLP/JSON trace requests with OpenInference spans, see OTLP
)

// Formats lists all, for messages and completion.
func Formats() []Format { return []Format{Steps, OpenAI, Traces} }

// UnknownFormat says that an input is in no format that is understood.
type UnknownFormat struct {
	Found string // what its first record is
}

// Error tells what was found and what is understood.
func (e *UnknownFormat) Error() string {
	return "the format is not known: found " + e.Found +
		"; understood are step events (objects with trajectory_id and kind), chat transcripts (objects with messages, or arrays of objects with role) and OTLP/JSON traces (objects with resourceSpans)"
}

// Recognise tells the format of an input from its beginning, which may be cut
// anywhere: by the first record in it that tells. Where none does, ok is false
// and found says what was seen instead.
func Recognise(head []byte) (f Format, found string, ok bool) {
	head = bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))
	found = "nothing"
	const lines = 100
	for i := 0; i < lines && len(head) > 0; i++ {
		line, rest, _ := bytes.Cut(head, []byte("\n"))
		if len(bytes.TrimSpace(line)) > 0 {
			// Not the line alone: a document goes on below it.
			keys, array, object := topKeys(head)
			if f, ok := byKeys(keys, array); ok {
				return f, "", true
			}
			if found == "nothing" {
				found = describeRecord(keys, array, object)
			}
		}
		head = rest
	}
	return "", found, false
}

func byKeys(keys []string, array bool) (Format, bool) {
	has := func(k string) bool { return slices.Contains(keys, k) }
	switch {
	case has("kind"):
		return Steps, true
	case has("resourceSpans"):
		return Traces, true
	case has("messages"), array && has("role"):
		return OpenAI, true
	}
	return "", false
}

func describeRecord(keys []string, array, object bool) string {
	const most = 6
	shown := make([]string, 0, most+1)
	for _, k := range keys[:min(len(keys), most)] {
		shown = append(shown, short(fmt.Sprintf("%q", k)))
	}
	if len(keys) > most {
		shown = append(shown, "...")
	}
	what := "an object"
	if array {
		what = "an array of objects"
	}
	switch {
	case len(keys) > 0:
		return what + " with " + strings.Join(shown, ", ")
	case object:
		return what + " without members"
	case array:
		return "an array without objects"
	}
	return "no JSON object"
}

// topKeys gives the keys of the object that b begins with, or of the first one
// in the array that it begins with, as far as b goes. It is no parser: what is
// no JSON gives few keys or none.
func topKeys(b []byte) (keys []string, array, object bool) {
	depth, base := 0, 1
	for i := 0; i < len(b); i++ {
		switch c := b[i]; c {
		case ' ', '\t', '\r', '\n', ',':
		case '[':
			if depth == 0 {
				array, base = true, 2
			}
			depth++
		case '{':
			depth++
			object = object || depth == base
		case ']', '}':
			if depth--; depth < base {
				return keys, array, object
			}
		case '"':
			end := stringEnd(b, i+1)
			if end < 0 {
				return keys, array, object
			}
			next := bytes.TrimLeft(b[end+1:min(len(b), end+64)], " \t\r\n")
			if depth == base && object && len(next) > 0 && next[0] == ':' {
				keys = append(keys, string(b[i+1:end]))
			}
			i = end
		default:
			if depth == 0 {
				return keys, array, object
			}
		}
	}
	return keys, array, object
}

// stringEnd gives the place of the quote that ends the string that begins at i,
// -1 when there is none.
func stringEnd(b []byte, i int) int {
	for ; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return -1
}
