package kafka

import (
	"errors"
	"slices"
	"time"

	"misstep/stream"
)

// deliver gives records that were fetched, and asks for more when it has given
// all.
func (l *Log) deliver(dst []stream.Record) (n int, err error) {
	fill := 0
	if l.open {
		fill = 1 - l.arena // what is left of the last batch stays where it is
	}
	l.arenas[fill] = l.arenas[fill][:0]
	for n < len(dst) && err == nil {
		var rec record
		switch {
		case l.open && l.recs.next(&rec):
			if rec.offset >= l.next { // else of a batch that begins before what was asked for
				l.next = rec.offset + 1
				dst[n] = l.record(&rec)
				n++
			}
			continue
		case l.open:
			err = l.recs.err
			l.open = false
			l.next = max(l.next, l.recs.batch.last+1)
			continue
		}
		if len(l.rest) == 0 {
			break
		}
		err = l.nextBatch(fill)
	}
	if n > 0 {
		l.given.Store(dst[n-1].Offset)
	}
	if err == nil && !l.open && len(l.rest) == 0 {
		l.passed.Store(l.next)
		if l.fetcher.wire != nil && l.fetcher.sent < 0 {
			err = l.fetcher.ahead(l.next)
		}
	}
	if err != nil && n > 0 {
		// What could not be read is fetched again by the next Read.
		l.drop()
		err = nil
	}
	return n, err
}

// drop forgets what was fetched and not given.
func (l *Log) drop() {
	l.fetcher.close()
	l.rest, l.open = nil, false
}

// nextBatch opens the next batch that is to be seen, if there is one.
func (l *Log) nextBatch(fill int) error {
	x, rest, err := nextBatch(l.rest)
	if errors.Is(err, errPart) && !l.fresh {
		l.rest = nil // it comes whole with the next answer
		return nil
	}
	if err != nil {
		return err
	}
	l.rest, l.fresh = rest, false
	if x.last < l.next || !l.visible.sees(&x) {
		l.next = max(l.next, x.last+1)
		return nil
	}
	l.recs, l.arenas[fill], err = x.open(l.arenas[fill])
	l.open, l.arena = err == nil, fill
	return err
}

// record makes a record of the engine's.
func (l *Log) record(r *record) stream.Record {
	out := stream.Record{Offset: r.offset, Time: r.time, Value: r.value}
	if l.recs.batch.attributes&attrLogAppendTime == 0 {
		out.Time = l.guard.time(r.time, r.key, time.Now().UnixNano())
	}
	if len(r.value) > l.opts.MaxRecord {
		out.Value, out.Oversize = nil, int64(len(r.value))
	}
	if l.opts.Partitioner == "" {
		return out
	}
	out.Keyed, out.Key = true, r.key
	out.Misplaced = !slices.ContainsFunc(l.counts, func(n int) bool {
		return l.opts.Partitioner.Of(r.key, n) == l.opts.Partition
	})
	return out
}
