package server

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The words of AWS Signature Version 4 ("Create a signed AWS API request" in
// the IAM guide).
const (
	algorithm = "AWS4-HMAC-SHA256"
	ending    = "aws4_request"
	amzTime   = "20060102T150405Z"
	amzDay    = "20060102"
	// clockSkew is how far a signature's time may be from the server's.
	clockSkew = 5 * time.Minute
	// maxExpires bounds the life of a presigned request.
	maxExpires = 7 * 24 * time.Hour
)

// Key is what a caller signs with.
type Key struct {
	ID, Secret string
	// Account is the caller's.
	Account string
	// Regions are those it may sign for; none: all that the server has.
	Regions []string
}

// signature is what a request says of how it was signed.
type signature struct {
	keyID, day, region, service string
	headers                     []string // those that were signed, in order
	value                       string
	at                          time.Time
	expires                     time.Duration // of a presigned request, else 0
}

// signed reads the signature of a request: of its header, or of its query when
// it is presigned. It is nil when there is none.
func signed(r *http.Request) (*signature, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, incomplete("The query string cannot be read: " + err.Error())
	}
	if auth := r.Header.Get("Authorization"); auth != "" {
		for name := range query {
			if strings.HasPrefix(name, "X-Amz-") {
				return nil, incomplete("The query string must not hold '" + name + "' beside an Authorization header.")
			}
		}
		return signedHeader(r, auth)
	}
	if query.Has("X-Amz-Algorithm") || query.Has("X-Amz-Signature") {
		return presigned(query)
	}
	return nil, nil
}

func incomplete(message string) error { return Fail("IncompleteSignatureException", message) }

func signedHeader(r *http.Request, auth string) (*signature, error) {
	rest, ours := strings.CutPrefix(auth, algorithm)
	if !ours {
		return nil, incomplete("Unsupported AWS 'algorithm': '" + strings.SplitN(auth, " ", 2)[0] + "', only AWS4-HMAC-SHA256 is supported.")
	}
	parts := make(map[string]string)
	for part := range strings.SplitSeq(rest, ",") {
		name, v, _ := strings.Cut(strings.TrimSpace(part), "=")
		parts[name] = v
	}
	for _, name := range []string{"Credential", "Signature", "SignedHeaders"} {
		if parts[name] == "" {
			return nil, incomplete("Authorization header requires '" + name + "' parameter. Authorization=" + algorithm)
		}
	}
	date := r.Header.Get("X-Amz-Date")
	at, err := time.Parse(amzTime, date)
	if date == "" {
		at, err = http.ParseTime(r.Header.Get("Date"))
	}
	if err != nil {
		return nil, incomplete("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
	}
	return scoped(&signature{at: at, value: parts["Signature"]}, parts["Credential"], parts["SignedHeaders"])
}

func presigned(q url.Values) (*signature, error) {
	for _, name := range []string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-SignedHeaders", "X-Amz-Signature", "X-Amz-Date", "X-Amz-Expires"} {
		if len(q[name]) != 1 || q.Get(name) == "" {
			return nil, incomplete("AWS query-string parameters must include '" + name + "'. Re-examine the query-string parameters.")
		}
	}
	if q.Get("X-Amz-Algorithm") != algorithm {
		return nil, incomplete("Unsupported AWS 'algorithm': '" + q.Get("X-Amz-Algorithm") + "', only AWS4-HMAC-SHA256 is supported.")
	}
	at, err := time.Parse(amzTime, q.Get("X-Amz-Date"))
	if err != nil {
		return nil, incomplete("Date must be in ISO-8601 'basic format'. Got '" + q.Get("X-Amz-Date") + "'.")
	}
	seconds, err := strconv.Atoi(q.Get("X-Amz-Expires"))
	life := time.Duration(seconds) * time.Second
	if err != nil || seconds < 1 || life > maxExpires {
		return nil, incomplete("X-Amz-Expires should be a number of seconds from 1 to 604800.")
	}
	return scoped(&signature{at: at, value: q.Get("X-Amz-Signature"), expires: life}, q.Get("X-Amz-Credential"), q.Get("X-Amz-SignedHeaders"))
}

// ends is when the signature is good no more.
func (s *signature) ends() time.Time {
	if s.expires > 0 {
		return s.at.Add(s.expires)
	}
	return s.at.Add(clockSkew)
}

