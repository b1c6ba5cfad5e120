package api_test

import (
	"cmp"
	"fmt"
	"strings"
)

// moves is how often each operation is called, and what makes its request.
var moves = []struct {
	operation string
	weight    int
	request   func(w *world, account string) obj
}{
	{"CreateStateMachine", 7, (*world).creation},
	{"UpdateStateMachine", 7, (*world).update},
	{"DeleteStateMachine", 1, (*world).deletion},
	{"PublishStateMachineVersion", 5, (*world).publication},
	{"DeleteStateMachineVersion", 4, (*world).versionDeletion},
	{"CreateStateMachineAlias", 5, (*world).aliasCreation},
	{"UpdateStateMachineAlias", 4, (*world).aliasUpdate},
	{"DeleteStateMachineAlias", 2, (*world).aliasDeletion},
	{"CreateActivity", 5, (*world).activityCreation},
	{"DeleteActivity", 1, (*world).activityDeletion},
	{"StartExecution", 22, (*world).start},
	{"StartSyncExecution", 3, (*world).start},
	{"StopExecution", 4, (*world).stop},
	{"RedriveExecution", 9, (*world).redriving},
	{"GetActivityTask", 12, (*world).poll},
	{"SendTaskSuccess", 7, (*world).success},
	{"SendTaskFailure", 5, (*world).failure},
	{"SendTaskHeartbeat", 5, (*world).heartbeat},
	{"TagResource", 4, (*world).tagging},
	{"UntagResource", 2, (*world).untagging},
	{"UpdateMapRun", 1, (*world).mapRunUpdate},
}

// act makes one call that changes something, and looks at what it changed.
func (w *world) act() {
	sum := 0
	for _, move := range moves {
		sum += move.weight
	}
	n := w.random.IntN(sum)
	i := 0
	for ; n >= moves[i].weight; i++ {
		n -= moves[i].weight
	}
	account := pick(w, accounts)
	w.do(account, moves[i].operation, moves[i].request(w, account))
}

// look makes some calls that change nothing.
func (w *world) look() {
	account := pick(w, accounts)
	for range 2 {
		switch w.random.IntN(12) {
		case 0:
			w.listMachines(account)
		case 1:
			w.listActivities(account)
		case 2:
			w.listVersions(account, w.machineARN(account))
		case 3:
			w.listAliases(account, w.anyARN(account))
		case 4, 5:
			w.listExecutions(account, w.anyARN(account), pick(w, []string{"", "", "RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"}))
		case 6:
			w.listTags(account, w.taggedARN(account))
		case 7:
			w.turnPage()
		case 8:
			w.history(account, w.executionARN(account))
		case 9:
			w.view(account, "DescribeStateMachine", w.described("stateMachineArn", w.versionOrMachineARN(account)))
		case 10:
			w.view(account, "DescribeStateMachineAlias", obj{"stateMachineAliasArn": w.aliasARN(account)})
		default:
			w.view(account, "DescribeExecution", w.described("executionArn", w.executionARN(account)))
		}
	}
	if n := len(w.m.order); n > 0 && w.chance(40) { // what was started last is what most calls are about
		w.compareExecution(w.m.order[n-1-w.random.IntN(min(n, 5))])
	}
}

func (w *world) described(member, arn string) obj {
	in := obj{member: arn}
	if w.chance(20) {
		in["includedData"] = pick(w, []string{"METADATA_ONLY", "ALL_DATA"})
	}
	return in
}

func pick[T any](w *world, list []T) T { return list[w.random.IntN(len(list))] }

// chance is true n times of a hundred.
func (w *world) chance(n int) bool { return w.random.IntN(100) < n }

// numbered is one of a few names.
func (w *world) numbered(prefix string, of int) string {
	return fmt.Sprintf("%s%d", prefix, w.random.IntN(of))
}

// otherARN is an ARN that is not the one that a call wants.
func (w *world) otherARN(account string) string {
	return pick(w, []string{
		"nonsense", "arn:aws:states:us-east-1:" + account, arnOf(account, "mapRun", "m0/label:x"), arnOf(account, "express", "m0:x:y"),
	})
}

// machineARN is the ARN of a machine that may be there.
func (w *world) machineARN(account string) string {
	if w.chance(2) {
		account = pick(w, accounts)
	}
	return arnOf(account, "stateMachine", w.numbered("m", 5))
}

// qualify adds a version or an alias that may be there.
func (w *world) qualify(arn string) string {
	mc := w.m.machines[arn]
	if mc != nil && len(mc.versions) > 0 && w.chance(60) {
		return mc.versionARN(pick(w, mc.versions).number)
	}
	if mc != nil && len(mc.aliases) > 0 && w.chance(80) {
		return arn + ":" + pick(w, sorted(mc.aliases)).name
	}
	return arn + ":" + pick(w, []string{"1", "2", "7", "prod", "test"})
}

