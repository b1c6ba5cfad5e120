package jsonata

import (
	"strconv"

	"github.com/steppehq/steppe/value"
)

// # From syntax to steps
//
// The parser knows operators only: a.b[c].d is a tree of binary dots and brackets,
// bound by precedence. An evaluator needs paths: a list of steps, each with what
// filters it. This file turns the one into the other, from the leaves up, as
// processAST of jsonata-js does. Which node receives which bracket is therefore
// observable, in results and in error codes, and is kept as it is there.
//
// The forms, with what the parser read and what is evaluated:
//
//	a.b.c          dot(dot(a, b), c)       path [a, b, c]
//	a              name a                  path [a]
//	a.b[0]         dot(a, filter(b, 0))    path [a, b] with a stage 0 on step b
//	(a.b)[0]       filter(block, 0)        block with a predicate 0
//	a.b{k: v}      group(dot(a, b))        path [a, b] with a group for all of it
//	a.b^(>c)       order(dot(a, b))        path [a, b, sort c]
//	a@$v.b         dot(focus(a, $v), b)    path [a with focus v, b]
//	a#$i.b         dot(index(a, $i), b)    path [a with index i, b]
//	a.b[]          dot(a, b keepArray)     path [a, b], its result stays an array
//
// A bracket behind a path belongs to the last step: it filters what that step makes
// of each single value, not the whole result. Such filters are the step's stages.
// Behind anything else a bracket is a predicate of that node, which filters its whole
// value. An expression that becomes the right side of a dot turns from one into the
// other.
//
// # Ancestors
//
// The % operator refers to the value that an earlier step was evaluated on. A step
// that has run keeps nothing, so the reference must be known before: each % gets a
// slot, with a label that no variable can have, and the number of steps to go back,
// its level. While the tree is built, every node collects in seeking the slots inside
// of it that have not found their step. Where a path is complete (resolve) or a
// predicate is attached (filter), the slots walk backwards over the steps: a name or
// a wildcard takes one level off, a % adds one, a block passes the search to its last
// expression, a path to its last step and then to those before. The step at which the
// level becomes 0 is the ancestor: it binds its input to the slot's label, which
// makes it a tuple step (see path.go). A slot that is left over at the root has no
// ancestor: S0217. Two slots that end at one step share its label.
//
//	Account.Order.Product.%.OrderID
//	                      level 1: Product took it to 0, and binds the Order
//
// # Tail calls
//
// A call in tail position of a lambda is wrapped in a lambda without parameters, a
// thunk. Evaluating the body then returns the call instead of making it, and invoke
// makes it in a loop: recursion in tail position takes no depth, which matters
// because AWS limits depth to 100.

// processor turns what the parser read into what is evaluated: paths become
// lists of steps, predicates and groups go to the steps they belong to, and
// each % finds the step that it refers to.
type processor struct {
	slots int
	depth int
}

// process works on a whole expression.
func process(n *node) *node {
	p := &processor{}
	n = p.node(n)
	if n.kind == parentNode || len(n.seeking) > 0 {
		failAt("S0217", n, n.typeName(), value.Value{})
	}
	return n
}

// node processes n and everything in it, and returns what takes its place, which may
// be another node. The depth is bounded here as well, since an operator can make the
// tree deeper than the parser's own recursion was: a+b+c… nests to the left.
func (p *processor) node(n *node) *node {
	if p.depth++; p.depth > 2*maxNesting {
		failAt("U1001", n, "", value.Value{})
	}
	result := p.form(n)
	result.keepArray = result.keepArray || n.keepArray
	p.depth--
	return result
}

// form turns a node into what is evaluated.
func (p *processor) form(n *node) *node {
	switch n.kind {
	case dotNode:
		return p.dot(n)
	case filterNode:
		return p.filter(n)
	case groupNode:
		return p.groupBy(n)
	case orderNode:
		return p.order(n)
	case focusNode:
		return p.focus(n)
	case indexNode:
		return p.indexed(n)
	case nameNode:
		return p.name(n)
	case operatorNode:
		return p.word(n)
	case parentNode:
		n.slot = &slot{label: "!" + strconv.Itoa(p.slots), level: 1}
		p.slots++
		return n
	case endNode:
		return p.end(n)
	case lambdaNode:
		for _, parameter := range n.items {
			n.names = append(n.names, parameter.text)
		}
		n.right = tailCalls(p.node(n.right))
		return n
	case binaryNode, rangeNode, applyNode, bindNode, negateNode, conditionNode, transformNode:
		return p.parts(n)
	case arrayNode, callNode, partialNode, blockNode:
		return p.list(n)
	case objectNode:
		p.pairs(n, n.pairs)
	case literalNode, stringNode, variableNode, wildcardNode, descendantNode, regexNode, pathNode, fieldNode, sortNode, placeholderNode:
	}
	return n
}

