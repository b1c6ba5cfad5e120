package catalogue

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/steppehq/steppe/store"
)

// Activity is an activity as the catalogue has it.
type Activity struct {
	Tenant
	Name       string
	Created    time.Time
	Encryption json.RawMessage `json:",omitempty"`
	Tags       []Tag

	version uint64
}

// ARN is the activity's name in the API.
func (a *Activity) ARN() string { return a.Tenant.ARN("activity", a.Name) }

const activityPrefix = "activity/"

func activityKey(t Tenant, name string) string {
	return activityPrefix + t.Account + "/" + t.Region + "/" + name
}

// Activity reads an activity. store.ErrNotFound.
func (c *Catalogue) Activity(ctx context.Context, t Tenant, name string) (*Activity, error) {
	if !Visible(ctx, t) {
		return nil, store.ErrNotFound
	}
	entry, err := c.store.Get(ctx, activityKey(t, name))
	if err != nil {
		return nil, err
	}
	return decodeActivity(entry)
}

func decodeActivity(entry store.Entry) (*Activity, error) {
	a := new(Activity)
	a.version = entry.Version
	return a, DecodeEntry(entry, a)
}

// Activities lists the activities of a tenant by name, at most limit of them
// after the given name.
func (c *Catalogue) Activities(ctx context.Context, t Tenant, after string, limit int) ([]*Activity, error) {
	prefix := activityKey(t, "")
	if after != "" {
		after = prefix + after
	}
	entries, err := c.store.Scan(ctx, prefix, after, limit)
	if err != nil {
		return nil, err
	}
	found := make([]*Activity, 0, len(entries))
	for _, entry := range entries {
		a, err := decodeActivity(entry)
		if err != nil {
			return nil, err
		}
		found = append(found, a)
	}
	return found, nil
}

// PutActivity adds an activity, or replaces the one that was read.
// store.ErrVersion, [*KeyError], [*QuotaError].
func (c *Catalogue) PutActivity(ctx context.Context, a Activity) error {
	if a.version == 0 {
		if err := c.CheckEncryption(a.Account, a.Encryption); err != nil {
			return err
		}
		if err := c.admit(ctx, a.Account, amount{activities: 1}); err != nil {
			return err
		}
		c.warnPlain(a.ARN(), a.Encryption)
	}
	edit, err := a.Edit()
	if err != nil {
		return err
	}
	return c.Put(ctx, edit)
}

// Edit adds an activity, or replaces the one that was read.
func (a *Activity) Edit() (store.Edit, error) {
	encoded, err := json.Marshal(a)
	if err != nil {
		return store.Edit{}, fmt.Errorf("catalogue: encode activity: %w", err)
	}
	return store.Edit{Key: activityKey(a.Tenant, a.Name), Version: a.version, Value: encoded}, nil
}

// EachActivity visits all activities.
func (c *Catalogue) EachActivity(ctx context.Context, visit func(*Activity) error) error {
	return c.eachEntry(ctx, activityPrefix, func(entry store.Entry) error {
		a, err := decodeActivity(entry)
		if err != nil {
			return err
		}
		return visit(a)
	})
}

// DeleteActivity takes an activity out of the catalogue; its tasks in line
// stay until they time out. store.ErrVersion.
func (c *Catalogue) DeleteActivity(ctx context.Context, a *Activity) error {
	return c.Put(ctx, store.Edit{Key: activityKey(a.Tenant, a.Name), Version: a.version})
}
