package server

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/steppehq/steppe/value"
)

// Model holds, for each operation, what its input may hold.
type Model map[string]Shape

// Shape is the members of a structure, in the model's order.
type Shape []Field

// Field is a member of a structure and its constraints.
type Field struct {
	Name     string
	Required bool
	Type     FieldType
	// Min and Max bound the length of text and lists, or a number; Max 0 is
	// no bound.
	Min, Max int64
	// Pattern and Enum restrict text. Enum's order is that of the message.
	Pattern *regexp.Regexp
	// Source is the pattern as the model writes it.
	Source string
	Enum   []string
	// Fields are the members of a structure, or of a list's items.
	Fields Shape
	// Item is the model's name of a list's items; "" where no message shows them.
	Item string
	// EachMin and EachMax bound the length of the text in a list; EachMax 0 is
	// no bound.
	EachMin, EachMax int
}

// FieldType is what a member holds.
type FieldType uint8

// The types of members. Lists with Fields hold structures, others text.
const (
	Text FieldType = iota
	Number
	Decimal
	Flag
	List
	Structure
)

// ParseShape reads a shape in the notation of the model tables:
//
//	name*:1..80 maxResults:i0..1000 type:{STANDARD|EXPRESS} publish:b tags:l
//
// A star marks what is required. Types: nothing for text, i and f for numbers,
// b, l, o; then the bounds, or the values of an enum. It panics on a table that
// it cannot read, which is a bug.
func ParseShape(table string) Shape {
	var shape Shape
	for entry := range strings.FieldsSeq(table) {
		name, rest, _ := strings.Cut(entry, ":")
		f := Field{}
		f.Name, f.Required = strings.CutSuffix(name, "*")
		if rest != "" {
			if i := strings.IndexByte("ifblo", rest[0]); i >= 0 {
				f.Type = FieldType(i) + Number
				rest = rest[1:]
			}
		}
		switch {
		case strings.HasPrefix(rest, "{"):
			f.Enum = strings.Split(strings.Trim(rest, "{}"), "|")
		case rest != "":
			low, high, _ := strings.Cut(rest, "..")
			f.Min, f.Max = bound(low), bound(high)
		}
		shape = append(shape, f)
	}
	return shape
}

func bound(text string) int64 {
	if text == "" {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		panic("server: bad bound in a model table: " + text)
	}
	return n
}

// Nest returns a shape in which the named member holds structures of another.
func (s Shape) Nest(name string, inner Shape) Shape {
	for i := range s {
		if s[i].Name == name {
			s[i].Fields = inner
			return s
		}
	}
	panic("server: no member " + name)
}

// Items is Nest for a list, whose items messages show under their name.
func (s Shape) Items(name, item string, inner Shape) Shape {
	s.Nest(name, inner)
	for i := range s {
		if s[i].Name == name {
			s[i].Item = item
		}
	}
	return s
}

// Each returns a shape in which the texts of the named list have bounded lengths.
func (s Shape) Each(name string, low, high int) Shape {
	for i := range s {
		if s[i].Name == name {
			s[i].EachMin, s[i].EachMax = low, high
			return s
		}
	}
	panic("server: no member " + name)
}

// Match returns a shape in which the named member must match a pattern, written
// for Go and as the model has it.
func (s Shape) Match(name, pattern, source string) Shape {
	for i := range s {
		if s[i].Name == name {
			s[i].Pattern, s[i].Source = regexp.MustCompile(pattern), source
			return s
		}
	}
	panic("server: no member " + name)
}

// check holds an input against the operation's shape: wrong types are a
// SerializationException, broken constraints one ValidationException that
// names all of them.
func (m Model) check(operation string, input value.Value) error {
	var c checker
	if err := c.structure("", m[operation], input); err != nil {
		return err
	}
	switch n := len(c.broken) + c.more; n {
	case 0:
		return nil
	case 1:
		return Fail("ValidationException", "1 validation error detected: "+c.broken[0])
	default:
		return Fail("ValidationException", fmt.Sprintf("%d validation errors detected: %s", n, strings.Join(c.broken, "; ")))
	}
}

// only keeps of an input what the operation's shape knows.
func (m Model) only(operation string, input value.Value) value.Value {
	shape := m[operation]
	known := value.NewObject(len(shape))
	for i := range shape {
		if v := input.Get(shape[i].Name); !v.IsUndefined() {
			known.Set(shape[i].Name, v)
		}
	}
	return known.Value()
}

// checker gathers what is wrong: of many things the first, and how many.
type checker struct {
	broken []string
	more   int
}

const (
	// maxBroken bounds what one message reports, and maxShown what it shows of each.
	maxBroken = 50
	maxShown  = 4 << 10
)

func (c *checker) add(message string) {
	if len(c.broken) == maxBroken {
		c.more++
		return
	}
	c.broken = append(c.broken, message)
}