// covers reports whether a header, named in lower case, was signed.
func (s *signature) covers(header string) bool {
	return slices.ContainsFunc(s.headers, func(h string) bool { return strings.EqualFold(h, header) })
}

// scoped reads KEY/DAY/REGION/SERVICE/aws4_request and the names of headers.
func scoped(s *signature, credential, headers string) (*signature, error) {
	parts := strings.Split(credential, "/")
	if len(parts) < 5 || parts[len(parts)-1] != ending {
		return nil, incomplete("Credential must have at least 5 slash-delimited elements and end with 'aws4_request', got '" + credential + "'.")
	}
	n := len(parts)
	s.keyID, s.day, s.region, s.service = strings.Join(parts[:n-4], "/"), parts[n-4], parts[n-3], parts[n-2]
	s.headers = strings.Split(headers, ";")
	return s, nil
}

// signingKey derives the key of a day, region and service.
func signingKey(secret, day, region, service string) []byte {
	key := []byte("AWS4" + secret)
	for _, part := range []string{day, region, service, ending} {
		key = mac(key, part)
	}
	return key
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// hashOf is the hash of a body as a signature covers it.
func hashOf(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// compute makes the signature that a request must have whose body has a hash.
func (s *signature) compute(key []byte, r *http.Request, hash string) string {
	request := sha256.Sum256([]byte(s.canonical(r, hash)))
	text := strings.Join([]string{
		algorithm, s.at.UTC().Format(amzTime), s.day + "/" + s.region + "/" + s.service + "/" + ending, hex.EncodeToString(request[:]),
	}, "\n")
	return hex.EncodeToString(mac(key, text))
}

// canonical is the request in its canonical form.
func (s *signature) canonical(r *http.Request, hash string) string {
	var b strings.Builder
	b.WriteString(r.Method)
	b.WriteByte('\n')
	path := r.URL.EscapedPath()
	if path == "" {
		path = "/"
	}
	b.WriteString(escape(path, true))
	b.WriteByte('\n')
	b.WriteString(canonicalQuery(r.URL.RawQuery))
	b.WriteByte('\n')
	for _, name := range s.headers {
		b.WriteString(name)
		b.WriteByte(':')
		b.WriteString(canonicalHeader(r, name))
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	b.WriteString(strings.Join(s.headers, ";"))
	b.WriteByte('\n')
	b.WriteString(hash)
	return b.String()
}

func canonicalHeader(r *http.Request, name string) string {
	switch strings.ToLower(name) {
	case "host":
		return r.Host
	case "content-length":
		if r.Header.Get("Content-Length") == "" && r.ContentLength >= 0 {
			return strconv.FormatInt(r.ContentLength, 10)
		}
	}
	values := r.Header.Values(name)
	trimmed := make([]string, len(values))
	for i, v := range values {
		trimmed[i] = strings.Join(strings.Fields(v), " ")
	}
	return strings.Join(trimmed, ",")
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

// escape encodes all but the unreserved characters (RFC 3986), and slashes of a
// path.
func escape(s string, path bool) string {
	const hexDigits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._~", c) >= 0, path && c == '/':
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(hexDigits[c>>4])
			b.WriteByte(hexDigits[c&15])
		}
	}
	return b.String()
}

// Sign signs a request for a service, at a time, in its header. The body is
// what the request will send. A session token, where it is not "", is sent too.
func Sign(r *http.Request, body []byte, key Key, session, region, service string, at time.Time) {
	s := &signature{keyID: key.ID, day: at.UTC().Format(amzDay), region: region, service: service, at: at}
	r.Header.Set("X-Amz-Date", at.UTC().Format(amzTime))
	if session != "" {
		r.Header.Set("X-Amz-Security-Token", session)
	}
	s.headers = []string{"host"}
	for name := range r.Header {
		if name = strings.ToLower(name); strings.HasPrefix(name, "x-amz-") || name == "content-type" || name == invocationID {
			s.headers = append(s.headers, name)
		}
	}
	slices.Sort(s.headers)
	if r.Host == "" {
		r.Host = r.URL.Host
	}
	value := s.compute(signingKey(key.Secret, s.day, region, service), r, hashOf(body))
	r.Header.Set("Authorization", algorithm+" Credential="+key.ID+"/"+s.day+"/"+region+"/"+service+"/"+ending+
		", SignedHeaders="+strings.Join(s.headers, ";")+", Signature="+value)
}
