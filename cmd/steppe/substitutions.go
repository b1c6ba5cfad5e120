package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/steppehq/steppe"
	"github.com/steppehq/steppe/value"
)

// substitutionFlags say what stands for ${NAME} in a definition, as the
// DefinitionSubstitutions of SAM, CDK and CloudFormation do when it is deployed.
type substitutionFlags struct {
	Substitutions []string `help:"What stands for $${NAME} in the definition: NAME=VALUE, or a file (YAML or JSON) of such names. steppe.yaml beside the definition may have them too (substitutions:)." placeholder:"NAME=VALUE|FILE" sep:"none"`
}

// substitutions are the values by their names.
type substitutions map[string]string

// read returns the values of the flags, and those of defaults that they leave out.
func (f *substitutionFlags) read(defaults substitutions) (substitutions, error) {
	all := maps.Clone(defaults)
	for _, given := range f.Substitutions {
		if name, text, ok := strings.Cut(given, "="); ok && substitutionName.MatchString(name) {
			all[name] = text
			continue
		}
		var file map[string]string
		if err := readYAML(given, &file); err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return nil, fmt.Errorf("--substitutions %s: it is given as in ChargeFunctionArn=arn:aws:…, or is a file", given)
			}
			return nil, err
		}
		maps.Copy(all, file)
	}
	return all, nil
}

// configured are the substitutions of a configuration file: where none is named, of
// steppe.yaml beside a definition.
func configured(definition, config string) (substitutions, error) {
	var c configFile
	err := readYAML(cmp.Or(config, filepath.Join(filepath.Dir(definition), "steppe.yaml")), &c)
	if config == "" && errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return c.Substitutions, err
}

// openDefinition reads the definition that a path means, with what stands for
// ${NAME}: by the flags, by what is given with it, or by a configuration file
// (steppe.yaml beside it when config is "").
func openDefinition(path, config string, flags *substitutionFlags, given substitutions) (*definition, error) {
	file, err := findDefinition(path)
	if err != nil {
		return nil, err
	}
	values, err := configured(file, config)
	if err != nil {
		return nil, err
	}
	if values == nil {
		values = make(substitutions)
	}
	maps.Copy(values, given)
	if values, err = flags.read(values); err != nil {
		return nil, err
	}
	return loadDefinition(file, values)
}

var (
	substitutionName = regexp.MustCompile(`^[A-Za-z0-9_.:-]+$`)
	placeholders     = regexp.MustCompile(`\$\{([A-Za-z0-9_.:-]+)\}`)
	// calledByName is what may stand before and after the ${NAME} of a function.
	calledByName = regexp.MustCompile(`["']?\b(Resource|FunctionName)["']?\s*:\s*["']?$`)
	endsValue    = regexp.MustCompile(`^["']?\s*(?:[,}\]\r\n#]|$)`)
)

// pseudo are the pseudo parameters of CloudFormation.
var pseudo = substitutions{
	"AWS::Partition": "aws", "AWS::Region": steppe.DefaultRegion, "AWS::AccountId": steppe.DefaultAccount, "AWS::URLSuffix": "amazonaws.com",
}

// substituted is a text in which other texts stand for some of its parts.
type substituted struct {
	text []byte
	// parts are those that were put in, in the order of the text.
	parts []substitutedPart
	// missing are the names for which nothing was given, by their offset in text.
	missing map[int]string
	// functions are the names that were taken for those of functions.
	functions map[int]string
}

type substitutedPart struct{ at, length, originalAt, originalLength int }

// apply puts the values in. A name that is missing stands for the function of that
// name where a function is named, and else for itself. quote makes of a value what
// stands in the text.
func (s substitutions) apply(source []byte, quote func(string) string) *substituted {
	out := &substituted{missing: make(map[int]string), functions: make(map[int]string)}
	done := 0
	for _, m := range placeholders.FindAllSubmatchIndex(source, -1) {
		name := string(source[m[2]:m[3]])
		text, ok := s[name]
		if !ok {
			text, ok = pseudo[name]
		}
		out.text = append(out.text, source[done:m[0]]...)
		done = m[1]
		switch {
		case ok:
			text = quote(text)
		case calledByName.Match(source[max(0, m[0]-100):m[0]]) && endsValue.Match(source[m[1]:]) && !strings.Contains(name, ":"):
			text = "arn:aws:lambda:" + pseudo["AWS::Region"] + ":" + s.account() + ":function:" + name
			out.functions[len(out.text)] = name
		default:
			text = string(source[m[0]:m[1]])
			out.missing[len(out.text)] = name
		}
		out.parts = append(out.parts, substitutedPart{len(out.text), len(text), m[0], m[1] - m[0]})
		out.text = append(out.text, text...)
	}
	out.text = append(out.text, source[done:]...)
	return out
}

// account is whose functions are that are called by their name alone.
func (s substitutions) account() string {
	if id := s["AWS::AccountId"]; id != "" {
		return id
	}
	return steppe.DefaultAccount
}

// original returns the offset in the source of one in the text.
func (s *substituted) original(offset int) int {
	shift := 0
	for _, p := range s.parts {
		switch {
		case offset < p.at:
			return offset + shift
		case offset < p.at+p.length:
			return p.originalAt
		}
		shift = p.originalAt + p.originalLength - p.at - p.length
	}
	return offset + shift
}

// lineStart is the offset at which a line begins, counted from 1.
func lineStart(text []byte, line int) int {
	start := 0
	for ; line > 1; line-- {
		next := strings.IndexByte(string(text[start:]), '\n')
		if next < 0 {
			return len(text)
		}
		start += next + 1
	}
	return start
}

// place returns the position in the source of one in the text.
func (s *substituted) place(source []byte, at value.Position) value.Position {
	if len(s.parts) == 0 {
		return at
	}
	offset := lineStart(s.text, at.Line)
	for range at.Column - 1 {
		_, size := utf8.DecodeRune(s.text[min(offset, len(s.text)):])
		offset += size
	}
	return value.PositionAt(source, s.original(offset))
}

// jsonQuoted is a text as it stands inside of a JSON string.
func jsonQuoted(text string) string {
	quoted := value.Str(text).String()
	return quoted[1 : len(quoted)-1]
}

// unsubstituted tells for which names nothing was given, each once.
func (s *substituted) unsubstituted() []string {
	var names []string
	for _, name := range s.missing {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
