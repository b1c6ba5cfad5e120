package api_test

import (
	"encoding/json"
	"slices"
	"strings"
)

// routing is what a request's routingConfiguration comes to: the machine that
// it is of, and the routes.
func routing(in obj) (machine string, routes []route, refused reply, bad bool) {
	invalid := reply{exception: "ValidationException", reason: "INVALID_ROUTING_CONFIGURATION"}
	var faults []reply
	sum := 0
	for i, item := range in["routingConfiguration"].([]any) {
		arn := item.(obj).str("stateMachineVersionArn")
		weight := int(item.(obj)["weight"].(float64))
		sum += weight
		if r, wrong := machineRule(arn); wrong {
			faults = append(faults, r)
			continue
		}
		of, qualifier := qualifiedARN(arn)
		r := route{versionNumber(qualifier), weight}
		if r.version == 0 || i > 0 && of != machine || len(routes) > 0 && r.version == routes[0].version {
			faults = append(faults, invalid)
		}
		machine, routes = of, append(routes, r)
	}
	if sum != 100 {
		faults = append(faults, invalid)
	}
	refused, bad = anyOf(faults...)
	return machine, routes, refused, bad
}

// leads reports whether all versions of routes are there.
func (mc *stateMachine) leads(routes []route) bool {
	return !slices.ContainsFunc(routes, func(r route) bool { return mc.version(r.version) == nil })
}

func (m *model) createAlias(account string, in obj) reply {
	of, routes, r, bad := routing(in)
	if bad {
		return r
	}
	mc := m.found(account, of)
	switch {
	case mc == nil:
		return refuse("ResourceNotFound")
	case mc.deleting:
		return refuse("StateMachineDeleting")
	}
	a := &alias{name: in.str("name"), description: in.str("description"), routes: routes, created: m.now, updated: m.now}
	if old := mc.aliases[a.name]; old != nil {
		if old.description != a.description || !slices.Equal(old.routes, a.routes) {
			return refuse("ConflictException")
		}
		a = old
	} else if !mc.leads(routes) {
		return refuse("ResourceNotFound")
	}
	mc.aliases[a.name] = a
	return answer(obj{"stateMachineAliasArn": mc.arn + ":" + a.name, "creationDate": seconds(a.created)})
}

// aliased finds the alias of an ARN.
func (m *model) aliased(account, arn string) (*stateMachine, *alias, string) {
	if r, bad := machineRule(arn); bad {
		return nil, nil, r.exception
	}
	of, name := qualifiedARN(arn)
	if name == "" || versionNumber(name) > 0 {
		return nil, nil, "InvalidArn"
	}
	mc := m.found(account, of)
	if mc == nil || mc.aliases[name] == nil {
		return mc, nil, "ResourceNotFound"
	}
	return mc, mc.aliases[name], ""
}

func (m *model) updateAlias(account string, in obj) reply {
	var (
		of     string
		routes []route
	)
	switch {
	case in["routingConfiguration"] != nil:
		var (
			r   reply
			bad bool
		)
		if of, routes, r, bad = routing(in); bad {
			return r
		}
	case in["description"] == nil:
		return reply{exception: "ValidationException", reason: "MISSING_REQUIRED_PARAMETER"}
	}
	mc, a, e := m.aliased(account, in.str("stateMachineAliasArn"))
	switch {
	case mc != nil && mc.deleting:
		return refuse("StateMachineDeleting")
	case e != "":
		return refuse(e)
	case routes != nil && of != mc.arn:
		return reply{exception: "ValidationException", reason: "INVALID_ROUTING_CONFIGURATION"}
	case !mc.leads(routes):
		return refuse("ResourceNotFound")
	}
	next := *a
	if in["description"] != nil {
		next.description = in.str("description")
	}
	if routes != nil {
		next.routes = routes
	}
	if next.description != a.description || !slices.Equal(next.routes, a.routes) {
		next.updated = m.now
		*a = next
	}
	return answer(obj{"updateDate": seconds(a.updated)})
}

func (m *model) deleteAlias(account string, in obj) reply {
	mc, a, e := m.aliased(account, in.str("stateMachineAliasArn"))
	switch {
	case e == "ResourceNotFound":
		return answer(obj{})
	case e != "":
		return refuse(e)
	}
	delete(mc.aliases, a.name)
	return answer(obj{})
}

func (m *model) createActivity(account string, in obj) reply {
	name := in.str("name")
	a := &activity{arn: arnOf(account, "activity", name), name: name, created: m.now, tags: make(map[string]string)}
	var misconfigured string
	a.encrypted, misconfigured = encryption(in, nil)
	old := m.activities[a.arn]
	if r, bad := anyOf(refuse(nameRule(name)), refuse(tagRule(in, a.tags)), refuse(misconfigured),
		refuseIf(old != nil && (misconfigured != "" || !equal(old.encrypted, a.encrypted)), "ActivityAlreadyExists")); bad {
		return r
	}
	if old != nil {
		a = old
	}
	m.activities[a.arn] = a
	return answer(obj{"activityArn": a.arn, "creationDate": seconds(a.created)})
}

