package jsonpath

import (
	"strconv"
	"strings"

	"github.com/steppehq/steppe/value"
)

// tokenKind says which values a step picks.
type tokenKind uint8

const (
	property   tokenKind = iota // .name ['name']
	properties                  // ['a','b']
	index                       // [0] [(@.length-1)]
	indexes                     // [0,1]
	slice                       // [1:2]
	wildcard                    // .* [*]
	scan                        // ..
	filter                      // [?(…)]
)

// token is one step of a path.
type token struct {
	kind    tokenKind
	names   []string // of properties
	numbers []int    // of indexes; from and to of a slice
	open    [2]bool  // which ends of a slice are open
	back    bool     // numbers[0] counts from the end
	test    test     // of a filter
	// forward reports whether all tokens after this one are definite.
	forward bool
}

// definite reports whether a token picks at most one value.
func (k tokenKind) definite() bool { return k == property || k == properties || k == index }

// String is the token as messages show it.
func (t *token) String() string {
	switch t.kind {
	case property, properties:
		return "['" + strings.Join(t.names, "', '") + "']"
	case index, indexes:
		if t.back {
			return "[@.size()-" + strconv.Itoa(t.numbers[0]) + "]"
		}
		parts := make([]string, len(t.numbers))
		for i, n := range t.numbers {
			parts[i] = strconv.Itoa(n)
		}
		return "[" + strings.Join(parts, ",") + "]"
	case slice:
		ends := [2]string{}
		for i, open := range t.open {
			if !open {
				ends[i] = strconv.Itoa(t.numbers[i])
			}
		}
		return "[" + ends[0] + ":" + ends[1] + "]"
	case wildcard:
		return "[*]"
	case scan:
		return ".."
	case filter:
	}
	return "[?]"
}

// place returns the index that an index token stands for in an array.
func (t *token) place(at value.Value) int {
	if t.back {
		return at.Len() - t.numbers[0]
	}
	return t.numbers[0]
}

// checkArray refuses a value that is no array for token i, one of array items. where
// shows the way to it. Null in Java is no value at all, so it counts as not there,
// but a node that is null is a value of the wrong kind.
func (p *Path) checkArray(i int, at value.Value, wrapped bool, where func() string) error {
	if at.Kind() == value.Array {
		return nil
	}
	if at.Kind() == value.Null && !wrapped {
		return notFound("The path " + where() + " is null")
	}
	return &Error{Message: "Filter: " + p.rest(i) + " can only be applied to arrays. Current context is: " + shown(at, wrapped)}
}

// rest shows the tokens from i on, as messages have them.
func (p *Path) rest(i int) string {
	var b strings.Builder
	for n := range p.tokens[i:] {
		b.WriteString(p.tokens[i+n].String())
	}
	return b.String()
}

// shown is a value as Java prints it: a string that has been unwrapped has no
// quotes.
func shown(v value.Value, wrapped bool) string {
	if v.Kind() == value.String && !wrapped {
		return v.Str()
	}
	return v.Shown(maxShown)
}

// maxShown bounds what a message shows of a value, in bytes.
const maxShown = 32 << 10

// bounds returns the range of indexes that a slice stands for. As in Jayway, only an
// open end counts from the end of the array; between two given ends negative indexes
// name nothing.
func (t *token) bounds(length int) (from, to int) {
	switch {
	case t.open[1]: // [n:]
		from = t.numbers[0]
		if from < 0 {
			from += length
		}
		return max(from, 0), length
	case t.open[0]: // [:n]
		to = t.numbers[1]
		if to < 0 {
			to += length
		}
		return 0, min(to, length)
	}
	if length == 0 {
		return 0, 0
	}
	return t.numbers[0], min(t.numbers[1], length)
}
