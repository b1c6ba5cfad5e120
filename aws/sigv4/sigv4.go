// Package sigv4 is AWS Signature Version 4: it signs requests as clients do, and
// checks their signatures as services do.
//
// A signature covers a canonical form of the request's method, path, query,
// some of its headers and the hash of its body, keyed by a secret that was
// derived for one day, region and service ("Create a signed AWS API request" in
// the IAM guide). It stands in the header Authorization, or in the query of a
// presigned request.
//
// Checking goes in the order in which a request arrives, so that nothing of a
// body need be read for a caller who cannot have signed it:
//
//	s, err := sigv4.Parse(r)                       // what r says of its signature
//	key := sigv4.DeriveKey(secret, s.Scope)        // of the secret of s.KeyID
//	err = s.Verify(r, key, hash)                   // headers, query and the hash of the body
//	body, err := sigv4.NewBody(r, s, key)          // the body, checked while it is read
//
// What a request says of its body in X-Amz-Content-Sha256 is one of these
// ("Authenticating Requests: Using the Authorization Header" in the S3 API
// reference):
//
//   - the SHA-256 of the body in hexadecimal digits;
//   - UNSIGNED-PAYLOAD: the signature does not cover the body;
//   - STREAMING-AWS4-HMAC-SHA256-PAYLOAD: the body comes in chunks, each with a
//     signature over itself and the signature before it; the first one follows on
//     that of the headers, so chunks can neither be changed nor reordered;
//   - STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER: the same, with headers behind
//     the last chunk that have a signature of their own;
//   - STREAMING-UNSIGNED-PAYLOAD-TRAILER: chunks and trailing headers without
//     signatures.
//
// Without that header the hash is that of the body, which must be read first.
//
// The package has no clock and keeps nothing: whose a key is, whether the time of
// a signature is acceptable, and whether a request came before are its caller's
// to decide.
//
// Stability: may move in any minor release.
package sigv4

import (
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

const (
	algorithm = "AWS4-HMAC-SHA256"
	ending    = "aws4_request"
	// TimeFormat and DayFormat are how times stand in a request.
	TimeFormat = "20060102T150405Z"
	DayFormat  = "20060102"
	// MaxExpires bounds the life of a presigned request.
	MaxExpires = 7 * 24 * time.Hour
)

// ContentHash is the header in which a request describes its body.
const ContentHash = "X-Amz-Content-Sha256"

// Bodies that no hash describes, as X-Amz-Content-Sha256 names them.
const (
	UnsignedPayload = "UNSIGNED-PAYLOAD"
	streaming       = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	streamingTrail  = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
	unsignedTrail   = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
)

// Error reports a signature that cannot be read, or that does not match.
type Error struct {
	// Code is the exception that AWS services answer: IncompleteSignatureException,
	// InvalidSignatureException.
	Code    string
	Message string
}

// Error returns code and message.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

func incomplete(message string) error { return &Error{"IncompleteSignatureException", message} }

func invalid(message string) error { return &Error{"InvalidSignatureException", message} }

// Scope is what a signing key is derived for.
type Scope struct {
	// Day is a date in [DayFormat].
	Day, Region, Service string
}

func (s Scope) String() string { return s.Day + "/" + s.Region + "/" + s.Service + "/" + ending }

// Signature is what a request says of how it was signed.
type Signature struct {
	// KeyID is the access key.
	KeyID string
	Scope
	// Headers are those that it covers, in lower case, in their order.
	Headers []string
	// Value is the signature itself, in hexadecimal digits.
	Value string
	// At is when the request was signed.
	At time.Time
	// Expires is the life of a presigned request; 0: the signature is in the header.
	Expires time.Duration
}

// Parse reads the signature of a request: of its header Authorization, or of its
// query when it is presigned. It returns nil when there is none, and an *[Error]
// when there is one that cannot be read.
func Parse(r *http.Request) (*Signature, error) {
	var query url.Values
	if r.URL.RawQuery != "" {
		var err error
		if query, err = url.ParseQuery(r.URL.RawQuery); err != nil {
			return nil, incomplete("The query string cannot be read: " + err.Error())
		}
	}
	if auth := r.Header.Get("Authorization"); auth != "" {
		for name := range query {
			if strings.HasPrefix(name, "X-Amz-") {
				return nil, incomplete("The query string must not hold '" + name + "' beside an Authorization header.")
			}
		}
		return parseHeader(r, auth)
	}
	if query.Has("X-Amz-Algorithm") || query.Has("X-Amz-Signature") {
		return parseQuery(query)
	}
	return nil, nil
}

func parseHeader(r *http.Request, auth string) (*Signature, error) {
	rest, ours := strings.CutPrefix(auth, algorithm)
	if !ours {
		return nil, incomplete("Unsupported AWS 'algorithm': '" + strings.SplitN(auth, " ", 2)[0] + "', only AWS4-HMAC-SHA256 is supported.")
	}
	names := [3]string{"Credential", "Signature", "SignedHeaders"}
	var parts [3]string
	for part := range strings.SplitSeq(rest, ",") {
		name, v, _ := strings.Cut(strings.TrimSpace(part), "=")
		if i := slices.Index(names[:], name); i >= 0 {
			parts[i] = v
		}
	}
	if i := slices.Index(parts[:], ""); i >= 0 {
		return nil, incomplete("Authorization header requires '" + names[i] + "' parameter. Authorization=" + algorithm)
	}
	date := r.Header.Get("X-Amz-Date")
	at, err := time.Parse(TimeFormat, date)
	if date == "" {
		at, err = http.ParseTime(r.Header.Get("Date"))
	}
	if err != nil {
		return nil, incomplete("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.")
	}
	return scoped(&Signature{At: at, Value: parts[1]}, parts[0], parts[2])
}

func parseQuery(q url.Values) (*Signature, error) {
	for _, name := range []string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-SignedHeaders", "X-Amz-Signature", "X-Amz-Date", "X-Amz-Expires"} {
		if len(q[name]) != 1 || q.Get(name) == "" {
			return nil, incomplete("AWS query-string parameters must include '" + name + "'. Re-examine the query-string parameters.")
		}
	}
	if q.Get("X-Amz-Algorithm") != algorithm {
		return nil, incomplete("Unsupported AWS 'algorithm': '" + q.Get("X-Amz-Algorithm") + "', only AWS4-HMAC-SHA256 is supported.")
	}
	at, err := time.Parse(TimeFormat, q.Get("X-Amz-Date"))
	if err != nil {
		return nil, incomplete("Date must be in ISO-8601 'basic format'. Got '" + q.Get("X-Amz-Date") + "'.")
	}
	seconds, err := strconv.Atoi(q.Get("X-Amz-Expires"))
	life := time.Duration(seconds) * time.Second
	if err != nil || seconds < 1 || life > MaxExpires {
		return nil, incomplete("X-Amz-Expires should be a number of seconds from 1 to 604800.")
	}
	return scoped(&Signature{At: at, Value: q.Get("X-Amz-Signature"), Expires: life}, q.Get("X-Amz-Credential"), q.Get("X-Amz-SignedHeaders"))
}