func (m *model) deleteActivity(account string, in obj) reply {
	arn := in.str("activityArn")
	if e := arnRule(arn, "activity"); e != "" {
		return refuse(e)
	}
	if mine(account, arn) {
		delete(m.activities, arn)
	}
	return answer(obj{})
}

// target is what StartExecution and StartSyncExecution are to start: revisions
// of a machine, of which an alias picks one, and what they are known by.
type target struct {
	machine   *stateMachine
	revisions []startable
	alias     string // its ARN
}

type startable struct {
	*machineRevision
	arn string // the version's
}

func (m *model) target(account string, in obj) (t target, refused reply, bad bool) {
	arn := in.str("stateMachineArn")
	if in["name"] != nil {
		if e := nameRule(in.str("name")); e != "" {
			return t, refuse(e), true
		}
	}
	if r, wrong := machineRule(arn); wrong {
		return t, r, true
	}
	of, qualifier := qualifiedARN(arn)
	mc := m.found(account, of)
	switch {
	case mc == nil:
		return t, refuse("StateMachineDoesNotExist"), true
	case mc.deleting:
		return t, refuse("StateMachineDeleting"), true
	}
	t.machine = mc
	number := versionNumber(qualifier)
	switch a := mc.aliases[qualifier]; {
	case qualifier == "":
		t.revisions = []startable{{machineRevision: mc.machineRevision}}
	case number > 0 && mc.version(number) != nil:
		t.revisions = []startable{{mc.version(number).of, mc.versionARN(number)}}
	case a != nil:
		t.alias = arn
		for _, r := range a.routes {
			if r.weight > 0 {
				t.revisions = append(t.revisions, startable{mc.version(r.version).of, mc.versionARN(r.version)})
			}
		}
	default:
		return t, refuse("StateMachineDoesNotExist"), true
	}
	if !json.Valid([]byte(inputOf(in))) {
		return t, refuse("InvalidExecutionInput"), true
	}
	return t, reply{}, false
}

func inputOf(in obj) string {
	if in["input"] == nil {
		return "{}"
	}
	return in.str("input")
}

func (m *model) startExecution(account string, in obj) reply {
	t, r, bad := m.target(account, in)
	if bad {
		return r
	}
	name := in.str("name")
	if t.machine.kind == "EXPRESS" {
		return answer(obj{"executionArn": unknown, "startDate": seconds(m.now)})
	}
	arn := arnOf(account, "execution", t.machine.name+":"+name)
	if old := m.executions[arn]; old != nil && name != "" {
		if !old.running() || old.input != inputOf(in) {
			return refuse("ExecutionAlreadyExists")
		}
		return answer(obj{"executionArn": arn, "startDate": seconds(old.start)})
	}
	body := obj{"executionArn": arn, "startDate": seconds(m.now)}
	if name == "" {
		body["executionArn"] = unknown
	}
	return reply{body: body, learn: func(w *world, got obj) string {
		x := &execution{arn: got.str("executionArn"), machine: t.machine, aliasARN: t.alias, input: inputOf(in), retention: retention}
		x.name = x.arn[strings.LastIndex(x.arn, ":")+1:]
		picked := t.revisions[0]
		if len(t.revisions) > 1 {
			_, d := w.call(account, "DescribeExecution", obj{"executionArn": x.arn})
			i := slices.IndexFunc(t.revisions, func(s startable) bool { return s.arn == d.str("stateMachineVersionArn") })
			if i < 0 {
				return "the alias started the version " + d.str("stateMachineVersionArn")
			}
			picked = t.revisions[i]
		}
		x.revision, x.versionARN, x.script = picked.machineRevision, picked.arn, m.scripts[picked.definition]
		m.executions[x.arn] = x
		m.order = append(m.order, x)
		t.machine.executions = append(t.machine.executions, x)
		x.begin(m)
		return ""
	}}
}

func (m *model) startSyncExecution(account string, in obj) reply {
	t, r, bad := m.target(account, in)
	switch {
	case bad:
		return r
	case t.machine.kind != "EXPRESS":
		return refuse("StateMachineTypeNotSupported")
	}
	body := obj{
		"executionArn": unknown, "stateMachineArn": t.machine.arn, "name": unknown, "startDate": seconds(m.now), "stopDate": seconds(m.now),
		"input": inputOf(in), "inputDetails": obj{"included": true},
		"billingDetails": obj{"billedMemoryUsedInMB": float64(64), "billedDurationInMilliseconds": float64(100)},
	}
	if in["name"] != nil {
		body["name"] = in.str("name")
	}
	return reply{body: body, learn: nil}.ends(m, t, inputOf(in))
}

// ends adds how an Express execution ends. What an alias picked shows in that
// only: the answer does not tell.
func (r reply) ends(m *model, t target, input string) reply {
	x := &execution{script: m.scripts[t.revisions[0].definition], machine: t.machine, input: input}
	if len(t.revisions) > 1 {
		for _, member := range []string{"status", "output", "outputDetails", "error", "cause"} {
			r.body[member] = optional
		}
		return r
	}
	x.begin(m)
	r.body["status"] = x.status
	if x.output != nil {
		r.body["output"], r.body["outputDetails"] = *x.output, obj{"included": true}
	}
	if x.failed != nil {
		r.body["error"], r.body["cause"] = *x.failed, *x.cause
	}
	return r
}

