package sigv4

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
)

// compute returns the signature that a request must have whose canonical path is
// that, and whose body is described so.
func (s *Signature) compute(key []byte, r *http.Request, path, described string) string {
	request := sha256.Sum256(s.canonical(r, path, described))
	return hex.EncodeToString(mac(key, algorithm+"\n"+s.At.UTC().Format(TimeFormat)+"\n"+s.Scope.String()+"\n"+hex.EncodeToString(request[:])))
}

// canonical returns the request in its canonical form.
func (s *Signature) canonical(r *http.Request, path, described string) []byte {
	b := make([]byte, 0, 1<<10)
	b = append(append(b, r.Method...), '\n')
	b = append(append(b, path...), '\n')
	b = append(append(b, canonicalQuery(r.URL.RawQuery)...), '\n')
	for _, name := range s.Headers {
		b = append(append(b, name...), ':')
		b = append(appendHeader(b, r, name), '\n')
	}
	b = append(b, '\n')
	for i, name := range s.Headers {
		if i > 0 {
			b = append(b, ';')
		}
		b = append(b, name...)
	}
	return append(append(b, '\n'), described...)
}

// appendHeader adds the values of a header, without the white space that proxies
// may change.
func appendHeader(b []byte, r *http.Request, name string) []byte {
	switch strings.ToLower(name) {
	case "host":
		return append(b, r.Host...)
	case "content-length":
		if r.Header.Get("Content-Length") == "" && r.ContentLength >= 0 {
			return strconv.AppendInt(b, r.ContentLength, 10)
		}
	}
	for i, v := range r.Header.Values(name) {
		if i > 0 {
			b = append(b, ',')
		}
		if strings.Contains(v, "  ") || strings.ContainsAny(v, "\t\r\n\v\f") {
			v = strings.Join(strings.Fields(v), " ")
		}
		b = append(b, strings.TrimSpace(v)...)
	}
	return b
}

// canonicalQuery sorts the parameters by name and value, without the signature
// itself. The query has been found to be readable.
func canonicalQuery(raw string) string {
	if raw == "" {
		return ""
	}
	var pairs [][2]string
	for part := range strings.SplitSeq(raw, "&") {
		name, v, _ := strings.Cut(part, "=")
		n, _ := url.QueryUnescape(name)
		u, _ := url.QueryUnescape(v)
		if n == "X-Amz-Signature" || part == "" {
			continue
		}
		pairs = append(pairs, [2]string{escape(n, false), escape(u, false)})
	}
	slices.SortFunc(pairs, func(a, b [2]string) int { return cmp.Or(strings.Compare(a[0], b[0]), strings.Compare(a[1], b[1])) })
	joined := make([]string, len(pairs))
	for i, p := range pairs {
		joined[i] = p[0] + "=" + p[1]
	}
	return strings.Join(joined, "&")
}

// singlePath reports whether a service signs paths as they are sent. All others
// escape what is escaped already a second time.
func singlePath(service string) bool {
	return service == "s3" || strings.HasPrefix(service, "s3-") || service == "s3express"
}

// paths returns the two canonical forms of a path that signers make; most paths
// have one. Of S3, SDKs sign the path as they send it, others escape it in the
// way of AWS's rules (all but unreserved characters). Of other services, AWS's
// rules normalize the path, which AWS's SDK for Go does not.
func (s *Signature) paths(r *http.Request) (first, second string) {
	// As it was sent: EscapedPath repairs what is not ASCII.
	sent := cmp.Or(r.URL.RawPath, r.URL.EscapedPath(), "/")
	if sent == "/" {
		return sent, sent
	}
	if singlePath(s.Service) {
		return sent, cmp.Or(escape(r.URL.Path, true), "/")
	}
	return escape(sent, true), escape(normal(sent), true)
}

// normal returns a path without empty and relative segments (RFC 3986, section
// 5.2.4).
func normal(p string) string {
	if !strings.Contains(p, "//") && !strings.Contains(p, "/.") {
		return p
	}
	cleaned := path.Clean("/" + p)
	if last := p[strings.LastIndexByte(p, '/')+1:]; (last == "" || last == "." || last == "..") && cleaned != "/" {
		cleaned += "/"
	}
	return cleaned
}

// escape encodes all but the unreserved characters (RFC 3986), and slashes of a
// path.
func escape(s string, path bool) string {
	const hexDigits = "0123456789ABCDEF"
	plain := func(c byte) bool {
		return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0 || path && c == '/'
	}
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; plain(c) {
			b.WriteByte(c)
		} else {
			b.WriteByte('%')
			b.WriteByte(hexDigits[c>>4])
			b.WriteByte(hexDigits[c&15])
		}
	}
	return b.String()
}