func (w *world) anyARN(account string) string {
	arn := w.machineARN(account)
	if w.chance(50) {
		arn = w.qualify(arn)
	}
	return arn
}

func (w *world) versionOrMachineARN(account string) string {
	arn := w.anyARN(account)
	if of, qualifier := qualifiedARN(arn); versionNumber(qualifier) == 0 {
		return of
	}
	return arn
}

func (w *world) aliasARN(account string) string {
	arn := w.machineARN(account)
	if mc := w.m.machines[arn]; mc != nil && len(mc.aliases) > 0 && w.chance(90) {
		return arn + ":" + pick(w, sorted(mc.aliases)).name
	}
	return arn + ":" + pick(w, aliasNames)
}

var aliasNames = []string{"prod", "test", "v1.2", "x_y"}

// oddly is a rare ARN instead of the given one: nonsense, of another kind, or
// with the label of a Map state.
func (w *world) oddly(account, arn string) string {
	switch {
	case w.chance(2):
		return w.otherARN(account)
	case w.chance(1) && strings.Contains(arn, ":stateMachine:"):
		return arn + "/label"
	}
	return arn
}

func (w *world) executionARN(account string) string {
	switch {
	case w.chance(2):
		return w.otherARN(account)
	case w.chance(3) || len(w.m.order) == 0:
		return arnOf(account, "execution", w.numbered("m", 5)+":"+w.numbered("x", 8))
	case w.chance(50): // one of the last
		return w.m.order[len(w.m.order)-1-w.random.IntN(min(len(w.m.order), 20))].arn
	}
	return pick(w, w.m.order).arn
}

func (w *world) activityARN(account string) string {
	switch {
	case w.chance(2):
		return w.otherARN(account)
	case w.chance(2):
		account = pick(w, accounts)
	}
	return arnOf(account, "activity", w.numbered("a", 3))
}

func (w *world) taggedARN(account string) string {
	if w.chance(40) {
		return w.activityARN(account)
	}
	return w.oddly(account, w.machineARN(account))
}

func (w *world) name(prefix string, of int) string {
	if w.chance(2) {
		return pick(w, []string{"a b", "a/b", "a*b", "a:b", strings.Repeat("n", 81), strings.Repeat("n", 80)})
	}
	return w.numbered(prefix, of)
}

// definition is one that a machine of the type can have, most of the time.
func (w *world) definition(account, kind string) string {
	for {
		s := pick(w, scripts)
		if kind == "EXPRESS" && !s.quick && (s.express() || !w.chance(5)) {
			continue // StartSyncExecution would wait for time to pass
		}
		if w.chance(2) {
			return pick(w, []string{"{}", "[", `{"StartAt":"X","States":{}}`})
		}
		return s.definition(account, pick(w, comments))
	}
}

// configure adds what a machine may be configured with, some of it not valid.
func (w *world) configure(in obj) {
	group := obj{"cloudWatchLogsLogGroup": obj{"logGroupArn": "arn:aws:logs:us-east-1:000000000000:log-group:g:*"}}
	if w.chance(5) {
		in["loggingConfiguration"] = pick(w, []obj{
			{"level": "OFF"},
			{"level": "ALL", "includeExecutionData": true, "destinations": []any{group}},
			{"level": "ERROR", "destinations": []any{group}},
			{"level": "ALL"},
		})
	}
	if w.chance(5) {
		in["tracingConfiguration"] = obj{"enabled": w.chance(50)}
	}
	if w.chance(5) {
		in["encryptionConfiguration"] = w.encryption()
	}
}

func (w *world) encryption() obj {
	return pick(w, []obj{
		{"type": "AWS_OWNED_KEY"},
		{"type": "CUSTOMER_MANAGED_KMS_KEY", "kmsKeyId": keyID},
		{"type": "CUSTOMER_MANAGED_KMS_KEY", "kmsKeyId": keyID, "kmsDataKeyReusePeriodSeconds": float64(60)},
		{"type": "CUSTOMER_MANAGED_KMS_KEY"},
		{"type": "AWS_OWNED_KEY", "kmsKeyId": keyID},
		{"type": "CUSTOMER_MANAGED_KMS_KEY", "kmsKeyId": "alias/gone"},
	})
}

func (w *world) describe(in obj, member string) {
	if w.chance(30) {
		in[member] = pick(w, []string{"", "one", "another"})
	}
}

