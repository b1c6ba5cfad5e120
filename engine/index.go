package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/interpreter"
	"github.com/steppehq/steppe/jsonpath"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/value"
)

// index enters executions into the store under terms: the version and alias that
// they were started by, the execution that they were forked from, the Error Name
// of a failure, and the values that the configuration names.
type index struct{ fields []indexedField }

// indexedField is a value of inputs or outputs that is indexed.
type indexedField struct {
	Field
	since time.Time // of the first execution that is in the index
}

// Field names a value of an execution's input or output.
type Field struct {
	// Output tells outputs from inputs.
	Output bool
	// Path leads to the value: "order.id". It is empty for the whole.
	Path string
	path *jsonpath.Path
}

// ParseField reads "input.order.id" or "output['a b'].c".
func ParseField(text string) (Field, error) {
	for side, output := range map[string]bool{"input": false, "output": true} {
		rest, ok := strings.CutPrefix(text, side)
		if !ok || rest != "" && rest[0] != '.' && rest[0] != '[' {
			continue
		}
		path, err := jsonpath.Compile("$" + rest)
		if err != nil {
			return Field{}, fmt.Errorf("%s: %w", text, err)
		}
		return Field{output, rest, path}, nil
	}
	return Field{}, fmt.Errorf("%s: a field begins with input or output, as in input.order.id", text)
}

// String is the field as it is written.
func (f Field) String() string {
	if f.Output {
		return "output" + f.Path
	}
	return "input" + f.Path
}

// in gives the value of a field in an input or output; undefined where it has
// none.
func (f Field) in(d *value.Doc) value.Value {
	if d == nil {
		return value.Value{}
	}
	v, err := f.path.Eval(d.Value())
	if err != nil {
		return value.Value{}
	}
	return v
}

// indexPrefix is where the catalogue keeps since when fields are indexed.
const indexPrefix = "index/"

// open reads what is indexed, and notes what is from now on, or no longer.
func (x *index) open(ctx context.Context, e *Engine) error {
	known, err := e.store.Scan(ctx, indexPrefix, "", 0)
	if err != nil {
		return fmt.Errorf("engine: read the index: %w", err)
	}
	since := make(map[string]time.Time)
	for _, entry := range known {
		name := strings.TrimPrefix(entry.Key, indexPrefix)
		if !slices.Contains(e.cfg.Index, name) {
			if err := e.store.Put(ctx, store.Edit{Key: entry.Key, Version: entry.Version}); err != nil {
				return fmt.Errorf("engine: change the index: %w", err)
			}
			continue
		}
		millis, _ := strconv.ParseInt(string(entry.Value), 10, 64)
		since[name] = time.UnixMilli(millis)
	}
	for _, name := range e.cfg.Index {
		f, err := ParseField(name)
		if err != nil {
			return fmt.Errorf("engine: index: %w", err)
		}
		at, ok := since[name]
		if !ok {
			at = e.Now()
			edit := store.Edit{Key: indexPrefix + name, Value: strconv.AppendInt(nil, at.UnixMilli(), 10)}
			if err := e.store.Put(ctx, edit); err != nil && !errors.Is(err, store.ErrVersion) {
				return fmt.Errorf("engine: change the index: %w", err)
			}
		}
		x.fields = append(x.fields, indexedField{f, at})
	}
	return nil
}

// field gives the index of a field, nil when it is not indexed.
func (x *index) field(f Field) *indexedField {
	for i := range x.fields {
		if x.fields[i].String() == f.String() {
			return &x.fields[i]
		}
	}
	return nil
}

// read takes over what is indexed, for executions that come from elsewhere.
func (x *index) read(ctx context.Context, s store.Store) error {
	known, err := s.Scan(ctx, indexPrefix, "", 0)
	if err != nil {
		return fmt.Errorf("engine: read the index: %w", err)
	}
	for _, entry := range known {
		f, err := ParseField(strings.TrimPrefix(entry.Key, indexPrefix))
		if err != nil {
			return fmt.Errorf("engine: index: %w", err)
		}
		x.fields = append(x.fields, indexedField{Field: f})
	}
	return nil
}

// terms are what an execution is entered under by a step, its first or its last.
// A term tells what it is of to who guesses it, so one that is encrypted has none
// but those of its version, alias and origin, which are no secret.
func (e *Engine) terms(m *meta, x *interpreter.Execution, first bool) []store.Term {
	var terms []store.Term
	if first {
		terms = e.firstTerms(terms, m, x.Input())
	}
	if x.Status() != interpreter.Running {
		terms = e.lastTerms(terms, m, x.Failure(), x.Output())
	}
	return terms
}

// allTerms are what an execution is entered under by all of its events.
func (e *Engine) allTerms(m *meta, events []history.Event) []store.Term {
	terms := e.firstTerms(nil, m, events[0].Input)
	first := len(terms)
	for i := range events {
		switch ev := &events[i]; {
		case ev.Fork != nil: // the ends before were another execution's
			terms = terms[:first]
		case endings[ev.Type] != 0:
			terms = e.lastTerms(terms, m, ev.Failure, ev.Output)
		}
	}
	return terms
}

// firstTerms adds what an execution is entered under when it starts. Express
// executions are not looked for.
func (e *Engine) firstTerms(terms []store.Term, m *meta, input *value.Doc) []store.Term {
	if m.Type == Express {
		return terms
	}
	if m.Fork != nil {
		terms = append(terms, forkTerm(m.Fork.ExecutionArn))
	}
	for _, arn := range []string{m.VersionARN, m.AliasARN} {
		if arn != "" {
			terms = append(terms, qualifierTerm(m.Machine, arn))
		}
	}
	if m.Encryption != nil {
		return terms
	}
	return e.valueTerms(terms, m, false, input)
}

// lastTerms adds what an execution is entered under when it ends.
func (e *Engine) lastTerms(terms []store.Term, m *meta, failure history.ErrorOutput, output *value.Doc) []store.Term {
	if m.Type == Express || m.Encryption != nil {
		return terms
	}
	if failure.Error != nil {
		terms = append(terms, errorTerm(m.tenant(), *failure.Error))
	}
	return e.valueTerms(terms, m, true, output)
}

// valueTerms adds the indexed values of an input or an output.
func (e *Engine) valueTerms(terms []store.Term, m *meta, output bool, doc *value.Doc) []store.Term {
	for i := range e.index.fields {
		f := &e.index.fields[i]
		if f.Output != output {
			continue
		}
		if term, ok := valueTerm(m.tenant(), f.Field, f.in(doc)); ok {
			terms = append(terms, term)
		}
	}
	return terms
}

func errorTerm(t Tenant, name string) store.Term {
	return store.Term(hash("error", t.Account, t.Region, name))
}

// valueTerm is the term of a scalar; false for what is none.
func valueTerm(t Tenant, f Field, v value.Value) (store.Term, bool) {
	switch v.Kind() {
	case value.String, value.Bool, value.Null:
	case value.Number:
		if whole, ok := v.Int64(); ok {
			v = value.Int(whole) // 1.0 is 1
		}
	case value.Array, value.Object, value.Undefined:
		return store.Term{}, false
	}
	return store.Term(hash("value", t.Account, t.Region, f.String(), v.String())), true
}
