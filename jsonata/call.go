package jsonata

import (
	"math"
	"slices"

	"github.com/steppehq/steppe/value"
)

// # Calls
//
// A function is builtin, a lambda with the frame it closes over, a partial
// application, a matcher (a regular expression), or two functions chained by ~>. All
// are called by invoke, with their arguments evaluated and a context: the value that
// the call stands on, which a signature with "-" takes in place of a missing argument
// ($uppercase() behind a dot).
//
// Arguments of all calls under way share one slice, a stack: a call appends its own,
// and cuts them off when it returns. A function must therefore not keep the slice of
// its arguments, and none does; the frame of a lambda has copies.
//
// The frame of a lambda's call is used again by the next call when nothing can hold
// it: when the body makes no function (alone, found by prepare). Otherwise each call
// has a new frame, since the function may outlive it.
//
// Errors of builtin functions have no node of their own. They name the call under
// way, which place remembers; invokeAt sets it and puts the one around it back.

// function is a value that can be called: a lambda, a builtin, a matcher, what
// a partial application leaves open.
type function struct {
	name      string
	signature *signature
	// native is what a builtin does; context is the value the call stands on.
	native func(e *evaluation, args []val, context val) val
	arity  int      // of a native function, where its signature does not say
	regex  *pattern // of a matcher
	// lambda is a function of the expression, with what it closes over.
	lambda *node
	frame  *frame
	input  val
	// fixed are the arguments of a partial application; those that are open
	// have the kind of a hole.
	partial *function
	fixed   []val
	open    []bool
}

// marker names the one member of the object that stands for a function among
// values. It is no UTF-8, so no data has it.
const marker = "\xffλ"

// fnLike reports whether a value stands for a function.
func fnLike(v value.Value) bool {
	return v.Kind() == value.Object && v.Len() == 1 && v.Names()[0] == marker
}

// functionBytes is what a function takes, with its value and its frame.
const functionBytes = 600

// functionValue returns the value that stands for a function. Of functions that are
// no lambdas, which may be named again and again, there is one value each.
func (e *evaluation) functionValue(fn *function) value.Value {
	if v, ok := e.known[fn]; ok {
		return v
	}
	v := value.Obj(value.Member{Name: marker, Value: value.Int(int64(len(e.fns)))})
	e.charge(64)
	e.meter.Hold(functionBytes)
	e.fns = append(e.fns, fn)
	if fn.lambda == nil {
		if e.known == nil {
			e.known = make(map[*function]value.Value)
		}
		e.known[fn] = v
	}
	return v
}

// function returns what a value stands for, nil when it is no function.
func (e *evaluation) function(v value.Value) *function {
	if !fnLike(v) {
		return nil
	}
	i, _ := v.At(0).Int64()
	if i < 0 || i >= int64(len(e.fns)) {
		return nil
	}
	return e.fns[i]
}

// arguments returns how many arguments a function takes: the parameters of a lambda,
// what a partial application leaves open, or the parameters of the signature. 0
// stands for a function that does not say. $map and the like hand over no more than
// that.
func (fn *function) arguments() int {
	switch {
	case fn.lambda != nil:
		return len(fn.lambda.items)
	case fn.partial != nil:
		n := 0
		for _, open := range fn.open {
			if open {
				n++
			}
		}
		return n
	case fn.arity > 0:
		return fn.arity
	case fn.signature != nil:
		return len(fn.signature.params)
	}
	return 0
}

// call evaluates a call. applied is the value that ~> hands in as the first argument,
// nil for none. Arguments are evaluated before it is known whether there is a
// function at all, as in the reference.
func (e *evaluation) call(n *node, input *val, f *frame, applied *val) val {
	fn := e.callee(n, input, f)
	// No function keeps the slice of its arguments, so that all calls share one.
	base := len(e.args)
	if applied != nil {
		e.args = append(e.args, *applied)
	}
	for _, item := range n.items {
		arg := e.eval(item, input, f)
		e.args = append(e.args, arg)
	}
	if fn == nil {
		e.notCallable(n, f, "T1005", "T1006")
	}
	v := e.invokeAt(n, fn, slices.Clip(e.args[base:]), *input)
	e.args = e.args[:base]
	return v
}

// callee evaluates what is called, nil when that is no function. A builtin that
// the expression does not redefine needs no value for it.
func (e *evaluation) callee(n *node, input *val, f *frame) *function {
	proc := n.left
	if proc.kind == variableNode && proc.builtin != nil {
		if _, bound := f.lookup(proc.text); !bound {
			if e.env.Vars == nil {
				return proc.builtin
			}
			if _, bound := e.env.Vars(proc.text); !bound {
				return proc.builtin
			}
		}
	}
	return e.function(e.eval(proc, input, f).Value)
}

// procedureName returns the name that a called expression has in messages.
func procedureName(n *node) string {
	if isPath(n.left) {
		return n.left.items[0].text
	}
	return n.left.text
}

// isPath reports whether n is a path: fieldNode is one of a single name.
func isPath(n *node) bool { return n.kind == pathNode || n.kind == fieldNode }

// notCallable complains, with a hint where only the $ is missing.
func (e *evaluation) notCallable(n *node, f *frame, hint, code string) {
	name := procedureName(n)
	if isPath(n.left) {
		_, bound := f.lookup(name)
		if bound || builtinNamed(name, e.expr.options) != nil {
			failAt(hint, n, name, value.Value{})
		}
	}
	failAt(code, n, name, value.Value{})
}

