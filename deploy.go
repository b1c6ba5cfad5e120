package steppe

import (
	"context"
	"errors"
	"fmt"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/store"
)

// StateMachine returns the state machine of that name, created when it is not
// there. One that is there must have the same type and definition: running
// programs are changed on purpose, by [Server.Deploy].
func (s *Server) StateMachine(ctx context.Context, name string, kind catalogue.MachineType, definition string) (*catalogue.Machine, error) {
	m := s.machine(name, kind, definition)
	known, err := s.engine.Catalogue().Machine(ctx, m.ARN())
	if errors.Is(err, store.ErrNotFound) {
		if known, err = s.create(ctx, m); errors.Is(err, store.ErrVersion) { // somebody was faster
			known, err = s.engine.Catalogue().Machine(ctx, m.ARN())
		}
	}
	if err == nil {
		err = known.Locked()
	}
	if err == nil && (known.Definition != definition || known.Type != kind) {
		err = fmt.Errorf("steppe: the state machine %s has another definition or type; Deploy changes a definition", name)
	}
	return known, err
}

func (s *Server) create(ctx context.Context, m catalogue.Machine) (*catalogue.Machine, error) {
	parsed, err := s.parse(ctx, &m)
	if err != nil {
		return nil, err
	}
	return s.engine.Catalogue().CreateMachine(ctx, m, parsed)
}

func (s *Server) tenant() catalogue.Tenant {
	return catalogue.Tenant{Account: s.account, Region: s.region}
}

func (s *Server) machine(name string, kind catalogue.MachineType, definition string) catalogue.Machine {
	return catalogue.Machine{
		Tenant: s.tenant(), Name: name, Type: kind, RoleARN: "arn:aws:iam::" + s.account + ":role/steppe",
		Definition: definition, Created: s.engine.Now(), Updated: s.engine.Now(),
	}
}

// parse checks the definition of a machine.
func (s *Server) parse(ctx context.Context, m *catalogue.Machine) (*asl.StateMachine, error) {
	parsed, err := s.engine.Catalogue().Parse(ctx, m.Definition, m.Type)
	if err != nil {
		return nil, fmt.Errorf("steppe: state machine %s: %w", m.Name, err)
	}
	return parsed, nil
}

// Deployed is what a deployment has made.
type Deployed struct {
	// ARN is the state machine's; VersionARN that of the version that was published,
	// or has been before and is the same; "" for none.
	ARN, VersionARN string
	// Changed reports that the state machine is new, or has another definition now.
	Changed bool
}

// DeployOption says more of a deployment.
type DeployOption func(*deployment)

type deployment struct {
	kind    catalogue.MachineType
	publish *string
}

// Express has the state machine be an Express one. The type of one that is there
// cannot be changed.
func Express() DeployOption { return func(d *deployment) { d.kind = catalogue.Express } }

// Publish publishes a version of what is deployed, with a description, which may
// be "".
func Publish(description string) DeployOption {
	return func(d *deployment) { d.publish = &description }
}

// deployAttempts bounds how often another caller may be faster.
const deployAttempts = 5

// Deploy has the state machine of that name be of this definition: it creates it,
// or changes it as UpdateStateMachine does, or leaves it where it is so already.
// Executions that run continue by the definition that they were started with.
func (s *Server) Deploy(ctx context.Context, name, definition string, options ...DeployOption) (*Deployed, error) {
	d := deployment{kind: catalogue.Standard}
	for _, option := range options {
		option(&d)
	}
	m := s.machine(name, d.kind, definition)
	parsed, err := s.parse(ctx, &m)
	if err != nil {
		return nil, err
	}
	for range deployAttempts {
		var done *Deployed
		if done, err = s.deploy(ctx, m, parsed, d.publish); !errors.Is(err, store.ErrVersion) {
			return done, err
		}
	}
	return nil, fmt.Errorf("steppe: deploy %s: %w", name, err)
}

func (s *Server) deploy(ctx context.Context, m catalogue.Machine, parsed *asl.StateMachine, publish *string) (*Deployed, error) {
	known, err := s.engine.Catalogue().Machine(ctx, m.ARN())
	done := &Deployed{ARN: m.ARN(), Changed: true}
	var version *catalogue.Version
	switch {
	case errors.Is(err, store.ErrNotFound) && publish == nil:
		known, err = s.engine.Catalogue().CreateMachine(ctx, m, parsed)
	case errors.Is(err, store.ErrNotFound):
		known, version, err = s.engine.Catalogue().CreatePublished(ctx, m, parsed, *publish)
	case err != nil:
		return nil, err
	case known.Locked() != nil:
		return nil, known.Locked()
	case known.Deleting:
		return nil, fmt.Errorf("steppe: deploy %s: %w", m.Name, catalogue.ErrDeleting)
	case known.Type != m.Type:
		return nil, fmt.Errorf("steppe: deploy %s: it is of type %s, and a type cannot be changed; give it another name", m.Name, known.Type)
	default:
		changed := *known
		changed.Definition, changed.Updated = m.Definition, m.Updated
		if done.Changed = known.Definition != m.Definition; done.Changed {
			changed.RevisionID = s.engine.UUID()
		}
		switch {
		case publish != nil:
			known, version, err = s.engine.Catalogue().PutPublished(ctx, changed, parsed, done.Changed, *publish)
		case done.Changed:
			known, err = s.engine.Catalogue().PutMachine(ctx, changed, parsed, true)
		}
	}
	if err != nil {
		return nil, err
	}
	if version != nil {
		done.VersionARN = known.VersionARN(version.Number)
	}
	return done, nil
}
