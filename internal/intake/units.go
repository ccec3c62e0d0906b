package intake

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// units cuts an input into JSON values: the lines of JSONL, or documents that
// span lines. Which it is shows in the first value.
type units struct {
	r         *bufio.Reader
	max       int
	begun     bool
	documents bool // values span lines
	lost      bool // where the next document would begin is not known
	line      int64
	buf       []byte
}

var (
	// errTooLong says that a value is longer than max. What remained of its
	// line was skipped.
	errTooLong = errors.New("value is too long")
	// errCut says that a document comes to no end.
	errCut = errors.New("value comes to no end")
)

func newUnits(r io.Reader, most int) *units {
	return &units{r: bufio.NewReaderSize(r, 64<<10), max: most, line: 1}
}

// next gives the next value, which may be no JSON at all, and the line that it
// begins in, counted from 1. The value is valid until the call after. Ends with
// io.EOF.
func (u *units) next() (raw []byte, line int64, err error) {
	if !u.begun {
		u.begun = true
		if mark, _ := u.r.Peek(3); string(mark) == "\xef\xbb\xbf" {
			_, _ = u.r.Discard(3) // peeked, so it is there
		}
		return u.first()
	}
	return u.following()
}

func (u *units) following() ([]byte, int64, error) {
	if u.lost {
		return nil, u.line, io.EOF
	}
	if err := u.skipSpace(); err != nil {
		return nil, u.line, err
	}
	line := u.line
	u.buf = u.buf[:0]
	if u.documents {
		err := u.document()
		u.lost = err != nil
		return u.result(err, line)
	}
	return u.result(u.rest(), line)
}

func (u *units) result(err error, line int64) ([]byte, int64, error) {
	if err != nil {
		return nil, line, err
	}
	return u.buf, line, nil
}

// first reads the first value as a document. One that fits a line means JSONL.
// So does one that comes to no end when the second line is a value by itself:
// then the first line is broken, and what was read beyond it is read again.
func (u *units) first() ([]byte, int64, error) {
	if err := u.skipSpace(); err != nil {
		return nil, u.line, err
	}
	line := u.line
	err := u.document()
	if err != nil && !errors.Is(err, errCut) && !errors.Is(err, errTooLong) {
		return nil, line, err
	}
	first, again, spans := bytes.Cut(u.buf, []byte("\n"))
	if !spans {
		return u.result(u.rest(), line)
	}
	if err == nil {
		u.documents = true
		return u.buf, line, nil
	}
	if errors.Is(err, errCut) && len(again) == 0 {
		return first, line, nil
	}
	second, _, _ := bytes.Cut(again, []byte("\n"))
	if second = bytes.TrimSpace(second); len(second) == 0 || second[0] != '{' && second[0] != '[' || !json.Valid(second) {
		u.lost = true
		return nil, line, err
	}
	u.r = bufio.NewReaderSize(io.MultiReader(bytes.NewReader(bytes.Clone(again)), u.r), 64<<10)
	u.line = line + 1
	return first, line, nil
}

// rest appends what remains of the line to u.buf.
func (u *units) rest() error {
	for {
		chunk, err := u.r.ReadSlice('\n')
		if len(u.buf) <= u.max {
			u.buf = append(u.buf, chunk...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil && !errors.Is(err, io.EOF):
			return err
		case err == nil:
			u.line++
		}
		if len(u.buf) > u.max {
			return errTooLong
		}
		u.buf = bytes.TrimRight(u.buf, " \t\r\n")
		return nil
	}
}

// document appends one object or array to u.buf, or what else stands there up
// to the end of the line. It ends with errCut where the value ends before its
// brackets do: at the end of the input or, which JSON forbids, at a line end in
// a string.
func (u *units) document() error {
	depth, quoted, escaped := 0, false, false
	for {
		c, err := u.r.ReadByte()
		if errors.Is(err, io.EOF) {
			if depth > 0 || quoted {
				return errCut
			}
			return nil
		}
		if err != nil {
			return err
		}
		if c == '\n' && depth <= 0 && !quoted {
			return u.r.UnreadByte()
		}
		u.buf = append(u.buf, c)
		if len(u.buf) > u.max {
			return errTooLong
		}
		if c == '\n' {
			u.line++
		}
		switch {
		case escaped:
			escaped = false
		case quoted && c == '\n':
			return errCut
		case quoted:
			quoted = c != '"'
			escaped = c == '\\'
		case c == '"':
			quoted = true
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth--; depth == 0 {
				return nil
			}
		}
	}
}

// skipSpace stands at the next byte that is no white space; io.EOF when there
// is none.
func (u *units) skipSpace() error {
	for {
		c, err := u.r.ReadByte()
		if err != nil {
			return err
		}
		switch c {
		case '\n':
			u.line++
		case ' ', '\t', '\r':
		default:
			return u.r.UnreadByte()
		}
	}
}
