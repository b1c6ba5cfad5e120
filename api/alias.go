package api

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/steppehq/steppe/aws/server"
	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/store"
)

// listed is a list as messages show it.
func listed(items []string) string { return "[" + strings.Join(items, ", ") + "]" }

// errNoResource answers for aliases and versions that are not there.
var errNoResource = server.Fail("ResourceNotFound", "Request references a resource that does not exist.")

// routing reads the member routingConfiguration: the routes, and the ARN of the
// state machine whose versions they lead to.
func routing(r *server.Request) (machine string, routes []catalogue.Route, err error) {
	refuse := func(message string) (string, []catalogue.Route, error) {
		return "", nil, invalidFor("INVALID_ROUTING_CONFIGURATION", message)
	}
	var arns, weights []string
	sum := 0
	for _, item := range r.Input.Get("routingConfiguration").Items() {
		weight, _ := item.Get("weight").Int64()
		arns, weights = append(arns, item.Get("stateMachineVersionArn").Str()), append(weights, strconv.FormatInt(weight, 10))
		sum += int(weight)
		routes = append(routes, catalogue.Route{Weight: int(weight)})
	}
	if len(arns) == 2 && arns[0] == arns[1] {
		return refuse("Routing configuration must contain distinct state machine version ARNs. Received: " + listed(arns))
	}
	if sum != 100 {
		return refuse("Sum of routing configuration weights must equal 100. Received: " + listed(weights))
	}
	for i, arn := range arns {
		of, number, _, err := qualified(arn)
		switch {
		case err != nil:
			return "", nil, err
		case number == 0:
			return refuse("Routing configuration must contain state machine version ARNs. Received: " + listed(arns))
		case i > 0 && of != machine:
			return refuse("Routing configuration must contain versions of the same state machine. Received: " + listed(arns))
		}
		machine, routes[i].Version = of, number
	}
	return machine, routes, nil
}

// errAliasDeleting reports that an alias's machine is being deleted, and the alias
// gone already. To operations that know no such exception, it is not there.
var errAliasDeleting = fmt.Errorf("%w", errNoResource)

// aliased finds the alias that a request names, and its machine.
func (a *api) aliased(ctx context.Context, arn string) (*catalogue.Machine, *catalogue.Alias, error) {
	machine, _, name, err := qualified(arn)
	if err != nil {
		return nil, nil, err
	}
	if name == "" {
		return nil, nil, invalidARN("Invalid ARN of a state machine alias: " + arn)
	}
	m, err := a.Catalogue.Machine(ctx, machine)
	if err == nil && m.Deleting {
		return nil, nil, errAliasDeleting
	}
	if err == nil {
		var alias *catalogue.Alias
		if alias, err = a.Catalogue.Alias(ctx, m, name); err == nil {
			return m, alias, nil
		}
	}
	if errors.Is(err, store.ErrNotFound) {
		err = errNoResource
	}
	return nil, nil, err
}

// createStateMachineAlias is CreateStateMachineAlias. The routes are checked before the
// machine is looked for, which is the order of AWS's exceptions.
func (a *api) createStateMachineAlias(ctx context.Context, r *server.Request) ([]byte, error) {
	machine, routes, err := routing(r)
	r.About = []string{machine}
	if err != nil {
		return nil, err
	}
	now := a.Engine.Now()
	wanted := catalogue.Alias{Name: r.Str("name"), Description: r.Str("description"), Routes: routes, Created: now, Updated: now}
	for range attempts {
		m, err := a.Catalogue.Machine(ctx, machine)
		if errors.Is(err, store.ErrNotFound) {
			return nil, errNoResource
		}
		if err != nil {
			return nil, err
		}
		if m.Deleting {
			return nil, machineDeleting(machine)
		}
		created, err := a.createAlias(ctx, m, wanted)
		if errors.Is(err, store.ErrVersion) {
			continue
		}
		if err != nil {
			return nil, err
		}
		r.About = append(r.About, m.AliasARN(created.Name))
		var o server.Object
		return o.Str("stateMachineAliasArn", m.AliasARN(created.Name)).Time("creationDate", created.Created).JSON(), nil
	}
	return nil, errConflict
}

// createAlias adds an alias, or returns the one that is there when it is the same
// (CreateStateMachineAlias, "idempotent").
func (a *api) createAlias(ctx context.Context, m *catalogue.Machine, wanted catalogue.Alias) (*catalogue.Alias, error) {
	old, err := a.Catalogue.Alias(ctx, m, wanted.Name)
	switch {
	case err == nil && old.Description == wanted.Description && slices.Equal(old.Routes, wanted.Routes):
		return old, nil
	case err == nil:
		return nil, conflict("Failed to create alias because an alias with the same name and a different routing configuration already exists.")
	case !errors.Is(err, store.ErrNotFound):
		return nil, err
	}
	created, err := a.Catalogue.PutAlias(ctx, m, wanted)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, errNoResource
	case errors.Is(err, catalogue.ErrQuota):
		return nil, tooMany("aliases", "100", m.ARN())
	}
	return created, err
}

