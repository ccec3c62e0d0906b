package kafka

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

const (
	clientID = "misstep"
	// maxResponse bounds what is read into memory at a time.
	maxResponse = 256 << 20
)

// wire is one connection to a broker, for requests whose answers kafka-go does
// not give as they are. One goroutine uses it at a time, but for interrupt.
type wire struct {
	conn net.Conn
	id   int32
	buf  []byte // of the last answer
	out  []byte // of the last request
}

func (w *wire) close() {
	if w.conn != nil {
		_ = w.conn.Close() // nothing is written that could be lost
	}
}

// interrupt ends what waits for an answer; the connection is of no use after.
func (w *wire) interrupt() { _ = w.conn.SetDeadline(time.Unix(1, 0)) }

// request begins a request of a version that has tags.
func (w *wire) request(api, version uint16) []byte {
	w.id++
	b := binary.BigEndian.AppendUint32(w.out[:0], 0) // the length
	b = binary.BigEndian.AppendUint16(b, api)
	b = binary.BigEndian.AppendUint16(b, version)
	b = binary.BigEndian.AppendUint32(b, uint32(w.id))
	b = binary.BigEndian.AppendUint16(b, uint16(len(clientID)))
	b = append(b, clientID...)
	return append(b, 0) // no tags
}

// send sends a request that is whole.
func (w *wire) send(b []byte) error {
	w.out = b
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	_, err := w.conn.Write(b)
	return err
}

// receive reads the answer to the request that was sent longest ago, whose id is
// given. What it gives is valid until the next one.
func (w *wire) receive(id int32) (*reader, error) {
	var head [8]byte
	if _, err := io.ReadFull(w.conn, head[:]); err != nil {
		return nil, err
	}
	n, got := int(binary.BigEndian.Uint32(head[:]))-4, int32(binary.BigEndian.Uint32(head[4:]))
	if n < 0 || n > maxResponse {
		return nil, fmt.Errorf("broker answers with %d bytes, at most %d are read", n, maxResponse)
	}
	if got != id {
		return nil, fmt.Errorf("broker answers request %d, want %d", got, id)
	}
	if cap(w.buf) < n {
		w.buf = make([]byte, n+n/4)
	}
	w.buf = w.buf[:n]
	if _, err := io.ReadFull(w.conn, w.buf); err != nil {
		return nil, err
	}
	return &reader{b: w.buf}, nil
}

// until has the connection interrupted when ctx ends, or the answer takes too
// long.
func (w *wire) until(ctx context.Context, most time.Duration) (stop func()) {
	_ = w.conn.SetDeadline(time.Now().Add(most)) // fails only where the next read or write does
	unhook := context.AfterFunc(ctx, w.interrupt)
	return func() { unhook() }
}

var errShort = errors.New("answer of the broker is cut short")

// reader takes an answer apart. After its first error everything is zero.
type reader struct {
	b   []byte
	err error
}

func (r *reader) take(n int) []byte {
	if r.err != nil || n < 0 || n > len(r.b) {
		r.err = errors.Join(r.err, errShort)
		return nil
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) int8() int8 {
	if b := r.take(1); b != nil {
		return int8(b[0])
	}
	return 0
}

func (r *reader) int16() int16 {
	if b := r.take(2); b != nil {
		return int16(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (r *reader) int32() int32 {
	if b := r.take(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (r *reader) int64() int64 {
	if b := r.take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

// uvarint reads an unsigned number of the compact encoding.
func (r *reader) uvarint() int {
	v, n := binary.Uvarint(r.b)
	if r.err != nil || n <= 0 || v > maxResponse {
		r.err = errors.Join(r.err, errShort)
		return 0
	}
	r.b = r.b[n:]
	return int(v)
}

// compact reads the length of a compact string or array; -1 stands for none.
func (r *reader) compact() int { return r.uvarint() - 1 }

func (r *reader) compactString() string { return string(r.take(max(r.compact(), 0))) }

// tags passes over fields that are not known.
func (r *reader) tags() {
	for n := r.uvarint(); n > 0 && r.err == nil; n-- {
		r.uvarint()
		r.take(r.uvarint())
	}
}
