package interpretertest

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/tools/txtar"

	"github.com/steppehq/steppe/asl"
	"github.com/steppehq/steppe/interpreter"
	"github.com/steppehq/steppe/value"
)

// Script is a golden script. It may be played any number of times.
type Script struct {
	archive *txtar.Archive
	machine *asl.StateMachine
	limits  interpreter.Limits
	input   []byte
	lines   []line
}

// line is one line of the script.
type line struct {
	number int // within the file "script", from 1
	text   string
	words  []string
	verb   verb
}

// The names of the files of a script.
const (
	machineFile = "machine.asl.json"
	inputFile   = "input.json"
	limitsFile  = "limits"
	scriptFile  = "script"
	historyFile = "history"
)

// Parse reads a script. The error names the file of the script and the line that is
// wrong: a definition that is not valid, a payload that is no JSON, a word that the
// language does not have.
func Parse(text []byte) (*Script, error) {
	s := &Script{archive: txtar.Parse(text), limits: interpreter.AWSLimits, input: []byte("{}")}
	for _, f := range s.archive.Files {
		var err error
		switch f.Name {
		case machineFile:
			err = s.parseMachine(f.Data)
		case inputFile:
			s.input = []byte(strings.TrimSpace(string(f.Data)))
			_, err = value.Decode(s.input)
		case limitsFile:
			err = s.parseLimits(string(f.Data))
		case scriptFile:
			err = s.parseLines(string(f.Data))
		case historyFile:
		default:
			err = fmt.Errorf("a script has no such file; it has %s, %s, %s, %s and %s", machineFile, inputFile, limitsFile, scriptFile, historyFile)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
	}
	if s.machine == nil {
		return nil, errors.New("the script has no file " + machineFile)
	}
	return s, nil
}

func (s *Script) parseMachine(text []byte) error {
	m, diagnostics := asl.Parse(text)
	if m == nil {
		return fmt.Errorf("%v", diagnostics)
	}
	s.machine = m
	return nil
}

func (s *Script) parseLimits(text string) error {
	number := 0
	for text := range strings.Lines(text) {
		number++
		name, digits, _ := strings.Cut(strings.TrimSpace(text), " ")
		n, err := strconv.ParseInt(digits, 10, 64)
		switch {
		case name == "":
		case err != nil:
			return fmt.Errorf("line %d: want a name and a whole number, not %q", number, strings.TrimSpace(text))
		case name == "events":
			s.limits.Events = n
		case name == "runahead":
			s.limits.RunAhead = int(n)
		case name == "bytes":
			s.limits.PayloadBytes = int(n)
		default:
			return fmt.Errorf("line %d: there is no limit %q; there are events, bytes and runahead", number, name)
		}
	}
	return nil
}

func (s *Script) parseLines(text string) error {
	number := 0
	for text := range strings.Lines(text) {
		number++
		l := line{number: number, text: strings.TrimSpace(text)}
		if l.words = strings.Fields(l.text); len(l.words) == 0 {
			continue
		}
		var ok bool
		if l.verb, ok = verbs[l.words[0]]; !ok {
			return fmt.Errorf("line %d: there is no word %q", number, l.words[0])
		}
		if have := len(l.words) - 1; have < l.verb.least || l.verb.most >= 0 && have > l.verb.most {
			return fmt.Errorf("line %d: want %s", number, l.verb.usage)
		}
		if l.verb.document > 0 && len(l.words) > l.verb.document {
			if _, err := value.DecodeString(l.rest(l.verb.document)); err != nil {
				return fmt.Errorf("line %d: %w", number, err)
			}
		}
		s.lines = append(s.lines, l)
	}
	return nil
}

// rest is the text of the line from its nth word on, blanks between words
// included: JSON may have some.
func (l *line) rest(n int) string {
	rest := l.text
	for _, word := range l.words[:n] {
		rest = strings.TrimSpace(strings.TrimPrefix(rest, word))
	}
	return rest
}

// Limits returns the limits that the script runs with.
func (s *Script) Limits() interpreter.Limits { return s.limits }

// History returns the history that the script says it has.
func (s *Script) History() string {
	for _, f := range s.archive.Files {
		if f.Name == historyFile {
			return string(f.Data)
		}
	}
	return ""
}

// WithHistory returns the text of the script with another history.
func (s *Script) WithHistory(history string) []byte {
	a := txtar.Archive{Comment: s.archive.Comment}
	for _, f := range s.archive.Files {
		if f.Name != historyFile {
			a.Files = append(a.Files, f)
		}
	}
	a.Files = append(a.Files, txtar.File{Name: historyFile, Data: []byte(history)})
	return txtar.Format(&a)
}
