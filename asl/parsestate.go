package asl

import (
	"github.com/steppehq/steppe/query"
	"github.com/steppehq/steppe/value"
)

// The fields that only one of the query languages has. Their presence in a state of
// the other language is an error of its own, which names both.
var (
	onlyJSONPath = []string{
		"InputPath", "Parameters", "ResultSelector", "ResultPath", "OutputPath", "TimeoutSecondsPath", "HeartbeatSecondsPath",
		"SecondsPath", "TimestampPath", "ErrorPath", "CausePath", "ItemsPath", "MaxConcurrencyPath",
		"ToleratedFailureCountPath", "ToleratedFailurePercentagePath", "Result",
	}
	onlyJSONata = []string{"Arguments", "Output", "Items"}
)

// state reads one state; nil when its type is not known.
func (p *parser) state(name string, v value.Value, path []string) State {
	if v.Kind() != value.Object {
		p.fail(path, "%s", expected(value.Object))
		return nil
	}
	o := p.object(v, path)
	o.require("Type")
	base := Common{
		Name: name, Language: p.stateLanguage(o), Comment: o.str("Comment"),
		Type: o.oneOf("Type", "Task", "Pass", "Choice", "Wait", "Succeed", "Fail", "Parallel", "Map"),
	}
	read := readers[base.Type]
	if read == nil {
		return nil
	}
	st := read(o, base)
	o.done()
	return st
}

// stateLanguage returns the state's query language, and reports the fields of the
// other one. A state may go from JSONPath to JSONata and not back (recorded:
// test_validate_state_machine_definition_type_standard[INVALID_DOWNGRADE_QUERY_LANGUAGE]).
func (p *parser) stateLanguage(o *object) query.Language {
	language, given := o.language()
	if !given {
		language = p.language
	}
	if language == query.JSONPath && p.language == query.JSONata {
		p.fail(o.path, "'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine")
		for _, field := range onlyJSONata { // this is said instead of what they are
			o.get(field)
		}
	} else {
		o.languageFields(language, onlyJSONPath, onlyJSONata)
	}
	o.oneOf("QueryLanguage", "JSONPath", "JSONata")
	return language
}

// languageFields reports the fields of the other query language.
func (o *object) languageFields(language query.Language, onlyJSONPath, onlyJSONata []string) {
	wrong, other := onlyJSONata, query.JSONata
	if language == query.JSONata {
		wrong, other = onlyJSONPath, query.JSONPath
	}
	for _, field := range wrong {
		if o.has(field) {
			o.known = append(o.known, field)
			o.p.fail(o.path, "The QueryLanguage is set to '%s', but field '%s' is only supported for the '%s' QueryLanguage", language, field, other)
		}
	}
}

// readers has the reader of each state type.
var readers map[string]func(*object, Common) State

func init() { // states hold states
	readers = map[string]func(*object, Common) State{
		"Pass": readPass, "Task": readTask, "Choice": readChoice, "Wait": readWait,
		"Succeed": readSucceed, "Fail": readFail, "Parallel": readParallel, "Map": readMap,
	}
}

// next reads Next and End.
func (o *object) next(b *Common) {
	b.Next = o.str("Next")
	end, ok := o.of("End", value.Bool)
	switch {
	case o.has("Next") && end.Bool():
		o.p.fail(o.path, "There should only be one of the following fields: [Next, End]")
	case !o.has("Next") && !end.Bool() && (ok || !o.has("End")):
		o.p.diagnose(Diagnostic{
			Severity: SeverityError, Code: SchemaValidationFailed, Message: "This object should have only one of the following fields: [Next, End]",
			Location: location(o.path), Path: o.path, Help: `say what follows: "Next": "STATE", or "End": true`,
		})
	}
}

// flow reads the parts of the data flow that the state type has. parts are named by
// their fields in JSONPath; in JSONata, Parameters stands for Arguments, OutputPath
// for Output, and a type with a ResultSelector has a $states.result.
func (o *object) flow(b *Common, parts ...string) {
	f := &b.Flow
	if f.Language = b.Language; f.Language == query.JSONata {
		for _, part := range parts {
			switch part {
			case "Parameters":
				if b.Type != "Pass" {
					f.Parameters = o.made("Arguments")
				}
			case "OutputPath":
				f.Output = o.made("Output")
			case "Assign":
				f.Assign = o.assign(b.Language)
			case "ResultSelector":
				f.HasResult = true
			}
		}
		return
	}
	for _, part := range parts {
		switch part {
		case "InputPath":
			f.InputPath, f.NullInputPath = o.nullablePath(part)
		case "Parameters":
			f.Parameters = o.template(part, false)
		case "ResultSelector":
			f.ResultSelector = o.template(part, true)
		case "ResultPath":
			f.ResultPath, f.NullResultPath = o.reference(part)
		case "OutputPath":
			f.OutputPath, f.NullOutputPath = o.nullablePath(part)
		case "Assign":
			f.Assign = o.assign(b.Language)
		}
	}
}

