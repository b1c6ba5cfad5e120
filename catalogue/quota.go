package catalogue

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/steppehq/steppe/store"
)

// Quotas bound what an account has in the catalogue. The zero value of a field
// stands for the default, a negative one for no bound.
type Quotas struct {
	// Machines and Activities are how many there may be: 100,000 each, as on AWS
	// (Step Functions quotas, "Quotas related to accounts").
	Machines, Activities int64
	// DefinitionBytes is what the definitions of its machines, with the revisions
	// and versions of these, may have together: 4 GiB.
	DefinitionBytes int64
}

func (q Quotas) withDefaults() Quotas {
	for _, field := range []struct {
		value     *int64
		otherwise int64
	}{{&q.Machines, 100_000}, {&q.Activities, 100_000}, {&q.DefinitionBytes, 4 << 30}} {
		if *field.value == 0 {
			*field.value = field.otherwise
		}
	}
	return q
}

// QuotaError reports what an account has as much of as it may.
type QuotaError struct {
	// Of is "state machines", "activities" or "bytes of definitions".
	Of    string
	Limit int64
}

// Error names the quota.
func (e *QuotaError) Error() string {
	return fmt.Sprintf("the account has as many %s as it may: %d", e.Of, e.Limit)
}

// amount is what accounts have in the catalogue.
type amount struct{ machines, activities, bytes int64 }

func (a amount) plus(b amount) amount {
	return amount{a.machines + b.machines, a.activities + b.activities, a.bytes + b.bytes}
}

// exceeds reports which quota an amount exceeds, nil for none.
func (a amount) exceeds(q *Quotas) error {
	for _, of := range []struct {
		name        string
		has, limits int64
	}{{"state machines", a.machines, q.Machines}, {"activities", a.activities, q.Activities}, {"bytes of definitions", a.bytes, q.DefinitionBytes}} {
		if of.limits >= 0 && of.has > of.limits {
			return &QuotaError{of.name, of.limits}
		}
	}
	return nil
}

// usage estimates, never too low, what accounts have: what was found when it was
// counted, and all that was added since.
type usage struct {
	mu       sync.Mutex
	accounts map[string]*accountUsage
}

type accountUsage struct {
	counted amount
	added   amount
	at      time.Time // when it was counted; zero: never
}

const (
	// uncounted is what is added to an account that was never counted before it is.
	uncountedThings = 100
	uncountedBytes  = 16 << 20
	// countEvery bounds how often an account is counted.
	countEvery = 10 * time.Second
)

// admit adds to what an account has, if its quotas allow. [*QuotaError].
func (c *Catalogue) admit(ctx context.Context, account string, more amount) error {
	u := &c.usage
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.accounts == nil {
		u.accounts = make(map[string]*accountUsage)
	}
	a := u.accounts[account]
	if a == nil {
		a = new(accountUsage)
		u.accounts[account] = a
	}
	added := a.added.plus(more)
	few := added.machines+added.activities <= uncountedThings && added.bytes <= uncountedBytes
	refused := a.counted.plus(added).exceeds(&c.quotas)
	now := c.Now()
	if refused != nil && now.Sub(a.at) > countEvery || a.at.IsZero() && !few {
		counted, err := c.count(ctx, account)
		if err != nil {
			return err
		}
		a.counted, a.at = counted, now
		added = more
		refused = counted.plus(more).exceeds(&c.quotas)
	}
	if refused == nil {
		a.added = added
	}
	return refused
}

// count adds up what an account has in the catalogue.
func (c *Catalogue) count(ctx context.Context, account string) (has amount, err error) {
	err = c.eachEntry(ctx, machinePrefix+account+"/", func(entry store.Entry) error {
		has.machines++
		has.bytes += int64(len(entry.Value))
		var m struct{ Number uint32 }
		if err := DecodeEntry(entry, &m); err != nil {
			return nil //nolint:nilerr // it counts, although it cannot be read
		}
		return c.eachEntry(ctx, revisionsOf(m.Number), func(entry store.Entry) error {
			has.bytes += int64(len(entry.Value))
			return nil
		})
	})
	if err != nil {
		return has, err
	}
	err = c.eachEntry(ctx, activityPrefix+account+"/", func(store.Entry) error {
		has.activities++
		return nil
	})
	return has, err
}

// eachEntry visits the entries of the catalogue whose keys have a prefix, few of
// which are in memory at once.
func (c *Catalogue) eachEntry(ctx context.Context, prefix string, visit func(store.Entry) error) error {
	return c.someEntries(ctx, prefix, "", 0, visit)
}

// someEntries is eachEntry for those after a key, at most limit of them (0: all).
func (c *Catalogue) someEntries(ctx context.Context, prefix, after string, limit int, visit func(store.Entry) error) error {
	const atOnce = 16 // of a megabyte each, at most
	for visited := 0; ; {
		page := atOnce
		if limit > 0 {
			page = min(atOnce, limit-visited)
		}
		entries, err := c.store.Scan(ctx, prefix, after, page)
		if err != nil {
			return fmt.Errorf("catalogue: read %s: %w", strings.TrimSuffix(prefix, "/"), err)
		}
		for _, entry := range entries {
			if err := visit(entry); err != nil {
				return err
			}
			after = entry.Key
		}
		if visited += len(entries); len(entries) < page || visited == limit {
			return nil
		}
	}
}
