package jsonata

import "github.com/steppehq/steppe/value"

// kind says what a node is, and by that which of its fields are used:
//
//	literalNode, stringNode   value
//	nameNode, variableNode    text, without the $
//	regexNode                 regex
//	pathNode                  items: the steps; group, keepSingleton
//	binaryNode                text, op, left, right
//	negateNode                left
//	arrayNode, blockNode      items
//	objectNode, groupNode     pairs
//	rangeNode, applyNode      left, right
//	conditionNode             left ? right : other
//	bindNode                  left, a variable, := right
//	callNode, partialNode     left: what is called; items: arguments
//	lambdaNode                items: parameters; right: the body
//	transformNode             |left|right, other|
//	sortNode, orderNode       terms
//	focusNode, indexNode      left; right: the variable
type kind uint8

const (
	endNode kind = iota
	literalNode
	nameNode
	stringNode // becomes a name as a step, a literal elsewhere
	variableNode
	wildcardNode
	descendantNode
	parentNode
	regexNode
	operatorNode // a word or ? that stands where an operand is expected
	pathNode
	binaryNode
	negateNode
	arrayNode
	objectNode
	rangeNode
	blockNode
	conditionNode
	bindNode
	callNode
	partialNode
	lambdaNode
	applyNode
	transformNode
	sortNode
	filterNode // the forms that only the parser knows
	groupNode
	orderNode
	focusNode
	indexNode
	dotNode
	placeholderNode
	fieldNode // a path that is one name
)

// kindNames are what the reference implementation calls them in errors.
var kindNames = map[kind]string{
	literalNode: "value", nameNode: "name", stringNode: "string", variableNode: "variable", wildcardNode: "wildcard", descendantNode: "descendant",
	parentNode: "parent", regexNode: "regex", pathNode: "path", fieldNode: "path", negateNode: "unary", arrayNode: "unary", objectNode: "unary", blockNode: "block",
	conditionNode: "condition", bindNode: "bind", callNode: "function", partialNode: "partial", lambdaNode: "lambda", applyNode: "apply", transformNode: "transform",
	sortNode: "sort", placeholderNode: "operator",
}

// typeName is the type that the reference implementation's errors show.
func (n *node) typeName() string {
	name, ok := kindNames[n.kind]
	switch {
	case !ok:
		return "binary"
	case n.value.Kind() == value.Number:
		return "number"
	}
	return name
}

// node is a part of an expression. Its kind decides which fields it uses.
type node struct {
	kind  kind
	at    int    // the end of its first token, in bytes
	text  string // a name, an operator
	value value.Value

	left, right *node
	other       *node    // of a condition, a transform
	items       []*node  // steps, arguments, expressions
	pairs       []pair   // of an object or a group
	terms       []term   // of a sort
	names       []string // of a lambda's parameters
	signature   *signature
	regex       *pattern
	builtin     *function // what a variable names where nothing is bound to it
	thunk       bool

	// What prepare finds, for shorter ways:
	way    way  // of eval
	simple bool // a name and nothing else
	op     operator
	tuples bool // a path with a step that binds variables
	binds  bool // a block that needs a frame of its own
	within bool // a block that is its one expression
	alone  bool // a lambda that no function can keep the frame of
	fixed  bool // an object whose keys are different strings

	keepArray     bool // [] stands behind it
	keepSingleton bool // a path: [] stands behind one of its steps
	cons          bool // an array constructor at the beginning or end of a path
	stages        []stage
	predicates    []stage
	group         []pair
	grouped       bool
	focus, index  string
	tuple         bool
	ancestor      *slot
	slot          *slot // of a parent
	seeking       []*slot
}

// way is how eval evaluates a node.
type way uint8

const (
	longWay    way = iota
	literalWay     // its value, and nothing else
	fieldWay       // of an object, the member
	followWay      // a path of a variable and names, and nothing else
	binaryWay      // an operator, and nothing else
)

// pair is a key and a value of an object constructor.
type pair struct{ key, value *node }

// term is one expression to sort by.
type term struct {
	expr       *node
	descending bool
}

// stage is a filter of a step, or, without an expression, the place where its
// index is bound.
type stage struct {
	expr  *node
	index string
	at    int
}

// slot is what a % refers to: a variable of its own, bound by the step that the
// search for the ancestor ends at.
type slot struct {
	label string
	level int
}

// copied returns a copy of a node, all parts included, as the parser made it.
func (p *parser) copied(n *node) *node {
	if n == nil {
		return nil
	}
	c := p.part(*n)
	c.left, c.right, c.other = p.copied(n.left), p.copied(n.right), p.copied(n.other)
	c.items = nil
	for _, item := range n.items {
		c.items = append(c.items, p.copied(item))
	}
	c.pairs = nil
	for _, both := range n.pairs {
		c.pairs = append(c.pairs, pair{p.copied(both.key), p.copied(both.value)})
	}
	c.terms = nil
	for _, t := range n.terms {
		c.terms = append(c.terms, term{p.copied(t.expr), t.descending})
	}
	return c
}
