package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	yaml "go.yaml.in/yaml/v3"

	"github.com/steppehq/steppe/asl"
)

// readYAML reads a file, unless something is held against it. It may have no
// fields but those that are known.
func readYAML(path string, into any, checks ...func(*os.File) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // it was only read
	for _, check := range checks {
		if err := check(f); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	text, err := io.ReadAll(f)
	if err == nil {
		err = decodeYAML(text, into)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// decodeYAML reads a document into a structure, and reports what is wrong in words
// of YAML: the line, the field, what may stand there. An empty document leaves the
// structure as it is.
func decodeYAML(text []byte, into any) error {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return plainYAML(err)
	}
	if len(document.Content) == 0 {
		return nil
	}
	return fill(document.Content[0], reflect.ValueOf(into).Elem(), "")
}

// plainYAML is an error of the YAML library without its name.
func plainYAML(err error) error {
	return errors.New(strings.TrimPrefix(strings.TrimPrefix(err.Error(), "yaml: "), "unmarshal errors:\n  "))
}

var (
	nodeType     = reflect.TypeFor[yaml.Node]()
	durationType = reflect.TypeFor[time.Duration]()
)

// fill reads a node into a value; what names the node in errors, "" for the whole
// document.
func fill(n *yaml.Node, into reflect.Value, what string) error {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch {
	case into.Type() == nodeType:
		into.Set(reflect.ValueOf(*n))
		return nil
	case into.Type() == durationType:
		return fillDuration(n, into, what)
	}
	if own, ok := reflect.TypeAssert[yaml.Unmarshaler](into.Addr()); ok {
		if err := own.UnmarshalYAML(n); err != nil {
			return wrong(n, what, "%w", err)
		}
		return nil
	}
	if n.ShortTag() == "!!null" {
		return nil
	}
	switch into.Kind() {
	case reflect.Struct:
		return fillStruct(n, into, what)
	case reflect.Map:
		return fillMap(n, into, what)
	case reflect.Slice:
		return fillList(n, into, what)
	case reflect.Pointer:
		into.Set(reflect.New(into.Type().Elem()))
		return fill(n, into.Elem(), what)
	default:
		return fillScalar(n, into, what)
	}
}

// wrong is an error about a node.
func wrong(n *yaml.Node, what, format string, args ...any) error {
	place := fmt.Sprintf("line %d: ", n.Line)
	if what != "" {
		place += what + ": "
	}
	return fmt.Errorf(place+format, args...)
}

// isA says what a node is, in words of YAML.
func isA(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "fields"
	case yaml.SequenceNode:
		return "a list"
	case yaml.ScalarNode, yaml.AliasNode, yaml.DocumentNode:
	}
	return "'" + n.Value + "'"
}

func fillStruct(n *yaml.Node, into reflect.Value, what string) error {
	fields := make(map[string]int)
	var names []string
	for i := range into.NumField() {
		if name, _, _ := strings.Cut(into.Type().Field(i).Tag.Get("yaml"), ","); name != "" {
			fields[name], names = i, append(names, name)
		}
	}
	if n.Kind != yaml.MappingNode {
		return wrong(n, what, "fields (%s) are wanted, not %s", strings.Join(names, ", "), isA(n))
	}
	return members(n, what, func(key, item *yaml.Node, path string) error {
		i, ok := fields[key.Value]
		if !ok {
			if near := asl.Nearest(key.Value, names); near != "" {
				return wrong(key, what, "there is no field '%s'; did you mean '%s'?", key.Value, near)
			}
			return wrong(key, what, "there is no field '%s'; there are %s", key.Value, strings.Join(names, ", "))
		}
		return fill(item, into.Field(i), path)
	})
}

// members visits the members of a mapping, each name of which may stand there
// once.
func members(n *yaml.Node, what string, visit func(key, item *yaml.Node, path string) error) error {
	lines := make(map[string]int)
	for _, m := range merged(n) {
		key := m.key
		if line, twice := lines[key.Value]; twice {
			return wrong(key, what, "the field '%s' stands there already, at line %d", key.Value, line)
		}
		lines[key.Value] = key.Line
		path := key.Value
		if what != "" {
			path = what + "." + path
		}
		if err := visit(key, m.item, path); err != nil {
			return err
		}
	}
	return nil
}

type yamlMember struct{ key, item *yaml.Node }

// merged returns the members of a mapping, and after them those that it takes from
// others by the key << and does not have itself.
func merged(n *yaml.Node) []yamlMember {
	var own []yamlMember
	var from []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, item := n.Content[i], n.Content[i+1]
		if key.ShortTag() != "!!merge" {
			own = append(own, yamlMember{key, item})
			continue
		}
		if item.Kind == yaml.SequenceNode {
			from = append(from, item.Content...)
			continue
		}
		from = append(from, item)
	}
	for _, other := range from {
		if other.Kind == yaml.AliasNode {
			other = other.Alias
		}
		if other.Kind != yaml.MappingNode || other == n {
			continue
		}
		for i := 0; i+1 < len(other.Content); i += 2 {
			key := other.Content[i]
			if !slices.ContainsFunc(own, func(m yamlMember) bool { return m.key.Value == key.Value }) {
				own = append(own, yamlMember{key, other.Content[i+1]})
			}
		}
	}
	return own
}

