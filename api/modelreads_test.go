package api_test

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
)

// restart has the model see what a restart changes: nothing, but that whoever
// works on a task has its whole HeartbeatSeconds again, and that the tasks that
// wait for workers may be in another order.
func (m *model) restart() {
	for _, x := range m.order {
		if x.task == nil {
			continue
		}
		x.task.sign(m)
		if x.task.activity != "" && !x.task.working {
			m.restarted[x.task] = true
		}
	}
}

// pass lets time pass.
func (m *model) pass(to int64) {
	for {
		var first *execution
		for _, x := range m.order {
			if next := x.next(); next != 0 && next <= to && (first == nil || next < first.next()) {
				first = x
			}
		}
		if first == nil {
			break
		}
		m.now = first.next()
		first.fire(m)
	}
	m.now = to
}

// closed sees to what hangs on the end of an execution.
func (m *model) closed(x *execution) { m.reap(x.machine) }

// forget takes an execution away that has expired.
func (m *model) forget(x *execution) {
	gone := func(o *execution) bool { return o == x }
	m.order = slices.DeleteFunc(m.order, gone)
	x.machine.executions = slices.DeleteFunc(x.machine.executions, gone)
	if m.executions[x.arn] == x {
		delete(m.executions, x.arn)
	}
}

// views are the rules of the operations that tell of one thing.
var views = map[string]operation{
	"DescribeStateMachine":             (*model).describeStateMachine,
	"DescribeStateMachineForExecution": (*model).describeForExecution,
	"DescribeStateMachineAlias":        (*model).describeAlias,
	"DescribeActivity":                 (*model).describeActivity,
	"DescribeExecution":                (*model).describeExecution,
	"DescribeMapRun": func(*model, string, obj) reply {
		return refuse("ResourceNotFound")
	},
}

func (r *machineRevision) configured(d obj) obj {
	d["loggingConfiguration"] = orElse(r.logging, obj{"level": "OFF", "includeExecutionData": false})
	d["tracingConfiguration"] = orElse(r.tracing, obj{"enabled": false})
	d["encryptionConfiguration"] = orElse(r.encrypted, obj{"type": "AWS_OWNED_KEY"})
	d["definition"], d["roleArn"] = r.definition, r.role
	d.text("revisionId", r.id)
	return d
}

func orElse(v any, otherwise obj) any {
	if v == nil {
		return otherwise
	}
	return v
}

func (m *model) describeStateMachine(account string, in obj) reply {
	arn := in.str("stateMachineArn")
	if e := arnRule(arn, "stateMachine"); e != "" {
		return refuse(e)
	}
	of, qualifier := qualifiedARN(arn)
	mc := m.found(account, of)
	if mc == nil {
		return refuse("StateMachineDoesNotExist")
	}
	status := "ACTIVE"
	if mc.deleting {
		status = "DELETING"
	}
	d := obj{"stateMachineArn": arn, "name": mc.name, "status": status, "type": mc.kind, "creationDate": seconds(mc.created)}
	mc.configured(d)
	if qualifier != "" {
		v := mc.version(versionNumber(qualifier))
		if v == nil {
			return refuse("StateMachineDoesNotExist")
		}
		delete(d, "revisionId")
		v.of.configured(d)
		d["creationDate"] = seconds(v.created)
		d.text("description", v.description)
	}
	if in["includedData"] == "METADATA_ONLY" {
		d["definition"] = "{}"
	}
	return answer(d)
}

func (m *model) describeForExecution(account string, in obj) reply {
	x, e := m.existing(account, in.str("executionArn"))
	if e != "" {
		return refuse(e)
	}
	return answer(x.revision.configured(obj{"stateMachineArn": x.machine.arn, "name": x.machine.name, "updateDate": seconds(x.revision.updated)}))
}

func (m *model) describeAlias(account string, in obj) reply {
	mc, a, e := m.aliased(account, in.str("stateMachineAliasArn"))
	if e != "" {
		return refuse(e)
	}
	var routes []any
	for _, r := range a.routes {
		routes = append(routes, obj{"stateMachineVersionArn": mc.versionARN(r.version), "weight": float64(r.weight)})
	}
	d := obj{
		"stateMachineAliasArn": mc.arn + ":" + a.name, "name": a.name, "routingConfiguration": routes,
		"creationDate": seconds(a.created), "updateDate": seconds(a.updated),
	}
	d.text("description", a.description)
	return answer(d)
}

func (m *model) describeActivity(account string, in obj) reply {
	arn := in.str("activityArn")
	a := m.activities[arn]
	if a == nil || !mine(account, arn) {
		return refuse("ActivityDoesNotExist")
	}
	return answer(obj{
		"activityArn": a.arn, "name": a.name, "creationDate": seconds(a.created),
		"encryptionConfiguration": orElse(a.encrypted, obj{"type": "AWS_OWNED_KEY"}),
	})
}

