package sigv4

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Credentials are what a request is signed with.
type Credentials struct {
	// KeyID is the access key and Secret its secret.
	KeyID, Secret string
	// Session is the token of temporary credentials; "" for others.
	Session string
}

// Signer signs requests for a service in a region.
type Signer struct {
	Credentials
	Region, Service string
}

// unsigned are headers that a signature does not cover, for the HTTP client or a
// proxy may set or change them.
var unsigned = []string{
	"accept-encoding", "authorization", "connection", "content-length", "expect", "te", "trailer", "transfer-encoding", "user-agent", "x-amzn-trace-id",
}

// Sign signs a request in its header Authorization, and sets X-Amz-Date and, where
// there is one, X-Amz-Security-Token. described is the hash of the body ([Hash]),
// or [UnsignedPayload]; of S3 it is sent as X-Amz-Content-Sha256.
func (s Signer) Sign(r *http.Request, described string, at time.Time) {
	s.sign(r, described, at)
}

// sign is Sign; it returns the signature and the key, which those of chunks follow
// on.
func (s Signer) sign(r *http.Request, described string, at time.Time) (*Signature, []byte) {
	r.Header.Set("X-Amz-Date", at.UTC().Format(TimeFormat))
	if s.Session != "" {
		r.Header.Set("X-Amz-Security-Token", s.Session)
	}
	if singlePath(s.Service) || !IsHash(described) {
		r.Header.Set(ContentHash, described)
	}
	g := s.signature(r, at)
	key := DeriveKey(s.Secret, g.Scope)
	g.Value = g.compute(key, r, g.sentPath(r), described)
	r.Header.Set("Authorization", algorithm+" Credential="+s.KeyID+"/"+g.Scope.String()+
		", SignedHeaders="+strings.Join(g.Headers, ";")+", Signature="+g.Value)
	return g, key
}

// signature begins the signature of a request: all but its value.
func (s Signer) signature(r *http.Request, at time.Time) *Signature {
	if r.Host == "" {
		r.Host = r.URL.Host
	}
	headers := []string{"host"}
	for name := range r.Header {
		if name = strings.ToLower(name); name != "host" && !slices.Contains(unsigned, name) {
			headers = append(headers, name)
		}
	}
	slices.Sort(headers)
	return &Signature{KeyID: s.KeyID, Scope: Scope{at.UTC().Format(DayFormat), s.Region, s.Service}, Headers: headers, At: at}
}

// sentPath returns the canonical form of the path that an HTTP client sends.
func (s *Signature) sentPath(r *http.Request) string {
	sent := r.URL.EscapedPath()
	switch {
	case sent == "":
		return "/"
	case singlePath(s.Service):
		return sent
	}
	return escape(normal(sent), true)
}

// Presign signs a request in its query, for so long: from 1 second to
// [MaxExpires]. described is the hash of the body, or [UnsignedPayload], as is
// usual of S3. Whoever sends the request must send the headers that it has now.
func (s Signer) Presign(r *http.Request, described string, at time.Time, expires time.Duration) {
	g := s.signature(r, at)
	q := r.URL.Query()
	q.Set("X-Amz-Algorithm", algorithm)
	q.Set("X-Amz-Credential", s.KeyID+"/"+g.Scope.String())
	q.Set("X-Amz-Date", at.UTC().Format(TimeFormat))
	q.Set("X-Amz-Expires", strconv.Itoa(int(expires/time.Second)))
	q.Set("X-Amz-SignedHeaders", strings.Join(g.Headers, ";"))
	if s.Session != "" {
		q.Set("X-Amz-Security-Token", s.Session)
	}
	r.URL.RawQuery = q.Encode()
	q.Set("X-Amz-Signature", g.compute(DeriveKey(s.Secret, g.Scope), r, g.sentPath(r), described))
	r.URL.RawQuery = q.Encode()
}