// readPass reads a Pass state. A Result that looks like a path is a warning: it is
// not evaluated.
func readPass(o *object, b Common) State {
	st := &Pass{Common: b}
	o.next(&st.Common)
	o.flow(&st.Common, "InputPath", "Parameters", "ResultPath", "OutputPath", "Assign")
	if v, ok := o.get("Result"); ok && b.Language == query.JSONPath {
		st.Result = v
		if looksLikePath(v.Str()) {
			o.p.report(SeverityWarning, PassResultIsStatic, o.at("Result"), "Attempt to use a path in the result of a pass state.")
		}
	}
	return st
}

// readSucceed reads a Succeed state.
func readSucceed(o *object, b Common) State {
	st := &Succeed{Common: b}
	o.flow(&st.Common, "InputPath", "OutputPath")
	return st
}

// readTask reads a Task state.
func readTask(o *object, b Common) State {
	st := &Task{Common: b}
	o.require("Resource")
	o.next(&st.Common)
	o.flow(&st.Common, "InputPath", "Parameters", "ResultSelector", "ResultPath", "OutputPath", "Assign")
	st.Resource = o.resource()
	st.Timeout = o.seconds("TimeoutSeconds", b.Language, 1, 99999999)
	st.Heartbeat = o.seconds("HeartbeatSeconds", b.Language, 1, 99999999)
	if t, h := st.Timeout, st.Heartbeat; t != nil && h != nil && t.literal() && h.literal() && t.Literal > 0 && h.Literal >= t.Literal {
		o.p.fail(o.path, "'HeartbeatSeconds' must be smaller than 'TimeoutSeconds'")
	}
	st.Credentials = o.credentials(b.Language, st.Resource)
	st.Retry, st.Catch = o.retry(), o.catch(b.Language)
	return st
}

// resource reads Resource: an ARN whose pattern its service has. Whether AWS has the
// service and this server performs it is for [Runnable].
func (o *object) resource() string {
	arn, ok := o.of("Resource", value.String)
	if !ok {
		return ""
	}
	resource, ok := ParseResource(arn.Str())
	switch {
	case !ok:
		o.fail("Resource", "Value is not a valid resource ARN")
	case !resource.offered():
		o.fail("Resource", notRecognized, arn.Str())
	}
	return arn.Str()
}

// credentials reads Credentials: a role, or where to find it. Activities have none.
func (o *object) credentials(language query.Language, resource string) *query.Template {
	v, ok := o.of("Credentials", value.Object)
	if !ok {
		return nil
	}
	if r, _ := ParseResource(resource); r.Kind == ActivityResource {
		o.fail("Credentials", "The field 'Credentials' is not supported for activities")
		return nil
	}
	role := v.Get("RoleArn")
	if role.IsUndefined() && v.Get("RoleArn.$").IsUndefined() {
		o.fail("Credentials", "The field 'RoleArn' is required but was missing")
		return nil
	}
	if language == query.JSONata {
		return o.made("Credentials")
	}
	return o.template("Credentials", true)
}

// seconds reads an [Integer] from low to high: a number that may also be given by a
// path, in the field with "Path" at its end, or for JSONata by an expression.
func (o *object) seconds(field string, language query.Language, low, high int64) *Integer {
	o.exclusive(false, field, field+"Path")
	return o.duration(field, language, low, high)
}

// duration is seconds for a field of which others are alternatives too.
func (o *object) duration(field string, language query.Language, low, high int64) *Integer {
	if language == query.JSONata {
		if expr := o.expression(field); expr != nil {
			return &Integer{Expr: expr}
		}
		if v, ok := o.get(field); ok && query.IsExpression(v) {
			return nil // it was reported
		}
	}
	if language == query.JSONPath {
		if path := o.pathField(field + "Path"); path != nil {
			return &Integer{Path: path}
		}
	}
	if !o.has(field) {
		return nil
	}
	return &Integer{Literal: o.integer(field, low, high, low)}
}

// readWait reads a Wait state, which has exactly one of four fields.
func readWait(o *object, b Common) State {
	st := &Wait{Common: b}
	o.next(&st.Common)
	o.flow(&st.Common, "InputPath", "OutputPath", "Assign")
	o.exclusive(true, "SecondsPath", "Seconds", "TimestampPath", "Timestamp")
	st.Seconds = o.duration("Seconds", b.Language, 0, 99999999)
	if b.Language == query.JSONPath {
		if path := o.pathField("TimestampPath"); path != nil {
			st.Timestamp = &Timestamp{Path: path}
		}
	}
	text, ok := o.of("Timestamp", value.String)
	switch {
	case !ok:
	case b.Language == query.JSONata && query.IsExpression(text):
		st.Timestamp = &Timestamp{Expr: o.expression("Timestamp")}
	default:
		if _, ok := ParseTimestamp(text.Str()); !ok {
			o.fail("Timestamp", notTimestamp)
		}
		st.Timestamp = &Timestamp{Literal: text.Str()}
	}
	return st
}

