package app

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"

	"misstep/stream"
)

// feed is a log that gives what it is fed.
type feed struct{ records chan stream.Record }

func (f feed) Source() string   { return "feed" }
func (f feed) Partition() int32 { return 0 }
func (f feed) Close() error     { return nil }

func (f feed) Read(ctx context.Context, dst []stream.Record) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	select {
	case r := <-f.records:
		dst[0] = r
		return 1, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

func TestDrained(t *testing.T) {
	for _, c := range []struct {
		name       string
		before     int   // records read before the end is told
		end        int64 // told while Read waits for the next
		after      int   // records that come then
		cancel     bool
		wantOffset int64
		wantErr    error
	}{
		{"nothing to come", 3, 3, 0, false, 3, io.EOF},
		{"empty", 0, 0, 0, false, 0, io.EOF},
		{"more to come", 3, 5, 2, false, 5, io.EOF},
		{"not beyond the end", 3, 4, 3, false, 4, io.EOF},
		{"never comes", 3, 5, 1, true, 4, context.Canceled},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				f := feed{make(chan stream.Record, 10)}
				d := newDrained(f)
				var last int64
				done := make(chan error, 1)
				go func() {
					dst := make([]stream.Record, 4)
					for {
						n, err := d.Read(ctx, dst)
						if n > 0 {
							last = dst[n-1].Offset
						}
						if err != nil {
							done <- err
							return
						}
					}
				}()
				var offset int64
				send := func(n int) {
					for range n {
						offset++
						f.records <- stream.Record{Offset: offset}
					}
				}
				send(c.before)
				synctest.Wait()
				d.endAt(c.end)
				send(c.after)
				synctest.Wait()
				if c.cancel {
					cancel()
				}
				if err := <-done; !errors.Is(err, c.wantErr) || last != c.wantOffset {
					t.Errorf("ended after %d with %v, want %d, %v", last, err, c.wantOffset, c.wantErr)
				}
				if c.cancel {
					return
				}
				if _, err := d.Read(t.Context(), make([]stream.Record, 1)); err != io.EOF {
					t.Errorf("after the end: %v", err)
				}
			})
		})
	}
}
