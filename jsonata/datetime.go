package jsonata

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/steppehq/steppe/value"
)

// # Pictures of dates and times
//
// $now, $fromMillis and $toMillis write and read times by pictures of XPath and
// XQuery Functions 3.1 (section 9.8.4, "The date/time formatting functions"): literal
// text, and components in brackets.
//
//	[Y0001]-[M01]-[D01]T[H01]:[m01]:[s01].[f001][Z01:01t]     the default, ISO 8601
//	[D1o] [MNn] [Y], [h]:[m01] [P]                            28th November 2026, 5:20 pm
//
// A component is a letter, a presentation, and after a comma the least and the most
// characters:
//
//	Y year  M month  D day  d day of the year  F weekday
//	W week of the year  w week of the month  X year of that week  x month of that week
//	H hour 0-23  h hour 1-12  P am or pm  m minute  s second  f fraction in milliseconds
//	Z, z time zone, z with GMT before it  C, E calendar and era: always ISO
//
// The presentation is a picture of whole numbers (integerpicture.go: 01, 1o, I, w) or
// N, n, Nn for a name in capitals, small letters or as it is written in English.
// Without one a component has its default.
//
// # Weeks
//
// A week begins on Monday and belongs to the period, year or month, in which its
// Thursday lies, as in ISO 8601. The first days of January may therefore be in week
// 52 or 53 of the year before, for which there is X; [w] and [x] are the same for
// months.
//
// All times are UTC, moved by the offset that the caller asks for. Where the
// reference implementation differs from XPath, this follows the reference: see the
// oracle's cases in testdata.

var timeFunctions = []entry{
	{"now", "<s?s?:s>", now},
	{"millis", "<:n>", millis},
	{"fromMillis", "<n-s?s?:s>", fromMillis},
	{"toMillis", "<s-s?:n>", toMillis},
}

// now is $now(picture, zone). The time is the Env's, so that every call in an
// evaluation returns the same one and a replay returns it again.
func now(e *evaluation, args []val) value.Value {
	return e.formatTime(e.env.Millis, second(args, 0), second(args, 1))
}

// millis is $millis().
func millis(e *evaluation, _ []val) value.Value { return value.Int(e.env.Millis) }

// second returns an argument that may be missing; undefined then.
func second(args []val, i int) value.Value {
	if i < len(args) {
		return args[i].Value
	}
	return value.Value{}
}

// maxMillis is the range of JavaScript's dates.
const maxMillis = 8.64e15

// fromMillis is $fromMillis(n, picture, zone).
func fromMillis(e *evaluation, args []val) value.Value {
	if args[0].IsUndefined() {
		return value.Value{}
	}
	f := args[0].Float64()
	if f > maxMillis || f < -maxMillis {
		e.throw("D3137", value.Str("The argument of the fromMillis function is out of range"))
	}
	return e.formatTime(int64(f), second(args, 1), second(args, 2))
}

// isoPicture is what JavaScript's toISOString writes.
const isoPicture = "[Y0001]-[M01]-[D01]T[H01]:[m01]:[s01].[f001][Z01:01t]"

// formatTime writes a time by a picture, in a time zone like +0100.
func (e *evaluation) formatTime(at int64, picture, zone value.Value) value.Value {
	text := isoPicture
	if !picture.IsUndefined() {
		text = picture.Str()
	}
	// The zone is a number such as -0130: hours and minutes are its digits, the hours
	// rounded down.
	hours, minutes := 0, 0
	if !zone.IsUndefined() {
		offset, _ := strconv.Atoi(strings.TrimPrefix(leadingInteger(zone.Str()), "+"))
		hours, minutes = floorDiv(offset, 100), offset%100
	}
	t := time.UnixMilli(at + int64(60*hours+minutes)*60000).UTC()
	var b strings.Builder
	for _, part := range e.datePicture(text) {
		if part.component == 0 {
			b.WriteString(part.literal)
			continue
		}
		b.WriteString(e.formatPart(part, t, hours, minutes))
	}
	return value.Str(value.Joined(b.String()))
}

