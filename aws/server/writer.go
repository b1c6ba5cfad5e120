package server

import (
	"strconv"
	"time"

	"github.com/steppehq/steppe/value"
)

// Object writes one JSON object, member by member. The zero value is ready.
type Object struct{ buf []byte }

func (o *Object) name(name string) {
	if len(o.buf) == 0 {
		o.buf = append(o.buf, '{')
	} else {
		o.buf = append(o.buf, ',')
	}
	o.buf = append(append(append(o.buf, '"'), name...), '"', ':')
}

// Str adds text.
func (o *Object) Str(name, s string) *Object {
	o.name(name)
	o.buf = value.AppendString(o.buf, s)
	return o
}

// Opt adds text that is not empty.
func (o *Object) Opt(name, s string) *Object {
	if s != "" {
		o.Str(name, s)
	}
	return o
}

// Ptr adds text that is there.
func (o *Object) Ptr(name string, s *string) *Object {
	if s != nil {
		o.Str(name, *s)
	}
	return o
}

// Int adds a number.
func (o *Object) Int(name string, n int64) *Object {
	o.name(name)
	o.buf = strconv.AppendInt(o.buf, n, 10)
	return o
}

// Bool adds a boolean.
func (o *Object) Bool(name string, b bool) *Object {
	o.name(name)
	o.buf = strconv.AppendBool(o.buf, b)
	return o
}

// Time adds a time as seconds since 1970 with three decimals; none when zero.
func (o *Object) Time(name string, t time.Time) *Object {
	if t.IsZero() {
		return o
	}
	o.name(name)
	millis := t.UnixMilli()
	o.buf = strconv.AppendInt(o.buf, millis/1000, 10)
	o.buf = append(o.buf, '.', byte('0'+millis%1000/100), byte('0'+millis%100/10), byte('0'+millis%10))
	return o
}

// Doc adds a payload as the text that the API's members hold.
func (o *Object) Doc(name string, d *value.Doc) *Object {
	if d != nil {
		o.Str(name, d.String())
	}
	return o
}

// Raw adds JSON as it is.
func (o *Object) Raw(name string, json []byte) *Object {
	o.name(name)
	o.buf = append(o.buf, json...)
	return o
}

// List adds an array of n items, each written by item.
func (o *Object) List(name string, n int, item func(dst []byte, i int) []byte) *Object {
	o.name(name)
	o.buf = append(o.buf, '[')
	for i := range n {
		if i > 0 {
			o.buf = append(o.buf, ',')
		}
		o.buf = item(o.buf, i)
	}
	o.buf = append(o.buf, ']')
	return o
}

// JSON ends the object.
func (o *Object) JSON() []byte {
	if len(o.buf) == 0 {
		return []byte("{}")
	}
	return append(o.buf, '}')
}