// invokeAt calls a function for a node, which errors without a place get.
func (e *evaluation) invokeAt(n *node, fn *function, args []val, input val) val {
	place := &e.place
	before := *place
	*place = callPlace{n.at, procedureName(n)}
	v := e.invoke(fn, args, input)
	*place = before
	return v
}

// callPlace is the call that errors of a function name.
type callPlace struct {
	at    int
	token string
}

// throw throws the error of a builtin, at the call under way.
func (e *evaluation) throw(code string, values ...value.Value) {
	t := newError(code, values...)
	t.Position, t.Token = e.place.at, e.place.token
	panic(t)
}

// invoke calls a function. Calls at the end of lambdas are done here one after
// the other, so that they need no depth.
func (e *evaluation) invoke(fn *function, args []val, context val) val {
	v := e.invokeOnce(fn, args, context)
	var loop settling
	for turn := 0; ; turn++ {
		next := e.function(v.Value)
		if next == nil || next.lambda == nil || !next.lambda.thunk {
			return v
		}
		e.tick(1)
		body := next.lambda.right
		callee := e.callee(body, &next.input, next.frame)
		args := make([]val, 0, len(body.items))
		for _, item := range body.items {
			args = append(args, e.eval(item, &next.input, next.frame))
		}
		if callee == nil {
			e.notCallable(body, next.frame, "T1005", "T1006")
		}
		e.place = callPlace{body.at, procedureName(body)}
		e.fns = e.trimmed(next)
		if turn == 0 {
			loop = e.settling()
		}
		e.settle(&loop, args)
		v = e.invokeOnce(callee, args, context)
	}
}

// trimmed drops a thunk that has been called, if it is the last function that was
// made: nothing else can refer to it then. Without this a loop of tail calls would
// hold each of its thunks.
func (e *evaluation) trimmed(thunk *function) []*function {
	if last := len(e.fns) - 1; last >= 0 && e.fns[last] == thunk {
		e.meter.Release(functionBytes)
		return e.fns[:last]
	}
	return e.fns
}

// invokeOnce checks the arguments and calls fn. What a lambda returns may be a thunk,
// which invoke calls.
func (e *evaluation) invokeOnce(fn *function, args []val, context val) val {
	if fn.signature != nil {
		args = e.validate(fn, args, context)
	}
	switch {
	case fn.lambda != nil:
		return e.enter(fn, args)
	case fn.partial != nil:
		all := append([]val(nil), fn.fixed...)
		next := 0
		for i, open := range fn.open {
			if open {
				all[i] = val{}
				if next < len(args) {
					all[i] = args[next]
				}
				next++
			}
		}
		return e.invoke(fn.partial, all, context)
	}
	return fn.native(e, args, context)
}

// enter evaluates the body of a lambda in a frame with its parameters; missing
// arguments are undefined. Clip has a binding in the body copy the names instead of
// writing into those of the lambda.
func (e *evaluation) enter(fn *function, args []val) val {
	names := fn.lambda.names
	inner := e.spare
	if inner == nil {
		inner = &frame{}
	}
	e.spare = nil
	inner.parent, inner.names = fn.frame, slices.Clip(names)
	if inner.vals = inner.few[:min(len(names), len(inner.few)):len(inner.few)]; len(names) > len(inner.few) {
		inner.vals = make([]val, len(names))
	}
	clear(inner.vals[copy(inner.vals, args):])
	v := e.eval(fn.lambda.right, &fn.input, inner)
	if fn.lambda.alone {
		e.spare = inner // nothing else refers to it
	}
	return v
}

// callback calls a function that was handed to a builtin, with as many of the
// arguments as it takes, at least one. The place is put back, since errors after it
// are the builtin's.
func (e *evaluation) callback(fn *function, args ...val) val {
	if n := fn.arguments(); n < len(args) {
		args = args[:max(n, 1)]
	}
	place := e.place
	e.tick(1)
	v := e.invoke(fn, args, plain(value.NullValue)) // a context that is good for nothing
	e.place = place
	return v
}

// partial evaluates a call with arguments left open.
func (e *evaluation) partial(n *node, input *val, f *frame) val {
	fn := e.callee(n, input, f)
	if fn == nil {
		e.notCallable(n, f, "T1007", "T1008")
	}
	made := &function{name: fn.name, partial: fn}
	for _, item := range n.items {
		if item.kind == placeholderNode {
			made.fixed, made.open = append(made.fixed, val{}), append(made.open, true)
			continue
		}
		made.fixed, made.open = append(made.fixed, e.eval(item, input, f)), append(made.open, false)
	}
	return plain(e.functionValue(made))
}

// apply evaluates ~>: a call with one more argument, a call, or two functions
// made one.
func (e *evaluation) apply(n *node, input *val, f *frame) val {
	left := e.eval(n.left, input, f)
	if n.right.kind == callNode {
		v := e.call(n.right, input, f, &left)
		for i := range n.right.predicates {
			v = e.filter(n.right.predicates[i].expr, v, f)
		}
		return v
	}
	right := e.eval(n.right, input, f)
	fn := e.function(right.Value)
	if fn == nil {
		failAt("T2006", n, "", right.Value)
	}
	if first := e.function(left.Value); first != nil {
		chained := &function{arity: 1, native: func(e *evaluation, args []val, context val) val {
			return e.invoke(fn, []val{e.invoke(first, args, context)}, context)
		}}
		return plain(e.functionValue(chained))
	}
	return e.invokeAt(&node{at: n.at, left: n.right}, fn, []val{left}, *input)
}

// intArg returns a number argument as a whole one, cut off; 0 for undefined.
func intArg(v val) int {
	f := math.Trunc(v.Float64())
	return int(max(min(f, math.MaxInt32), math.MinInt32))
}
