package asl

import "github.com/steppehq/steppe/value"

// parameters are the kinds of what optimized integrations take, by service and
// action, and required is what they must be given; Undefined stands for any JSON. A
// task is held against them before it is scheduled (developer guide, "Invoke an AWS
// Lambda function with Step Functions"; Lambda API, Invoke). All others are held
// against what their service says.
var parameters = map[string]map[string]value.Kind{
	"lambda:invoke": {
		"FunctionName":   value.String,
		"ClientContext":  value.String,
		"InvocationType": value.String,
		"LogType":        value.String,
		"Payload":        value.Undefined,
		"Qualifier":      value.String,
	},
}

var required = map[string][]string{"lambda:invoke": {"FunctionName"}}

// Refused returns, in the service's words, why a task of the resource cannot be
// scheduled with these parameters; nil when it can.
func (r Resource) Refused(params value.Value) []string {
	if r.Kind != ServiceResource {
		return nil
	}
	action := r.Service + ":" + r.Action
	known, ok := parameters[action]
	if !ok {
		return nil
	}
	var refused []string
	for i, name := range params.Names() {
		kind, ok := known[name]
		given := params.At(i).Kind()
		switch {
		case !ok:
			refused = append(refused, `The field "`+name+`" is not supported by Step Functions`)
		case kind != value.Undefined && given != kind && given != value.Null:
			refused = append(refused, "The value of the field '"+name+"' has an invalid format")
		}
	}
	return refused
}

// Missing returns in the same way what a task of the resource must have and these
// parameters lack.
func (r Resource) Missing(params value.Value) (missing []string) {
	if r.Kind != ServiceResource {
		return nil
	}
	for _, name := range required[r.Service+":"+r.Action] {
		if kind := params.Get(name).Kind(); kind == value.Undefined || kind == value.Null {
			missing = append(missing, "The field '"+name+"' is required but was missing")
		}
	}
	return missing
}
