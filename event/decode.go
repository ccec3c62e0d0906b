package event

import (
	"bytes"
	"io"
)

// The limits that hold where a Decoder names none.
const (
	DefaultMaxEvent = 1 << 20 // bytes of one event
	DefaultMaxDepth = 64      // objects and arrays inside each other, the event itself included
)

// The longest texts that name something, in bytes after unescaping.
const (
	MaxName     = 512 // trajectory_id, id, agent, workflow, ...
	MaxToolName = 256
)

// Decoder reads step events from a payload: one JSON object, a JSON array of
// them, or newline-separated ones. White space and a byte order mark before
// them are skipped, and so are empty lines. An event may be spread over lines,
// as a pretty-printer leaves it; after one that is broken, each event that
// follows has to stand on a line of its own. The zero value is ready for Reset.
//
// It accepts exactly the JSON that encoding/json accepts, except that invalid
// UTF-8 is refused, not replaced. Members that it does not know are checked and
// skipped; the last of equal names counts, though each has to be right.
//
// A Decoder belongs to one goroutine. It allocates only for errors, and for
// scratch space when names hold escapes.
type Decoder struct {
	MaxEvent int // bytes of one event; 0 means DefaultMaxEvent
	MaxDepth int // 0 means DefaultMaxDepth

	payload []byte
	pos     int
	index   int // of the next event, while Next runs of this one
	mode    framing

	strict  bool // no event may be spread over lines any more
	start   int  // of this event
	cut     bool // the event is read from the first MaxEvent bytes of more
	depth   int
	seen    uint32
	kindSet bool
	tools   Value // top level, until the kind says what it is
	toolsAt int
	err     *DecodeError

	lists   lists
	keyText []byte // of a key that holds escapes
	scratch scratch
}

// framing is how events stand in a payload.
type framing uint8

const (
	fresh  framing = iota // nothing was read yet
	lines                 // one object, or one on each line
	array                 // in an array, before an element or its end
	inside                // in an array, after an element
	ended
)

// Reset makes payload the input. Steps that were decoded before stay valid as
// long as their payload does: what was unescaped for them is kept until
// Release. Call that between batches, else scratch space grows without end.
func (d *Decoder) Reset(payload []byte) {
	d.payload, d.pos, d.index, d.mode, d.strict = payload, 0, 0, fresh, false
}

// Release takes back the scratch space of all steps that were decoded so far;
// they are not valid any more.
func (d *Decoder) Release() { d.scratch.release() }

// Index is the place in the payload, from 0, of the event that Next gave or
// refused last; -1 before the first.
func (d *Decoder) Index() int { return d.index - 1 }

// Next decodes the next event into *s, which it overwrites. It gives io.EOF at
// the end of the payload and a *DecodeError for an event that is refused: *s is
// then not to be used, and the next call goes on with the next event. Where one
// cannot tell where the next event begins (an array with broken JSON in it),
// the rest of the payload is refused with that one error.
func (d *Decoder) Next(s *Step) error {
	d.depth = d.MaxDepth
	if d.depth <= 0 {
		d.depth = DefaultMaxDepth
	}
	if d.mode != lines {
		if err := d.advance(); err != nil {
			return err
		}
	}
	b := d.payload
	i := d.pos
	if i < len(b) && b[i] <= ' ' {
		i = skipSpace(b, i)
	}
	if i >= len(b) {
		if d.mode != lines {
			return d.refuseRest(i, "an event")
		}
		d.mode = ended
		return io.EOF
	}
	d.start, d.cut = i, false
	b = d.within()
	if most := d.maxEvent(); len(b)-i > most {
		b, d.cut = b[:i+most], true
	}
	end := d.step(b, i, s)
	if end >= 0 && d.mode == lines {
		end = d.endLine(end)
	}
	d.index++
	if end < 0 {
		err := d.err
		d.recover()
		return err
	}
	d.pos = end
	if d.mode == array {
		d.mode = inside
	}
	return nil
}

func (d *Decoder) maxEvent() int {
	if d.MaxEvent <= 0 {
		return DefaultMaxEvent
	}
	return d.MaxEvent
}

// advance recognises the framing at the beginning of a payload and moves to the
// next element of an array.
func (d *Decoder) advance() error {
	b := d.payload
	switch d.mode {
	case fresh:
		i := 0
		if bytes.HasPrefix(b, []byte("\xef\xbb\xbf")) {
			i = 3
		}
		i = skipSpace(b, i)
		d.pos, d.mode = i, lines
		if i >= len(b) || b[i] != '[' {
			return nil
		}
		d.pos, d.mode = skipSpace(b, i+1), array
		if d.pos < len(b) && b[d.pos] == ']' {
			return d.endArray()
		}
		return nil
	case inside:
		d.pos = skipSpace(b, d.pos)
		if d.pos >= len(b) {
			return d.refuseRest(d.pos, "',' or ']'")
		}
		switch b[d.pos] {
		case ']':
			return d.endArray()
		case ',':
			d.pos = skipSpace(b, d.pos+1)
			d.mode = array
			return nil
		}
		return d.refuseRest(d.pos, "',' or ']'")
	case array:
		return nil
	default:
		return io.EOF
	}
}

// endArray steps over the bracket that ends the array: nothing may follow.
func (d *Decoder) endArray() error {
	if i := skipSpace(d.payload, d.pos+1); i < len(d.payload) {
		return d.refuseRest(i, "nothing after the array")
	}
	d.mode = ended
	return io.EOF
}

