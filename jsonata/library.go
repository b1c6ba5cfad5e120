package jsonata

import (
	"maps"
	"slices"
	"strings"

	"github.com/steppehq/steppe/value"
)

// # The functions
//
// A function is one line of a table: its name, its signature, and a Go function of
// the arguments that the signature has checked. The tables are by what the functions
// are about (textFunctions, numberFunctions, arrayFunctions, objectFunctions,
// timeFunctions), those whose results are sequences are in sequenceFunctions, and
// those that only Step Functions has are in awsFunctions. To add one, add a line, and
// expressions that use it to testdata/oracle/cases.jsonl.
//
// What a function must keep to:
//
// - An argument that is undefined makes the result undefined, unless the reference
//   says otherwise.
// - It counts before it works: tick for loops, items, grown, members or texts for
//   what it is about to build, and charge for what the result holds.
// - It fails with throw, which names the call, and calls functions it was given by
//   callback.
// - It keeps neither the slice of its arguments nor anything that depends on the
//   time, on a map's order, or on chance but e.random.
//
// What follows the tables is prepare, the last pass of the compiler: it notes on each
// node which shorter way an evaluation may take (see eval.go).

// native is what a builtin does with its arguments, which its signature has
// checked.
type native func(e *evaluation, args []val) value.Value

// builtins are the functions by name, those of the dialect of Step Functions
// in a table of their own.
var builtins, awsBuiltins map[string]*function

// entry is a line of a table of functions.
type entry struct {
	name, signature string
	fn              native
}

// table makes functions of the lines of a table. Signatures are parsed once, when the
// package is initialized.
func table(entries []entry) map[string]*function {
	functions := make(map[string]*function, len(entries))
	for _, e := range entries {
		fn := e.fn
		made := &function{name: e.name, native: func(e *evaluation, args []val, _ val) val { return plainResult(fn(e, args)) }}
		if e.signature != "" {
			made.signature = parseSignature(e.signature, 0)
		}
		functions[e.name] = made
	}
	return functions
}

// plainResult makes the result of a builtin that returns a value rather than a
// sequence.
func plainResult(v value.Value) val { return plain(v) }

func init() { // functions call functions: the tables refer to themselves
	builtins = table(textFunctions)
	awsBuiltins = table(awsFunctions)
	for _, entries := range [][]entry{numberFunctions, arrayFunctions, objectFunctions, timeFunctions} {
		maps.Copy(builtins, table(entries))
	}
	for _, s := range sequenceFunctions {
		fn := s.fn
		builtins[s.name] = &function{name: s.name, signature: parseSignature(s.signature, 0), native: func(e *evaluation, args []val, _ val) val {
			return fn(e, args)
		}}
	}
	builtins["string"].arity = 1 // what is handed to it beside the value is no choice of form
	builtins["eval"] = &function{name: "eval", signature: parseSignature("<sx?:x>", 0), native: evalFunction}
}

// builtinNamed returns a function of a dialect, nil when there is none.
func builtinNamed(name string, o Options) *function {
	if o.StepFunctions {
		if name == "eval" {
			return nil
		}
		if fn := awsBuiltins[name]; fn != nil {
			return fn
		}
	}
	return builtins[name]
}

// prepare lets variables know the functions that they name where nothing else
// is bound to them, and notes what has a shorter way. It reports whether n binds
// a variable in the frame around it.
func prepare(n *node, o Options) bool {
	binds := n.kind == bindNode
	walkParts(n, func(part *node) {
		if prepare(part, o) {
			binds = true
		}
	})
	switch n.kind {
	case nameNode, literalNode, stringNode, variableNode:
		if n.kind == variableNode {
			n.builtin = builtinNamed(n.text, o)
		}
		n.simple = len(n.stages) == 0 && len(n.predicates) == 0 && !n.grouped && !n.keepArray && !n.tuple
		if n.kind == stringNode {
			n.kind = literalNode
		}
		if n.kind == literalNode && n.simple {
			n.way = literalWay
		}
	// A path of one plain name becomes a field: it has a way of its own in eval.
	case pathNode:
		if direct(n) {
			n.way = followWay
		}
		n.tuples = slices.ContainsFunc(n.items, func(step *node) bool { return step.tuple })
		if first := n.items[0]; len(n.items) == 1 && first.kind == nameNode && first.simple && !n.keepSingleton && !n.grouped && len(n.predicates) == 0 {
			n.kind, n.way, n.text = fieldNode, fieldWay, first.text
		}
	case binaryNode:
		n.op = operators[n.text]
		if len(n.predicates) == 0 && !n.grouped {
			n.way = binaryWay
		}
	case objectNode:
		n.fixed = fixedKeys(n.pairs)
	// A block that binds nothing needs no frame; one that is a single expression is
	// only a pair of parentheses.
	case blockNode:
		n.binds = binds
		n.within = len(n.items) == 1 && !binds && !n.tuple && !n.grouped && !n.keepArray && len(n.predicates) == 0 && len(n.stages) == 0
		return false
	// Bindings inside of a lambda are in its own frame, and so none of what is around
	// it.
	case lambdaNode:
		n.alone = !keepsFrames(n.right)
		return false
	default:
	}
	return binds
}

