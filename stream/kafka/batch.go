package kafka

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"slices"

	"github.com/segmentio/kafka-go/compress"
)

// Where things are in a batch of records, as brokers store it.
const (
	atLength     = 8
	atMagic      = 16
	atCRC        = 17
	atAttributes = 21 // and from here on the checksum counts
	atLastDelta  = 23
	atFirstTime  = 27
	atMaxTime    = 35
	atProducer   = 43
	atCount      = 57
	batchHeader  = 61
)

// Bits of the attributes.
const (
	attrCompression   = 7
	attrLogAppendTime = 1 << 3
	attrTransactional = 1 << 4
	attrControl       = 1 << 5
)

// maxInflated bounds what a compressed batch may become.
const maxInflated = 256 << 20

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// batch is one batch, not taken apart yet.
type batch struct {
	base, last int64 // offsets
	attributes int16
	producer   int64
	firstTime  int64 // ms
	maxTime    int64
	count      int
	body       []byte
}

// errPart says that the rest of what was fetched is a part of a batch.
var errPart = errors.New("part of a batch")

// nextBatch takes the first batch off b. It verifies the checksum.
func nextBatch(b []byte) (x batch, rest []byte, err error) {
	if len(b) < batchHeader {
		return x, nil, errPart
	}
	n := int(binary.BigEndian.Uint32(b[atLength:])) + atLength + 4
	if n > len(b) {
		return x, nil, errPart
	}
	x.base = int64(binary.BigEndian.Uint64(b))
	if b[atMagic] != 2 {
		return x, nil, fmt.Errorf("batch at offset %d is of the message format %d, this program reads 2", x.base, b[atMagic])
	}
	if n < batchHeader {
		return x, nil, fmt.Errorf("batch at offset %d has %d bytes", x.base, n)
	}
	if got, want := crc32.Checksum(b[atAttributes:n], castagnoli), binary.BigEndian.Uint32(b[atCRC:]); got != want {
		return x, nil, fmt.Errorf("batch at offset %d has the checksum %08x, want %08x", x.base, got, want)
	}
	x.attributes = int16(binary.BigEndian.Uint16(b[atAttributes:]))
	x.last = x.base + int64(binary.BigEndian.Uint32(b[atLastDelta:]))
	x.firstTime = int64(binary.BigEndian.Uint64(b[atFirstTime:]))
	x.maxTime = int64(binary.BigEndian.Uint64(b[atMaxTime:]))
	x.producer = int64(binary.BigEndian.Uint64(b[atProducer:]))
	x.count = int(binary.BigEndian.Uint32(b[atCount:]))
	x.body = b[batchHeader:n]
	return x, b[n:], nil
}

// aborts says of a control batch whether it ends a transaction that is not to
// be seen.
func (x *batch) aborts() bool {
	key := record{}
	r := records{b: x.body, left: x.count, batch: *x}
	return r.next(&key) && len(key.key) >= 4 && binary.BigEndian.Uint16(key.key[2:]) == 0
}

// open gives what iterates over the records of a batch. Where it is compressed
// it is decompressed behind the end of arena, which is given back longer.
func (x *batch) open(arena []byte) (records, []byte, error) {
	c := compress.Compression(x.attributes & attrCompression)
	if c == 0 {
		return records{b: x.body, left: x.count, batch: *x}, arena, nil
	}
	codec := c.Codec()
	if codec == nil {
		return records{}, arena, fmt.Errorf("batch at offset %d is compressed by the unknown method %d", x.base, c)
	}
	from := len(arena)
	z := codec.NewReader(bytes.NewReader(x.body))
	arena, err := inflate(arena, z)
	if err = errors.Join(err, z.Close()); err != nil {
		return records{}, arena, fmt.Errorf("decompress the batch at offset %d: %w", x.base, err)
	}
	return records{b: arena[from:], left: x.count, batch: *x}, arena, nil
}

// inflateStep is how much is read at a time: given room for more than a block,
// the decompressor of lz4 keeps what it was given for its own use.
const inflateStep = 32 << 10

// inflate appends all that is read.
func inflate(dst []byte, from io.Reader) ([]byte, error) {
	for limit := len(dst) + maxInflated; ; {
		if len(dst) > limit {
			return dst, fmt.Errorf("it becomes larger than %d bytes", maxInflated)
		}
		dst = slices.Grow(dst, inflateStep)
		n, err := from.Read(dst[len(dst) : len(dst)+inflateStep])
		dst = dst[:len(dst)+n]
		if err == io.EOF {
			return dst, nil
		}
		if err != nil {
			return dst, err
		}
	}
}

// record is one record as it is stored.
type record struct {
	offset  int64
	time    int64 // Unix nanoseconds
	key     []byte
	hasKey  bool
	value   []byte
	headers []byte // not taken apart
	count   int    // of them
}

// records iterates over the records of a batch.
type records struct {
	b     []byte
	left  int
	batch batch
	err   error
}

// next gives the next record, whose fields are parts of the batch.
func (r *records) next(rec *record) bool {
	if r.left <= 0 || r.err != nil {
		return false
	}
	r.left--
	n := r.varint()
	if r.err != nil || n < 0 || n > int64(len(r.b)) {
		r.fail()
		return false
	}
	rest := r.b[n:]
	r.b = r.b[:n]
	if len(r.b) == 0 {
		r.fail()
		return false
	}
	r.b = r.b[1:] // attributes
	rec.time = r.batch.time(r.varint())
	rec.offset = r.batch.base + r.varint()
	rec.key, rec.hasKey = r.bytes()
	rec.value, _ = r.bytes()
	rec.count = int(r.varint())
	rec.headers = r.b
	r.b = rest
	if r.err == nil && (rec.offset < r.batch.base || rec.offset > r.batch.last) {
		r.fail()
	}
	return r.err == nil
}

func (r *records) fail() {
	if r.err == nil {
		r.err = fmt.Errorf("batch at offset %d cannot be taken apart", r.batch.base)
	}
}

func (r *records) varint() int64 {
	if len(r.b) > 0 && r.b[0] < 0x80 { // the common case
		v := int64(r.b[0]>>1) ^ -int64(r.b[0]&1)
		r.b = r.b[1:]
		return v
	}
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

// bytes gives bytes, and whether there are any, which may be none.
func (r *records) bytes() ([]byte, bool) {
	n := r.varint()
	if n < 0 {
		return nil, false
	}
	if r.err != nil || n > int64(len(r.b)) {
		r.fail()
		return nil, false
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b, true
}

// time is the log time of a record: when the broker took it, where that is what
// the topic keeps, else when its producer says that it was made.
func (x *batch) time(delta int64) int64 {
	ms := x.firstTime + delta
	if x.attributes&attrLogAppendTime != 0 {
		ms = x.maxTime
	}
	const most = math.MaxInt64 / int64(1e6)
	return min(max(ms, -most), most) * 1e6
}

// header gives the value of a header; false when there is none of that name.
func (rec *record) header(name string) (value []byte, ok bool) {
	r := records{b: rec.headers, batch: batch{}}
	for range rec.count {
		key, _ := r.bytes()
		v, _ := r.bytes()
		if r.err != nil {
			return nil, false
		}
		if string(key) == name {
			return v, true
		}
	}
	return nil, false
}