// leadingInteger returns what JavaScript's parseInt reads of a text: a sign and
// digits at its beginning.
func leadingInteger(s string) string {
	s = strings.TrimSpace(s)
	end := 0
	for end < len(s) && (s[end] >= '0' && s[end] <= '9' || end == 0 && (s[0] == '-' || s[0] == '+')) {
		end++
	}
	return s[:end]
}

// floorDiv is a/b rounded down, as for the hours of -0130, which are -2.
func floorDiv(a, b int) int {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}

// datePart is a part of a picture: literal text, or a component.
type datePart struct {
	literal   string
	component byte
	names     byte // 'l', 'U', 'T': written as a name; 0: as a number
	traced    byte // the second presentation modifier
	width     int  // the most characters, 0 for any
	integer   *integerPicture
	modulo    int // of a year: how many digits, 0 for all
}

// defaultPresentation is what components are written as that say nothing else.
var defaultPresentation = map[byte]string{
	'Y': "1", 'M': "1", 'D': "1", 'd': "1", 'F': "n", 'W': "1", 'w': "1", 'X': "1", 'x': "1", 'H': "1", 'h': "1", 'P': "n",
	'm': "01", 's': "01", 'f': "1", 'Z': "01:01", 'z': "01:01", 'C': "n", 'E': "n",
}

// datePicture reads a picture of dates and times (XPath and XQuery Functions
// 3.1, "The picture string").
func (e *evaluation) datePicture(text string) []datePart {
	e.texts(2 * len(text))
	e.tick(len(text))
	var parts []datePart
	literal := func(s string) {
		if s != "" {
			e.meter.Hold(2 * grownBytes)
			parts = append(parts, datePart{literal: strings.ReplaceAll(s, "]]", "]")})
		}
	}
	for {
		before, rest, found := strings.Cut(text, "[")
		literal(before)
		switch {
		case !found:
			return parts
		case strings.HasPrefix(rest, "["):
			e.meter.Hold(2 * grownBytes)
			parts = append(parts, datePart{literal: "["})
			text = rest[1:]
			continue
		}
		marker, after, closed := strings.Cut(rest, "]")
		if !closed {
			e.throw("D3135")
		}
		part := e.dateMarker(strings.Join(strings.Fields(marker), ""))
		if n := len(parts); n > 0 && part.integer != nil && parts[n-1].integer != nil && part.component != 'Z' && part.component != 'z' {
			// Nothing separates the two: the first has as many digits as it says.
			parts[n-1].integer.width = parts[n-1].integer.mandatory
		}
		e.meter.Hold(4 * grownBytes)
		parts = append(parts, part)
		text = after
	}
}

// dateMarker reads what stands between brackets, without blanks. Width and
// presentation decide together how many digits of a year are written: [Y01] is the
// last two.
func (e *evaluation) dateMarker(marker string) datePart {
	if marker == "" {
		e.throw("D3132", value.Str(""))
	}
	p := datePart{component: marker[0]}
	presentation := marker[1:]
	least := 0
	if comma := strings.LastIndexByte(marker, ','); comma > 0 {
		low, high, ranged := strings.Cut(marker[comma+1:], "-")
		least = widthOf(low)
		if ranged {
			p.width = widthOf(high)
		}
		presentation = marker[1:comma]
	}
	switch n := len(presentation); {
	case n == 0:
		presentation = defaultPresentation[p.component]
		if presentation == "" {
			e.throw("D3132", value.Str(string(p.component)))
		}
	case n > 1 && strings.IndexByte("atco", presentation[n-1]) >= 0:
		p.traced = presentation[n-1]
		presentation = presentation[:n-1]
	}
	switch {
	case presentation[0] == 'n':
		p.names = 'l'
	case strings.HasPrefix(presentation, "Nn"):
		p.names = 'T'
	case presentation[0] == 'N':
		p.names = 'U'
	case strings.IndexByte("YMDdFWwXxHhmsf", p.component) >= 0:
		if p.traced != 0 {
			presentation += ";" + string(p.traced)
		}
		p.integer = e.integerPicture(presentation)
		p.integer.mandatory = max(p.integer.mandatory, least)
		if p.component == 'Y' {
			if digits := p.integer.mandatory + p.integer.optional; digits >= 2 {
				p.modulo = digits
			}
			if p.width > 0 {
				p.modulo, p.integer.mandatory = p.width, p.width
			}
		}
	}
	if p.component == 'Z' || p.component == 'z' {
		p.integer = e.integerPicture(presentation)
	}
	return p
}

