package catalogue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/store"
)

// Creating and updating a state machine is the same for all who do it, the API, the
// Go package and the commands: what is asked for is checked here, compared with what
// is there, and written under the version that it was compared with. Between reading
// and writing another edit may come first (store.ErrVersion). The comparison does not
// hold then, and all of it is made again on what is there by that time: a create may
// find the machine that the other one made, and an update one that is being deleted.

// ErrExists reports that there is a state machine of that name which is another one
// than the one to be created.
var ErrExists = errors.New("catalogue: there is another state machine of that name")

// NameError reports that a name is not one of a state machine, an activity or an
// execution.
type NameError struct{ Name string }

// Error names the name.
func (e *NameError) Error() string {
	return "catalogue: not a valid name: '" + e.Name + "'; it has 1 to 80 characters, without white space, control characters and <>{}[]?*\"#%\\^|~`$&,;:/"
}

// maxName is how long a name may be, in characters.
const maxName = 80

// CheckName holds the characters of a name against the rule for names of state
// machines, executions and activities (CreateStateMachine, "name"). Its length is not
// checked. The error is a [*NameError].
func CheckName(name string) error {
	for _, c := range name {
		if strings.ContainsRune("<>{}[]?*\"#%\\^|~`$&,;:/", c) || unicode.IsSpace(c) || unicode.IsControl(c) ||
			c == 0xFFFE || c == 0xFFFF || c == 0x10FFFF || c == unicode.ReplacementChar {
			return &NameError{name}
		}
	}
	return nil
}

// RoleError reports that a role is not an ARN.
type RoleError struct{ ARN string }

// Error names the role.
func (e *RoleError) Error() string {
	return "catalogue: the role '" + e.ARN + "' is not an ARN: it must begin with arn:"
}

// CheckRole checks the role of a state machine. No policy is looked up: roles are
// kept for tools that expect to find them. The error is a [*RoleError].
func CheckRole(arn string) error {
	if !strings.HasPrefix(arn, "arn:") {
		return &RoleError{arn}
	}
	return nil
}

// Spec says what a state machine is to be. Its slices belong to the catalogue once
// they are passed to it.
type Spec struct {
	Tenant
	Name string
	// Type is [Standard] when it is "".
	Type       MachineType
	RoleARN    string
	Definition string
	// Logging, Tracing and Encryption are the API's structures, nil for the default:
	// a default that is spelled out makes another machine.
	Logging, Tracing, Encryption json.RawMessage
	Tags                         []Tag
	// Publish is the description of the first version, which is published with the
	// machine; nil publishes none.
	Publish *string
}

// ARN is the ARN of the machine.
func (s *Spec) ARN() string { return s.Tenant.ARN("stateMachine", s.Name) }

// machine is the machine that the spec asks for.
func (s *Spec) machine(c *Catalogue) Machine {
	t := s.Type
	if t == "" {
		t = Standard
	}
	now := c.Now()
	return Machine{
		Tenant: s.Tenant, Name: s.Name, Type: t, RoleARN: s.RoleARN, Definition: s.Definition, Created: now, Updated: now,
		Logging: s.Logging, Tracing: s.Tracing, Encryption: s.Encryption, Tags: s.Tags,
	}
}

// editAttempts bounds how often a create or an update is made again after another
// edit came first.
const editAttempts = 10

// Create adds a state machine, or returns the one that is there when it is the same:
// of the same definition, type, configuration and published description
// (CreateStateMachine is idempotent by these; role and tags are not compared, and
// stay as they are). When the spec publishes, its version has the number 1.
//
// Errors are [*NameError], [*RoleError], [*InvalidDefinitionError], [ErrExists],
// [ErrDeleting], [*KeyError], [*QuotaError], those of the store, and one that wraps
// store.ErrVersion after too many edits that came first.
func (c *Catalogue) Create(ctx context.Context, spec Spec) (*Machine, error) {
	if n := utf8.RuneCountInString(spec.Name); n == 0 || n > maxName {
		return nil, &NameError{spec.Name}
	}
	if err := CheckName(spec.Name); err != nil {
		return nil, err
	}
	if err := CheckRole(spec.RoleARN); err != nil {
		return nil, err
	}
	m := spec.machine(c)
	parsed, err := c.Parse(ctx, m.Definition, m.Type)
	if err != nil {
		return nil, err
	}
	return again(spec.ARN(), func() (*Machine, error) {
		old, err := c.Machine(ctx, spec.ARN())
		if errors.Is(err, store.ErrNotFound) {
			created, _, err := c.createMachine(ctx, m, parsed, spec.Publish)
			return created, err
		}
		switch {
		case err != nil:
			return nil, err
		case old.Deleting:
			return nil, ErrDeleting
		case old.Locked() != nil: // whether it is the same cannot be seen
			return nil, old.Locked()
		case !old.same(&m) || !sameText(old.Published, spec.Publish):
			return nil, ErrExists
		}
		return old, nil
	})
}