// updateStateMachineAlias is UpdateStateMachineAlias. Routes may only lead to versions of
// the alias's own machine.
func (a *api) updateStateMachineAlias(ctx context.Context, r *server.Request) ([]byte, error) {
	var (
		machine string
		routes  []catalogue.Route
	)
	if r.Has("routingConfiguration") {
		var err error
		if machine, routes, err = routing(r); err != nil {
			return nil, err
		}
	} else if !r.Has("description") {
		return nil, invalidFor("MISSING_REQUIRED_PARAMETER", "Either the description or the routing configuration must be specified")
	}
	for range attempts {
		m, old, err := a.aliased(ctx, r.Str("stateMachineAliasArn"))
		if errors.Is(err, errAliasDeleting) {
			err = machineDeleting(r.Str("stateMachineAliasArn"))
		}
		if err != nil {
			return nil, err
		}
		if routes != nil && machine != m.ARN() {
			return nil, invalidFor("INVALID_ROUTING_CONFIGURATION", "Routing configuration must contain versions of the state machine of the alias: '"+m.ARN()+"'")
		}
		updated, err := a.updateAlias(ctx, r, m, *old, routes)
		if errors.Is(err, store.ErrVersion) {
			continue
		}
		if err != nil {
			return nil, err
		}
		var o server.Object
		return o.Time("updateDate", updated.Updated).JSON(), nil
	}
	return nil, errConflict
}

// updateAlias writes what a request changes of an alias. Where it changes nothing, nothing
// is written, and the date of the update stays.
func (a *api) updateAlias(ctx context.Context, r *server.Request, m *catalogue.Machine, alias catalogue.Alias, routes []catalogue.Route) (*catalogue.Alias, error) {
	old := alias
	if r.Has("description") {
		alias.Description = r.Str("description")
	}
	if routes != nil {
		alias.Routes = routes
	}
	if alias.Description == old.Description && slices.Equal(alias.Routes, old.Routes) {
		return &old, nil
	}
	alias.Updated = a.Engine.Now()
	updated, err := a.Catalogue.PutAlias(ctx, m, alias)
	if errors.Is(err, store.ErrNotFound) {
		return nil, errNoResource
	}
	return updated, err
}

// describeStateMachineAlias is DescribeStateMachineAlias.
func (a *api) describeStateMachineAlias(ctx context.Context, r *server.Request) ([]byte, error) {
	m, alias, err := a.aliased(ctx, r.Str("stateMachineAliasArn"))
	if err != nil {
		return nil, err
	}
	var o server.Object
	o.Str("stateMachineAliasArn", m.AliasARN(alias.Name)).Str("name", alias.Name).Opt("description", alias.Description)
	o.List("routingConfiguration", len(alias.Routes), func(dst []byte, i int) []byte {
		var item server.Object
		item.Str("stateMachineVersionArn", m.VersionARN(alias.Routes[i].Version)).Int("weight", int64(alias.Routes[i].Weight))
		return append(dst, item.JSON()...)
	})
	return o.Time("creationDate", alias.Created).Time("updateDate", alias.Updated).JSON(), nil
}

// deleteStateMachineAlias is DeleteStateMachineAlias. An alias that is not there is
// deleted already. Executions that were started by it run on.
func (a *api) deleteStateMachineAlias(ctx context.Context, r *server.Request) ([]byte, error) {
	for range attempts {
		m, alias, err := a.aliased(ctx, r.Str("stateMachineAliasArn"))
		if errors.Is(err, errNoResource) {
			return []byte("{}"), nil
		}
		if err != nil {
			return nil, err
		}
		if err = a.Catalogue.DeleteAlias(ctx, m, alias.Name); !errors.Is(err, store.ErrVersion) {
			return []byte("{}"), err
		}
	}
	return nil, errConflict
}

// listStateMachineAliases is ListStateMachineAliases: those of a machine or, if the ARN
// is that of a version, those that lead to it.
func (a *api) listStateMachineAliases(ctx context.Context, r *server.Request) ([]byte, error) {
	arn := r.Str("stateMachineArn")
	machine, number, alias, err := qualified(arn)
	if err != nil {
		return nil, err
	}
	m, err := a.machine(ctx, machine)
	if err != nil {
		return nil, err
	}
	if m.Deleting {
		return nil, machineDeleting(machine)
	}
	if number > 0 {
		_, err = a.Catalogue.Version(ctx, m, number)
	}
	if alias != "" || errors.Is(err, store.ErrNotFound) {
		return nil, errNoResource
	}
	if err != nil {
		return nil, err
	}
	return listPage(a, r, arn, "stateMachineAliases", func(after string, limit int) ([]*catalogue.Alias, error) {
		return a.Catalogue.Aliases(ctx, m, number, after, limit)
	}, func(o *server.Object, alias *catalogue.Alias) string {
		o.Str("stateMachineAliasArn", m.AliasARN(alias.Name)).Time("creationDate", alias.Created)
		return alias.Name
	})
}
