package api_test

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// model is what AWS's documentation says that the service holds and answers,
// in plain maps: it shares no code with what it is held against. Machines,
// activities and executions are found by their ARNs.
type model struct {
	now        int64 // milliseconds since 1970
	machines   map[string]*stateMachine
	activities map[string]*activity
	executions map[string]*execution
	order      []*execution // by start
	lines      map[string][]*task
	asking     []*task // that a service was asked to answer by token
	tokens     map[string]*task
	scripts    map[string]*script // by definition
	restarted  map[*task]bool     // in line since before the last restart
}

type stateMachine struct {
	*machineRevision
	arn, account, name, kind string
	created                  int64
	tags                     map[string]string
	published                *string // the description of the version that its creation published
	versions                 []*version
	last                     int // number of the last version
	aliases                  map[string]*alias
	deleting                 bool
	executions               []*execution // by start
}

type machineRevision struct {
	id, definition, role        string
	updated                     int64
	logging, tracing, encrypted any
}

type version struct {
	number      int
	of          *machineRevision
	description string
	created     int64
}

type alias struct {
	name, description string
	routes            []route
	created, updated  int64
}

type route struct{ version, weight int }

type activity struct {
	arn, name string
	created   int64
	tags      map[string]string
	encrypted any
}

// reply is what the model says that a call is answered: an exception, and the
// reason that a ValidationException has, or a body. Of a request that is wrong in
// several ways nothing tells which one is told: others are as good.
type reply struct {
	exception, reason string
	others            []reply
	body              obj
	// learn takes what only the service knows from the answer; it tells what
	// is wrong with it.
	learn func(w *world, got obj) string
}

func refuse(exception string) reply { return reply{exception: exception} }

// anyOf is the refusal of a request with faults; false when there is none.
func anyOf(faults ...reply) (reply, bool) {
	faults = slices.DeleteFunc(faults, func(r reply) bool { return r.exception == "" })
	if len(faults) == 0 {
		return reply{}, false
	}
	r := faults[0]
	r.others = faults[1:]
	return r, true
}

// refuseIf is a fault where it holds.
func refuseIf(holds bool, exception string) reply {
	if holds {
		return refuse(exception)
	}
	return reply{}
}

func answer(body obj) reply { return reply{body: body} }

func newModel() *model {
	m := &model{
		machines: make(map[string]*stateMachine), activities: make(map[string]*activity), executions: make(map[string]*execution),
		lines: make(map[string][]*task), tokens: make(map[string]*task), scripts: make(map[string]*script), restarted: make(map[*task]bool),
	}
	for i := range scripts {
		for _, account := range accounts {
			for _, comment := range comments {
				m.scripts[scripts[i].definition(account, comment)] = &scripts[i]
			}
		}
	}
	return m
}

// operation is the rule of one operation of the API.
type operation func(m *model, account string, in obj) reply

// rules are those of all operations that change something.
var rules = map[string]operation{
	"CreateStateMachine":         (*model).createStateMachine,
	"UpdateStateMachine":         (*model).updateStateMachine,
	"DeleteStateMachine":         (*model).deleteStateMachine,
	"PublishStateMachineVersion": (*model).publishVersion,
	"DeleteStateMachineVersion":  (*model).deleteVersion,
	"CreateStateMachineAlias":    (*model).createAlias,
	"UpdateStateMachineAlias":    (*model).updateAlias,
	"DeleteStateMachineAlias":    (*model).deleteAlias,
	"CreateActivity":             (*model).createActivity,
	"DeleteActivity":             (*model).deleteActivity,
	"StartExecution":             (*model).startExecution,
	"StartSyncExecution":         (*model).startSyncExecution,
	"StopExecution":              (*model).stopExecution,
	"RedriveExecution":           (*model).redriveExecution,
	"GetActivityTask":            (*model).getActivityTask,
	"SendTaskSuccess":            (*model).sendTaskSuccess,
	"SendTaskFailure":            (*model).sendTaskFailure,
	"SendTaskHeartbeat":          (*model).sendTaskHeartbeat,
	"TagResource":                (*model).tagResource,
	"UntagResource":              (*model).untagResource,
	"UpdateMapRun":               (*model).updateMapRun,
}

