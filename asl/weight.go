package asl

import (
	"strings"

	"github.com/steppehq/steppe/query"
	"github.com/steppehq/steppe/value"
)

// What parts of a definition hold when they are parsed, in bytes of memory.
const (
	weightOfValue = 60  // in its array or object
	weightOfName  = 60  // and its place in an index
	weightOfState = 500 // with its flow, and its places in its group
	weightOfPath  = 400
	weightOfToken = 12 // each byte of a path
)

// weight is about what a definition holds when it is parsed: its values, and the
// trees of the expressions among them.
func weight(v value.Value) int64 {
	bytes := int64(weightOfValue + len(v.Str()) + v.Digits())
	switch text := v.Str(); {
	case query.IsExpression(v): // the compiler counts its tree
	case strings.HasPrefix(text, "$"), strings.HasPrefix(text, "States."):
		bytes += weightOfPath + weightOfToken*int64(len(text))
	}
	for i, item := range v.Items() {
		bytes += weight(item)
		if v.Kind() == value.Object {
			bytes += weightOfName + int64(len(v.Names()[i]))
		}
	}
	if v.Kind() == value.Object && v.Get("Type").Kind() == value.String {
		bytes += weightOfState
	}
	return bytes
}
