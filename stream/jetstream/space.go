package jetstream

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"
)

const (
	// DefaultMinFree is how many bytes of disk the embedded server keeps free.
	DefaultMinFree = 256 << 20

	spaceEvery  = 50 * time.Millisecond
	firstRevive = time.Second
	lastRevive  = 30 * time.Second
)

// Space is what is known of the disk below the embedded server.
type Space struct {
	Free  int64 // bytes, -1 when the system does not tell
	Error error // why steps are refused; nil: they are taken
}

// guard keeps the embedded server from filling the disk. While less than
// minFree is left, the stream for steps refuses what comes and says so to its
// publishers; what is left is for results. When a write fails all the same, the
// server would never write to that stream again nor answer its publishers: then
// JetStream is stopped, and the server started anew once there is room.
type guard struct {
	dir     string
	minFree int64
	free    func(dir string) (int64, error)
	log     zerolog.Logger
	server  *Embedded
	nc      *nats.Conn
	stop    chan struct{}
	stopped chan struct{}

	mu    sync.Mutex
	space Space
	looks int

	shut   bool // JetStream is stopped
	refuse bool // the stream for steps refuses
	known  bool // that it does, or does not
	failed bool // the last try to have it do so failed, and that was told
	revive time.Duration
	next   time.Time // not before then
}

func newGuard(opts EmbeddedOptions, server *Embedded) *guard {
	g := &guard{
		dir: opts.Dir, minFree: opts.MinFree, free: opts.free, log: opts.Logger, server: server,
		stop: make(chan struct{}), stopped: make(chan struct{}), revive: firstRevive, space: Space{Free: -1},
	}
	if g.minFree == 0 {
		g.minFree = DefaultMinFree
	}
	if g.free == nil {
		g.free = freeSpace
	}
	return g
}

func (g *guard) run() {
	defer close(g.stopped)
	t := time.NewTicker(spaceEvery)
	defer t.Stop()
	for {
		g.look(time.Now())
		select {
		case <-t.C:
		case <-g.stop:
			return
		}
	}
}

// look does what the space that is left asks for.
func (g *guard) look(now time.Time) {
	free, err := g.free(g.dir)
	if err != nil {
		free = -1
	}
	// A little more is asked for before steps are taken again, so that it does
	// not flap.
	low := free >= 0 && (free < g.minFree || g.refuse && free < g.minFree+g.minFree/8)
	if said := g.server.log.takeBroken(); said != "" || !g.shut && !g.server.current().JetStreamEnabled() {
		g.log.Error().Str("reason", said).Int64("free", free).Msg("a write to the data folder failed; JetStream stops until it can write again")
		g.shutDown()
		g.next = now.Add(g.revive)
	}
	switch {
	case g.shut && !low && !now.Before(g.next):
		g.start(now)
	case !g.shut && (low != g.refuse || !g.known):
		g.setRefuse(low, free)
	}
	s := Space{Free: free}
	switch {
	case low, g.refuse:
		s.Error = fmt.Errorf("%w: %d bytes are free below %s, and %d are kept free", ErrStorage, free, g.dir, g.minFree)
	case g.shut:
		s.Error = fmt.Errorf("%w: a write to %s failed", ErrStorage, g.dir)
	}
	g.mu.Lock()
	g.space = s
	g.looks++
	g.mu.Unlock()
}

func (g *guard) shutDown() {
	if err := g.server.current().ShutdownJetStream(); err != nil {
		g.log.Error().Err(err).Msg("stop JetStream")
	}
	g.server.log.takeBroken() // what it said while it stopped is no news
	g.shut = true
}

// start starts the server anew, more seldom each time in vain.
func (g *guard) start(now time.Time) {
	g.revive = min(2*g.revive, lastRevive)
	g.next = now.Add(g.revive)
	if err := g.server.restart(); err != nil {
		g.log.Error().Err(err).Msg("start the NATS server anew")
		return
	}
	g.log.Info().Msg("the NATS server writes again")
	g.shut, g.known = false, false
}

// setRefuse has the stream for steps take no more, or take them again.
func (g *guard) setRefuse(refuse bool, free int64) {
	ctx, cancel := context.WithTimeout(context.Background(), answerTimeout)
	defer cancel()
	changed, err := g.update(ctx, refuse)
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return // as long as nothing can be published
	case err != nil:
		var api *jetstream.APIError
		if refuse && errors.As(err, &api) {
			// There is not even room to write that down. Without JetStream those
			// who publish hear so; with it they would hear nothing.
			g.log.Error().Err(err).Int64("free", free).Msg("the disk is full; JetStream stops until there is room, nothing that was taken is lost")
			g.shutDown()
			return
		}
		if !g.failed {
			g.log.Warn().Err(err).Int64("free", free).Msg("cannot tell the stream for steps whether to take any; trying again")
		}
		g.failed = true
		return
	}
	g.failed = false
	g.refuse, g.known = refuse, true
	g.revive = firstRevive
	switch {
	case !changed:
	case refuse:
		g.log.Error().Int64("free", free).Int64("min_free", g.minFree).Str("dir", g.dir).
			Msg("the disk is nearly full; steps are refused until there is room, nothing that was taken is lost")
	default:
		g.log.Info().Int64("free", free).Msg("steps are taken again")
	}
}

// keepMark is where a stream remembers the limit that it has when there is
// room: also when the process ends while there is none.
const keepMark = "misstep-max-bytes"

func (g *guard) update(ctx context.Context, refuse bool) (changed bool, err error) {
	js, err := jetstream.New(g.nc)
	if err != nil {
		return false, err
	}
	s, err := js.Stream(ctx, StepsStream)
	if err != nil {
		return false, err
	}
	c := s.CachedInfo().Config
	_, closed := c.Metadata[keepMark]
	switch {
	case closed == refuse:
		return false, nil
	case refuse:
		closeStream(&c, s.CachedInfo().State.Bytes)
	default:
		openStream(&c)
	}
	_, err = js.UpdateStream(ctx, c)
	return true, err
}

// closeStream has a stream refuse every further message.
func closeStream(c *jetstream.StreamConfig, bytes uint64) {
	c.Metadata = maps.Clone(c.Metadata)
	if c.Metadata == nil {
		c.Metadata = map[string]string{}
	}
	c.Metadata[keepMark] = strconv.FormatInt(c.MaxBytes, 10)
	c.Discard, c.MaxBytes = jetstream.DiscardNew, int64(max(bytes, 1))
}

// openStream undoes closeStream.
func openStream(c *jetstream.StreamConfig) {
	kept, err := strconv.ParseInt(c.Metadata[keepMark], 10, 64)
	if err != nil {
		kept = -1
	}
	c.Metadata = maps.Clone(c.Metadata)
	delete(c.Metadata, keepMark)
	c.Discard, c.MaxBytes = jetstream.DiscardOld, kept
}

func (g *guard) close() {
	close(g.stop)
	<-g.stopped
	g.nc.Close()
}

// failedWrite reports whether the server said that it will not write any more.
// It has no other way to tell.
func failedWrite(text string) bool {
	text = strings.ToLower(text)
	return strings.Contains(text, "critical write error") || strings.Contains(text, "will be disabled")
}