// name makes a path of one step. The [] behind a name belongs to the path then: it
// decides whether a result of one item stays an array.
func (p *processor) name(n *node) *node {
	return &node{kind: pathNode, at: n.at, items: []*node{n}, keepSingleton: n.keepArray}
}

// word is and, or, in where an operand stands: a name.
func (p *processor) word(n *node) *node {
	n.kind = nameNode
	return p.name(n)
}

// end complains of what stands where an operand should.
func (p *processor) end(n *node) *node {
	if n.text == "" {
		failAt("S0207", n, "(end)", value.Value{})
	}
	failAt("S0201", n, n.text, value.Value{})
	return nil
}

// parts processes the operands of operators and of what has a fixed number of them.
// The slots of an operand are handed to the whole, except for the name that := binds,
// and for the parts of a transform, which have an input of their own. A minus before
// a number is that number, so that it counts as no evaluation.
func (p *processor) parts(n *node) *node {
	for _, part := range []**node{&n.left, &n.right, &n.other} {
		if *part == nil {
			continue
		}
		*part = p.node(*part)
		if n.kind != transformNode && (n.kind != bindNode || part == &n.right) {
			seek(n, *part)
		}
	}
	if n.kind == negateNode && n.left.kind == literalNode && n.left.value.Kind() == value.Number {
		n.left.value = negate(n.left.value)
		n.left.keepArray = n.left.keepArray || n.keepArray
		return n.left
	}
	if n.kind == applyNode {
		n.keepArray = n.keepArray || n.left.keepArray || n.right.keepArray
	}
	return n
}

// list processes arguments, items and the expressions of a block. A block that ends
// in an array constructor counts as one (cons): as a first step it is not flattened.
func (p *processor) list(n *node) *node {
	for i, item := range n.items {
		item = p.node(item)
		seek(n, item)
		n.items[i] = item
		if n.kind == blockNode && (item.cons || item.kind == pathNode && item.items[0].cons) {
			n.cons = true
		}
	}
	if n.left != nil {
		n.left = p.node(n.left)
	}
	return n
}

// pairs processes the keys and values of an object constructor.
func (p *processor) pairs(n *node, pairs []pair) {
	for i := range pairs {
		pairs[i].key = p.node(pairs[i].key)
		seek(n, pairs[i].key)
		pairs[i].value = p.node(pairs[i].value)
		seek(n, pairs[i].value)
	}
}

// dot joins two expressions to one path. A left side that is no path becomes its
// first step, a right side that is one appends its steps. Strings become names here
// ("a b".c), and numbers are refused. An array constructor as the first or the last
// step keeps its arrays together; in the middle each is flattened like any other
// result.
func (p *processor) dot(n *node) *node {
	path := p.node(n.left)
	if path.kind != pathNode {
		step := path
		path = &node{kind: pathNode, at: n.at, items: []*node{step}}
		if step.kind == parentNode {
			path.seeking = []*slot{step.slot}
		}
	}
	rest := p.node(n.right)
	if rest.kind == pathNode {
		path.items = append(path.items, rest.items...)
	} else {
		rest.stages, rest.predicates = append(rest.stages, rest.predicates...), nil
		path.items = append(path.items, rest)
	}
	for _, step := range path.items {
		switch step.kind {
		case literalNode:
			failAt("S0213", step, step.text, step.value)
		case stringNode:
			step.kind = nameNode
		default:
		}
		path.keepSingleton = path.keepSingleton || step.keepArray
	}
	if first := path.items[0]; first.kind == arrayNode {
		first.cons = true
	}
	if last := path.items[len(path.items)-1]; last.kind == arrayNode {
		last.cons = true
	}
	resolve(path)
	return path
}

// lastStep returns the step to which what follows an expression belongs.
func lastStep(n *node) *node {
	if n.kind == pathNode {
		return n.items[len(n.items)-1]
	}
	return n
}

// filter attaches a predicate to the step or the node before it. Slots of level 1 in
// the predicate mean the input of that very step; all others have one level less to
// go, for the predicate is inside of the step.
func (p *processor) filter(n *node) *node {
	result := p.node(n.left)
	step := lastStep(result)
	if step.grouped { // of a path, the step before the group is meant
		failAt("S0209", n, "", value.Value{})
	}
	predicate := p.node(n.right)
	for _, s := range predicate.seeking {
		if s.level == 1 {
			seekParent(step, s)
		} else {
			s.level--
		}
	}
	parent := predicate.kind == parentNode && (step.kind == nameNode || step.kind == wildcardNode) // of others there is none
	if parent {
		seekParent(step, predicate.slot)
	}
	if len(predicate.seeking) > 0 || parent {
		seek(step, predicate)
	}
	filter := stage{expr: predicate, at: n.at}
	if result.kind == pathNode {
		step.stages = append(step.stages, filter)
	} else {
		step.predicates = append(step.predicates, filter)
	}
	return result
}

