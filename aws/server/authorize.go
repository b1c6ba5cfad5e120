package server

import (
	"context"
	"crypto/hmac"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Authorizer decides whose a request is. Keys, when there are any, must have
// signed it.
type Authorizer struct {
	// Keys are what callers sign with. Without any, a request is believed: its
	// credential scope tells account (an access key of twelve digits) and region.
	Keys []Key
	// Service is the one that signatures must be for: "states".
	Service string
	// Account and Region stand where a request tells none.
	Account, Region string
	// Regions are those that signatures may be for; none: any.
	Regions []string
	// Since refuses what changes something and was signed before: what was
	// received then is not known.
	Since time.Time
	// Memory keeps what is needed after a restart; nil: nothing is kept.
	Memory Memory
	// Clock gives the time; time.Now when nil.
	Clock func() time.Time

	once   sync.Once
	byID   map[string]*Key
	keys   signingKeys
	replay replays
}

// Memory keeps signatures of requests that change something, and are good for
// longer than the server may run. What it has told is durable.
type Memory interface {
	// Presigned notes a signature until a time. It is false when it was noted
	// before.
	Presigned(ctx context.Context, signature string, until time.Time) (bool, error)
	// Ahead notes that a key has signed for a time that has not come. It is false
	// when an earlier server noted as late a time.
	Ahead(ctx context.Context, keyID string, at time.Time) (bool, error)
}

// caller is who sent a request.
type caller struct{ account, region, keyID string }

func (a *Authorizer) now() time.Time {
	if a.Clock != nil {
		return a.Clock()
	}
	return time.Now()
}

func (a *Authorizer) init() {
	a.byID = make(map[string]*Key, len(a.Keys))
	for i := range a.Keys {
		a.byID[a.Keys[i].ID] = &a.Keys[i]
	}
}

// believe reads who a request says it is from, when there are no keys.
func (a *Authorizer) believe(r *http.Request) caller {
	c := caller{account: a.Account, region: a.Region}
	_, rest, found := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	if !found {
		return c
	}
	credential, _, _ := strings.Cut(rest, ",")
	parts := strings.Split(strings.TrimSpace(credential), "/")
	if len(parts) < 4 {
		return c
	}
	c.keyID = parts[0]
	if isAccount(parts[0]) {
		c.account = parts[0]
	}
	if isRegion(parts[2]) {
		c.region = parts[2]
	}
	return c
}

// isAccount reports whether an access key is an account: twelve digits.
func isAccount(key string) bool {
	if len(key) != 12 {
		return false
	}
	for _, c := range key {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// region is the text of a region of any partition of AWS's: us-east-1,
// us-gov-west-1, eu-isoe-west-1. It stands in ARNs and keys.
var region = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]{1,2}$`)

func isRegion(s string) bool { return len(s) <= 32 && region.MatchString(s) }

func mismatch(message string) error { return Fail("InvalidSignatureException", message) }

// claim is what the headers of a request say of who sent it, as far as that can
// be told without its body.
type claim struct {
	signature *signature // nil where nothing is signed
	key       *Key
	// hash is that of the body, where the request tells it: the signature was
	// checked with it.
	hash string
	caller
}

// owner is whose bytes a request's body takes while it is read.
func (c *claim) owner(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	return c.keyID + "@" + host
}

// claim looks at the headers of a request, before a byte of its body is read.
func (a *Authorizer) claim(r *http.Request) (*claim, error) {
	a.once.Do(a.init)
	if len(a.Keys) == 0 {
		return &claim{caller: a.believe(r)}, nil
	}
	s, err := signed(r)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return nil, Fail("MissingAuthenticationTokenException", "Missing Authentication Token")
	}
	if err := a.current(s); err != nil {
		return nil, err
	}
	key := a.byID[s.keyID]
	if key == nil {
		return nil, Fail("UnrecognizedClientException", "The security token included in the request is invalid.")
	}
	if err := a.scope(s, key); err != nil {
		return nil, err
	}
	if !s.covers("host") {
		return nil, mismatch("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
	}
	// What decides the meaning of a request must be signed where it is there.
	for name := range r.Header {
		if name = strings.ToLower(name); strings.HasPrefix(name, "x-amz-") && name != "x-amz-security-token" && !slices.Contains(s.headers, name) {
			return nil, mismatch("The header '" + name + "' must be a 'SignedHeader' in the AWS Authorization.")
		}
	}
	c := &claim{signature: s, key: key, caller: caller{key.Account, s.region, key.ID}}
	if told := r.Header.Values(contentHash); len(told) > 0 {
		if len(told) != 1 || !isHash(told[0]) {
			return nil, mismatch("The header '" + contentHash + "' must be the SHA-256 of the body, in hexadecimal digits.")
		}
		c.hash = told[0]
		return c, a.match(c, r, c.hash)
	}
	return c, nil
}

// contentHash is the header that tells the hash of the body.
const contentHash = "x-amz-content-sha256"

func isHash(s string) bool {
	return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == ""
}

// match holds the signature of a claim against the one that a request must have
// whose body has a hash.
func (a *Authorizer) match(c *claim, r *http.Request, hash string) error {
	if !hmac.Equal([]byte(c.signature.compute(a.keys.get(c.key, c.signature), r, hash)), []byte(c.signature.value)) {
		return mismatch("The request signature we calculated does not match the signature you provided. " +
			"Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
	}
	return nil
}

// verify holds the body of a request against its claim. once tells that the
// request must not be sent a second time.
func (a *Authorizer) verify(c *claim, r *http.Request, body []byte, once bool) error {
	if c.signature == nil {
		return nil
	}
	hash := hashOf(body)
	switch {
	case c.hash == "":
		if err := a.match(c, r, hash); err != nil {
			return err
		}
	case c.hash != hash:
		return mismatch("The provided '" + contentHash + "' header does not match what was computed.")
	}
	if once {
		return a.first(c.signature, r)
	}
	return nil
}

// first refuses a request that was received before.
func (a *Authorizer) first(s *signature, r *http.Request) error {
	now := a.now()
	if s.expires == 0 && s.at.Before(a.Since) {
		return &Exception{
			Type: "ServiceUnavailable", Status: http.StatusServiceUnavailable,
			Message: "The request was signed before the server started, which cannot tell whether it was received then: sign it again.",
		}
	}
	again := mismatch("Signature expired: the request was received before.")
	ok, new := a.replay.first(s.value, s.invocation(r), r.RemoteAddr, now, s.ends())
	if !ok {
		return again
	}
	if a.Memory == nil || !new || s.expires == 0 && !s.at.After(now) {
		return nil
	}
	var (
		kept bool
		err  error
	)
	if s.expires > 0 {
		kept, err = a.Memory.Presigned(r.Context(), s.value, s.ends())
	} else {
		kept, err = a.Memory.Ahead(r.Context(), s.keyID, s.at)
	}
	if err == nil && !kept {
		err = again
	}
	return err
}

// current checks the time of a signature.
func (a *Authorizer) current(s *signature) error {
	now := a.now().UTC()
	life := clockSkew
	if s.expires > 0 {
		life = s.expires
	}
	format := func(t time.Time) string { return t.UTC().Format(amzTime) }
	switch {
	case s.day != s.at.UTC().Format(amzDay):
		return mismatch("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '" + s.day + "' != '" +
			s.at.UTC().Format(amzDay) + "', from '" + format(s.at) + "'.")
	case now.Sub(s.at) > life:
		return mismatch("Signature expired: " + format(s.at) + " is now earlier than " + format(now.Add(-life)) + " (" + format(now) + " - " + minutes(life) + ".)")
	case s.at.Sub(now) > clockSkew:
		return mismatch("Signature not yet current: " + format(s.at) + " is still later than " + format(now.Add(clockSkew)) + " (" + format(now) + " + 5 min.)")
	}
	return nil
}

// minutes is a duration as the service's messages show it.
func minutes(d time.Duration) string {
	if d < time.Minute {
		return strconv.Itoa(int(d/time.Second)) + " sec"
	}
	return strconv.Itoa(int(d/time.Minute)) + " min"
}

// scope checks region and service of a signature.
func (a *Authorizer) scope(s *signature, key *Key) error {
	if s.service != a.Service {
		return mismatch("Credential should be scoped to correct service: '" + a.Service + "'. ")
	}
	allowed := key.Regions
	if len(allowed) == 0 {
		allowed = a.Regions
	}
	if len(allowed) == 0 && s.region != a.Region && !isRegion(s.region) || len(allowed) > 0 && !slices.Contains(allowed, s.region) {
		return mismatch("Credential should be scoped to a valid region, not '" + s.region + "'. ")
	}
	return nil
}

// signingKeys keeps the keys derived for the days, regions and services that
// were seen last: deriving one costs more than checking a signature with it.
type signingKeys struct {
	mu   sync.Mutex
	last map[string][]byte
}

// maxSigningKeys bounds the derived keys that are kept.
const maxSigningKeys = 1000

func (k *signingKeys) get(key *Key, s *signature) []byte {
	name := key.ID + "/" + s.day + "/" + s.region + "/" + s.service
	k.mu.Lock()
	defer k.mu.Unlock()
	if derived, ok := k.last[name]; ok {
		return derived
	}
	if k.last == nil || len(k.last) >= maxSigningKeys {
		k.last = make(map[string][]byte)
	}
	derived := signingKey(key.Secret, s.day, s.region, s.service)
	k.last[name] = derived
	return derived
}