// direct reports whether n is a path of a variable and names, and nothing else: what
// follow evaluates.
func direct(n *node) bool {
	if n.keepSingleton || n.grouped || len(n.predicates) > 0 || n.items[0].kind != variableNode || len(n.items) == 1 {
		return false
	}
	for i, step := range n.items {
		if !step.simple || i > 0 && step.kind != nameNode {
			return false
		}
	}
	return true
}

// fixedKeys reports whether the keys are strings, all of them different: then an
// object needs no groups. Many keys would make the check quadratic, and are left to
// groups.
func fixedKeys(pairs []pair) bool {
	for i := range pairs {
		key := pairs[i].key
		if key.kind != literalNode || !key.simple || key.value.Kind() != value.String {
			return false
		}
		if slices.ContainsFunc(pairs[:i], func(p pair) bool { return p.key.value.Str() == key.value.Str() }) {
			return false
		}
	}
	return len(pairs) <= fewGroups
}

// keepsFrames reports whether evaluating n makes a function that keeps the frame it
// was made in. It looks at all of n: a transform counts too, for it is a function.
func keepsFrames(n *node) bool {
	keeps := n.kind == lambdaNode || n.kind == transformNode
	walkParts(n, func(part *node) { keeps = keeps || keepsFrames(part) })
	return keeps
}

// walkParts visits the direct parts of a node, those of its stages and its group
// included.
func walkParts(n *node, visit func(*node)) {
	for _, part := range []*node{n.left, n.right, n.other} {
		if part != nil {
			visit(part)
		}
	}
	for _, item := range n.items {
		visit(item)
	}
	for _, pairs := range [][]pair{n.pairs, n.group} {
		for _, p := range pairs {
			visit(p.key)
			visit(p.value)
		}
	}
	for _, t := range n.terms {
		visit(t.expr)
	}
	for _, stages := range [][]stage{n.stages, n.predicates} {
		for _, s := range stages {
			if s.expr != nil {
				visit(s.expr)
			}
		}
	}
}

// compiledBytes is what a byte of an expression takes as a part of a tree.
const compiledBytes = 200

// maxEval bounds how deep $eval may call itself.
const maxEval = 20

// evalFunction is $eval: it compiles and evaluates a text. It is charged for the tree
// that it makes. Errors of the inner expression become D3121 of the outer one, whose
// position is the call. The dialect of Step Functions does not have it.
func evalFunction(e *evaluation, args []val, context val) val {
	if args[0].IsUndefined() {
		return val{}
	}
	text := args[0].Str()
	e.tick(len(text))
	e.meter.Hold(int64(compiledBytes * len(text)))
	x, err := Compile(text, e.expr.options)
	if err != nil {
		e.throw("D3120", value.Str(strings.TrimSpace(err.Error())))
	}
	if e.evals++; e.evals > maxEval {
		e.throw("D3121", value.Str("U1001"))
	}
	defer func() {
		e.evals--
		if t := thrown(recover()); t != nil {
			t.complete()
			e.throw("D3121", value.Str(t.Error()))
		}
	}()
	// The second argument is the context; an array is one value, as the input of any
	// expression.
	input := context
	if len(args) > 1 && !args[1].IsUndefined() {
		input = args[1]
		if input.Kind() == value.Array {
			input = val{value.Arr(input.Value), flagSequence | flagOuter}
		}
	}
	return e.eval(x.root, &input, &frame{})
}
