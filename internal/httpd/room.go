package httpd

import "context"

// room bounds how many bytes are held at a time. It is handed out in pieces,
// to one after the other, so that a large request is not starved by small ones.
type room struct {
	turn   chan struct{}
	pieces chan struct{}
}

const pieceBytes = 64 << 10

func newRoom(bytes int64) *room {
	r := &room{turn: make(chan struct{}, 1), pieces: make(chan struct{}, pieces(bytes))}
	for range cap(r.pieces) {
		r.pieces <- struct{}{}
	}
	return r
}

func pieces(bytes int64) int { return int((bytes + pieceBytes - 1) / pieceBytes) }

// take waits for room for so many bytes, at most as many as there are in all,
// and gives what returns it; ctx's error when that ends first.
func (r *room) take(ctx context.Context, bytes int64) (release func(), err error) {
	n := min(pieces(bytes), cap(r.pieces))
	held := 0
	release = func() {
		for ; held > 0; held-- {
			r.pieces <- struct{}{}
		}
	}
	select {
	case r.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-r.turn }()
	for held < n {
		select {
		case <-r.pieces:
			held++
		case <-ctx.Done():
			release()
			return nil, ctx.Err()
		}
	}
	return release, nil
}