func (c *checker) structure(path string, shape Shape, v value.Value) error {
	for i := range shape {
		f := &shape[i]
		if err := c.field(path+f.Name, f, v.Get(f.Name)); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) field(path string, f *Field, v value.Value) error {
	if v.IsUndefined() || v.Kind() == value.Null {
		if f.Required {
			c.add("Value null at '" + path + "' failed to satisfy constraint: Member must not be null")
		}
		return nil
	}
	if !f.Type.holds(v) {
		return Fail("SerializationException", typeName(v)+" can not be converted to "+f.Type.javaName())
	}
	switch f.Type {
	case Text:
		c.text(path, f, v.Str())
	case Number, Decimal:
		c.number(path, f, v)
	case List:
		return c.list(path, f, v)
	case Structure:
		return c.structure(path+".", f.Fields, v)
	case Flag:
	}
	return nil
}

func (c *checker) fail(path, shown, constraint string) {
	if len(shown) > maxShown {
		shown = strings.ToValidUTF8(shown[:maxShown], "") + "…"
	}
	c.add("Value '" + shown + "' at '" + path + "' failed to satisfy constraint: " + constraint)
}

func (c *checker) text(path string, f *Field, s string) {
	length := int64(len(s))
	if f.Max < 100000 {
		length = int64(value.UTF16Len(s)) // payloads are bounded in bytes
	}
	switch {
	case f.Enum != nil:
		if slices.Contains(f.Enum, s) {
			return
		}
		c.fail(path, s, "Member must satisfy enum value set: ["+strings.Join(f.Enum, ", ")+"]")
	case length < f.Min:
		c.fail(path, s, "Member must have length greater than or equal to "+strconv.FormatInt(f.Min, 10))
	case f.Max > 0 && length > f.Max:
		c.fail(path, s, "Member must have length less than or equal to "+strconv.FormatInt(f.Max, 10))
	}
	if f.Pattern != nil && !f.Pattern.MatchString(s) {
		c.fail(path, s, "Member must satisfy regular expression pattern: "+f.Source)
	}
}

func (c *checker) number(path string, f *Field, v value.Value) {
	n := v.Float64()
	switch {
	case n < float64(f.Min):
		c.fail(path, v.String(), "Member must have value greater than or equal to "+strconv.FormatInt(f.Min, 10))
	case f.Max > 0 && n > float64(f.Max):
		c.fail(path, v.String(), "Member must have value less than or equal to "+strconv.FormatInt(f.Max, 10))
	}
}

func (c *checker) list(path string, f *Field, v value.Value) error {
	n := int64(v.Len())
	switch {
	case n < f.Min:
		c.fail(path, f.shown(v), "Member must have length greater than or equal to "+strconv.FormatInt(f.Min, 10))
	case f.Max > 0 && n > f.Max:
		c.fail(path, f.shown(v), "Member must have length less than or equal to "+strconv.FormatInt(f.Max, 10))
	}
	if f.Fields == nil {
		return c.texts(path, f, v)
	}
	for i, item := range v.Items() {
		at := path + "." + strconv.Itoa(i+1) + ".member"
		if item.Kind() != value.Object {
			return Fail("SerializationException", "Unexpected field type")
		}
		if err := c.structure(at+".", f.Fields, item); err != nil {
			return err
		}
	}
	return nil
}

// texts checks a list of texts, which the service's messages show whole.
func (c *checker) texts(path string, f *Field, v value.Value) error {
	items, broken := make([]string, 0, v.Len()), false
	for _, item := range v.Items() {
		if item.Kind() != value.String {
			return Fail("SerializationException", typeName(item)+" can not be converted to String")
		}
		n := value.UTF16Len(item.Str())
		items, broken = append(items, item.Str()), broken || f.EachMax > 0 && (n < f.EachMin || n > f.EachMax)
	}
	if broken {
		c.fail(path, "["+strings.Join(items, ", ")+"]", fmt.Sprintf("Member must satisfy constraint: [Member must have length less than or equal to %d, Member must have length greater than or equal to %d]", f.EachMax, f.EachMin))
	}
	return nil
}

// shown is a list as the service's messages show it.
func (f *Field) shown(v value.Value) string {
	if f.Item == "" {
		return v.String()
	}
	items := make([]string, 0, v.Len())
	for _, item := range v.Items() {
		members := make([]string, 0, len(f.Fields))
		for _, m := range f.Fields {
			members = append(members, m.Name+"="+text(item.Get(m.Name)))
		}
		items = append(items, f.Item+"("+strings.Join(members, ", ")+")")
	}
	return "[" + strings.Join(items, ", ") + "]"
}

// text is a value as the service's messages show it.
func text(v value.Value) string {
	if v.Kind() == value.String {
		return v.Str()
	}
	return v.String()
}

func (t FieldType) holds(v value.Value) bool {
	switch t {
	case Text:
		return v.Kind() == value.String
	case Number:
		_, whole := v.Int64()
		return v.Kind() == value.Number && whole
	case Decimal:
		return v.Kind() == value.Number
	case Flag:
		return v.Kind() == value.Bool
	case List:
		return v.Kind() == value.Array
	case Structure:
		return v.Kind() == value.Object
	}
	return false
}

func (t FieldType) javaName() string {
	return [...]string{"String", "Integer", "Float", "Boolean", "List", "Structure"}[t]
}

func typeName(v value.Value) string {
	switch v.Kind() {
	case value.String:
		return "STRING_VALUE"
	case value.Number:
		return "NUMBER_VALUE"
	case value.Bool:
		if v.Bool() {
			return "TRUE_VALUE"
		}
		return "FALSE_VALUE"
	case value.Array:
		return "LIST_VALUE"
	case value.Object:
		return "STRUCTURE_VALUE"
	case value.Null, value.Undefined:
	}
	return "NULL_VALUE"
}
