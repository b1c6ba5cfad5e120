package wire

import (
	"encoding/base64"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/steppehq/steppe/aws/model"
	"github.com/steppehq/steppe/value"
)

// The formats of timestamps. Each place has one by default (JSON bodies epochFormat,
// headers httpFormat, all others isoFormat), which a timestampFormat in the model
// overrides.
const (
	isoFormat   = "iso8601"
	httpFormat  = "rfc822"
	epochFormat = "unixTimestamp"
)

func timestampFormat(ref *model.ShapeRef, otherwise string) string {
	switch {
	case ref.TimestampFormat != "":
		return ref.TimestampFormat
	case ref.Target.TimestampFormat != "":
		return ref.Target.TimestampFormat
	}
	return otherwise
}

// textOf writes a scalar as it stands in a path, a query, a header, an element or
// a form.
func textOf(ref *model.ShapeRef, v value.Value, timestamps string) (string, error) {
	switch shape := ref.Target; shape.Type {
	case "string", "character":
		if v.Kind() != value.String {
			return "", unlike(v, "a string")
		}
		return v.Str(), nil
	case "blob":
		return blobText(v)
	case "boolean":
		if v.Kind() != value.Bool {
			return "", unlike(v, "a boolean")
		}
		return strconv.FormatBool(v.Bool()), nil
	case "timestamp":
		t, err := timeOf(v)
		if err != nil {
			return "", err
		}
		return formatTime(t, timestampFormat(ref, timestamps)), nil
	case "integer", "long", "float", "double":
		b, err := appendNumber(nil, shape.Type, v, false)
		return string(b), err
	default:
		return "", wrong("a " + shape.Type + " cannot stand here")
	}
}

// valueOf is the reverse of textOf.
func valueOf(ref *model.ShapeRef, text string) (value.Value, error) {
	switch ref.Target.Type {
	case "string", "character":
		if !value.Valid(text) {
			return value.Value{}, wrong("is not UTF-8")
		}
		return value.Str(text), nil
	case "blob":
		text = strings.Join(strings.Fields(text), "") // XML may break lines
		if !isBase64(text) {
			return value.Value{}, wrong("must be base64")
		}
		return value.Str(text), nil
	case "boolean":
		switch text = strings.TrimSpace(text); text {
		case "true", "false":
			return value.Of(text == "true"), nil
		}
		return value.Value{}, wrong("must be true or false")
	case "timestamp":
		return parseTime(strings.TrimSpace(text))
	case "integer", "long":
		i, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
		if err != nil {
			return value.Value{}, wrong("must be an integer")
		}
		return value.Int(i), nil
	case "float", "double":
		return parseFloat(strings.TrimSpace(text))
	default:
		return value.Value{}, wrong("a " + ref.Target.Type + " cannot stand here")
	}
}

// appendNumber writes a number; those that are none as quoted text in JSON.
func appendNumber(dst []byte, kind string, v value.Value, quoted bool) ([]byte, error) {
	whole := kind == "integer" || kind == "long"
	switch v.Kind() {
	case value.Number:
		if i, ok := v.Int64(); ok {
			return strconv.AppendInt(dst, i, 10), nil
		}
		if whole {
			return dst, wrong("must be an integer of 64 bits")
		}
		return v.Append(dst), nil
	case value.String:
		switch s := v.Str(); {
		case whole:
		case s != "NaN" && s != "Infinity" && s != "-Infinity":
		case quoted:
			return append(append(append(dst, '"'), s...), '"'), nil
		default:
			return append(dst, s...), nil
		}
	default:
	}
	return dst, unlike(v, "a number")
}

func parseFloat(text string) (value.Value, error) {
	switch text {
	case "NaN", "Infinity", "-Infinity":
		return value.Str(text), nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return value.Value{}, wrong("must be a number")
	}
	return value.Float(f), nil
}

// blobText returns the base64 text that a blob is.
func blobText(v value.Value) (string, error) {
	if v.Kind() != value.String {
		return "", unlike(v, "a string in base64")
	}
	if !isBase64(v.Str()) {
		return "", wrong("must be base64")
	}
	return v.Str(), nil
}

