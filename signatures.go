package steppe

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/steppehq/steppe/aws/server"
	"github.com/steppehq/steppe/store"
)

const (
	// presignedPrefix stands before the seconds of its end (12 hexadecimal digits)
	// and the hash of a signature, aheadPrefix before the hash of a key's id.
	presignedPrefix = "signature/presigned/"
	aheadPrefix     = "signature/ahead/"
	// maxPresigned bounds the presigned requests whose signatures are remembered.
	maxPresigned = 100_000
)

// signatures keeps in the catalogue of a store what must be known of signatures
// after a restart: those of presigned requests until they end, and how far the
// clock of a key's owner has been ahead.
type signatures struct {
	store store.Store
	clock func() time.Time

	mu        sync.Mutex
	presigned int
	swept     time.Time
	ahead     map[string]*ahead
}

// ahead is how late a time a key has signed for.
type ahead struct {
	mu      sync.Mutex
	entry   store.Entry
	at      int64 // seconds
	earlier int64 // what an earlier server noted
}

func openSignatures(ctx context.Context, s store.Store) (*signatures, error) {
	g := &signatures{store: s, clock: time.Now, ahead: make(map[string]*ahead)}
	entries, err := s.Scan(ctx, aheadPrefix, "", 0)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		at, err := strconv.ParseInt(string(e.Value), 10, 64)
		if err != nil {
			return nil, errors.New("steppe: the catalogue entry " + e.Key + " is no time: " + string(e.Value))
		}
		g.ahead[e.Key] = &ahead{entry: e, at: at, earlier: at}
	}
	return g, g.sweep(ctx)
}

// sweep forgets what has ended, at most once a minute.
func (g *signatures) sweep(ctx context.Context) error {
	now := g.clock()
	if now.Sub(g.swept) < time.Minute {
		return nil
	}
	g.swept = now
	const atOnce = 1000
	g.presigned = 0
	for after := ""; ; {
		entries, err := g.store.Scan(ctx, presignedPrefix, after, atOnce)
		if err != nil {
			return err
		}
		var ended []store.Edit
		for _, e := range entries {
			until, _, _ := strings.Cut(strings.TrimPrefix(e.Key, presignedPrefix), "/")
			if end, err := strconv.ParseInt(until, 16, 64); err != nil || end < now.Unix() {
				ended = append(ended, store.Edit{Key: e.Key, Version: e.Version})
			}
		}
		if len(ended) > 0 {
			if err := g.store.Put(ctx, ended...); err != nil && !errors.Is(err, store.ErrVersion) {
				return err
			}
		}
		g.presigned += len(entries) - len(ended)
		if len(entries) < atOnce {
			return nil
		}
		after = entries[len(entries)-1].Key
	}
}

// Presigned notes the signature of a presigned request.
func (g *signatures) Presigned(ctx context.Context, signature string, until time.Time) (bool, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.sweep(ctx); err != nil {
		return false, err
	}
	if g.presigned >= maxPresigned {
		return false, server.Fail("ThrottlingException", "Too many presigned requests are remembered until they end.")
	}
	key := presignedPrefix + strings.Repeat("0", 12)
	end := strconv.FormatInt(until.Unix(), 16)
	key = key[:len(key)-len(end)] + end + "/" + signature
	err := g.store.Put(ctx, store.Edit{Key: key, Value: []byte("-")})
	switch {
	case errors.Is(err, store.ErrVersion):
		return false, nil
	case err != nil:
		return false, err
	}
	g.presigned++
	return true, nil
}

// Ahead notes that a key has signed for a time that is still to come. As many
// requests as come with it pay for it once.
func (g *signatures) Ahead(ctx context.Context, keyID string, at time.Time) (bool, error) {
	sum := sha256.Sum256([]byte(keyID))
	name := aheadPrefix + hex.EncodeToString(sum[:8])
	g.mu.Lock()
	known := g.ahead[name]
	if known == nil {
		known = &ahead{entry: store.Entry{Key: name}}
		g.ahead[name] = known
	}
	g.mu.Unlock()
	known.mu.Lock()
	defer known.mu.Unlock()
	seconds := at.Unix()
	if seconds <= known.earlier {
		return false, nil
	}
	if seconds <= known.at {
		return true, nil
	}
	edit := store.Edit{Key: name, Version: known.entry.Version, Value: strconv.AppendInt(nil, seconds, 10)}
	if err := g.store.Put(ctx, edit); err != nil {
		return false, err
	}
	known.entry.Version++
	known.at = seconds
	return true, nil
}