func fillMap(n *yaml.Node, into reflect.Value, what string) error {
	if n.Kind != yaml.MappingNode {
		return wrong(n, what, "names with something each are wanted (name: …), not %s", isA(n))
	}
	into.Set(reflect.MakeMap(into.Type()))
	return members(n, what, func(key, item *yaml.Node, path string) error {
		v := reflect.New(into.Type().Elem()).Elem()
		if err := fill(item, v, path); err != nil {
			return err
		}
		into.SetMapIndex(reflect.ValueOf(key.Value), v)
		return nil
	})
}

func fillList(n *yaml.Node, into reflect.Value, what string) error {
	if n.Kind != yaml.SequenceNode {
		return wrong(n, what, "a list is wanted ([…], or lines that begin with -), not %s", isA(n))
	}
	list := reflect.MakeSlice(into.Type(), len(n.Content), len(n.Content))
	for i, item := range n.Content {
		name := fmt.Sprintf("%s[%d]", what, i+1)
		if what == "" {
			name = fmt.Sprintf("entry %d", i+1)
		}
		if err := fill(item, list.Index(i), name); err != nil {
			return err
		}
	}
	into.Set(list)
	return nil
}

func fillDuration(n *yaml.Node, into reflect.Value, what string) error {
	d, err := time.ParseDuration(n.Value)
	switch {
	case n.Kind == yaml.ScalarNode && err == nil && d >= 0:
		into.SetInt(int64(d))
		return nil
	case n.ShortTag() == "!!int":
		return wrong(n, what, "a time has a unit: write %ss for seconds, %sm for minutes", n.Value, n.Value)
	}
	return wrong(n, what, "a time is wanted, as in 30s or 1m30s, not %s", isA(n))
}

func fillScalar(n *yaml.Node, into reflect.Value, what string) error {
	if n.Kind != yaml.ScalarNode {
		return wrong(n, what, "one value is wanted, not %s", isA(n))
	}
	switch into.Kind() {
	case reflect.String:
		into.SetString(n.Value)
	case reflect.Bool:
		if n.ShortTag() != "!!bool" {
			return wrong(n, what, "true or false is wanted, not %s", isA(n))
		}
		into.SetBool(slices.Contains([]string{"true", "True", "TRUE"}, n.Value))
	case reflect.Int, reflect.Int64:
		number, err := strconv.ParseInt(n.Value, 10, 64)
		if err != nil {
			return wrong(n, what, "a whole number is wanted, not %s", isA(n))
		}
		into.SetInt(number)
	case reflect.Float64:
		number, err := strconv.ParseFloat(n.Value, 64)
		if err != nil {
			return wrong(n, what, "a number is wanted, not %s", isA(n))
		}
		into.SetFloat(number)
	default:
		return n.Decode(into.Addr().Interface())
	}
	return nil
}
