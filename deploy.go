package steppe

import (
	"context"
	"errors"
	"fmt"

	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/store"
)

// StateMachine returns the state machine of that name, created when it is not
// there. One that is there must have the same type and definition: running
// programs are changed on purpose, by [Server.Deploy].
func (s *Server) StateMachine(ctx context.Context, name string, kind catalogue.MachineType, definition string) (*catalogue.Machine, error) {
	spec := s.spec(name, kind, definition)
	known, err := s.engine.Catalogue().Machine(ctx, spec.ARN())
	if errors.Is(err, store.ErrNotFound) {
		if known, err = s.engine.Catalogue().Create(ctx, spec); errors.Is(err, catalogue.ErrExists) { // another goroutine was faster
			known, err = s.engine.Catalogue().Machine(ctx, spec.ARN())
		} else if err != nil {
			return nil, fmt.Errorf("steppe: state machine %s: %w", name, err)
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

func (s *Server) tenant() catalogue.Tenant {
	return catalogue.Tenant{Account: s.account, Region: s.region}
}

// spec is what the server makes of a definition.
func (s *Server) spec(name string, kind catalogue.MachineType, definition string) catalogue.Spec {
	return catalogue.Spec{
		Tenant: s.tenant(), Name: name, Type: kind, RoleARN: "arn:aws:iam::" + s.account + ":role/steppe", Definition: definition,
	}
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

// deployAttempts bounds how often the state machine may come and go while it is
// deployed.
const deployAttempts = 5

// Deploy has the state machine of that name be of this definition: it creates it,
// or changes it as UpdateStateMachine does, or leaves it where it is so already.
// Executions that run continue by the definition that they were started with.
func (s *Server) Deploy(ctx context.Context, name, definition string, options ...DeployOption) (*Deployed, error) {
	d := deployment{kind: catalogue.Standard}
	for _, option := range options {
		option(&d)
	}
	spec := s.spec(name, d.kind, definition)
	spec.Publish = d.publish
	for range deployAttempts {
		done, err := s.deploy(ctx, spec)
		switch {
		case errors.Is(err, catalogue.ErrExists), errors.Is(err, store.ErrNotFound):
			continue // it was created, or deleted, since it was looked for
		case err != nil:
			return nil, fmt.Errorf("steppe: deploy %s: %w", name, err)
		}
		return done, nil
	}
	return nil, fmt.Errorf("steppe: deploy %s: it is created and deleted again and again by others: %w", name, store.ErrVersion)
}

// deploy creates the state machine, or updates the one that is there.
func (s *Server) deploy(ctx context.Context, spec catalogue.Spec) (*Deployed, error) {
	machines, arn := s.engine.Catalogue(), spec.ARN()
	known, err := machines.Machine(ctx, arn)
	switch {
	case errors.Is(err, store.ErrNotFound):
		created, err := machines.Create(ctx, spec)
		if err != nil {
			return nil, err
		}
		done := &Deployed{ARN: arn, Changed: true}
		if created.Published != nil {
			done.VersionARN = created.VersionARN(1)
		}
		return done, nil
	case err != nil:
		return nil, err
	case known.Locked() != nil:
		return nil, known.Locked()
	case known.Type != spec.Type:
		return nil, fmt.Errorf("it is of type %s, and a type cannot be changed; choose another name", known.Type)
	}
	updated, err := machines.Update(ctx, arn, catalogue.Change{Definition: &spec.Definition, Publish: spec.Publish, IfChanged: true})
	if err != nil {
		return nil, err
	}
	done := &Deployed{ARN: arn, Changed: updated.Changed}
	if updated.Version != nil {
		done.VersionARN = updated.Machine.VersionARN(updated.Version.Number)
	}
	return done, nil
}
