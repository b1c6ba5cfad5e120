// Package awssdk holds what is known of the aws-sdk and the optimized service
// integrations without calling them: which actions exist, and whether a result
// is one that the API behind an action can return. The API models are those of
// [github.com/steppehq/steppe/aws/model].
//
// Stability: may move in any minor release.
package awssdk

import (
	"strings"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/aws/model"
)

// Recognizer returns a function that reports whether AWS has what the Resource
// of a Task names. It judges only service integrations, and is for one goroutine.
func Recognizer() func(asl.Resource) bool {
	services := make(map[string]*model.Service)
	return func(r asl.Resource) bool {
		name, ok := strings.CutPrefix(r.Service, "aws-sdk:")
		if !ok {
			return r.Kind != asl.ServiceResource || r.Optimized()
		}
		s, loaded := services[name]
		if !loaded {
			s = model.Load(name)
			services[name] = s
		}
		return s != nil && s.Action(r.Action) != nil
	}
}
