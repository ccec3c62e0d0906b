package stream

import "bytes"

// splitter cuts blocks of files into records. What it gives lies in the block
// that was fed last or in carry, and is valid until the next feed.
type splitter struct {
	limit  int
	offset int64 // of the next record

	rest   []byte // of the block, not cut yet
	last   bool   // the block is its file's last, and its end was not met yet
	mode   mode
	carry  []byte // of a record that began in an earlier block
	lent   bool   // carry was given out
	over   int64  // bytes so far of a record beyond the limit, else 0
	values values
}

// mode is how a file is cut.
type mode uint8

const (
	undecided mode = iota // the first line is not complete
	byLine
	byValue
)

var bom = []byte("\xef\xbb\xbf")

// exhausted says that next needs another block.
func (s *splitter) exhausted() bool { return len(s.rest) == 0 && !s.last }

// feed gives the splitter a block.
func (s *splitter) feed(b block) {
	if s.lent {
		s.carry, s.lent = s.carry[:0], false
	}
	if b.first {
		s.mode, s.values = undecided, values{}
	}
	s.rest, s.last = b.data, b.last
	if s.mode != undecided {
		return
	}
	// Until the mode is known, carry holds the file's beginning.
	if len(s.carry) > 0 {
		s.carry = append(s.carry, s.rest...)
		s.rest = nil
	}
	head := s.carry
	if len(head) == 0 {
		head = s.rest
	}
	trimmed, m := decide(head, s.last)
	s.mode = m
	switch {
	case m == undecided:
		if len(s.carry) == 0 {
			s.carry = append(s.carry, s.rest...)
			s.rest = nil
		}
	case len(s.carry) > 0:
		// A copy of its own, since records that carry over will use carry.
		s.rest = bytes.Clone(trimmed)
		s.carry = s.carry[:0]
	default:
		s.rest = trimmed
	}
}

// decideBytes is how much of a first line is looked at.
const decideBytes = 256 << 10

// decide tells from a file's beginning how to cut it, and gives the beginning
// without its byte order mark.
func decide(head []byte, whole bool) ([]byte, mode) {
	if !whole && len(head) < len(bom) && bytes.HasPrefix(bom, head) {
		return head, undecided
	}
	head = bytes.TrimPrefix(head, bom)
	body := bytes.TrimLeft(head, " \t\r\n")
	if len(body) == 0 {
		if whole || len(head) > decideBytes {
			return head, byLine
		}
		return head, undecided
	}
	if body[0] != '[' && body[0] != '{' {
		return head, byLine
	}
	line, _, complete := bytes.Cut(body, []byte("\n"))
	switch trimmed := bytes.TrimRight(line, " \t\r"); {
	case body[0] == '{' && len(trimmed) > 1:
		// An object with a member on its first line is a line of its own; the
		// printers of objects over several lines break after the brace.
		return head, byLine
	case !complete && !whole && len(body) <= decideBytes:
		return head, undecided
	case body[0] == '{':
		return head, byValue
	case !complete && !whole:
		return head, byValue // an array longer than any line we would look at
	}
	// An array: one that ends on its line is a packed record; one that goes on
	// is cut into its elements, but for a line that is merely torn.
	var v values
	if v.skip(line); v.depth > 0 && !v.inString {
		return head, byValue
	}
	return head, byLine
}

// next fills dst with records of the block, and gives their number. Fewer than
// there is room for does not mean that the block has no more.
func (s *splitter) next(dst []Record) int {
	if s.lent {
		s.carry, s.lent = s.carry[:0], false
	}
	n := 0
	for n < len(dst) && (len(s.rest) > 0 || s.last) {
		var rec Record
		var ok bool
		if s.mode == byLine {
			rec, ok = s.line()
		} else {
			rec, ok = s.value()
		}
		if ok {
			dst[n] = rec
			n++
		} else if s.lent && len(s.rest) > 0 {
			break // the end of the block must wait until carry is given back
		}
	}
	return n
}

// line cuts off one line. false: it was empty, or the block ends within it.
func (s *splitter) line() (Record, bool) {
	i := bytes.IndexByte(s.rest, '\n')
	if i >= 0 {
		end := s.rest[:i]
		s.rest = s.rest[i+1:]
		return s.finish(end)
	}
	return s.tail(0)
}

// tail deals with the block's bytes from the from-th on, which no record ends:
// they wait for the next block, or are the file's last record.
func (s *splitter) tail(from int) (Record, bool) {
	if s.lent && from < len(s.rest) {
		s.rest = s.rest[from:]
		return Record{}, false
	}
	end := s.rest[from:]
	s.rest = nil
	if s.last {
		s.last = false
		if len(end) > 0 || s.over > 0 || len(s.carry) > 0 && !s.lent {
			return s.finish(end)
		}
		return Record{}, false
	}
	switch size := int64(len(s.carry)) + int64(len(end)); {
	case s.over > 0:
		s.over += int64(len(end))
	case size > int64(s.limit):
		s.over = size
		s.carry = s.carry[:0]
	default:
		s.carry = append(s.carry, end...)
	}
	return Record{}, false
}

// finish makes a record of what was carried over and its end. false: it is
// white space alone, which counts but is no record.
func (s *splitter) finish(end []byte) (Record, bool) {
	rec := Record{Offset: s.offset, Time: NoTime}
	s.offset++
	carried := len(s.carry)
	if s.lent {
		carried = 0
	}
	size := s.over + int64(carried) + int64(len(end))
	if size > int64(s.limit) {
		s.carry, s.over = s.carry[:0], 0
		rec.Oversize = size
		return rec, true
	}
	rec.Value = end
	if carried > 0 {
		s.carry = append(s.carry, end...)
		s.lent = true
		rec.Value = s.carry
	}
	rec.Value = bytes.Trim(rec.Value, " \t\r")
	return rec, len(rec.Value) > 0
}
