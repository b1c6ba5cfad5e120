package stored

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/history"
	"github.com/steppehq/steppe/interpreter"
	"github.com/steppehq/steppe/jsonpath"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/value"
)

// Index enters executions into the store under terms: the version and alias that
// they were started by, the execution that they were forked from, the Error Name
// of a failure, and the values that the configuration names.
type Index struct{ fields []IndexedField }

// IndexedField is a value of inputs or outputs that is indexed.
type IndexedField struct {
	Field
	Since time.Time // of the first execution that is in the index
}

// Field names a value of an execution's input or output.
type Field struct {
	// Output distinguishes outputs from inputs.
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

// in returns the value of a field in an input or output; undefined where it has
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

// Open reads what is indexed, and notes what is from now on, or no longer.
func (x *Index) Open(ctx context.Context, s store.Store, names []string, now time.Time) error {
	known, err := s.Scan(ctx, indexPrefix, "", 0)
	if err != nil {
		return fmt.Errorf("stored: read the index: %w", err)
	}
	since := make(map[string]time.Time)
	for _, entry := range known {
		name := strings.TrimPrefix(entry.Key, indexPrefix)
		if !slices.Contains(names, name) {
			if err := s.Put(ctx, store.Edit{Key: entry.Key, Version: entry.Version}); err != nil {
				return fmt.Errorf("stored: change the index: %w", err)
			}
			continue
		}
		millis, _ := strconv.ParseInt(string(entry.Value), 10, 64)
		since[name] = time.UnixMilli(millis)
	}
	for _, name := range names {
		f, err := ParseField(name)
		if err != nil {
			return fmt.Errorf("stored: index: %w", err)
		}
		at, ok := since[name]
		if !ok {
			at = now
			edit := store.Edit{Key: indexPrefix + name, Value: strconv.AppendInt(nil, at.UnixMilli(), 10)}
			if err := s.Put(ctx, edit); err != nil && !errors.Is(err, store.ErrVersion) {
				return fmt.Errorf("stored: change the index: %w", err)
			}
		}
		x.fields = append(x.fields, IndexedField{f, at})
	}
	return nil
}

// Field returns the index of a field, nil when it is not indexed.
func (x *Index) Field(f Field) *IndexedField {
	for i := range x.fields {
		if x.fields[i].String() == f.String() {
			return &x.fields[i]
		}
	}
	return nil
}

// Read takes over what is indexed, for executions that come from elsewhere.
func (x *Index) Read(ctx context.Context, s store.Store) error {
	known, err := s.Scan(ctx, indexPrefix, "", 0)
	if err != nil {
		return fmt.Errorf("stored: read the index: %w", err)
	}
	for _, entry := range known {
		f, err := ParseField(strings.TrimPrefix(entry.Key, indexPrefix))
		if err != nil {
			return fmt.Errorf("stored: index: %w", err)
		}
		x.fields = append(x.fields, IndexedField{Field: f})
	}
	return nil
}

// Terms are what an execution is entered under by a step, its first or its last.
// Who guesses a term learns what it is of, so one that is encrypted has none
// but those of its version, alias and origin, which are no secret.
func (x *Index) Terms(m *Meta, of *interpreter.Execution, first bool) []store.Term {
	var terms []store.Term
	if first {
		terms = x.firstTerms(terms, m, of.Input())
	}
	if of.Status() != interpreter.Running {
		terms = x.lastTerms(terms, m, of.Failure(), of.Output())
	}
	return terms
}

// AllTerms are what an execution is entered under by all of its events.
func (x *Index) AllTerms(m *Meta, events []history.Event) []store.Term {
	terms := x.firstTerms(nil, m, events[0].Input)
	first := len(terms)
	for i := range events {
		switch ev := &events[i]; {
		case ev.Fork != nil: // the ends before were another execution's
			terms = terms[:first]
		case EndOf(ev.Type) != 0:
			terms = x.lastTerms(terms, m, ev.Failure, ev.Output)
		}
	}
	return terms
}

// firstTerms adds what an execution is entered under when it starts. Express
// executions are not looked for.
func (x *Index) firstTerms(terms []store.Term, m *Meta, input *value.Doc) []store.Term {
	if m.Type == catalogue.Express {
		return terms
	}
	if m.Fork != nil {
		terms = append(terms, ForkTerm(m.Fork.ExecutionArn))
	}
	for _, arn := range []string{m.VersionARN, m.AliasARN} {
		if arn != "" {
			terms = append(terms, QualifierTerm(m.Machine, arn))
		}
	}
	if m.Encryption != nil {
		return terms
	}
	return x.valueTerms(terms, m, false, input)
}

// lastTerms adds what an execution is entered under when it ends.
func (x *Index) lastTerms(terms []store.Term, m *Meta, failure history.ErrorOutput, output *value.Doc) []store.Term {
	if m.Type == catalogue.Express || m.Encryption != nil {
		return terms
	}
	if failure.Error != nil {
		terms = append(terms, ErrorTerm(m.Tenant(), *failure.Error))
	}
	return x.valueTerms(terms, m, true, output)
}

// valueTerms adds the indexed values of an input or an output.
func (x *Index) valueTerms(terms []store.Term, m *Meta, output bool, doc *value.Doc) []store.Term {
	for i := range x.fields {
		f := &x.fields[i]
		if f.Output != output {
			continue
		}
		if term, ok := ValueTerm(m.Tenant(), f.Field, f.in(doc)); ok {
			terms = append(terms, term)
		}
	}
	return terms
}

// ValueTerm is the term of a scalar; false for what is none.
func ValueTerm(t catalogue.Tenant, f Field, v value.Value) (store.Term, bool) {
	switch v.Kind() {
	case value.String, value.Bool, value.Null:
	case value.Number:
		if whole, ok := v.Int64(); ok {
			v = value.Int(whole) // 1.0 is 1
		}
	case value.Array, value.Object, value.Undefined:
		return store.Term{}, false
	}
	return store.Term(catalogue.Hash("value", t.Account, t.Region, f.String(), v.String())), true
}