// widthOf reads a width; 0 is any.
func widthOf(text string) int {
	n, _ := strconv.Atoi(text) // * is any
	return n
}

var (
	dayNames   = []string{"", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"}
	monthNames = []string{
		"", "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
	}
)

// cased writes a name as N, n or Nn ask for it.
func (p *datePart) cased(name string) string {
	switch p.names {
	case 'l':
		return strings.ToLower(name)
	case 'U':
		return strings.ToUpper(name)
	}
	return name
}

// formatPart writes one component of a time. hours and minutes are the offset of the
// time zone, which t already has in it.
func (e *evaluation) formatPart(p datePart, t time.Time, hours, minutes int) string {
	switch p.component {
	case 'Z', 'z':
		return e.formatZone(p, hours, minutes)
	case 'P':
		name := "am"
		if t.Hour() >= 12 {
			name = "pm"
		}
		if p.names == 'U' {
			return strings.ToUpper(name)
		}
		return name
	case 'C', 'E':
		return "ISO"
	}
	n := dateComponent(t, p.component)
	if n < 0 && p.component != 'Y' && p.component != 'X' {
		e.throw("D3132", value.Str(string(p.component)))
	}
	if p.names != 0 {
		var name string
		switch p.component {
		case 'M', 'x':
			name = monthNames[n]
		case 'F':
			name = dayNames[n]
		default:
			e.throw("D3133", value.Str(string(p.component)))
		}
		name = p.cased(name)
		if p.width > 0 && len(name) > p.width {
			name = name[:p.width]
		}
		return name
	}
	if p.modulo > 0 {
		for limit, i := 1, 0; i < p.modulo && i < 9; i++ {
			if limit *= 10; i == p.modulo-1 {
				n %= limit
			}
		}
	}
	return e.formatInteger(float64(n), p.integer)
}

// formatZone writes an offset: with a separator or three and four digits as one
// number (+01:00, +0100), with one or two digits as hours, and minutes only if there
// are any (+1, +1:30). The modifier t has Z for no offset.
func (e *evaluation) formatZone(p datePart, hours, minutes int) string {
	offset := 100*hours + minutes
	var text string
	switch n := p.integer.mandatory; {
	case p.integer.regular > 0 || n == 3 || n == 4:
		text = e.formatInteger(float64(offset), p.integer)
	case n == 1 || n == 2:
		text = e.formatInteger(float64(hours), p.integer)
		if minutes != 0 {
			text += ":" + e.formatInteger(float64(minutes), e.integerPicture("00"))
		}
	default:
		e.throw("D3134", value.Int(int64(n)))
	}
	if offset >= 0 {
		text = "+" + text
	}
	if p.component == 'z' {
		text = "GMT" + text
	}
	if offset == 0 && p.traced == 't' {
		return "Z"
	}
	return text
}

const day = 24 * time.Hour

// weekStart returns the Monday of the first week of a year or month, which begins at
// first: the week with its first Thursday.
func weekStart(first time.Time) time.Time {
	weekday := (int(first.Weekday())+6)%7 + 1
	if weekday > 4 {
		return first.Add(time.Duration(8-weekday) * day)
	}
	return first.Add(-time.Duration(weekday-1) * day)
}

// date is midnight of a day. A month or day out of range is one of the neighbouring
// year or month.
func date(year int, month time.Month, dayOfMonth int) time.Time {
	return time.Date(year, month, dayOfMonth, 0, 0, 0, 0, time.UTC)
}

// week numbers the week of a day in the period that begins at first, with the
// periods before and after it.
func week(today, before, first, after time.Time) int {
	n := int(today.Sub(weekStart(first))/(7*day)) + 1
	if today.Before(weekStart(first)) {
		return int(today.Sub(weekStart(before))/(7*day)) + 1
	}
	if !today.Before(weekStart(after)) {
		return 1
	}
	return n
}

// dateComponent returns a component as a number; -1 for a letter that is none.
func dateComponent(t time.Time, component byte) int {
	year, month, dayOfMonth := t.Date()
	today := date(year, month, dayOfMonth)
	switch component {
	case 'Y':
		return year
	case 'M':
		return int(month)
	case 'D':
		return dayOfMonth
	case 'd':
		return t.YearDay()
	case 'F':
		return (int(t.Weekday())+6)%7 + 1
	case 'W':
		return week(today, date(year-1, 1, 1), date(year, 1, 1), date(year+1, 1, 1))
	case 'w':
		return week(today, date(year, month-1, 1), date(year, month, 1), date(year, month+1, 1))
	case 'X':
		switch {
		case t.Before(weekStart(date(year, 1, 1))):
			return year - 1
		case !t.Before(weekStart(date(year+1, 1, 1))):
			return year + 1
		}
		return year
	case 'x':
		switch {
		case t.Before(weekStart(date(year, month, 1))):
			return int(date(year, month-1, 1).Month())
		case !t.Before(weekStart(date(year, month+1, 1))):
			return int(date(year, month+1, 1).Month())
		}
		return int(month)
	case 'H':
		return t.Hour()
	case 'h':
		return (t.Hour()+11)%12 + 1
	case 'm':
		return t.Minute()
	case 's':
		return t.Second()
	case 'f':
		return t.Nanosecond() / 1e6
	}
	return -1
}

// isoTime is what $toMillis reads without a picture; a date alone, a month or a year
// will do.
var isoTime = regexp.MustCompile(`^(\d{4})(?:-([01]\d))?(?:-([0-3]\d))?(?:T([0-2]\d):([0-5]\d):([0-5]\d)(?:\.(\d+))?)?(Z|[+-][0-2]\d:?[0-5]\d)?$`)

// longestTime is more than any ISO 8601 timestamp has, whatever its fraction.
const longestTime = 1 << 10

// toMillis is $toMillis(text, picture). Without a picture a text that is no ISO 8601
// timestamp is an error; with one, a text that does not fit it is undefined. A day that the month does not have runs over into the next one.
func toMillis(e *evaluation, args []val) value.Value {
	if args[0].IsUndefined() {
		return value.Value{}
	}
	text := args[0].Str()
	if picture := second(args, 1); !picture.IsUndefined() {
		n, ok := e.parseTime(text, picture.Str())
		if !ok {
			return value.Value{}
		}
		return value.Int(n)
	}
	if len(text) > longestTime {
		e.throw("D3110", args[0].Value)
	}
	m := isoTime.FindStringSubmatch(text)
	if m == nil {
		e.throw("D3110", args[0].Value)
	}
	field := func(i, otherwise int) int {
		if m[i] == "" {
			return otherwise
		}
		n, _ := strconv.Atoi(m[i])
		return n
	}
	month, hour := field(2, 1), field(4, 0)
	if month < 1 || month > 12 || field(3, 1) < 1 || field(3, 1) > 31 || hour > 24 {
		e.throw("D3110", args[0].Value)
	}
	// Of a fraction, milliseconds are read.
	fraction, _ := strconv.Atoi((m[7] + "000")[:3])
	t := time.Date(field(1, 0), time.Month(field(2, 1)), field(3, 1), field(4, 0), field(5, 0), field(6, 0), fraction*1e6, time.UTC)
	offset := 0
	if zone := strings.ReplaceAll(m[8], ":", ""); len(zone) == 5 {
		hours, _ := strconv.Atoi(zone[:3])
		minutes, _ := strconv.Atoi(zone[:1] + zone[3:])
		offset = 60*hours + minutes
	}
	return value.Int(t.UnixMilli() - int64(offset)*60000)
}
