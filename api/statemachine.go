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

func machineDoesNotExist(arn string) error {
	return server.Fail("StateMachineDoesNotExist", "State Machine Does Not Exist: '"+arn+"'")
}

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

// definition parses a definition and refuses one that cannot run here.
func (a *api) definition(ctx context.Context, text string, typ catalogue.MachineType) (*asl.StateMachine, error) {
	parsed, err := a.Catalogue.Parse(ctx, text, typ)
	if invalid, ok := errors.AsType[*catalogue.InvalidDefinitionError](err); ok {
		err = server.Fail("InvalidDefinition", invalid.Error())
	}
	return parsed, err
}

func (a *api) createStateMachine(ctx context.Context, r *server.Request) ([]byte, error) {
	m := catalogue.Machine{
		Tenant: tenant(r), Name: r.Str("name"), Type: catalogue.Standard,
		RoleARN: r.Str("roleArn"), Definition: value.EscapeHalves(r.Str("definition")), Created: a.Engine.Now(),
	}
	m.Updated = m.Created
	if t := r.Str("type"); t != "" {
		m.Type = catalogue.MachineType(t)
	}
	if err := checkName(m.Name); err != nil {
		return nil, err
	}
	if err := checkRole(m.RoleARN); err != nil {
		return nil, err
	}
	var err error
	if m.Tags, err = tags(r, m.ARN()); err != nil {
		return nil, err
	}
	if r.Bool("publish", false) {
		m.Published = new(r.Str("versionDescription"))
	}
	if err := describedVersion(r); err != nil {
		return nil, err
	}
	if err := configuration(r, &m); err != nil {
		return nil, err
	}
	parsed, err := a.definition(ctx, m.Definition, m.Type)
	if err != nil {
		return nil, err
	}
	created, err := a.create(ctx, m, parsed)
	if err != nil {
		return nil, err
	}
	var o server.Object
	o.Str("stateMachineArn", created.ARN()).Time("creationDate", created.Created)
	if created.Published != nil {
		o.Str("stateMachineVersionArn", created.VersionARN(1))
	}
	return o.JSON(), nil
}

// create adds a machine, or gives the one that is there when it is the same
// (CreateStateMachine, "idempotent").
func (a *api) create(ctx context.Context, m catalogue.Machine, parsed *asl.StateMachine) (*catalogue.Machine, error) {
	for range attempts {
		old, err := a.Catalogue.Machine(ctx, m.ARN())
		if err == nil {
			if old.Deleting {
				return nil, machineDeleting(m.ARN())
			}
			if old.Locked() != nil {
				return nil, old.Locked()
			}
			if !sameMachine(old, &m) || !sameText(old.Published, m.Published) {
				return nil, server.Fail("StateMachineAlreadyExists", "State Machine Already Exists: '"+m.ARN()+"'")
			}
			return old, nil
		}
		if !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		var created *catalogue.Machine
		if m.Published == nil {
			created, err = a.Catalogue.CreateMachine(ctx, m, parsed)
		} else {
			created, _, err = a.Catalogue.CreatePublished(ctx, m, parsed, *m.Published)
		}
		if !errors.Is(err, store.ErrVersion) {
			return created, err
		}
	}
	return nil, errConflict
}

var errConflict = &server.Exception{Type: "ConflictException", Message: "Too many concurrent changes of the same resource. Try again.", Status: 409}

func sameMachine(a, b *catalogue.Machine) bool {
	return a.Definition == b.Definition && a.Type == b.Type &&
		string(a.Logging) == string(b.Logging) && string(a.Tracing) == string(b.Tracing) && string(a.Encryption) == string(b.Encryption)
}

func sameText(a, b *string) bool { return a == b || a != nil && b != nil && *a == *b }

func checkRole(arn string) error {
	if !strings.HasPrefix(arn, "arn:") {
		return invalidARN("Invalid ARN prefix: " + arn)
	}
	return nil
}

// describedVersion refuses the description of a version that is not published.
func describedVersion(r *server.Request) error {
	if r.Has("versionDescription") && !r.Bool("publish", false) {
		return server.Fail("ValidationException", "Version description can only be set when publish is true")
	}
	return nil
}

func (a *api) updateStateMachine(ctx context.Context, r *server.Request) ([]byte, error) {
	arn := r.Str("stateMachineArn")
	if err := describedVersion(r); err != nil {
		return nil, err
	}
	for range attempts {
		old, err := a.machine(ctx, arn)
		if err != nil {
			return nil, err
		}
		if old.Deleting {
			return nil, machineDeleting(arn)
		}
		updated, version, err := a.update(ctx, r, old)
		if errors.Is(err, store.ErrVersion) {
			continue
		}
		if err != nil {
			return nil, err
		}
		var o server.Object
		o.Time("updateDate", updated.Updated).Opt("revisionId", updated.RevisionID)
		if version != nil {
			o.Str("stateMachineVersionArn", updated.VersionARN(version.Number))
		}
		return o.JSON(), nil
	}
	return nil, errConflict
}

// update changes a machine, and publishes what it is then when it is to.
func (a *api) update(ctx context.Context, r *server.Request, old *catalogue.Machine) (*catalogue.Machine, *catalogue.Version, error) {
	m, parsed, err := a.updated(ctx, r, old)
	if err != nil {
		return nil, nil, err
	}
	changed := m.RoleARN != old.RoleARN || !sameMachine(&m, old)
	if changed {
		m.RevisionID = a.Engine.UUID()
	}
	if !r.Bool("publish", false) {
		put, err := a.Catalogue.PutMachine(ctx, m, parsed, changed)
		return put, nil, err
	}
	put, version, err := a.Catalogue.PutPublished(ctx, m, parsed, changed, r.Str("versionDescription"))
	if errors.Is(err, catalogue.ErrQuota) {
		err = tooMany("versions", "1000", old.ARN())
	}
	return put, version, err
}

// updated is a machine as an update wants it to be.
func (a *api) updated(ctx context.Context, r *server.Request, old *catalogue.Machine) (catalogue.Machine, *asl.StateMachine, error) {
	m, parsed := *old, old.Parsed()
	if !r.Has("definition") && !r.Has("roleArn") && !r.Has("loggingConfiguration") && !r.Has("tracingConfiguration") && !r.Has("encryptionConfiguration") {
		return m, nil, server.Fail("MissingRequiredParameter", "Either the definition, the role ARN, the LoggingConfiguration, the EncryptionConfiguration or the TracingConfiguration must be specified")
	}
	if err := configuration(r, &m); err != nil {
		return m, nil, err
	}
	if r.Has("definition") {
		m.Definition = value.EscapeHalves(r.Str("definition"))
		var err error
		if parsed, err = a.definition(ctx, m.Definition, m.Type); err != nil {
			return m, nil, err
		}
	}
	if r.Has("roleArn") {
		m.RoleARN = r.Str("roleArn")
		if err := checkRole(m.RoleARN); err != nil {
			return m, nil, err
		}
	}
	m.Updated = a.Engine.Now()
	return m, parsed, nil
}

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
// is not told.
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

func (a *api) listStateMachines(ctx context.Context, r *server.Request) ([]byte, error) {
	return listTenant(ctx, a, r, "stateMachines", a.Catalogue.Machines, func(o *server.Object, m *catalogue.Machine) string {
		o.Str("stateMachineArn", m.ARN()).Str("name", m.Name).Str("type", string(m.Type)).Time("creationDate", m.Created)
		return m.Name
	})
}
