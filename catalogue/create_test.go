package catalogue_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/store/memory"
)

const (
	passA = `{"StartAt":"A","States":{"A":{"Type":"Pass","End":true}}}`
	passB = `{"StartAt":"B","States":{"B":{"Type":"Pass","End":true}}}`
)

var tenant = catalogue.Tenant{Account: "000000000000", Region: "us-east-1"}

func spec() catalogue.Spec {
	return catalogue.Spec{Tenant: tenant, Name: "m", RoleARN: "arn:aws:iam::000000000000:role/r", Definition: passA}
}

// open makes the catalogue of a store, an empty one when there is none.
func open(t testing.TB, db store.Store) *catalogue.Catalogue {
	t.Helper()
	if db == nil {
		db = memory.New(memory.Options{})
	}
	c, err := catalogue.New(catalogue.Config{Store: db})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestCreateIsIdempotent: the same machine again is the one that is there; another
// one of that name is refused.
func TestCreateIsIdempotent(t *testing.T) {
	c := open(t, nil)
	first, err := c.Create(t.Context(), spec())
	if err != nil || first.Type != catalogue.Standard || first.RevisionID != "" {
		t.Fatal(first, err)
	}
	for name, test := range map[string]struct {
		change func(*catalogue.Spec)
		want   error
	}{
		"the same":      {func(*catalogue.Spec) {}, nil},
		"type":          {func(s *catalogue.Spec) { s.Type = catalogue.Express }, catalogue.ErrExists},
		"definition":    {func(s *catalogue.Spec) { s.Definition = passB }, catalogue.ErrExists},
		"tracing":       {func(s *catalogue.Spec) { s.Tracing = json.RawMessage(`{"enabled":true}`) }, catalogue.ErrExists},
		"published":     {func(s *catalogue.Spec) { s.Publish = new("") }, catalogue.ErrExists},
		"role and tags": {func(s *catalogue.Spec) { s.RoleARN, s.Tags = "arn:other", []catalogue.Tag{{Key: "a"}} }, nil},
	} {
		s := spec()
		test.change(&s)
		got, err := c.Create(t.Context(), s)
		if !errors.Is(err, test.want) || err == nil && (got.Number != first.Number || got.RoleARN != first.RoleARN || len(got.Tags) > 0) {
			t.Errorf("%s: %+v, %v; want %v", name, got, err, test.want)
		}
	}
}

// TestCreateRefuses what cannot be the name, the role or the definition of a machine.
func TestCreateRefuses(t *testing.T) {
	c := open(t, nil)
	for _, name := range []string{"", "a/b", "a b", "a:b", "\ufffd", strings.Repeat("é", 81)} {
		s := spec()
		s.Name = name
		if _, err := c.Create(t.Context(), s); !isA[*catalogue.NameError](err) {
			t.Errorf("name %q: %v", name, err)
		}
	}
	s := spec()
	s.Name = strings.Repeat("é", 80)
	if _, err := c.Create(t.Context(), s); err != nil {
		t.Error(err)
	}
	s.RoleARN = "role/r"
	if _, err := c.Create(t.Context(), s); !isA[*catalogue.RoleError](err) {
		t.Errorf("role: %v", err)
	}
	s = spec()
	s.Definition = "{}"
	if _, err := c.Create(t.Context(), s); !isA[*catalogue.InvalidDefinitionError](err) {
		t.Errorf("definition: %v", err)
	}
}

func isA[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// TestUpdate: a machine has another revision when, and only when, it differs.
func TestUpdate(t *testing.T) {
	c := open(t, nil)
	s := spec()
	arn := s.ARN()
	if _, err := c.Update(t.Context(), arn, catalogue.Change{Definition: new(passB)}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("no machine: %v", err)
	}
	if _, err := c.Create(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	on := json.RawMessage(`{"enabled":true}`)
	for i, step := range []struct {
		change   catalogue.Change
		changed  bool
		revision uint64
		version  uint32
	}{
		{catalogue.Change{Definition: new(passA)}, false, 0, 0},
		{catalogue.Change{Definition: new(passB)}, true, 1, 0},
		{catalogue.Change{RoleARN: new("arn:other"), Publish: new("first")}, true, 2, 1},
		{catalogue.Change{Definition: new(passB), Publish: new("the same")}, false, 2, 1},
		{catalogue.Change{Tracing: &on}, true, 3, 0},
		{catalogue.Change{Tracing: new(json.RawMessage(nil)), Publish: new("second")}, true, 4, 2},
	} {
		before, _ := c.Machine(t.Context(), arn)
		got, err := c.Update(t.Context(), arn, step.change)
		if err != nil {
			t.Fatal(i, err)
		}
		var version uint32
		if got.Version != nil {
			version = got.Version.Number
		}
		if got.Changed != step.changed || got.Machine.Revision != step.revision || version != step.version || (got.Machine.RevisionID != before.RevisionID) != step.changed {
			t.Errorf("step %d: %+v %+v", i, got, got.Machine)
		}
	}
	m, _ := c.Machine(t.Context(), arn)
	if got, err := c.Update(t.Context(), arn, catalogue.Change{Definition: new(passB), IfChanged: true}); err != nil || got.Changed || got.Machine.Version() != m.Version() {
		t.Errorf("nothing to change: %+v, %v", got, err)
	}
	if _, err := c.Update(t.Context(), arn, catalogue.Change{Definition: new("{}")}); !isA[*catalogue.InvalidDefinitionError](err) {
		t.Errorf("definition: %v", err)
	}
	if _, err := c.Update(t.Context(), arn, catalogue.Change{RoleARN: new("r")}); !isA[*catalogue.RoleError](err) {
		t.Errorf("role: %v", err)
	}
	if err := c.BeginDeletion(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Update(t.Context(), arn, catalogue.Change{Definition: new(passA)}); !errors.Is(err, catalogue.ErrDeleting) {
		t.Errorf("update while it is deleted: %v", err)
	}
	if _, err := c.Create(t.Context(), s); !errors.Is(err, catalogue.ErrDeleting) {
		t.Errorf("create while it is deleted: %v", err)
	}
}

// rival is a store where another catalogue is always faster: it edits right before a
// write, as often as times says.
type rival struct {
	store.Store
	times int
	edit  func()
}

func (r *rival) Put(ctx context.Context, edits ...store.Edit) error {
	for _, e := range edits {
		if strings.HasPrefix(e.Key, "machine/") && r.times > 0 {
			r.times--
			r.edit()
		}
	}
	return r.Store.Put(ctx, edits...)
}

// TestEditsThatComeFirst: a create or update that another edit came before is made
// again on what is there then, and ends when there is no end to them.
func TestEditsThatComeFirst(t *testing.T) {
	db := memory.New(memory.Options{})
	other := open(t, db)
	faster := &rival{Store: db}
	c := open(t, faster)
	s := spec()

	faster.times, faster.edit = 1, func() {
		if _, err := other.Create(t.Context(), s); err != nil {
			t.Error(err)
		}
	}
	created, err := c.Create(t.Context(), s)
	if err != nil || created.Number != 2 { // the first number was taken by the one that was not made
		t.Fatalf("%+v, %v", created, err)
	}

	roles := 0
	faster.times, faster.edit = 3, func() {
		roles++
		if _, err := other.Update(t.Context(), s.ARN(), catalogue.Change{RoleARN: new(strings.Repeat("arn:", roles))}); err != nil {
			t.Error(err)
		}
	}
	updated, err := c.Update(t.Context(), s.ARN(), catalogue.Change{Definition: new(passB)})
	if err != nil || updated.Machine.RoleARN != "arn:arn:arn:" || updated.Machine.Definition != passB {
		t.Errorf("%+v, %v", updated.Machine, err)
	}

	other = open(t, db)
	faster.times = 1000
	if _, err := c.Update(t.Context(), s.ARN(), catalogue.Change{Definition: new(passA)}); !errors.Is(err, store.ErrVersion) {
		t.Errorf("edits without an end: %v", err)
	}
}
