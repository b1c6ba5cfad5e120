// Package jsonata is the query and transformation language JSONata: expressions are
// compiled once and evaluated on JSON values.
//
//	x, err := jsonata.Compile(`items[price > 10].name`, jsonata.Options{})
//	if err != nil {
//		return err // a *jsonata.Error with code, position and message
//	}
//	env := &jsonata.Env{Input: order, Millis: now.UnixMilli()}
//	names, err := x.Eval(env) // undefined if there are none
//	if failed, ok := errors.AsType[*jsonata.Error](err); ok {
//		fmt.Println(failed.Code, failed.Position, failed.Message)
//	}
//
// The grammar is that of jsonata-js 2.0.6, with the corrections up to 2.2.2; what
// came later (?? and ?:) is an option. The dialect of Step Functions adds its
// functions and leaves $eval out. Results, error codes, messages and positions are
// those of the reference implementation; decision 0007 says what differs.
//
// An evaluation is bounded in depth, steps and the size of what it holds, and counts
// what it really does and builds by a meter. It is handed the time and the random
// numbers that it may use: the same expression on the same values returns the same
// result.
//
// Regular expressions are those of RE2, which knows neither lookaround nor
// backreferences and never takes exponential time.
//
// A text becomes a result in five steps, each with a file: tokens (lex.go), a tree of
// operators (parse.go), paths with their steps and ancestors (process.go), shorter
// ways for what is frequent (prepare, in library.go), and evaluation (eval.go,
// path.go).
//
// Stability: promised after 1.0.
package jsonata

import (
	"errors"

	"github.com/steppehq/steppe/meter"
	"github.com/steppehq/steppe/regex"
	"github.com/steppehq/steppe/value"
)

// Options choose a dialect.
type Options struct {
	// StepFunctions is AWS's dialect: $partition, $range, $hash, $random(seed),
	// $uuid and $parse, no $eval, integers that stay exact, AWS's limits where
	// Env.Limits has none.
	StepFunctions bool
	// Coalescing allows the operators ?? and ?: of JSONata 2.1.
	Coalescing bool
	// Regexes are the regular expressions that those of the expression are compiled
	// among, so that equal ones are shared; nil for none.
	Regexes *regex.Set
	// Parts counts the parts of the expression with those of others; nil for its own
	// alone.
	Parts *Parts
}

// Expr is a compiled expression. It is immutable and may be used by many
// goroutines at once.
type Expr struct {
	text    string
	root    *node
	options Options
}

// Limits bound an evaluation. A zero field stands for the default.
type Limits struct {
	// Depth is how deep evaluations nest; 100 in the dialect of Step Functions,
	// otherwise 500.
	Depth int
	// Bytes is what one value may hold: 8 for a number or boolean, 1 for each
	// character of a text; 6,990,256 in the dialect of Step Functions,
	// otherwise 96 MiB.
	Bytes int64
	// Steps is how many parts of expressions may be evaluated, 5,000,000 by
	// default.
	Steps int64
}

// Env is what an evaluation may see. It is for one evaluation at a time, and
// keeps its memory for the next one.
type Env struct {
	// Input is $ and $$.
	Input value.Value
	// Vars looks variables up by their names without $; nil for none.
	Vars func(name string) (value.Value, bool)
	// Millis is the time that $now() and $millis() return: milliseconds since 1970.
	Millis int64
	// Random returns random numbers; nil stands for the same ones each time.
	Random func() uint64
	Limits Limits
	// Meter counts work and memory, and may end the evaluation as the limits do;
	// nil for none. Its interruption is thrown through Eval.
	Meter *meter.Meter

	spare *evaluation // memory of the evaluation before
}

// ErrFunction is the error of an expression whose result is a function, which
// is no value outside of an evaluation.
var ErrFunction = errors.New("jsonata: the result is a function")

// Compile reads an expression. The error is an [*Error].
func Compile(text string, o Options) (x *Expr, err error) {
	if !value.Valid(text) {
		return nil, &Error{Code: "S0201", Message: "The expression is not valid UTF-8"}
	}
	defer func() {
		if e := thrown(recover()); e != nil {
			e.Position = value.RuneCount(text[:min(e.Position, len(text))])
			e.complete()
			x, err = nil, e
		}
	}()
	p := &parser{lex: lexer{text: text, coalescing: o.Coalescing}, regexes: o.Regexes, parts: o.Parts}
	if p.parts == nil {
		p.parts = new(Parts)
	}
	root := process(p.parse())
	prepare(root, o)
	o.Regexes, o.Parts = nil, nil // what is compiled later is not among them
	return &Expr{text: text, root: root, options: o}, nil
}

// String is the expression as it was written.
func (x *Expr) String() string { return x.text }

// Eval evaluates the expression. A result of undefined is no error. The error
// is an [*Error] or [ErrFunction].
func (x *Expr) Eval(env *Env) (result value.Value, err error) {
	e := begin(x, env)
	defer func() {
		if t := ended(recover()); t != nil {
			t.Position = value.RuneCount(x.text[:min(t.Position, len(x.text))])
			t.complete()
			result, err = value.Value{}, t
		}
	}()
	input := val{Value: env.Input}
	if input.Kind() == value.Array {
		// A whole array is one input, not a sequence of many.
		input = val{value.Arr(env.Input), flagSequence | flagOuter}
	}
	v := e.eval(x.root, &input, &e.root)
	if fnLike(v.Value) {
		return value.Value{}, ErrFunction
	}
	result = e.plain(v.Value)
	e.end()
	return result, nil
}

// ended is thrown that also turns the limits of a meter into errors, with the words
// of the service: to the user it is the same whether the language's own account or
// the meter's was full.
func ended(r any) *Error {
	if stop, ok := r.(*meter.Stop); ok && !stop.Interrupted {
		if errors.Is(stop, meter.ErrWork) {
			return &Error{Code: limitCode, Message: errTimeout}
		}
		return &Error{Code: limitCode, Message: errMemory}
	}
	return thrown(r)
}

// thrown returns the error that a panic carries; other panics continue.
func thrown(r any) *Error {
	if r == nil {
		return nil
	}
	e, ok := r.(*Error)
	if !ok {
		panic(r)
	}
	return e
}
