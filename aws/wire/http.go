package wire

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/steppehq/steppe/aws/model"
)

// newRequest makes a request with a body of bytes, nil for none. The path is escaped.
func newRequest(method, path, rawQuery string, body []byte) *http.Request {
	if path == "" {
		path = "/"
	}
	u := &url.URL{RawQuery: rawQuery}
	if plain, err := url.PathUnescape(path); err == nil {
		u.Path = plain
	}
	if u.RawPath = path; u.EscapedPath() == u.Path {
		u.RawPath = ""
	}
	r := &http.Request{Method: method, URL: u, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: make(http.Header, 4), Body: http.NoBody}
	if len(body) > 0 {
		r.ContentLength = int64(len(body))
		r.Body = io.NopCloser(bytes.NewReader(body))
		r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	}
	return r
}

func newResponse(status int, contentType string, body []byte) *http.Response {
	r := &http.Response{StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: make(http.Header, 4)}
	setBody(r, contentType, body)
	return r
}

func setBody(r *http.Response, contentType string, body []byte) {
	r.Body = http.NoBody
	if r.ContentLength = int64(len(body)); len(body) > 0 {
		r.Body = io.NopCloser(bytes.NewReader(body))
		r.Header["Content-Type"] = []string{contentType}
	}
}

// closer makes a body of a reader that may have nothing to close.
func closer(r io.Reader) io.ReadCloser {
	if c, ok := r.(io.ReadCloser); ok {
		return c
	}
	return io.NopCloser(r)
}

// setRequestID puts a request's id where the service has it.
func setRequestID(s *model.Service, h http.Header, id string) {
	switch {
	case id == "":
	case isS3(s):
		h["X-Amz-Request-Id"] = []string{id}
	default:
		h["X-Amzn-Requestid"] = []string{id}
	}
}

func requestID(h http.Header) string {
	for _, name := range []string{"X-Amzn-Requestid", "X-Amz-Request-Id", "X-Amz-Requestid"} {
		if id := h.Get(name); id != "" {
			return id
		}
	}
	return ""
}

const upperhex = "0123456789ABCDEF"

// appendEscaped escapes all but RFC 3986's unreserved characters, and slashes if
// asked to, as AWS's signatures want it.
func appendEscaped(dst []byte, s string, slashes bool) []byte {
	for i := range len(s) {
		if c := s[i]; isAlphanumeric(c) || strings.IndexByte("-._~", c) >= 0 || slashes && c == '/' {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', upperhex[c>>4], upperhex[c&15])
		}
	}
	return dst
}