// refuseRest gives up what is left of the payload.
func (d *Decoder) refuseRest(i int, want string) error {
	d.cut = false
	d.failSyntax(d.payload, i, "", want)
	d.index++
	d.mode = ended
	return d.err
}

// endLine gives the place of the line break or the end after an event that
// ended at i: nothing else may follow on its line.
func (d *Decoder) endLine(i int) int {
	b := d.payload
	for i < len(b) && b[i] != '\n' {
		if b[i] != ' ' && b[i] != '\t' && b[i] != '\r' {
			d.cut = false
			return d.failSyntax(b, i, "", "a line break after the event")
		}
		i++
	}
	return i
}

// recover moves to where the next event begins after one that was refused.
func (d *Decoder) recover() {
	refused := d.err
	d.cut = false
	// It may be good JSON and no more than a bad event.
	end := d.skip(d.within(), d.start, 1, "")
	d.err = refused
	if d.mode == array {
		d.pos, d.mode = end, inside
		if end < 0 {
			d.mode = ended
		}
		return
	}
	b := d.payload
	n := bytes.IndexByte(b[d.start:], '\n')
	if n < 0 {
		d.pos = len(b)
		return
	}
	d.pos = d.start + n
	// An event that is not whole at the end of its line was cut off there, or is
	// spread over many: the next begins where an object opens a line. If it was
	// broken, nobody gets to read on over line after line like this again.
	if line := bytes.TrimRight(b[d.start:d.pos], " \t\r"); line[0] == '{' && line[len(line)-1] != '}' {
		d.strict = d.strict || end < 0
		if n := bytes.Index(b[d.pos:], []byte("\n{")); n >= 0 {
			d.pos += n
		} else {
			d.pos = len(b)
		}
	}
}

// within gives the payload up to where this event has to end at the latest.
func (d *Decoder) within() []byte {
	if d.strict {
		if n := bytes.IndexByte(d.payload[d.start:], '\n'); n >= 0 {
			return d.payload[:d.start+n]
		}
	}
	return d.payload
}

// key reads the key at i and what follows up to its value: its name, the first
// eight bytes of that as a word, and the place of the value, -1 when it failed.
// A byte stands at that place. The word of a key of less than eight bytes is
// that of no other key.
func (d *Decoder) key(b []byte, i int, field string) (name []byte, word uint64, next int) {
	start := i + 1
	if start > len(b)-8 {
		return d.keyOdd(b, i, field)
	}
	word = loadWhole(b, start)
	end := start
	if hit := special(word); hit != 0 {
		// The lowest mark and all above it fall away with the bytes they mark.
		word &= (hit&-hit)>>7 - 1
		end += trailingBytes(hit)
		if b[end] != '"' {
			return d.keyOdd(b, i, field)
		}
	} else {
		var m marks
		if end, m = scanString(b, start+8); m != 0 {
			return d.keyOdd(b, i, field)
		}
	}
	name = b[start:end]
	i = end + 1
	if i+1 < len(b) && b[i] == ':' && b[i+1] > ' ' {
		return name, word, i + 1
	}
	return name, word, d.colon(b, i, field)
}

// keyOdd is key for one that holds escapes, is not ASCII, or stands at the end
// of the input.
func (d *Decoder) keyOdd(b []byte, i int, field string) (name []byte, word uint64, next int) {
	end, m := scanString(b, i+1)
	if m.failed() {
		return nil, 0, d.failString(b, end, m, field)
	}
	name = b[i+1 : end]
	if m&hasEscapes != 0 {
		d.keyText = appendUnescaped(d.keyText[:0], name)
		name = d.keyText
	}
	// An escaped NUL would look like the end of a shorter key.
	if bytes.IndexByte(name, 0) < 0 {
		word = load8(name, 0)
	}
	return name, word, d.colon(b, end+1, field)
}

// colon steps over the colon after a key, and the white space around it.
func (d *Decoder) colon(b []byte, i int, field string) int {
	i = skipSpace(b, i)
	if i >= len(b) || b[i] != ':' {
		return d.failSyntax(b, i, field, "':' after a key")
	}
	i = skipSpace(b, i+1)
	if i >= len(b) {
		return d.failSyntax(b, i, field, "a value")
	}
	return i
}

// open steps into the object at i. It gives the place of the first key, or with
// more false the place after the object, or -1 when it failed.
func (d *Decoder) open(b []byte, i int, field string) (next int, more bool) {
	i++
	if i < len(b) && b[i] <= ' ' {
		i = skipSpace(b, i)
	}
	switch {
	case i < len(b) && b[i] == '"':
		return i, true
	case i < len(b) && b[i] == '}':
		return i + 1, false
	}
	return d.failSyntax(b, i, field, "a key in double quotes"), false
}

// after steps over what follows a member that ended at i, -1 if that failed: it
// gives the place of the next key, or with more false the place after the
// object, or -1.
func (d *Decoder) after(b []byte, i int, field string) (next int, more bool) {
	if uint(i) < uint(len(b)) && b[i] == ',' && i+1 < len(b) && b[i+1] == '"' {
		return i + 1, true
	}
	return d.afterOdd(b, i, field)
}

func (d *Decoder) afterOdd(b []byte, i int, field string) (next int, more bool) {
	if i < 0 {
		return -1, false
	}
	i = skipSpace(b, i)
	if i >= len(b) || b[i] != ',' && b[i] != '}' {
		return d.failSyntax(b, i, field, "',' or '}'"), false
	}
	if b[i] == '}' {
		return i + 1, false
	}
	i = skipSpace(b, i+1)
	if i >= len(b) || b[i] != '"' {
		return d.failSyntax(b, i, field, "a key in double quotes"), false
	}
	return i, true
}
