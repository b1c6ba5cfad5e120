package api

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/steppehq/steppe/catalogue"
	"github.com/steppehq/steppe/engine"
	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/stored"
	"github.com/steppehq/steppe/value"
)

const (
	// maxConditions and maxMachines bound what is looked at for each execution.
	maxConditions = 32
	maxMachines   = 1000
)

// ParseSearch reads the text of a search: conditions with blanks between them,
// all of which must hold.
//
//	machine:orders,bills   status:failed,aborted   name:order-17   name:order-*
//	error:States.Timeout   state:Charge   since:2h   until:2026-03-01T12:00:00Z
//	duration>5m   input.orderId = "A-17"   output.total >= 100
//
// since and until are about the start, and take a time or how long ago it is.
// A value of an input or output is JSON; what is no JSON is text.
func ParseSearch(text string, now time.Time) (stored.Search, error) {
	var q stored.Search
	s := &searchScanner{rest: text}
	for n := 0; ; n++ {
		key, op, given, ok, err := s.next()
		if err != nil || !ok {
			return q, err
		}
		if n == maxConditions {
			return q, fmt.Errorf("a search has %d conditions at most", maxConditions)
		}
		if err := condition(&q, key, op, given, now); err != nil {
			return q, err
		}
	}
}

// condition adds one condition.
func condition(q *stored.Search, key, op, given string, now time.Time) (err error) {
	side, _, _ := strings.Cut(strings.NewReplacer("[", ".").Replace(key), ".")
	if side == "input" || side == "output" {
		return comparison(q, key, op, given)
	}
	if strings.HasPrefix(given, `"`) {
		text, err := value.DecodeString(given)
		if err != nil {
			return fmt.Errorf("%s: %w", given, err)
		}
		given = text.Str()
	}
	if key == "duration" {
		return duration(q, op, given)
	}
	if op != ":" && op != "=" {
		return fmt.Errorf("'%s%s%s': %s can only be compared with ':'", key, op, given, key)
	}
	switch key {
	case "machine":
		names := strings.Split(given, ",")
		if len(names) > maxMachines {
			return fmt.Errorf("a search names %d state machines at most, not %d", maxMachines, len(names))
		}
		for i, name := range names {
			if parsed, ok := catalogue.ParseARN(name); ok {
				names[i] = parsed.Path[0]
			}
		}
		q.Machines = both(q.Machines, names)
	case "status":
		err = statuses(q, given)
	case "name":
		q.Name, q.Prefix = strings.CutSuffix(given, "*")
		if q.Name == "" {
			q.Prefix = false // any name
		}
	case "error":
		q.Error = given
	case "state":
		q.State = given
	case "since":
		q.From, err = moment(given, now)
	case "until":
		q.To, err = moment(given, now)
	default:
		err = fmt.Errorf("'%s': what can be searched for is machine, status, name, error, state, since, until, duration, input.… and output.…", key)
	}
	return err
}

// both is what two conditions leave. Where that is nothing it is the zero value,
// which no execution has.
func both[T comparable](before, given []T) []T {
	if before == nil {
		return given
	}
	left := slices.DeleteFunc(before, func(v T) bool { return !slices.Contains(given, v) })
	if len(left) == 0 {
		return make([]T, 1)
	}
	return left
}

// statuses reads a list of statuses, as status:failed,timed_out.
func statuses(q *stored.Search, given string) error {
	var wanted []store.Status
	for name := range strings.SplitSeq(given, ",") {
		name = strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
		status := store.StatusOf(name)
		if status == 0 {
			return fmt.Errorf("status '%s': it is one of running, succeeded, failed, timed_out, aborted", name)
		}
		wanted = append(wanted, status)
	}
	q.Statuses = both(q.Statuses, wanted)
	return nil
}

// moment reads a time, or how long before now it is.
func moment(given string, now time.Time) (time.Time, error) {
	if ago, err := engine.ParseDays(given); err == nil {
		return now.Add(-ago), nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04", time.DateOnly} {
		if at, err := time.Parse(layout, given); err == nil {
			return at, nil
		}
	}
	return time.Time{}, fmt.Errorf("'%s' is neither a time (2026-03-01, 2026-03-01T12:00:00Z) nor how long ago it is (90s, 2h, 7d)", given)
}

// duration reads a bound of how long executions took, as duration>2h. Searches keep bounds
// that are included, so those that exclude are moved by a nanosecond.
func duration(q *stored.Search, op, given string) error {
	d, err := engine.ParseDays(given)
	if err != nil || d < 0 {
		return fmt.Errorf("duration '%s': it is given as in 90s, 2h, 7d", given)
	}
	switch op {
	case ">":
		q.Shortest = d + 1
	case ">=":
		q.Shortest = d
	case "<":
		q.Longest = max(d-1, 1)
	case "<=":
		q.Longest = max(d, 1)
	default:
		return fmt.Errorf("duration%s%s: it is compared with <, <=, > or >=", op, given)
	}
	return nil
}

// comparison reads a condition on a value that is indexed, as input.order=17. What is no
// JSON is a text.
func comparison(q *stored.Search, key, op, given string) error {
	field, err := stored.ParseField(key)
	if err != nil {
		return err
	}
	v, err := value.DecodeString(given)
	if err != nil {
		v = value.Str(given)
	}
	if op == ":" {
		op = "="
	}
	q.Values = append(q.Values, stored.Comparison{Field: field, Op: op, Value: v})
	return nil
}

// searchScanner splits the text of a search.
type searchScanner struct{ rest string }

// operators, the longer ones first.
var operators = []string{"!=", "<=", ">=", "<", ">", "=", ":"}

// next reads a condition. ok is false at the end.
func (s *searchScanner) next() (key, op, given string, ok bool, err error) {
	s.rest = strings.TrimSpace(s.rest)
	if s.rest == "" {
		return "", "", "", false, nil
	}
	key = s.key()
	s.rest = strings.TrimLeft(s.rest, " ")
	for _, o := range operators {
		if rest, found := strings.CutPrefix(s.rest, o); found {
			op, s.rest = o, strings.TrimLeft(rest, " ")
			break
		}
	}
	if op == "" || key == "" {
		return key, "", "", false, fmt.Errorf("'%s' is no condition: write name:%s, or see the documentation of searches", key+s.rest, key)
	}
	if given, err = s.given(); err != nil {
		return key, op, "", false, err
	}
	if given == "" {
		return key, op, "", false, fmt.Errorf("'%s%s': what it is compared with is missing", key, op)
	}
	return key, op, given, true, nil
}

// key reads up to an operator or a blank; those inside of brackets belong to a
// path.
func (s *searchScanner) key() string {
	depth := 0
	end := strings.IndexFunc(s.rest, func(c rune) bool {
		switch c {
		case '[':
			depth++
		case ']':
			depth--
		}
		return depth == 0 && strings.ContainsRune("!<>=: ", c)
	})
	if end < 0 {
		end = len(s.rest)
	}
	key := s.rest[:end]
	s.rest = s.rest[end:]
	return key
}

// given reads a value: JSON text in quotes, which is given with them where a
// field of JSON is compared, or all up to a blank.
func (s *searchScanner) given() (string, error) {
	if !strings.HasPrefix(s.rest, `"`) {
		given, rest, _ := strings.Cut(s.rest, " ")
		s.rest = rest
		return given, nil
	}
	for end := 1; end < len(s.rest); end++ {
		switch s.rest[end] {
		case '\\':
			end++
		case '"':
			given := s.rest[:end+1]
			s.rest = s.rest[end+1:]
			return given, nil
		}
	}
	return "", fmt.Errorf("%s: the quote is not closed", s.rest)
}