// arnRule is what every operation answers to an ARN that is none, or of
// another kind; "" when it is of one of the kinds.
func arnRule(arn string, kinds ...string) string {
	parts := strings.Split(arn, ":")
	if len(parts) < 7 || !slices.Contains(kinds, parts[5]) {
		return "InvalidArn"
	}
	return ""
}

// machineRule is the same for ARNs of state machines, which must not have the
// label of a Map state.
func machineRule(arn string) (refused reply, bad bool) {
	if e := arnRule(arn, "stateMachine"); e != "" {
		return refuse(e), true
	}
	if strings.Contains(strings.Split(arn, ":")[6], "/") {
		return reply{exception: "ValidationException", reason: "API_DOES_NOT_SUPPORT_LABELED_ARNS"}, true
	}
	return reply{}, false
}

// mine reports whether an ARN is of the caller's account: what is another's is
// not there.
func mine(account, arn string) bool { return strings.Split(arn, ":")[4] == account }

// found is the machine of an unqualified ARN, nil when the caller has none.
func (m *model) found(account, arn string) *stateMachine {
	if !mine(account, arn) {
		return nil
	}
	return m.machines[arn]
}

// qualifiedARN splits an ARN behind the machine's name.
func qualifiedARN(arn string) (machine, qualifier string) {
	parts := strings.Split(arn, ":")
	return strings.Join(parts[:7], ":"), strings.Join(parts[7:], ":")
}

// versionNumber reads a qualifier: 0 is none that a version can have.
func versionNumber(qualifier string) int {
	n, err := strconv.Atoi(qualifier)
	if err != nil || n < 1 || strconv.Itoa(n) != qualifier {
		return 0
	}
	return n
}

func (mc *stateMachine) version(number int) *version {
	i := slices.IndexFunc(mc.versions, func(v *version) bool { return v.number == number })
	if i < 0 {
		return nil
	}
	return mc.versions[i]
}

func (mc *stateMachine) versionARN(number int) string { return mc.arn + ":" + strconv.Itoa(number) }

// publish makes a version of the present revision, or gives the one that there
// is.
func (mc *stateMachine) publish(now int64, description string) *version {
	for _, v := range mc.versions {
		if v.of == mc.machineRevision {
			return v
		}
	}
	mc.last++
	v := &version{number: mc.last, of: mc.machineRevision, description: description, created: now}
	mc.versions = append(mc.versions, v)
	return v
}

// configure takes logging, tracing and encryption from a request into a
// revision. What is the default is kept as nil.
func (r *machineRevision) configure(in obj) string {
	if given, ok := in["loggingConfiguration"].(obj); ok {
		level, _ := given["level"].(string)
		destinations, _ := given["destinations"].([]any)
		switch {
		case (level == "" || level == "OFF") && len(destinations) == 0:
			r.logging = nil
		case len(destinations) != 1:
			return "InvalidLoggingConfiguration"
		default:
			r.logging = obj{"level": level, "includeExecutionData": given["includeExecutionData"] == true, "destinations": destinations}
		}
	}
	if given, ok := in["tracingConfiguration"].(obj); ok {
		r.tracing = nil
		if given["enabled"] == true {
			r.tracing = given
		}
	}
	return r.encrypt(in)
}

func (r *machineRevision) encrypt(in obj) string {
	encrypted, e := encryption(in, r.encrypted)
	r.encrypted = encrypted
	return e
}

// encryption is what a request's encryptionConfiguration comes to, old when it
// has none.
func encryption(in obj, old any) (any, string) {
	given, ok := in["encryptionConfiguration"].(obj)
	if !ok {
		return old, ""
	}
	if given["type"] == "AWS_OWNED_KEY" {
		if given["kmsKeyId"] != nil {
			return nil, "InvalidEncryptionConfiguration"
		}
		return nil, ""
	}
	if given["kmsKeyId"] == nil {
		return nil, "InvalidEncryptionConfiguration"
	}
	if given["kmsKeyId"] != keyID {
		return nil, "KmsAccessDeniedException"
	}
	reuse := given["kmsDataKeyReusePeriodSeconds"]
	if reuse == nil {
		reuse = float64(300)
	}
	return obj{"type": given["type"], "kmsKeyId": given["kmsKeyId"], "kmsDataKeyReusePeriodSeconds": reuse}, ""
}

func (r *machineRevision) same(o *machineRevision) bool {
	return r.definition == o.definition && equal(r.logging, o.logging) && equal(r.tracing, o.tracing) && equal(r.encrypted, o.encrypted)
}