func (m *model) describeExecution(account string, in obj) reply {
	x, e := m.existing(account, in.str("executionArn"))
	if e != "" {
		return refuse(e)
	}
	return answer(x.described(m, in["includedData"] != "METADATA_ONLY"))
}

// view makes a call that tells of one thing.
func (w *world) view(account, operation string, in obj) {
	status, got := w.call(account, operation, in)
	w.compare(operation, in, views[operation](w.m, account, in), status, got)
}

// list reads a list in pages of any size and holds it against the one that is
// wanted; or the exception, when there is one.
func (w *world) list(account, operation, member string, in obj, exception string, want []any) {
	size := 1 + w.random.IntN(20)
	asked := maps.Clone(in)
	asked["maxResults"] = size
	items := []any{}
	for range 10_000 {
		status, got := w.call(account, operation, asked)
		if exception != "" {
			w.compare(operation, in, refuse(exception), status, got)
			return
		}
		page, _ := got[member].([]any)
		if status != 200 || len(page) > size {
			w.wrong("%s %v: %d %v", operation, asked, status, got)
			return
		}
		items = append(items, page...)
		token := got.str("nextToken")
		if token == "" {
			break
		}
		asked = maps.Clone(asked)
		asked["nextToken"] = token
		w.keepPage(account, operation, asked)
	}
	if difference := differ(member, want, items); difference != "" {
		w.wrong("%s %v\n got %v\nwant %v\n%s", operation, in, items, want, difference)
	}
}

// tokenLife is how long a token of a page is good for.
const tokenLife = 24 * time.Hour

// keepPage remembers a page to ask for it again later.
func (w *world) keepPage(account, operation string, in obj) {
	if len(w.pages) < 10 && w.random.IntN(10) == 0 {
		w.pages = append(w.pages, page{account, operation, in, w.now.Add(tokenLife)})
	}
}

// turnPage asks for a page that was there, which expires.
func (w *world) turnPage() {
	if len(w.pages) == 0 {
		return
	}
	i := w.random.IntN(len(w.pages))
	p := w.pages[i]
	_, got := w.call(p.account, p.operation, p.in)
	e := got.str("__type")
	lag := w.now.Sub(p.expires)
	if e != "" && e != "InvalidToken" {
		return // what was listed is gone
	}
	if expired := e == "InvalidToken"; expired != (lag > 0) && lag.Abs() > time.Second { // it is kept to the second
		w.wrong("%s %v: %v, %v after the token has expired", p.operation, p.in, got, lag)
	}
	if lag > 0 {
		w.pages = slices.Delete(w.pages, i, i+1)
	}
}

func sorted[T any](all map[string]T) []T {
	list := make([]T, 0, len(all))
	for _, key := range slices.Sorted(maps.Keys(all)) {
		list = append(list, all[key])
	}
	return list
}

func (w *world) listMachines(account string) {
	want := []any{}
	for _, mc := range sorted(w.m.machines) {
		if mc.account == account {
			want = append(want, obj{"stateMachineArn": mc.arn, "name": mc.name, "type": mc.kind, "creationDate": seconds(mc.created)})
		}
	}
	w.list(account, "ListStateMachines", "stateMachines", obj{}, "", want)
}

func (w *world) listActivities(account string) {
	want := []any{}
	for _, a := range sorted(w.m.activities) {
		if mine(account, a.arn) {
			want = append(want, obj{"activityArn": a.arn, "name": a.name, "creationDate": seconds(a.created)})
		}
	}
	w.list(account, "ListActivities", "activities", obj{}, "", want)
}

func (w *world) listVersions(account, arn string) {
	want := []any{}
	if mc := w.m.found(account, arn); mc != nil {
		for _, v := range slices.Backward(mc.versions) {
			want = append(want, obj{"stateMachineVersionArn": mc.versionARN(v.number), "creationDate": seconds(v.created)})
		}
	}
	w.list(account, "ListStateMachineVersions", "stateMachineVersions", obj{"stateMachineArn": arn}, "", want)
}

func (w *world) listAliases(account, arn string) {
	of, qualifier := qualifiedARN(arn)
	mc := w.m.found(account, of)
	exception, want := "", []any{}
	switch number := versionNumber(qualifier); {
	case mc == nil:
		exception = "StateMachineDoesNotExist"
	case mc.deleting:
		exception = "StateMachineDeleting"
	case qualifier != "" && mc.version(number) == nil:
		exception = "ResourceNotFound"
	default:
		for _, a := range sorted(mc.aliases) {
			if qualifier == "" || a.leadsTo(number) {
				want = append(want, obj{"stateMachineAliasArn": mc.arn + ":" + a.name, "creationDate": seconds(a.created)})
			}
		}
	}
	w.list(account, "ListStateMachineAliases", "stateMachineAliases", obj{"stateMachineArn": arn}, exception, want)
}

