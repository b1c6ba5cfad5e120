package jsonata

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/steppehq/steppe/regex"
	"github.com/steppehq/steppe/value"
)

// A time is read by turning the picture into a regular expression with one group for
// each part, so that what separates the components need not be the same everywhere,
// and parts without a separator are cut by their width. The texts of the groups are
// then read as numbers or names, and put together by timeOf, which knows what may be
// left out: components greater than the greatest one given are those of now, smaller
// ones are the least; a gap in between is an error (D3136). [H01]:[m01] is a time of
// today, [Y] the first of January.

// parseTime reads a time by a picture. It is false when the text does not look
// like the picture.
func (e *evaluation) parseTime(text, picture string) (int64, bool) {
	// One group for each part, so that group i+1 of a match is part i.
	parts := e.datePicture(picture)
	var pattern strings.Builder
	pattern.WriteString("(?i)^")
	for i := range parts {
		part := e.partPattern(&parts[i])
		e.texts(len(part))
		pattern.WriteString("(" + part + ")")
	}
	e.tick(4 * pattern.Len())
	re, err := regex.Compile(pattern.String() + "$")
	if err != nil {
		return 0, false
	}
	e.meter.Hold(3 * re.Weight())
	if e.search == nil {
		e.search = &regex.Machine{}
	}
	m := e.search.Find(re, e.meter, text, 0)
	if m == nil {
		return 0, false
	}
	components := make(map[byte]int)
	for i := range parts {
		if parts[i].component != 0 {
			components[parts[i].component] = e.parsePart(&parts[i], text[m[2*i+2]:m[2*i+3]])
		}
	}
	// A picture of nothing but text says no time.
	if len(components) == 0 {
		return 0, false
	}
	return e.timeOf(components), true
}

// partPattern is the regular expression of what a part looks like.
func (e *evaluation) partPattern(p *datePart) string {
	switch {
	case p.component == 0:
		return regexp.QuoteMeta(p.literal)
	case p.component == 'Z' || p.component == 'z':
		pattern := "[-+][0-9]+"
		if p.component == 'z' {
			pattern = "GMT" + pattern
		}
		if p.integer.regular > 0 {
			pattern += regexp.QuoteMeta(p.integer.separator) + "[0-9]+"
		}
		return pattern
	case p.integer == nil:
		if _, ok := p.lookup(); !ok {
			e.throw("D3133", value.Str(string(p.component)))
		}
		return "[a-zA-Z]+"
	}
	return e.integerPattern(p.integer)
}

// integerPattern is the regular expression of a whole number that a picture
// describes. The words are sorted, the longest first, so that sixteen is not read as
// six.
func (e *evaluation) integerPattern(p *integerPicture) string {
	switch p.style {
	case lettersStyle:
		return "[a-zA-Z]+"
	case romanStyle:
		return "[mdclxviMDCLXVI]+"
	case wordsStyle:
		words := []string{"and", "[\\-, ]"}
		e.tick(1000)
		for word := range wordValues {
			words = append(words, word)
		}
		slices.SortFunc(words, func(a, b string) int { return len(b) - len(a) })
		return "(?:" + strings.Join(words, "|") + ")+"
	case sequenceStyle:
		e.throw("D3130", value.Str(p.text))
	case decimalStyle:
	}
	pattern := "[0-9]"
	if p.zero != '0' {
		pattern = "[" + string(p.zero) + "-" + string(p.zero+9) + "]"
	}
	for _, g := range p.groups {
		pattern = "[0-9" + regexp.QuoteMeta(g.separator) + "]"
	}
	if p.width > 0 {
		pattern += "{" + strconv.Itoa(p.width) + "}"
	} else {
		pattern += "+"
	}
	if p.ordinal {
		pattern += "(?:th|st|nd|rd)"
	}
	return pattern
}