// nameRule is the rule for names of machines, executions and activities.
func nameRule(name string) string {
	switch {
	case name == "", len([]rune(name)) > 80:
		return "ValidationException"
	case strings.ContainsAny(name, " \t\n<>{}[]?*\"#%\\^|~`$&,;:/\u007f\x1f"):
		return "InvalidName"
	}
	return ""
}

// tagRule reads the member tags.
func tagRule(in obj, into map[string]string) string {
	list, _ := in["tags"].([]any)
	for _, item := range list {
		key := item.(obj)["key"].(string)
		if strings.HasPrefix(key, "aws:") {
			return "ValidationException"
		}
		into[key], _ = item.(obj)["value"].(string)
	}
	if len(into) > 50 {
		return "TooManyTags"
	}
	return ""
}

// runs reports whether a definition is one that machines of a type can have.
func (m *model) runs(definition, kind string) bool {
	script := m.scripts[definition]
	return script != nil && (kind != "EXPRESS" || script.express())
}

func (m *model) createStateMachine(account string, in obj) reply {
	name := in.str("name")
	mc := &stateMachine{
		arn: arnOf(account, "stateMachine", name), account: account, name: name, kind: cmp.Or(in.str("type"), "STANDARD"), created: m.now,
		machineRevision: &machineRevision{definition: in.str("definition"), role: in.str("roleArn"), updated: m.now},
		tags:            make(map[string]string), aliases: make(map[string]*alias),
	}
	publish := in["publish"] == true
	misconfigured := mc.configure(in)
	if publish {
		mc.published = new(in.str("versionDescription"))
	}
	faults := []reply{
		refuse(nameRule(name)), refuse(tagRule(in, mc.tags)), refuse(misconfigured),
		refuseIf(in["versionDescription"] != nil && !publish, "ValidationException"),
		refuseIf(!m.runs(mc.definition, mc.kind), "InvalidDefinition"),
	}
	old := m.machines[mc.arn]
	if old != nil {
		same := misconfigured == "" && old.same(mc.machineRevision) && old.kind == mc.kind && equal(old.published, mc.published)
		faults = append(faults, refuseIf(old.deleting, "StateMachineDeleting"), refuseIf(!old.deleting && !same, "StateMachineAlreadyExists"))
	}
	if r, bad := anyOf(faults...); bad {
		return r
	}
	if old != nil {
		mc = old
	} else {
		m.machines[mc.arn] = mc
		if publish {
			mc.publish(m.now, *mc.published)
		}
	}
	body := obj{"stateMachineArn": mc.arn, "creationDate": seconds(mc.created)}
	if publish {
		body["stateMachineVersionArn"] = mc.versionARN(1)
	}
	return answer(body)
}

func (m *model) updateStateMachine(account string, in obj) reply {
	arn := in.str("stateMachineArn")
	if r, bad := machineRule(arn); bad {
		return r
	}
	publish := in["publish"] == true
	if in["versionDescription"] != nil && !publish {
		return refuse("ValidationException")
	}
	mc := m.found(account, arn)
	switch {
	case mc == nil:
		return refuse("StateMachineDoesNotExist")
	case mc.deleting:
		return refuse("StateMachineDeleting")
	}
	given := false
	for _, member := range []string{"definition", "roleArn", "loggingConfiguration", "tracingConfiguration", "encryptionConfiguration"} {
		given = given || in[member] != nil
	}
	if !given {
		return refuse("MissingRequiredParameter")
	}
	next := *mc.machineRevision
	if in["definition"] != nil {
		next.definition = in.str("definition")
	}
	if r, bad := anyOf(refuse(next.configure(in)), refuseIf(!m.runs(next.definition, mc.kind), "InvalidDefinition")); bad {
		return r
	}
	if in["roleArn"] != nil {
		next.role = in.str("roleArn")
	}
	body := obj{"updateDate": seconds(m.now)}
	changed := !next.same(mc.machineRevision) || next.role != mc.role
	if changed {
		next.id, next.updated = "", m.now
		mc.machineRevision = &next
		body["revisionId"] = unknown
	} else if mc.id != "" {
		body["revisionId"] = mc.id
	}
	if publish {
		body["stateMachineVersionArn"] = mc.versionARN(mc.publish(m.now, in.str("versionDescription")).number)
	}
	return reply{body: body, learn: func(_ *world, got obj) string {
		if changed {
			next.id = got.str("revisionId")
		}
		return ""
	}}
}