func (w *world) listExecutions(account, arn, status string) {
	in := obj{"stateMachineArn": arn}
	in.text("statusFilter", status)
	of, qualifier := qualifiedARN(arn)
	mc := w.m.found(account, of)
	exception, want := "", []any{}
	switch {
	case mc == nil, qualifier != "" && mc.aliases[qualifier] == nil && mc.version(versionNumber(qualifier)) == nil:
		exception = "StateMachineDoesNotExist"
	case mc.kind == "EXPRESS":
		exception = "StateMachineTypeNotSupported"
	default:
		for _, x := range slices.Backward(mc.executions) {
			if (qualifier == "" || x.versionARN == arn || x.aliasARN == arn) && cmp.Or(status, x.status) == x.status {
				want = append(want, x.listed())
			}
		}
	}
	w.list(account, "ListExecutions", "executions", in, exception, want)
}

func (w *world) listTags(account, arn string) {
	in := obj{"resourceArn": arn}
	tags, e := w.m.tagged(account, arn)
	status, got := w.call(account, "ListTagsForResource", in)
	if e != "" {
		w.compare("ListTagsForResource", in, refuse(e), status, got)
		return
	}
	there := make(map[string]string)
	list, _ := got["tags"].([]any)
	for _, item := range list {
		there[item.(obj).str("key")] = item.(obj).str("value")
	}
	if !maps.Equal(there, *tags) || len(list) != len(there) {
		w.wrong("the tags of %s are %v, not %v", arn, list, *tags)
	}
}

// history compares the kinds and times of events.
func (w *world) history(account, arn string) {
	in := obj{"executionArn": arn, "maxResults": 1000, "includeExecutionData": false}
	x, e := w.m.existing(account, arn)
	status, got := w.call(account, "GetExecutionHistory", in)
	if e != "" {
		w.compare("GetExecutionHistory", in, refuse(e), status, got)
		return
	}
	var want, there []string
	for _, ev := range x.events {
		want = append(want, ev.kind+" "+time.UnixMilli(ev.at).UTC().Format(time.RFC3339Nano))
	}
	events, _ := got["events"].([]any)
	for i, item := range events {
		ev := item.(obj)
		at, _ := ev["timestamp"].(float64)
		there = append(there, ev.str("type")+" "+time.UnixMilli(int64(at*1000+0.5)).UTC().Format(time.RFC3339Nano))
		if ev["id"] != float64(i+1) {
			w.wrong("event %d of %s has the number %v", i+1, arn, ev["id"])
		}
	}
	if !slices.Equal(want, there) {
		w.wrong("the history of %s\n got %s\nwant %s", arn, strings.Join(there, "\n     "), strings.Join(want, "\n     "))
	}
}

// compareAll compares all that there is.
func (w *world) compareAll() {
	for _, account := range accounts {
		w.listMachines(account)
		w.listActivities(account)
	}
	for _, mc := range sorted(w.m.machines) {
		w.compareMachine(mc)
	}
	for _, a := range sorted(w.m.activities) {
		account := strings.Split(a.arn, ":")[4]
		w.view(account, "DescribeActivity", obj{"activityArn": a.arn})
		w.listTags(account, a.arn)
	}
	for _, x := range w.m.order {
		w.compareExecution(x)
	}
}

func (w *world) compareMachine(mc *stateMachine) {
	account := mc.account
	w.view(account, "DescribeStateMachine", obj{"stateMachineArn": mc.arn})
	w.listTags(account, mc.arn)
	w.listVersions(account, mc.arn)
	w.listAliases(account, mc.arn)
	w.listExecutions(account, mc.arn, "")
	for _, v := range mc.versions {
		arn := mc.versionARN(v.number)
		w.view(account, "DescribeStateMachine", obj{"stateMachineArn": arn})
		w.listAliases(account, arn)
		w.listExecutions(account, arn, "")
	}
	for _, a := range sorted(mc.aliases) {
		w.view(account, "DescribeStateMachineAlias", obj{"stateMachineAliasArn": mc.arn + ":" + a.name})
		w.listExecutions(account, mc.arn+":"+a.name, "")
	}
}

func (w *world) compareExecution(x *execution) {
	w.view(x.account(), "DescribeExecution", obj{"executionArn": x.arn})
	w.view(x.account(), "DescribeStateMachineForExecution", obj{"executionArn": x.arn})
	w.history(x.account(), x.arn)
	w.list(x.account(), "ListMapRuns", "mapRuns", obj{"executionArn": x.arn}, "", []any{})
}
