package interpreter

import (
	"time"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/query"
	"github.com/steppehq/steppe/value"
)

// scopeOf returns what an expression of the state that b is in may see. It is
// good until the next call.
func (s *step) scopeOf(b *branch) *query.Scope {
	s.at = b
	if s.scope.Context == nil {
		s.scope.Context = s.context
		s.scope.Entropy = &s.random
	}
	s.random = *s.entropy()
	s.scope.Millis = s.now
	s.scope.Result, s.scope.ErrorOutput = value.Value{}, value.Value{}
	s.scope.Input, s.scope.Vars = b.input.Value(), b
	return &s.scope
}

// entropy is a source of random numbers of its own for each event, the same
// at every attempt.
func (s *step) entropy() *query.Entropy {
	return query.NewEntropy(s.x.info.Seed ^ uint64(s.x.last+1)*0x9E3779B97F4A7C15)
}

// context builds the Context Object as the state of the current branch sees
// it, its members in the order that AWS has them in.
func (s *step) context() value.Value {
	x, b := s.x, s.at
	context := value.NewObject(5)
	context.Set("Execution", x.executionContext())
	if b.item != nil || s.item != nil || b.parent != nil {
		if item, ok := s.mapItem(b); ok {
			context.Set("Map", value.Obj(value.Member{Name: "Item", Value: item}))
		}
	}
	context.Set("StateMachine", value.Obj(
		value.Member{Name: "Id", Value: value.Str(x.info.StateMachineARN)},
		value.Member{Name: "Name", Value: value.Str(x.info.MachineName)},
	))
	context.Set("State", s.stateContext(b))
	if s.token != 0 {
		context.Set("Task", value.Obj(value.Member{Name: "Token", Value: value.Str(s.env.Token(s.token))}))
	}
	return context.Value()
}

func (x *Execution) executionContext() value.Value {
	execution := value.NewObject(6)
	execution.Set("Id", value.Str(x.info.ARN))
	execution.Set("Input", x.input.Value())
	execution.Set("StartTime", timestamp(x.started))
	execution.Set("Name", value.Str(x.info.Name))
	execution.Set("RoleArn", value.Str(x.info.RoleARN))
	if !x.info.Express {
		execution.Set("RedriveCount", value.Int(x.redrives))
	}
	if x.redrives > 0 {
		execution.Set("RedriveTime", timestamp(x.redriven))
	}
	return execution.Value()
}

func (s *step) stateContext(b *branch) value.Value {
	state := value.NewObject(3)
	state.Set("Name", value.Str(b.state.Base().Name))
	state.Set("EnteredTime", timestamp(b.since))
	switch b.state.(type) {
	case *asl.Task, *asl.Parallel, *asl.Map:
		state.Set("RetryCount", value.Int(b.retries))
	case *asl.Pass, *asl.Choice, *asl.Wait, *asl.Succeed, *asl.Fail:
	}
	return state.Value()
}

// mapItem returns the Map.Item of the innermost iteration around a branch, or of
// the one that an ItemSelector is about to start.
func (s *step) mapItem(b *branch) (value.Value, bool) {
	if s.item != nil {
		return itemContext(s.item.index, s.item.value), true
	}
	for ; b != nil; b = b.parent {
		if b.item != nil {
			return itemContext(b.index, b.item.value), true
		}
	}
	return value.Value{}, false
}

func itemContext(index int64, v value.Value) value.Value {
	return value.Obj(value.Member{Name: "Index", Value: value.Int(index)}, value.Member{Name: "Value", Value: v})
}

func timestamp(millis int64) value.Value {
	return value.Str(time.UnixMilli(millis).UTC().Format("2006-01-02T15:04:05.000Z"))
}