func (m *model) deleteStateMachine(account string, in obj) reply {
	arn := in.str("stateMachineArn")
	if r, bad := machineRule(arn); bad {
		return r
	}
	if _, qualifier := qualifiedARN(arn); qualifier != "" {
		return refuse("ValidationException")
	}
	if mc := m.found(account, arn); mc != nil {
		mc.deleting, mc.versions, mc.aliases = true, nil, make(map[string]*alias)
		m.reap(mc)
	}
	return answer(obj{})
}

// reap takes a machine away that is being deleted and has no running executions
// any more.
func (m *model) reap(mc *stateMachine) {
	if mc.deleting && !slices.ContainsFunc(mc.executions, (*execution).running) {
		delete(m.machines, mc.arn)
	}
}

func (m *model) publishVersion(account string, in obj) reply {
	arn := in.str("stateMachineArn")
	if r, bad := machineRule(arn); bad {
		return r
	}
	mc := m.found(account, arn)
	switch {
	case mc == nil:
		return refuse("StateMachineDoesNotExist")
	case mc.deleting:
		return refuse("StateMachineDeleting")
	}
	if asked := in.str("revisionId"); asked != "" && asked != cmp.Or(mc.id, "INITIAL") {
		return refuse("ConflictException")
	}
	v := mc.publish(m.now, in.str("description"))
	return answer(obj{"stateMachineVersionArn": mc.versionARN(v.number), "creationDate": seconds(v.created)})
}

func (m *model) deleteVersion(account string, in obj) reply {
	arn := in.str("stateMachineVersionArn")
	if r, bad := machineRule(arn); bad {
		return r
	}
	of, qualifier := qualifiedARN(arn)
	number := versionNumber(qualifier)
	if number == 0 {
		return refuse("InvalidArn")
	}
	mc := m.found(account, of)
	if mc == nil || mc.version(number) == nil {
		return answer(obj{})
	}
	for _, a := range mc.aliases {
		if a.leadsTo(number) {
			return refuse("ConflictException")
		}
	}
	mc.versions = slices.DeleteFunc(mc.versions, func(v *version) bool { return v.number == number })
	return answer(obj{})
}

func (a *alias) leadsTo(number int) bool {
	return slices.ContainsFunc(a.routes, func(r route) bool { return r.version == number })
}

func (m *model) tagResource(account string, in obj) reply {
	return m.retag(account, in, func(tags map[string]string) string { return tagRule(in, tags) })
}

func (m *model) untagResource(account string, in obj) reply {
	return m.retag(account, in, func(tags map[string]string) string {
		for _, key := range in["tagKeys"].([]any) {
			delete(tags, key.(string))
		}
		return ""
	})
}

// tagged is the tags of the resource of an ARN.
func (m *model) tagged(account, arn string) (tags *map[string]string, exception string) {
	if e := arnRule(arn, "stateMachine", "activity"); e != "" {
		return nil, e
	}
	if mc := m.found(account, arn); mc != nil {
		return &mc.tags, ""
	}
	if a := m.activities[arn]; a != nil && mine(account, arn) {
		return &a.tags, ""
	}
	return nil, "ResourceNotFound"
}

// retag changes the tags of a resource, or leaves them when that is refused.
func (m *model) retag(account string, in obj, change func(tags map[string]string) string) reply {
	if e := tagRule(in, make(map[string]string)); e != "" {
		return refuse(e)
	}
	tags, e := m.tagged(account, in.str("resourceArn"))
	if e != "" {
		return refuse(e)
	}
	changed := maps.Clone(*tags)
	if e := change(changed); e != "" {
		return refuse(e)
	}
	*tags = changed
	return answer(obj{})
}

func (m *model) updateMapRun(_ string, in obj) reply {
	if in["maxConcurrency"] == nil && in["toleratedFailureCount"] == nil {
		return reply{exception: "ValidationException", reason: "MISSING_REQUIRED_PARAMETER"}
	}
	if e := arnRule(in.str("mapRunArn"), "mapRun"); e != "" {
		return refuse(e)
	}
	return refuse("ResourceNotFound") // inline Maps have none
}
