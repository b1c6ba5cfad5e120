package wire

import (
	"encoding/base64"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/steppehq/steppe/aws/model"
	"github.com/steppehq/steppe/value"
)

// setHeader writes a member of the headers.
func (f *rest) setHeader(h http.Header, m *model.Member, v value.Value) error {
	if m.Location == "headers" {
		if v.Kind() != value.Object {
			return unlike(v, "an object")
		}
		items := v.Items()
		for i, name := range v.Names() {
			text, err := textOf(m.Target.Value, items[i], httpFormat)
			if err == nil {
				err = isHeader(text)
			}
			if err != nil {
				return at(err, name)
			}
			h.Set(m.LocationName+strings.TrimSpace(name), strings.TrimSpace(text))
		}
		return nil
	}
	text, err := f.headerText(m, v)
	if err == nil {
		err = isHeader(text)
	}
	h.Set(m.WireName(), strings.TrimSpace(text))
	return err
}

func (f *rest) headerText(m *model.Member, v value.Value) (string, error) {
	if m.JSONValue && v.Kind() == value.String {
		return base64.StdEncoding.EncodeToString([]byte(v.Str())), nil
	}
	if m.Target.Type != "list" {
		return textOf(&m.ShapeRef, v, httpFormat)
	}
	if v.Kind() != value.Array {
		return "", unlike(v, "an array")
	}
	texts := make([]string, v.Len())
	for i, item := range v.Items() {
		text, err := textOf(m.Target.Member, item, httpFormat)
		if err != nil {
			return "", atIndex(err, i)
		}
		if m.Target.Member.Target.Type == "string" && strings.ContainsAny(text, `",`) {
			text = `"` + strings.ReplaceAll(strings.ReplaceAll(text, `\`, `\\`), `"`, `\"`) + `"`
		}
		texts[i] = text
	}
	return strings.Join(texts, ","), nil
}

// isHeader refuses what would end a header's line.
func isHeader(text string) error {
	if strings.ContainsAny(text, "\r\n\x00") {
		return wrong("must not have line ends: it stands in a header")
	}
	return nil
}

// readHeaders reads the members that stand in headers.
func (f *rest) readHeaders(object *value.ObjectBuilder, shape *model.Shape, h http.Header) error {
	for i := range shape.Members {
		m := &shape.Members[i]
		switch m.Location {
		case "header":
			texts := h.Values(m.WireName())
			if len(texts) == 0 {
				continue
			}
			v, err := headerValue(m, strings.Join(texts, ","))
			if err != nil {
				return at(err, m.Name)
			}
			object.Set(m.Name, v)
		case "headers":
			if v := prefixed(m, h); v.Len() > 0 {
				object.Set(m.Name, v)
			}
		}
	}
	return nil
}

// prefixed returns the headers with a member's prefix, with small letters, as HTTP
// does not tell them from capitals and S3 sends them so.
func prefixed(m *model.Member, h http.Header) value.Value {
	object := value.NewObject(4)
	for _, name := range slices.Sorted(maps.Keys(h)) {
		if len(name) >= len(m.LocationName) && strings.EqualFold(name[:len(m.LocationName)], m.LocationName) {
			object.Set(strings.ToLower(name[len(m.LocationName):]), value.Str(strings.Join(h[name], ",")))
		}
	}
	return object.Value()
}

func headerValue(m *model.Member, text string) (value.Value, error) {
	if m.JSONValue {
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil || !value.Valid(string(b)) {
			return value.Value{}, wrong("must be JSON in base64")
		}
		return value.Str(string(b)), nil
	}
	if m.Target.Type != "list" {
		return valueOf(&m.ShapeRef, text)
	}
	var items []value.Value
	for _, part := range splitHeader(text, m.Target.Member.Target.Type == "timestamp") {
		v, err := valueOf(m.Target.Member, part)
		if err != nil {
			return v, atIndex(err, len(items))
		}
		items = append(items, v)
	}
	return value.Arr(items...), nil
}

// splitHeader splits a list in a header at commas that are not in quotes; a date
// has a comma itself.
func splitHeader(text string, dates bool) []string {
	var parts []string
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		var part string
		switch {
		case text[0] == '"':
			part, text = unquote(text)
			_, text, _ = strings.Cut(text, ",")
		case dates:
			day, rest, _ := strings.Cut(text, ",")
			part, text, _ = strings.Cut(rest, ",")
			if strings.Contains(day, "T") && len(day) > 3 && day[3] != 'T' { // an ISO date has none
				part, text = day, rest
			} else {
				part = day + "," + part
			}
		default:
			part, text, _ = strings.Cut(text, ",")
		}
		parts = append(parts, strings.TrimSpace(part))
	}
	return parts
}

// unquote reads a text in quotes, and returns what follows it.
func unquote(text string) (string, string) {
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			return b.String(), text[i+1:]
		case c == '\\' && i+1 < len(text):
			i++
			b.WriteByte(text[i])
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), ""
}
