package api

import (
	"context"
	"errors"
	"strconv"

	"github.com/steppehq/steppe/aws/server"
	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/value"
)

// invalidFor is a ValidationException that has a reason of the API model.
func invalidFor(reason, message string) error {
	return &server.Exception{Type: "ValidationException", Message: message, Members: []value.Member{{Name: "reason", Value: value.Str(reason)}}}
}

// conflict is a ConflictException.
func conflict(message string) error {
	return &server.Exception{Type: "ConflictException", Message: message, Status: 409}
}

// tooMany reports that a state machine has all the versions or aliases that it may
// have.
func tooMany(what, limit, arn string) error {
	return &server.Exception{
		Type: "ServiceQuotaExceededException", Status: 402,
		Message: "The state machine has the maximum number of " + what + ", " + limit + ": '" + arn + "'",
	}
}

// target finds what a request names: a state machine, a version or an alias.
func (a *api) target(ctx context.Context, arn string) (catalogue.Target, error) {
	if _, err := parseARN(arn, "stateMachine"); err != nil {
		return catalogue.Target{}, err
	}
	t, err := a.Catalogue.Resolve(ctx, arn)
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, catalogue.ErrDeleting) {
		return t, machineDoesNotExist(arn)
	}
	return t, err
}

// qualified splits the ARN of a version or an alias into that of the machine and
// the rest.
func qualified(arn string) (machine string, number uint32, alias string, err error) {
	name, err := unlabelled(arn)
	if err != nil {
		return "", 0, "", err
	}
	if len(name.Path) == 2 && name.Path[1] != "" {
		number, alias = catalogue.ParseQualifier(name.Path[1])
	}
	return name.ARN("stateMachine", name.Path[0]), number, alias, nil
}

// initial is how requests and messages name the first revision of a machine,
// which has no id.
const initial = "INITIAL"

// publishStateMachineVersion is PublishStateMachineVersion. It is idempotent by the
// machine's revision: a second version of the same one is the first (API reference). A
// revisionId makes it conditional on that being the current revision.
func (a *api) publishStateMachineVersion(ctx context.Context, r *server.Request) ([]byte, error) {
	arn := r.Str("stateMachineArn")
	for range attempts {
		m, err := a.machine(ctx, arn)
		if err != nil {
			return nil, err
		}
		if m.Deleting {
			return nil, machineDeleting(arn)
		}
		current := m.RevisionID
		if current == "" {
			current = initial
		}
		if asked := r.Str("revisionId"); asked != "" && asked != current {
			return nil, conflict("Failed to publish the State Machine version for revision " + asked + ". The current State Machine revision is " + current + ".")
		}
		v, err := a.Catalogue.Publish(ctx, m, r.Str("description"))
		switch {
		case errors.Is(err, store.ErrVersion):
			continue
		case errors.Is(err, catalogue.ErrQuota):
			return nil, tooMany("versions", "1000", arn)
		case err != nil:
			return nil, err
		}
		var o server.Object
		return o.Time("creationDate", v.Created).Str("stateMachineVersionArn", m.VersionARN(v.Number)).JSON(), nil
	}
	return nil, errConflict
}

// deleteStateMachineVersion is DeleteStateMachineVersion. A version that an alias leads to
// is refused with the aliases' names; one that is not there is deleted already.
func (a *api) deleteStateMachineVersion(ctx context.Context, r *server.Request) ([]byte, error) {
	arn := r.Str("stateMachineVersionArn")
	machine, number, _, err := qualified(arn)
	if err != nil {
		return nil, err
	}
	if number == 0 {
		return nil, invalidARN("Invalid ARN of a state machine version: " + arn)
	}
	for range attempts {
		m, err := a.Catalogue.Machine(ctx, machine)
		if errors.Is(err, store.ErrNotFound) {
			return []byte("{}"), nil
		}
		if err == nil {
			err = a.Catalogue.DeleteVersion(ctx, m, number)
		}
		if refused, ok := errors.AsType[*catalogue.ReferencedError](err); ok {
			return nil, conflict("Version to be deleted must not be referenced by an alias. Current list of aliases referencing this version: " + listed(refused.Aliases))
		}
		if !errors.Is(err, store.ErrVersion) {
			return []byte("{}"), err
		}
	}
	return nil, errConflict
}

// listStateMachineVersions is ListStateMachineVersions, newest first.
func (a *api) listStateMachineVersions(ctx context.Context, r *server.Request) ([]byte, error) {
	arn := r.Str("stateMachineArn")
	if _, err := unlabelled(arn); err != nil {
		return nil, err
	}
	var m *catalogue.Machine
	return listPage(a, r, arn, "stateMachineVersions", func(after string, limit int) (versions []*catalogue.Version, err error) {
		before, _ := strconv.ParseUint(after, 10, 32)
		if m, err = a.Catalogue.Machine(ctx, arn); err == nil {
			versions, err = a.Catalogue.Versions(ctx, m, uint32(before), limit)
		}
		if errors.Is(err, store.ErrNotFound) { // the operation has no exception for a machine that is not there
			return nil, nil
		}
		return versions, err
	}, func(o *server.Object, v *catalogue.Version) string {
		o.Str("stateMachineVersionArn", m.VersionARN(v.Number)).Time("creationDate", v.Created)
		return itoa(int(v.Number))
	})
}
