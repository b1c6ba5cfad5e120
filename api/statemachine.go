package api

import (
	"context"
	"errors"
	"strings"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/aws/server"
	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/value"
)

// attempts bounds how often an edit of the catalogue is tried again after
// another one came first.
const attempts = 10

// machineDoesNotExist is the exception for an ARN that no state machine has.
func machineDoesNotExist(arn string) error {
	return server.Fail("StateMachineDoesNotExist", "State Machine Does Not Exist: '"+arn+"'")
}

// machineDeleting is the exception for changes of a machine that is being deleted, and for
// starts of it.
func machineDeleting(arn string) error {
	return server.Fail("StateMachineDeleting", "State Machine is being deleted: '"+arn+"'")
}

// unlabelled reads the ARN of a state machine that may be qualified by a version
// or an alias, but not by the label of a Map state.
func unlabelled(arn string) (catalogue.Name, error) {
	name, err := parseARN(arn, "stateMachine")
	if err == nil && strings.Contains(name.Path[0], "/") {
		err = invalidFor("API_DOES_NOT_SUPPORT_LABELED_ARNS", "This operation does not support ARNs with the label of a Map state: '"+arn+"'")
	}
	return name, err
}

// machine finds the state machine that a request names, without a qualifier.
func (a *api) machine(ctx context.Context, arn string) (*catalogue.Machine, error) {
	if _, err := unlabelled(arn); err != nil {
		return nil, err
	}
	m, err := a.Catalogue.Machine(ctx, arn)
	if errors.Is(err, store.ErrNotFound) {
		return nil, machineDoesNotExist(arn)
	}
	return m, err
}

// refused is the exception for what creating or updating the machine of an ARN has
// refused; any other error as it is.
func refused(err error, arn string) error {
	if invalid, ok := errors.AsType[*catalogue.InvalidDefinitionError](err); ok {
		return server.Fail("InvalidDefinition", invalid.Error())
	}
	if role, ok := errors.AsType[*catalogue.RoleError](err); ok {
		return invalidARN("Invalid ARN prefix: " + role.ARN)
	}
	switch {
	case errors.Is(err, catalogue.ErrExists):
		return server.Fail("StateMachineAlreadyExists", "State Machine Already Exists: '"+arn+"'")
	case errors.Is(err, catalogue.ErrDeleting):
		return machineDeleting(arn)
	case errors.Is(err, catalogue.ErrQuota):
		return tooMany("versions", "1000", arn)
	case errors.Is(err, store.ErrNotFound):
		return machineDoesNotExist(arn)
	case errors.Is(err, store.ErrVersion):
		return errConflict
	}
	return err
}

var errConflict = &server.Exception{Type: "ConflictException", Message: "Too many concurrent changes of the same resource. Try again.", Status: 409}

// createStateMachine checks the members in the order in which AWS reports them; the
// definition comes last.
func (a *api) createStateMachine(ctx context.Context, r *server.Request) ([]byte, error) {
	spec := catalogue.Spec{
		Tenant: tenant(r), Name: r.Str("name"), Type: catalogue.MachineType(r.Str("type")),
		RoleARN: r.Str("roleArn"), Definition: value.EscapeHalves(r.Str("definition")),
	}
	if err := checkName(spec.Name); err != nil {
		return nil, err
	}
	if err := catalogue.CheckRole(spec.RoleARN); err != nil {
		return nil, refused(err, spec.ARN())
	}
	var err error
	if spec.Tags, err = tags(r, spec.ARN()); err != nil {
		return nil, err
	}
	if spec.Publish, err = publish(r); err != nil {
		return nil, err
	}
	given, err := configuration(r)
	if err != nil {
		return nil, err
	}
	spec.Logging, spec.Tracing, spec.Encryption = orNil(given.logging), orNil(given.tracing), orNil(given.encryption)
	created, err := a.Catalogue.Create(ctx, spec)
	if err != nil {
		return nil, refused(err, spec.ARN())
	}
	var o server.Object
	o.Str("stateMachineArn", created.ARN()).Time("creationDate", created.Created)
	if created.Published != nil {
		o.Str("stateMachineVersionArn", created.VersionARN(1))
	}
	return o.JSON(), nil
}

// publish is the description of the version that a request publishes, nil when it
// publishes none. One that is not published has no description.
func publish(r *server.Request) (*string, error) {
	if r.Bool("publish", false) {
		return new(r.Str("versionDescription")), nil
	}
	if r.Has("versionDescription") {
		return nil, server.Fail("ValidationException", "Version description can only be set when publish is true")
	}
	return nil, nil
}

// updateStateMachine is UpdateStateMachine. That the machine is there is checked before
// what the request wants of it.
func (a *api) updateStateMachine(ctx context.Context, r *server.Request) ([]byte, error) {
	arn := r.Str("stateMachineArn")
	described, err := publish(r)
	if err != nil {
		return nil, err
	}
	m, err := a.machine(ctx, arn)
	if err != nil {
		return nil, err
	}
	if m.Deleting {
		return nil, machineDeleting(arn)
	}
	change, err := changes(r)
	if err != nil {
		return nil, err
	}
	change.Publish = described
	updated, err := a.Catalogue.Update(ctx, arn, change)
	if err != nil {
		return nil, refused(err, arn)
	}
	m = updated.Machine
	var o server.Object
	o.Time("updateDate", m.Updated).Opt("revisionId", m.RevisionID)
	if updated.Version != nil {
		o.Str("stateMachineVersionArn", m.VersionARN(updated.Version.Number))
	}
	return o.JSON(), nil
}