func (w *world) creation(account string) obj {
	kind := pick(w, []string{"", "STANDARD", "STANDARD", "STANDARD", "EXPRESS"})
	in := obj{"name": w.name("m", 5), "roleArn": w.role(), "definition": w.definition(account, kind)}
	in.text("type", kind)
	if mc := w.m.machines[arnOf(account, "stateMachine", in.str("name"))]; mc != nil && w.chance(50) {
		// The same again, or nearly.
		in["definition"], in["type"] = mc.definition, mc.kind
		if mc.published != nil {
			in["publish"], in["versionDescription"] = true, *mc.published
		}
		for member, v := range map[string]any{"loggingConfiguration": mc.logging, "tracingConfiguration": mc.tracing, "encryptionConfiguration": mc.encrypted} {
			if v != nil {
				in[member] = v
			}
		}
		return in
	}
	w.configure(in)
	if w.chance(50) {
		in["publish"] = true
	}
	if in["publish"] == true || w.chance(2) {
		w.describe(in, "versionDescription")
	}
	if w.chance(30) {
		in["tags"] = w.tags()
	}
	return in
}

func (w *world) role() string { return "arn:aws:iam::000000000000:role/" + w.numbered("r", 3) }

func (w *world) update(account string) obj {
	in := obj{"stateMachineArn": w.oddly(account, w.machineARN(account))}
	if w.chance(2) {
		in["stateMachineArn"] = w.qualify(in.str("stateMachineArn"))
	}
	kind := "STANDARD"
	if mc := w.m.machines[in.str("stateMachineArn")]; mc != nil {
		kind = mc.kind
	}
	if w.chance(70) {
		in["definition"] = w.definition(account, kind)
	}
	if w.chance(30) {
		in["roleArn"] = w.role()
	}
	w.configure(in)
	if w.chance(40) {
		in["publish"] = true
		w.describe(in, "versionDescription")
	}
	return in
}

func (w *world) deletion(account string) obj {
	arn := w.oddly(account, w.machineARN(account))
	if w.chance(5) {
		arn = w.qualify(arn)
	}
	return obj{"stateMachineArn": arn}
}

func (w *world) publication(account string) obj {
	in := obj{"stateMachineArn": w.oddly(account, w.machineARN(account))}
	w.describe(in, "description")
	switch mc := w.m.machines[in.str("stateMachineArn")]; {
	case w.chance(5):
		in["revisionId"] = pick(w, []string{"INITIAL", "other"})
	case mc != nil && mc.id != "" && w.chance(20):
		in["revisionId"] = mc.id
	}
	return in
}

func (w *world) versionDeletion(account string) obj {
	arn := w.machineARN(account)
	if !w.chance(2) {
		arn = w.qualify(arn)
	}
	return obj{"stateMachineVersionArn": w.oddly(account, arn)}
}

// routes leads to one or two versions of a machine, most of them there.
func (w *world) routes(account, machine string) []any {
	to := func(weight int) obj {
		arn := w.qualify(machine)
		if mc := w.m.machines[machine]; mc != nil && len(mc.versions) > 0 && w.chance(90) {
			arn = mc.versionARN(pick(w, mc.versions).number)
		}
		return obj{"stateMachineVersionArn": w.oddly(account, arn), "weight": float64(weight)}
	}
	if w.chance(50) {
		return []any{to(100)}
	}
	weight := pick(w, []int{0, 1, 50, 99, 100})
	routes := []any{to(weight), to(100 - weight)}
	if w.chance(3) {
		routes[0].(obj)["weight"] = float64(7)
	}
	return routes
}

func (w *world) aliasCreation(account string) obj {
	in := obj{"name": pick(w, aliasNames), "routingConfiguration": w.routes(account, w.machineARN(account))}
	w.describe(in, "description")
	return in
}

func (w *world) aliasUpdate(account string) obj {
	arn := w.aliasARN(account)
	in := obj{"stateMachineAliasArn": w.oddly(account, arn)}
	if w.chance(70) {
		of, _ := qualifiedARN(arn)
		if w.chance(3) {
			of = w.machineARN(account)
		}
		in["routingConfiguration"] = w.routes(account, of)
	}
	w.describe(in, "description")
	return in
}

func (w *world) aliasDeletion(account string) obj {
	return obj{"stateMachineAliasArn": w.oddly(account, w.aliasARN(account))}
}

func (w *world) activityCreation(string) obj {
	in := obj{"name": w.name("a", 3)}
	if w.chance(10) {
		in["encryptionConfiguration"] = w.encryption()
	}
	if w.chance(20) {
		in["tags"] = w.tags()
	}
	return in
}

func (w *world) activityDeletion(account string) obj {
	return obj{"activityArn": w.activityARN(account)}
}