// Change says what an update makes of a state machine. A field that is nil leaves the
// machine's as it is.
type Change struct {
	Definition, RoleARN *string
	// Logging, Tracing and Encryption are as in [Spec]; a pointer to nil sets the
	// default.
	Logging, Tracing, Encryption *json.RawMessage
	// Publish is the description of a version that is published of what the machine
	// is then, unless it has one already; nil publishes none.
	Publish *string
	// IfChanged leaves a machine alone that is so already and has nothing to publish.
	// Without it the time of its update is set even then, as UpdateStateMachine does.
	IfChanged bool
}

// Updated is what an update has made.
type Updated struct {
	Machine *Machine
	// Version is the version that was published, or was before and is the same; nil
	// when the change does not publish.
	Version *Version
	// Changed reports that the machine has another revision now.
	Changed bool
}

// Update changes the state machine of an ARN, unqualified. It has another revision,
// with another id, only if its definition, role or configuration differ. Executions
// that run go on by the revision that they were started with.
//
// Errors are store.ErrNotFound, [ErrDeleting], [*InvalidDefinitionError],
// [*RoleError], [*KeyError], [*QuotaError], [ErrQuota], those of the store, and one
// that wraps store.ErrVersion after too many edits that came first.
func (c *Catalogue) Update(ctx context.Context, arn string, change Change) (Updated, error) {
	var parsed *asl.StateMachine
	var parsedFor MachineType
	return again(arn, func() (Updated, error) {
		old, err := c.Machine(ctx, arn)
		if err != nil {
			return Updated{}, err
		}
		if old.Deleting {
			return Updated{}, ErrDeleting
		}
		if change.Definition == nil {
			parsed = old.Parsed()
		} else if parsedFor != old.Type { // once, unless a machine of another type has taken its place
			if parsed, err = c.Parse(ctx, *change.Definition, old.Type); err != nil {
				return Updated{}, err
			}
			parsedFor = old.Type
		}
		return c.update(ctx, old, &change, parsed)
	})
}

// update makes a change once. store.ErrVersion when another edit came first.
func (c *Catalogue) update(ctx context.Context, old *Machine, change *Change, parsed *asl.StateMachine) (u Updated, err error) {
	m := *old
	set(&m.Definition, change.Definition)
	set(&m.RoleARN, change.RoleARN)
	set(&m.Logging, change.Logging)
	set(&m.Tracing, change.Tracing)
	set(&m.Encryption, change.Encryption)
	if change.RoleARN != nil {
		if err := CheckRole(m.RoleARN); err != nil {
			return u, err
		}
	}
	u.Changed = m.RoleARN != old.RoleARN || !m.same(old)
	switch {
	case u.Changed:
		m.RevisionID = c.UUID()
	case change.IfChanged && change.Publish == nil:
		u.Machine = old
		return u, nil
	}
	m.Updated = c.Now()
	if change.Publish == nil {
		u.Machine, err = c.PutMachine(ctx, m, parsed, u.Changed)
	} else {
		u.Machine, u.Version, err = c.PutPublished(ctx, m, parsed, u.Changed, *change.Publish)
	}
	return u, err
}

// set puts what is given into a field.
func set[T any](field *T, given *T) {
	if given != nil {
		*field = *given
	}
}

// again makes an edit again as long as another one comes first.
func again[T any](arn string, edit func() (T, error)) (T, error) {
	for range editAttempts {
		if edited, err := edit(); !errors.Is(err, store.ErrVersion) {
			return edited, err
		}
	}
	var none T
	return none, fmt.Errorf("catalogue: too many changes of %s at once: %w", arn, store.ErrVersion)
}

// same reports whether two machines have the same type, definition and
// configuration.
func (m *Machine) same(other *Machine) bool {
	return m.Definition == other.Definition && m.Type == other.Type &&
		string(m.Logging) == string(other.Logging) && string(m.Tracing) == string(other.Tracing) && string(m.Encryption) == string(other.Encryption)
}

func sameText(a, b *string) bool { return a == b || a != nil && b != nil && *a == *b }