// lookup returns the numbers of the names that a part may have, in small letters and
// cut to its width. It is false for a component that has no names.
func (p *datePart) lookup() (map[string]int, bool) {
	names := make(map[string]int)
	var list []string
	switch p.component {
	case 'M', 'x':
		list = monthNames
	case 'F':
		list = dayNames
	case 'P':
		return map[string]int{"am": 0, "pm": 1}, true
	default:
		return nil, false
	}
	for i, name := range list[1:] {
		if p.width > 0 && len(name) > p.width {
			name = name[:p.width]
		}
		names[strings.ToLower(name)] = i + 1
	}
	return names, true
}

// parsePart reads the text of a component, which its pattern has matched.
func (e *evaluation) parsePart(p *datePart, text string) int {
	switch {
	case p.component == 'Z' || p.component == 'z':
		return parseZone(strings.TrimPrefix(strings.ToUpper(text), "GMT"), p.integer)
	case p.integer == nil:
		names, _ := p.lookup()
		return names[strings.ToLower(text)]
	}
	if p.component == 'f' { // a fraction: the first three digits are milliseconds
		text = (text + "000")[:3]
	}
	n, _ := e.parseInteger(text, p.integer)
	return int(n)
}

// parseZone returns an offset in minutes.
func parseZone(text string, p *integerPicture) int {
	hours, minutes := text, ""
	if p.regular > 0 {
		hours, minutes, _ = strings.Cut(text, p.separator)
	} else if len(text) > 3 {
		hours, minutes = text[:3], text[3:]
	}
	h, _ := strconv.Atoi(hours)
	m, _ := strconv.Atoi(minutes)
	if strings.HasPrefix(text, "-") {
		m = -m
	}
	return 60*h + m
}

// only reports whether the components among others are some of the given ones, at
// least one, and no further ones.
func only(components map[byte]int, given, others string) bool {
	some := false
	for i := range len(others) {
		_, there := components[others[i]]
		if there && strings.IndexByte(given, others[i]) < 0 {
			return false
		}
		some = some || there
	}
	return some
}

// timeOf makes a time of components. What is greater than the greatest given
// one is taken from the current time, what is smaller than the smallest is the
// least.
func (e *evaluation) timeOf(c map[byte]int) int64 {
	const dates, times = "YXMxWwdD", "PHhmsf"
	order, yearDay := "YMD", false
	switch {
	case only(c, "YMD", dates):
	case only(c, "Yd", dates):
		order, yearDay = "Yd", true
	case only(c, "Xxw", dates), only(c, "XW", dates):
		e.throw("D3136")
	}
	// Hours of twelve count only together with am and pm, and where no hour of 24 is
	// given.
	twelve := !only(c, "Hmsf", times) && only(c, "Phmsf", times)
	if twelve {
		order += "Phmsf"
	} else {
		order += "Hmsf"
	}
	// From the greatest component to the smallest: before the first given one comes
	// now, behind the last the least.
	current := time.UnixMilli(e.env.Millis).UTC()
	started, ended := false, false
	for i := range len(order) {
		component := order[i]
		_, given := c[component]
		switch {
		case given && ended:
			e.throw("D3136")
		case given:
			started = true
		case started:
			ended = true
			c[component] = 0
			if strings.IndexByte("MDd", component) >= 0 {
				c[component] = 1
			}
		case component == 'P':
			c[component] = current.Hour() / 12
		default:
			c[component] = dateComponent(current, component)
		}
	}
	if yearDay {
		t := date(c['Y'], 1, 1).AddDate(0, 0, c['d']-1)
		c['M'], c['D'] = int(t.Month()), t.Day()
	}
	if twelve {
		c['H'] = c['h']%12 + 12*c['P']
	}
	t := time.Date(c['Y'], time.Month(c['M']), c['D'], c['H'], c['m'], c['s'], c['f']*1e6, time.UTC)
	return t.UnixMilli() - int64(c['Z']+c['z'])*60000
}