// existing finds the execution of an ARN.
func (m *model) existing(account, arn string) (*execution, string) {
	if e := arnRule(arn, "execution"); e != "" {
		return nil, e
	}
	x := m.executions[arn]
	if x == nil || !mine(account, arn) {
		return nil, "ExecutionDoesNotExist"
	}
	return x, ""
}

func (m *model) stopExecution(account string, in obj) reply {
	x, e := m.existing(account, in.str("executionArn"))
	if e != "" {
		return refuse(e)
	}
	if x.running() {
		x.failed, x.cause = in.opt("error"), in.opt("cause")
		x.close(m, "ABORTED", "ExecutionAborted")
	}
	return answer(obj{"stopDate": seconds(x.stop)})
}

func (m *model) redriveExecution(account string, in obj) reply {
	x, e := m.existing(account, in.str("executionArn"))
	if e != "" {
		return refuse(e)
	}
	token := in.str("clientToken")
	recent := x.redriving[max(0, len(x.redriving)-10):]
	for _, r := range slices.Backward(recent) {
		if token != "" && r.token == token && m.now-r.at <= 15*60*1000 {
			return answer(obj{"redriveDate": seconds(r.at)})
		}
	}
	if x.notRedrivable(m) != "" {
		return refuse("ExecutionNotRedrivable")
	}
	x.redrive(m, token)
	return answer(obj{"redriveDate": seconds(x.redriven)})
}

func (m *model) getActivityTask(account string, in obj) reply {
	arn := in.str("activityArn")
	if e := arnRule(arn, "activity"); e != "" {
		return refuse(e)
	}
	if m.activities[arn] == nil || !mine(account, arn) {
		return refuse("ActivityDoesNotExist")
	}
	line := m.lines[arn]
	if len(line) == 0 {
		return answer(obj{"taskToken": nil})
	}
	return reply{body: obj{"taskToken": unknown, "input": unknown}, learn: func(_ *world, got obj) string {
		var given struct{ Execution string }
		if err := json.Unmarshal([]byte(got.str("input")), &given); err != nil {
			return err.Error()
		}
		i := slices.IndexFunc(line, func(t *task) bool { return t.of.arn == given.Execution })
		switch {
		case i < 0:
			return "a worker is given a task of " + given.Execution + ", which has none in line"
		case i > 0 && !m.restarted[line[0]]:
			return "a worker is given a task before one that is longer in line"
		}
		t := line[i]
		m.unline(t)
		t.of.record(m, "ActivityStarted")
		t.clocks(m)
		return m.know(t, got.str("taskToken"))
	}}
}

// unline takes a task out of the line of its activity.
func (m *model) unline(t *task) {
	m.lines[t.activity] = slices.DeleteFunc(m.lines[t.activity], func(o *task) bool { return o == t })
	delete(m.restarted, t)
}

// know learns the token of a task.
func (m *model) know(t *task, token string) string {
	if m.tokens[token] != nil && m.tokens[token] != t || t.token != "" && t.token != token {
		return "two tasks have one token, or one task has two"
	}
	t.token, m.tokens[token] = token, t
	return ""
}

// asked learns that a service was asked to answer by token.
func (m *model) asked(arn, token string) string {
	i := slices.IndexFunc(m.asking, func(t *task) bool { return t.of.arn == arn })
	if i >= 0 {
		t := m.asking[i]
		m.asking = slices.Delete(m.asking, i, i+1)
		return m.know(t, token)
	}
	if t := m.tokens[token]; t == nil || t.of.arn != arn || t.activity != "" {
		return "a service is asked for a task that " + arn + " does not have"
	}
	return "" // again, after a crash
}

// send finds the task of a token that a caller gives.
func (m *model) send(account string, in obj) (*task, reply, bool) {
	token := in.str("taskToken")
	t := m.tokens[token]
	switch {
	case token == "":
		return nil, refuse("ValidationException"), true
	case t == nil || t.of.account() != account:
		return nil, refuse("InvalidToken"), true
	case t.of.task != t:
		return nil, refuse("TaskTimedOut"), true
	}
	return t, reply{}, false
}

func (m *model) sendTaskSuccess(account string, in obj) reply {
	t, r, _ := m.send(account, in)
	if r, bad := anyOf(refuseIf(!json.Valid([]byte(in.str("output"))), "InvalidOutput"), r); bad {
		return r
	}
	t.succeed(m, in.str("output"))
	return answer(obj{})
}

func (m *model) sendTaskFailure(account string, in obj) reply {
	t, r, bad := m.send(account, in)
	if bad {
		return r
	}
	t.fail(m, "Failed", in.opt("error"), in.opt("cause"))
	return answer(obj{})
}

func (m *model) sendTaskHeartbeat(account string, in obj) reply {
	t, r, bad := m.send(account, in)
	if bad {
		return r
	}
	t.sign(m)
	return answer(obj{})
}
