package interpreter

import (
	"math"

	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/query"
	"github.com/steppehq/steppe/value"
)

// How many times the bytes of a payload these may have, which are no payloads of
// AWS's and only what payloads are made of.
const (
	itemsFactor   = 8   // the items of a Map, what a Parallel or Map state joins
	outputsFactor = 128 // all outputs that wait to be joined
)

// beyond reports whether a document is larger than a payload times a factor.
func (s *step) beyond(d *value.Doc, factor int) bool {
	limit := s.env.Limits.PayloadBytes
	return limit > 0 && !d.Within(factor*limit)
}

// outputLimit bounds the outputs that wait to be joined.
func (s *step) outputLimit() int64 {
	if limit := s.env.Limits.PayloadBytes; limit > 0 {
		return outputsFactor * int64(limit)
	}
	return math.MaxInt64
}

// variables turns assignments into what an event records. It is false when they
// are too large, by which the state has failed.
func (s *step) variables(b *branch, assigned []query.Assignment) (vars []history.Variable, ok bool) {
	vars, ok = s.assignable(b, assigned)
	if !ok {
		s.fail(b, variableLimit(b.state.Base().Name))
	}
	return vars, ok
}

// assignable is variables that leaves what comes of it to the caller.
func (s *step) assignable(b *branch, assigned []query.Assignment) (vars []history.Variable, ok bool) {
	if len(assigned) == 0 {
		return nil, true
	}
	one := s.env.Limits.PayloadBytes
	left := one
	grows := int64(0)
	vars = make([]history.Variable, len(assigned))
	for i, a := range assigned {
		vars[i] = history.Variable{Name: a.Name, Value: value.DocOf(a.Value)}
		if one > 0 {
			if !vars[i].Value.Within(left) {
				return nil, false
			}
			left -= vars[i].Value.Size()
		}
		grows += int64(vars[i].Value.Size() - b.own(a.Name))
	}
	all := s.env.Limits.VariableBytes
	return vars, all <= 0 || s.x.variables+grows <= int64(all)
}

// own is the size of a variable of the branch itself, 0 where it has none of
// that name.
func (b *branch) own(name string) int {
	for i := range b.vars {
		if b.vars[i].Name == name {
			return b.vars[i].Value.Size()
		}
	}
	return 0
}

// variableLimit is the failure of a state that assigns too much.
func variableLimit(name string) failure {
	return failed("States.DataLimitExceeded",
		"The state/task '"+name+"' assigned variables with a size exceeding the maximum number of bytes service limit.")
}

// recount finds out again what the execution holds, after a redrive.
func (x *Execution) recount() {
	x.variables, x.outputs = 0, 0
	for _, b := range x.live {
		for i := range b.vars {
			x.variables += int64(b.vars[i].Value.Size())
		}
		if b.join != nil {
			x.outputs += b.join.bytes
		}
	}
}

// leave forgets what a branch held.
func (x *Execution) leave(b *branch) {
	for i := range b.vars {
		x.variables -= int64(b.vars[i].Value.Size())
	}
	if b.join != nil {
		x.outputs -= b.join.bytes // which a redrive may take up again
	}
}

// unjoin ends the inside of a Parallel or Map state.
func (x *Execution) unjoin(b *branch) {
	if b.join != nil {
		x.outputs -= b.join.bytes
		b.join = nil
	}
}
