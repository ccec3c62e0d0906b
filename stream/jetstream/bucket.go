package jetstream

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"misstep/stream"
)

// OwnersBucket is the key-value bucket that says which process owns which
// partition.
const OwnersBucket = "AGENT_OWNERS"

const (
	ownersStream = "KV_" + OwnersBucket
	ownersPrefix = "$KV." + OwnersBucket + "."
)

func ownersConfig(replicas int) jetstream.KeyValueConfig {
	return jetstream.KeyValueConfig{
		Bucket: OwnersBucket, Description: "which detector owns which partition", History: 1, Storage: jetstream.FileStorage, Replicas: max(replicas, 1),
	}
}

// OpenLeases opens the bucket of owners, which EnsureOwners makes.
func OpenLeases(ctx context.Context, nc *nats.Conn, opts LeaseOptions) (*Leases, error) {
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", OwnersBucket, err)
	}
	kv, err := js.KeyValue(ctx, OwnersBucket)
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", OwnersBucket, denied(nc, missing(err)))
	}
	return newLeases(&bucket{nc, kv}, opts), nil
}

// EnsureOwners creates the bucket of owners if it does not exist.
func EnsureOwners(ctx context.Context, nc *nats.Conn, replicas int) error {
	js, err := jetstream.New(nc)
	if err != nil {
		return fmt.Errorf("bucket %s: %w", OwnersBucket, err)
	}
	_, err = js.KeyValue(ctx, OwnersBucket)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		if _, err = js.CreateKeyValue(ctx, ownersConfig(replicas)); errors.Is(err, jetstream.ErrBucketExists) {
			err = nil // another process was quicker
		}
	}
	if err != nil {
		return fmt.Errorf("bucket %s: %w", OwnersBucket, classify(err))
	}
	return nil
}

// keyToken makes one token of a key of any text: keys hold less than subjects.
func keyToken(s string) string {
	const escape = '=' // as '%', which keys do not hold
	b := stream.AppendPercent(nil, s, func(c byte) bool {
		return c == '-' || c == '_' || c == '/' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
	})
	for i := range b {
		if b[i] == '%' {
			b[i] = escape
		}
	}
	return string(b)
}

// bucket is a leaseStore on a key-value bucket.
type bucket struct {
	nc *nats.Conn
	kv jetstream.KeyValue
}

// connected gives an error when the connection is broken: what is sent then
// waits in a buffer, to land who knows when.
func (b *bucket) connected() error {
	if !b.nc.IsConnected() {
		return ErrUnavailable
	}
	return nil
}

func (b *bucket) get(ctx context.Context, key string) (leaseEntry, error) {
	if err := b.connected(); err != nil {
		return leaseEntry{}, err
	}
	ctx, stop := answered(ctx, b.nc, answerTimeout)
	defer stop()
	e, err := b.kv.Get(ctx, key)
	switch {
	case errors.Is(err, jetstream.ErrKeyNotFound):
		return leaseEntry{}, nil
	case err != nil:
		return leaseEntry{}, classify(why(ctx, err))
	}
	return leaseEntry{rev: e.Revision(), value: e.Value()}, nil
}

func (b *bucket) put(ctx context.Context, key string, value []byte, rev uint64) (uint64, error) {
	if err := b.connected(); err != nil {
		return 0, err
	}
	ctx, stop := answered(ctx, b.nc, answerTimeout)
	defer stop()
	var err error
	if rev == 0 {
		rev, err = b.kv.Create(ctx, key, value)
	} else {
		rev, err = b.kv.Update(ctx, key, value, rev)
	}
	if errors.Is(err, jetstream.ErrKeyExists) || isWrongSequence(err) {
		return 0, errReplaced
	}
	return rev, classify(why(ctx, err))
}

func (b *bucket) watch(ctx context.Context, key string) (<-chan struct{}, error) {
	w, err := b.kv.Watch(ctx, key, jetstream.UpdatesOnly())
	if err != nil {
		return nil, classify(err)
	}
	changed := make(chan struct{}, 1)
	go func() {
		defer func() { _ = w.Stop() }() // it has ended, or the connection has
		for {
			select {
			case e, ok := <-w.Updates():
				if !ok {
					return
				}
				if e == nil {
					continue
				}
				select {
				case changed <- struct{}{}:
				default:
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return changed, nil
}