func (w *world) start(account string) obj {
	arn := w.machineARN(account)
	if w.chance(40) {
		arn = w.qualify(arn)
	}
	in := obj{"stateMachineArn": w.oddly(account, arn)}
	if w.chance(80) {
		in["name"] = w.name("x", 8)
	}
	if w.chance(80) {
		in["input"] = fmt.Sprintf(`{"n":%d}`, w.random.IntN(3))
	}
	if w.chance(2) {
		in["input"] = pick(w, []string{"{", "", "nul"})
	}
	return in
}

func (w *world) stop(account string) obj {
	in := obj{"executionArn": w.executionARN(account)}
	for _, x := range w.m.order { // so that its machine can go
		if x.running() && x.machine.deleting && x.account() == account && w.chance(20) {
			in["executionArn"] = x.arn
		}
	}
	if w.chance(30) {
		in["error"] = "Stopped"
	}
	if w.chance(30) {
		in["cause"] = "by hand"
	}
	return in
}

func (w *world) redriving(account string) obj {
	in := obj{"executionArn": w.executionARN(account)}
	if w.chance(50) {
		in["clientToken"] = w.numbered("t", 3)
	}
	var ended []string
	for _, x := range w.m.order {
		if x.account() == account && x.notRedrivable(w.m) == "" {
			ended = append(ended, x.arn)
		}
		// The same again, or nearly.
		if n := len(x.redriving); n > 0 && w.m.now-x.redriving[n-1].at < 20*60*1000 && w.chance(10) {
			return obj{"executionArn": x.arn, "clientToken": cmp.Or(x.redriving[n-1].token, "t0")}
		}
	}
	if len(ended) > 0 && w.chance(60) {
		in["executionArn"] = pick(w, ended)
	}
	return in
}

func (w *world) poll(account string) obj {
	arn := w.activityARN(account)
	for _, waiting := range sorted(w.m.lines) {
		if len(waiting) > 0 && waiting[0].of.account() == account && w.chance(50) {
			arn = waiting[0].activity
		}
	}
	in := obj{"activityArn": arn}
	if w.chance(50) {
		in["workerName"] = "worker"
	}
	return in
}

// token is one that somebody may know.
func (w *world) token(account string) string {
	if w.chance(3) {
		return pick(w, []string{"nonsense", "AAAA", ""})
	}
	var open []string
	for _, x := range w.m.order {
		if x.task != nil && x.task.token != "" && (x.account() == account || w.chance(5)) {
			open = append(open, x.task.token)
		}
	}
	if len(open) == 0 || w.chance(10) {
		all := sorted(w.m.tokens)
		if len(all) == 0 {
			return "nonsense"
		}
		return pick(w, all).token
	}
	return pick(w, open)
}

func (w *world) success(account string) obj {
	output := fmt.Sprintf(`{"done":%d}`, w.random.IntN(1000))
	if w.chance(2) {
		output = pick(w, []string{"{", "", "yes"})
	}
	return obj{"taskToken": w.token(account), "output": output}
}

func (w *world) failure(account string) obj {
	in := obj{"taskToken": w.token(account)}
	if w.chance(80) {
		in["error"] = pick(w, []string{flaky, "Broken"})
	}
	if w.chance(50) {
		in["cause"] = "it broke"
	}
	return in
}

func (w *world) heartbeat(account string) obj { return obj{"taskToken": w.token(account)} }

// tags are some, or too many.
func (w *world) tags() []any {
	tags := []any{}
	n := w.random.IntN(4)
	if w.chance(3) {
		n = 30
	}
	for range n {
		tags = append(tags, obj{"key": fmt.Sprintf("k%d", w.random.IntN(70)), "value": w.numbered("v", 10)})
	}
	if w.chance(2) {
		tags = append(tags, obj{"key": "aws:x", "value": "y"})
	}
	return tags
}

func (w *world) tagging(account string) obj {
	return obj{"resourceArn": w.taggedARN(account), "tags": w.tags()}
}

func (w *world) untagging(account string) obj {
	keys := []any{}
	for range w.random.IntN(10) {
		keys = append(keys, fmt.Sprintf("k%d", w.random.IntN(70)))
	}
	return obj{"resourceArn": w.taggedARN(account), "tagKeys": keys}
}

func (w *world) mapRunUpdate(account string) obj {
	in := obj{"mapRunArn": pick(w, []string{arnOf(account, "mapRun", "m0/label:x"), "nonsense", arnOf(account, "stateMachine", "m0")})}
	if w.chance(80) {
		in["maxConcurrency"] = float64(w.random.IntN(10))
	}
	return in
}