// changes reads what an update is to change, of which there must be something.
func changes(r *server.Request) (change catalogue.Change, err error) {
	if !r.Has("definition") && !r.Has("roleArn") && !r.Has("loggingConfiguration") && !r.Has("tracingConfiguration") && !r.Has("encryptionConfiguration") {
		return change, server.Fail("MissingRequiredParameter", "Either the definition, the role ARN, the LoggingConfiguration, the EncryptionConfiguration or the TracingConfiguration must be specified")
	}
	given, err := configuration(r)
	if err != nil {
		return change, err
	}
	change.Logging, change.Tracing, change.Encryption = given.logging, given.tracing, given.encryption
	if r.Has("definition") {
		change.Definition = new(value.EscapeHalves(r.Str("definition")))
	}
	if r.Has("roleArn") {
		change.RoleARN = new(r.Str("roleArn"))
	}
	return change, nil
}

// deleteStateMachine is DeleteStateMachine. A machine with running executions is deleted
// when the last of them has ended, and is described as DELETING until then. One that is
// not there is deleted already.
func (a *api) deleteStateMachine(ctx context.Context, r *server.Request) ([]byte, error) {
	arn := r.Str("stateMachineArn")
	name, err := unlabelled(arn)
	if err != nil {
		return nil, err
	}
	if len(name.Path) != 1 {
		return nil, invalid("DeleteStateMachine does not take the ARN of a version or an alias: '" + arn + "'")
	}
	for range attempts {
		m, err := a.Catalogue.Machine(ctx, arn)
		if errors.Is(err, store.ErrNotFound) {
			return []byte("{}"), nil
		}
		if err == nil {
			err = a.Engine.DeleteMachine(ctx, m)
		}
		if !errors.Is(err, store.ErrVersion) {
			return []byte("{}"), err
		}
	}
	return nil, errConflict
}

// describeStateMachine is DescribeStateMachine, of a machine, a version or an alias: of an
// alias the version that most starts go to.
func (a *api) describeStateMachine(ctx context.Context, r *server.Request) ([]byte, error) {
	arn := r.Str("stateMachineArn")
	t, err := a.target(ctx, arn)
	if err != nil {
		return nil, err
	}
	m, number, created, description := t.Machine, t.Version, t.Machine.Created, ""
	if t.Alias != nil {
		number = t.Alias.Main()
		if m, err = a.Catalogue.MachineAt(ctx, m, number); err != nil {
			return nil, err
		}
	}
	if number > 0 {
		v, err := a.Catalogue.Version(ctx, m, number)
		if err != nil {
			return nil, err
		}
		created, description = v.Created, v.Description
	}
	status := "ACTIVE"
	if m.Deleting {
		status = "DELETING"
	}
	definition, err := definitionText(r, m.Definition, m.Locked())
	if err != nil {
		return nil, err
	}
	var o server.Object
	err = a.inTurn(ctx, r, len(m.Definition), func() {
		o.Str("stateMachineArn", arn).Str("name", m.Name).Str("status", status)
		o.Str("definition", definition).Str("roleArn", m.RoleARN).Str("type", string(m.Type))
		o.Time("creationDate", created).Raw("loggingConfiguration", orElse(m.Logging, noLogging)).Raw("tracingConfiguration", orElse(m.Tracing, noTracing))
		o.Opt("revisionId", m.RevisionID).Opt("description", description)
		o.Raw("encryptionConfiguration", orElse(m.Encryption, ownedKey))
		references(&o, m.Parsed())
	})
	return o.JSON(), err
}

// definitionText is a definition as includedData asks for it. One that is locked
// is not shown.
func definitionText(r *server.Request, definition string, locked error) (string, error) {
	if metadataOnly(r) {
		return "{}", nil
	}
	return definition, locked
}

// references adds the variables that each state refers to; none of a definition
// that is locked.
func references(o *server.Object, m *asl.StateMachine) {
	if m == nil {
		return
	}
	refs := asl.VariableReferences(m)
	if refs.Len() > 0 {
		o.Raw("variableReferences", refs.Append(nil))
	}
}

// describeStateMachineForExecution is DescribeStateMachineForExecution: the revision that
// the execution runs by, whatever the machine is now or whether it is there.
func (a *api) describeStateMachineForExecution(ctx context.Context, r *server.Request) ([]byte, error) {
	d, err := a.execution(ctx, r.Str("executionArn"), false)
	if err != nil {
		return nil, err
	}
	rev, err := a.Catalogue.Revision(ctx, d.RevisionKey())
	if err != nil {
		return nil, err
	}
	definition, err := definitionText(r, rev.Definition, rev.Locked())
	if err != nil {
		return nil, err
	}
	updated := rev.Updated
	if updated.IsZero() { // made for a fork
		updated = d.Start
	}
	var o server.Object
	o.Str("stateMachineArn", d.MachineARN).Str("name", d.MachineName()).Str("definition", definition).Str("roleArn", d.RoleARN)
	o.Time("updateDate", updated).Raw("loggingConfiguration", orElse(rev.Logging, noLogging)).Raw("tracingConfiguration", orElse(rev.Tracing, noTracing))
	o.Opt("revisionId", rev.RevisionID).Raw("encryptionConfiguration", orElse(rev.Encryption, ownedKey))
	err = a.inTurn(ctx, r, len(rev.Definition), func() {
		parsed, _ := asl.Parse([]byte(rev.Definition))
		references(&o, parsed)
	})
	return o.JSON(), err
}

// listStateMachines is ListStateMachines, by name.
func (a *api) listStateMachines(ctx context.Context, r *server.Request) ([]byte, error) {
	return listTenant(ctx, a, r, "stateMachines", a.Catalogue.Machines, func(o *server.Object, m *catalogue.Machine) string {
		o.Str("stateMachineArn", m.ARN()).Str("name", m.Name).Str("type", string(m.Type)).Time("creationDate", m.Created)
		return m.Name
	})
}