// blobBytes returns the bytes that a blob is.
func blobBytes(v value.Value) ([]byte, error) {
	text, err := blobText(v)
	if err != nil {
		return nil, err
	}
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, wrong("must be base64")
	}
	return b, nil
}

func blobValue(b []byte) value.Value { return value.Str(base64.StdEncoding.EncodeToString(b)) }

// isBase64 reports whether a text is base64 with padding, in one line.
func isBase64(s string) bool {
	if len(s)%4 != 0 {
		return false
	}
	s = strings.TrimSuffix(strings.TrimSuffix(s, "="), "=")
	for i := range len(s) {
		if c := s[i]; !isAlphanumeric(c) && c != '+' && c != '/' {
			return false
		}
	}
	return len(s)%4 != 1
}

func isAlphanumeric(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// timeOf reads a timestamp of a value.
func timeOf(v value.Value) (time.Time, error) {
	switch v.Kind() {
	case value.String:
		t, err := time.Parse(time.RFC3339Nano, v.Str())
		if err != nil {
			return t, wrong("must be a timestamp such as 2006-01-02T15:04:05Z")
		}
		return inRange(t.UTC())
	case value.Number:
		if i, ok := v.Int64(); ok {
			return inRange(time.Unix(i, 0).UTC())
		}
		return epochTime(v.Float64())
	default:
		return time.Time{}, unlike(v, "a timestamp")
	}
}

// epochTime is the time so many seconds after the beginning of 1970, to the
// microsecond, which is what a float64 can tell apart today.
func epochTime(seconds float64) (time.Time, error) {
	if !(math.Abs(seconds) < 1e12) { // also NaN
		return time.Time{}, wrong("is beyond the year 9999")
	}
	whole, fraction := math.Modf(seconds)
	return inRange(time.Unix(int64(whole), int64(math.Round(fraction*1e6))*1000).UTC())
}

// inRange refuses times that RFC 3339 cannot write.
func inRange(t time.Time) (time.Time, error) {
	if y := t.Year(); y < 0 || y > 9999 {
		return t, wrong("is not between the years 0 and 9999")
	}
	return t, nil
}

func formatTime(t time.Time, format string) string {
	switch format {
	case httpFormat:
		return t.Format(http.TimeFormat)
	case epochFormat:
		return epochText(t)
	default:
		return instant(t)
	}
}

// epochText is a time in seconds, with as many decimals as it needs.
func epochText(t time.Time) string {
	seconds, nanos := t.Unix(), t.Nanosecond()
	if nanos == 0 {
		return strconv.FormatInt(seconds, 10)
	}
	sign := ""
	if seconds < 0 {
		sign, seconds, nanos = "-", -seconds-1, 1e9-nanos
	}
	fraction := strconv.Itoa(1e9 + nanos)[1:]
	return sign + strconv.FormatInt(seconds, 10) + "." + strings.TrimRight(fraction, "0")
}

// instant is a time as Java's Instant.toString has it: with none, three, six or
// nine decimals.
func instant(t time.Time) string {
	layout := "2006-01-02T15:04:05Z"
	switch nanos := t.Nanosecond(); {
	case nanos == 0:
	case nanos%1e6 == 0:
		layout = "2006-01-02T15:04:05.000Z"
	case nanos%1e3 == 0:
		layout = "2006-01-02T15:04:05.000000Z"
	default:
		layout = "2006-01-02T15:04:05.000000000Z"
	}
	return t.Format(layout)
}

// parseTime reads a timestamp in any format: services are known to send others
// than their model names.
func parseTime(text string) (value.Value, error) {
	for _, layout := range []string{time.RFC3339Nano, http.TimeFormat, time.RFC1123Z, "Mon, 2 Jan 2006 15:04:05 MST", "2006-01-02T15:04:05.999999999"} {
		if t, err := time.Parse(layout, text); err == nil {
			t, err = inRange(t.UTC())
			return value.Str(instant(t)), err
		}
	}
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return value.Value{}, wrong("must be a timestamp")
	}
	return epochValue(seconds)
}

func epochValue(seconds float64) (value.Value, error) {
	t, err := epochTime(seconds)
	return value.Str(instant(t)), err
}