// scoped adds a credential, KEY/DAY/REGION/SERVICE/aws4_request, and the names of
// headers.
func scoped(s *Signature, credential, headers string) (*Signature, error) {
	var ok bool
	if s.KeyID, s.Scope, ok = parseCredential(credential); !ok {
		return nil, incomplete("Credential must have at least 5 slash-delimited elements and end with 'aws4_request', got '" + credential + "'.")
	}
	s.Headers = strings.Split(headers, ";")
	return s, nil
}

// parseCredential splits from the right: the ID of a key may hold slashes.
func parseCredential(credential string) (keyID string, scope Scope, ok bool) {
	rest, ended := strings.CutSuffix(credential, "/"+ending)
	var fields [3]string
	for i := range fields {
		slash := strings.LastIndexByte(rest, '/')
		if slash < 0 {
			return "", Scope{}, false
		}
		rest, fields[2-i] = rest[:slash], rest[slash+1:]
	}
	return rest, Scope{fields[0], fields[1], fields[2]}, ended
}

// ScopeOf returns the access key and the scope that a request names in its header
// or its query, of which nothing is checked. It is false when it names none.
func ScopeOf(r *http.Request) (keyID string, scope Scope, ok bool) {
	_, credential, found := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	if !found {
		if !strings.Contains(r.URL.RawQuery, "X-Amz-Credential") {
			return "", Scope{}, false
		}
		credential = r.URL.Query().Get("X-Amz-Credential")
	}
	credential, _, _ = strings.Cut(credential, ",")
	return parseCredential(strings.TrimSpace(credential))
}

// Covers reports whether the signature covers a header, named in lower case.
func (s *Signature) Covers(header string) bool {
	return slices.ContainsFunc(s.Headers, func(h string) bool { return strings.EqualFold(h, header) })
}

// DeriveKey derives the signing key of a secret for a scope.
func DeriveKey(secret string, scope Scope) []byte {
	key := []byte("AWS4" + secret)
	for _, part := range []string{scope.Day, scope.Region, scope.Service, ending} {
		key = mac(key, part)
	}
	return key
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// Hash returns the hash of a body as a signature covers it.
func Hash(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// IsHash reports whether a text is a SHA-256 in lower-case hexadecimal digits.
func IsHash(s string) bool {
	return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == ""
}

// Described returns what a request says of its body: a hash, or one of the names
// that the package comment lists. It is "" when the request says nothing, and its
// signature covers the hash of the body; a presigned request of S3 that says
// nothing is one without (UNSIGNED-PAYLOAD). s is nil for a request without
// signature.
func Described(r *http.Request, s *Signature) (string, error) {
	told := r.Header[ContentHash]
	if len(told) == 0 {
		if s != nil && s.Expires > 0 && singlePath(s.Service) {
			return UnsignedPayload, nil
		}
		return "", nil
	}
	if len(told) == 1 {
		switch told[0] {
		case UnsignedPayload, streaming, streamingTrail, unsignedTrail:
			return told[0], nil
		}
	}
	if len(told) != 1 || !IsHash(told[0]) {
		return "", invalid("The header '" + strings.ToLower(ContentHash) + "' must be the SHA-256 of the body, in hexadecimal digits.")
	}
	return told[0], nil
}

// Verify holds the signature against the one that a request must have whose body
// is described so: a hash, or one of the names of [Described]. key is that of
// [DeriveKey].
func (s *Signature) Verify(r *http.Request, key []byte, described string) error {
	first, second := s.paths(r)
	if s.matches(r, key, first, described) || second != first && s.matches(r, key, second, described) {
		return nil
	}
	return invalid("The request signature we calculated does not match the signature you provided. " +
		"Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
}

func (s *Signature) matches(r *http.Request, key []byte, path, described string) bool {
	return hmac.Equal([]byte(s.compute(key, r, path, described)), []byte(s.Value))
}