// groupBy attaches {key: value} to what is before it. Only one group may stand there,
// and no filter behind it (S0209, S0210).
func (p *processor) groupBy(n *node) *node {
	result := p.node(n.left)
	if result.grouped {
		failAt("S0210", n, "", value.Value{})
	}
	result.grouped = true
	for _, pr := range n.pairs {
		result.group = append(result.group, pair{p.node(pr.key), p.node(pr.value)})
	}
	return result
}

// order makes ^(…) a step of its own, at the end of the path.
func (p *processor) order(n *node) *node {
	result := p.node(n.left)
	if result.kind != pathNode {
		result = &node{kind: pathNode, at: n.at, items: []*node{result}}
	}
	step := &node{kind: sortNode, at: n.at}
	for _, t := range n.terms {
		t.expr = p.node(t.expr)
		seek(step, t.expr)
		step.terms = append(step.terms, t)
	}
	result.items = append(result.items, step)
	resolve(result)
	return result
}

// focus makes a step bind its results to a variable, by name@$v. The path then goes
// on with the step's input instead of its result, so filters that are already there
// would mean something else: they are refused (S0215, S0216).
func (p *processor) focus(n *node) *node {
	result := p.node(n.left)
	step := lastStep(result)
	switch {
	case len(step.stages) > 0 || len(step.predicates) > 0:
		failAt("S0215", n, "", value.Value{})
	case step.kind == sortNode:
		failAt("S0216", n, "", value.Value{})
	}
	step.keepArray = step.keepArray || n.keepArray
	step.focus = n.right.text
	step.tuple = true
	if result.kind == pathNode {
		result.keepSingleton = result.keepSingleton || n.keepArray
	}
	return result
}

// indexed makes a step bind the position of each of its results, by name#$i. Behind a
// filter it is the position among what the filter has kept, so it becomes a stage
// between the filters.
func (p *processor) indexed(n *node) *node {
	result := p.node(n.left)
	step := lastStep(result)
	if result.kind != pathNode {
		result = &node{kind: pathNode, at: n.at, items: []*node{step}}
		step.stages, step.predicates = append(step.stages, step.predicates...), nil
	}
	if len(step.stages) == 0 {
		step.index = n.right.text
	} else {
		step.stages = append(step.stages, stage{index: n.right.text, at: n.at})
	}
	step.tuple = true // [] behind it is lost, as in the reference
	return result
}

// seek hands the ancestors that a part looks for to the whole.
func seek(n, part *node) {
	n.seeking = append(n.seeking, part.seeking...)
	if part.kind == parentNode {
		n.seeking = append(n.seeking, part.slot)
	}
}

// seekParent goes one step back in search of the ancestor that a slot is for.
func seekParent(n *node, s *slot) {
	switch n.kind {
	case nameNode, wildcardNode:
		if s.level--; s.level == 0 {
			if n.ancestor == nil {
				n.ancestor = s
			} else { // there is a label for it already
				s.label = n.ancestor.label
			}
			n.tuple = true
		}
	case parentNode:
		s.level++
	case blockNode:
		if len(n.items) > 0 {
			n.tuple = true
			seekParent(n.items[len(n.items)-1], s)
		}
	case pathNode:
		n.tuple = true
		i := len(n.items) - 1
		seekParent(n.items[i], s)
		for i--; s.level > 0 && i >= 0; i-- {
			seekParent(n.items[i], s)
		}
	default:
		failAt("S0217", n, n.typeName(), value.Value{})
	}
}

// resolve looks for the ancestors that the last step of a path refers to.
func resolve(path *node) {
	last := path.items[len(path.items)-1]
	slots := last.seeking
	if last.kind == parentNode {
		slots = append(slots, last.slot)
	}
	for _, s := range slots {
		i := len(path.items) - 2
		for s.level > 0 {
			if i < 0 {
				path.seeking = append(path.seeking, s)
				break
			}
			step := path.items[i]
			i--
			// Steps in a row that bind their focus all look at the same value.
			for i >= 0 && step.focus != "" && path.items[i].focus != "" {
				step = path.items[i]
				i--
			}
			seekParent(step, s)
		}
	}
}

// tailCalls marks the calls at the end of a lambda's body, so that they take no
// depth: they are returned to the caller of the lambda.
func tailCalls(n *node) *node {
	switch n.kind {
	case callNode:
		if len(n.predicates) == 0 {
			return &node{kind: lambdaNode, at: n.at, thunk: true, right: n}
		}
	case conditionNode:
		n.right = tailCalls(n.right)
		if n.other != nil {
			n.other = tailCalls(n.other)
		}
	case blockNode:
		if last := len(n.items) - 1; last >= 0 {
			n.items[last] = tailCalls(n.items[last])
		}
	default:
	}
	return n
}
