package jsonata

import (
	"slices"

	"github.com/steppehq/steppe/value"
)

// Step Functions checks what an expression refers to before it runs any state: names
// at the top level are refused, since a state's data is in $states, and variables are
// listed by DescribeStateMachine (variableReferences). The walk follows the scopes of
// the language: a block, a lambda and a path each have one; a name is the input's
// only where a part is evaluated on the input itself (top), which holds for the first
// step of a path, and not for what is inside of predicates, groups and terms, which
// see an item.

// Reference is a name that an expression refers to.
type Reference struct {
	// Name is a variable's without its $, or that of a member of the input. It
	// is "" for $, and "$" for $$.
	Name string
	// Steps are the names that follow in the path: $states.input.id has input
	// and id.
	Steps []string
	// Position counts characters from the beginning of the expression.
	Position int
}

// References are the names that an expression takes from outside.
type References struct {
	// Variables are those that the expression does not bind itself.
	Variables []Reference
	// Input are the references to the input: names, $, $$, % and wildcards at
	// the top level.
	Input []Reference
}

// References returns the names that the expression takes from outside, for checks
// before it is evaluated. Each occurrence is one Reference, in the order in which
// they stand.
func (x *Expr) References() References {
	r := &referrer{x: x}
	r.node(x.root, true, nil)
	return r.found
}

// scope is the list of names that are bound around a part.
type scope struct {
	parent *scope
	names  map[string]bool
}

// has reports whether the name is bound here or in a scope around this one.
func (s *scope) has(name string) bool {
	for ; s != nil; s = s.parent {
		if s.names[name] {
			return true
		}
	}
	return false
}

// referrer looks for references.
type referrer struct {
	x     *Expr
	found References
	// bytes and runes are the place of the last reference: the next one is counted
	// from there.
	bytes, runes int
}

// position returns the number of characters before a byte of the expression.
// References come nearly in order, so it counts from the one before.
func (r *referrer) position(at int) int {
	at = min(at, len(r.x.text))
	if at < r.bytes {
		r.runes -= value.RuneCount(r.x.text[at:r.bytes])
	} else {
		r.runes += value.RuneCount(r.x.text[r.bytes:at])
	}
	r.bytes = at
	return r.runes
}

// reference makes a Reference with the names that follow it directly in its path.
func (r *referrer) reference(n *node, name string, steps []*node) Reference {
	ref := Reference{Name: name, Position: r.position(n.at)}
	for _, step := range steps {
		if step.kind != nameNode {
			break
		}
		ref.Steps = append(ref.Steps, step.text)
	}
	return ref
}

// node visits a part; top reports whether its input is the expression's.
func (r *referrer) node(n *node, top bool, s *scope) {
	if n == nil {
		return
	}
	switch n.kind {
	case pathNode, fieldNode:
		r.path(n, top, s)
		return
	case variableNode:
		r.variable(n, nil, top, s)
	case nameNode, wildcardNode, descendantNode, parentNode:
		if top {
			r.found.Input = append(r.found.Input, r.reference(n, n.text, nil))
		}
	case bindNode:
		if s != nil {
			s.names[n.left.text] = true
		}
		r.node(n.right, top, s)
		return
	case blockNode:
		s = &scope{s, make(map[string]bool)}
	case lambdaNode:
		s = &scope{s, make(map[string]bool)}
		for _, name := range n.names {
			s.names[name] = true
		}
		r.node(n.right, top, s)
		return
	case transformNode:
		top = false
	default:
	}
	r.parts(n, top, s)
}

// path visits the steps in order: what one binds with @ or # is known to those behind
// it, and to the group.
func (r *referrer) path(n *node, top bool, s *scope) {
	s = &scope{s, make(map[string]bool)}
	for i, step := range n.items {
		at := top && i == 0
		switch {
		case step.kind == variableNode:
			r.variable(step, n.items[i+1:], at, s)
			r.stages(step, s)
		case step.kind == nameNode:
			if at {
				r.found.Input = append(r.found.Input, r.reference(step, step.text, n.items[1:]))
			}
			r.stages(step, s)
		default:
			r.node(step, at, s)
		}
		for _, name := range []string{step.focus, step.index} {
			if name != "" {
				s.names[name] = true
			}
		}
	}
	for _, p := range n.group {
		r.node(p.key, false, s)
		r.node(p.value, false, s)
	}
}

// variable notes $ and $$ as references to the input, and names that nothing binds
// and no function has.
func (r *referrer) variable(n *node, steps []*node, top bool, s *scope) {
	switch {
	case n.text == "" || n.text == "$":
		if top || n.text == "$" {
			r.found.Input = append(r.found.Input, r.reference(n, n.text, steps))
		}
	case !s.has(n.text) && n.builtin == nil:
		r.found.Variables = append(r.found.Variables, r.reference(n, n.text, steps))
	}
}

// stages visits filters, and notes the names of positions between them.
func (r *referrer) stages(n *node, s *scope) {
	for _, list := range [][]stage{n.stages, n.predicates} {
		for _, st := range list {
			if st.index != "" {
				s.names[st.index] = true
			}
			r.node(st.expr, false, s)
		}
	}
}

// parts visits what is in a node of any other kind.
func (r *referrer) parts(n *node, top bool, s *scope) {
	r.node(n.left, top, s)
	r.node(n.right, top, s)
	r.node(n.other, top, s)
	for _, item := range n.items {
		r.node(item, top, s)
	}
	for _, p := range n.pairs {
		r.node(p.key, top, s)
		r.node(p.value, top, s)
	}
	for _, t := range n.terms {
		r.node(t.expr, false, s)
	}
	r.stages(n, &scope{s, make(map[string]bool)})
	for _, p := range n.group {
		r.node(p.key, false, s)
		r.node(p.value, false, s)
	}
}

// FunctionNames returns the names of the functions that expressions of Step Functions
// have, in alphabetical order.
func FunctionNames() []string {
	var names []string
	for _, table := range []map[string]*function{builtins, awsBuiltins} {
		for name := range table {
			if builtinNamed(name, Options{StepFunctions: true}) != nil && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names
}