// readFail reads a Fail state.
func readFail(o *object, b Common) State {
	o.flow(&b) // of which a Fail state has the language only
	st := &Fail{Common: b}
	st.Error, st.Cause = o.text("Error", b.Language), o.text("Cause", b.Language)
	return st
}

// text reads a string given literally, or by a path or intrinsic function.
func (o *object) text(field string, language query.Language) *Text {
	o.exclusive(false, field, field+"Path")
	if language == query.JSONPath {
		if v, ok := o.of(field+"Path", value.String); ok {
			path, err := o.p.compiler.Expr(v.Str())
			if err != nil {
				o.fail(field+"Path", "Value must be a valid JSONPath or a valid intrinsic function call.")
				return nil
			}
			return &Text{Path: path}
		}
	}
	v, ok := o.of(field, value.String)
	if !ok {
		return nil
	}
	if language == query.JSONata {
		made := o.made(field)
		if query.IsExpression(v) {
			return &Text{Expr: made}
		}
	} else {
		o.lookForPath(field, v.Str())
	}
	return &Text{Literal: v.Str()}
}

// readParallel reads a Parallel state.
func readParallel(o *object, b Common) State {
	st := &Parallel{Common: b}
	o.require("Branches")
	o.next(&st.Common)
	o.flow(&st.Common, "InputPath", "Parameters", "ResultSelector", "ResultPath", "OutputPath", "Assign")
	o.each("Branches", func(v value.Value, path []string) {
		if v.Kind() != value.Object {
			o.p.fail(path, "%s", expected(value.Object))
			return
		}
		branch := o.p.object(v, path)
		comment := branch.str("Comment")
		group := o.p.states(branch)
		group.Comment = comment
		branch.done()
		st.Branches = append(st.Branches, group)
	})
	st.Retry, st.Catch = o.retry(), o.catch(b.Language)
	return st
}

// retry reads Retry, with the defaults and the bounds of the specification ("Retrying
// after error").
func (o *object) retry() []Retrier {
	var list []Retrier
	o.handlers("Retry", func(r *object, names []string) {
		retrier := Retrier{
			ErrorEquals:     names,
			IntervalSeconds: r.integer("IntervalSeconds", 0, 99999999, 1), // the specification says positive; AWS takes 0
			MaxAttempts:     r.integer("MaxAttempts", 0, 99999999, 3),
			MaxDelaySeconds: r.integer("MaxDelaySeconds", 1, 31622400, 0),
			BackoffRate:     2,
		}
		if rate, ok := r.of("BackoffRate", value.Number); ok {
			if retrier.BackoffRate = rate.Float64(); retrier.BackoffRate < 1 {
				r.fail("BackoffRate", "Minimum value is 1")
			}
		}
		retrier.FullJitter = r.oneOf("JitterStrategy", "NONE", "FULL") == "FULL"
		if retrier.MaxDelaySeconds != 0 && retrier.MaxDelaySeconds <= retrier.IntervalSeconds {
			r.fail("MaxDelaySeconds", "MaxDelaySeconds must be greater than IntervalSeconds")
		}
		list = append(list, retrier)
	})
	return list
}

// catch reads Catch. In JSONata its Output and Assign have $states.errorOutput.
func (o *object) catch(language query.Language) []Catcher {
	var list []Catcher
	o.handlers("Catch", func(c *object, names []string) {
		c.require("Next")
		catcher := Catcher{ErrorEquals: names, Next: c.str("Next")}
		if language == query.JSONata {
			catcher.Flow.Language = language
			catcher.Flow.Output = c.made("Output", "errorOutput")
			catcher.Flow.Assign = c.assign(language, "errorOutput")
		} else {
			catcher.Flow.ResultPath, catcher.Flow.NullResultPath = c.reference("ResultPath")
			catcher.Flow.Assign = c.assign(language)
		}
		list = append(list, catcher)
	})
	return list
}

// handlers reads the entries of Retry or Catch, which have ErrorEquals. States.ALL
// must be alone in the last one (spec, "Errors").
func (o *object) handlers(field string, read func(h *object, names []string)) {
	list, _ := o.of(field, value.Array)
	for i, item := range list.Items() {
		path := append(o.at(field), itoa(i))
		if item.Kind() != value.Object {
			o.p.fail(path, "%s", expected(value.Object))
			continue
		}
		h := o.p.object(item, path)
		h.require("ErrorEquals")
		h.str("Comment")
		var names []string
		h.each("ErrorEquals", func(name value.Value, at []string) {
			if name.Kind() != value.String {
				o.p.fail(at, "%s", expected(value.String))
			}
			names = append(names, name.Str())
		})
		for _, name := range names {
			if name == "States.ALL" && (len(names) > 1 || i < list.Len()-1) {
				h.fail("ErrorEquals", "States.ALL must appear alone and at end of list")
				break
			}
		}
		read(h, names)
		h.done()
	}
}
