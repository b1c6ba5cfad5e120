package server

import (
	"context"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/steppehq/steppe/aws/sigv4"
)

// How a request is held against its caller, in two halves around its body.
//
// Claim looks at the headers alone. It finds who says to have sent the request (the
// access key), and refuses whatever can be refused without the body: an unknown key, a
// time that is too far away, a scope of another day, region or service, headers that
// decide the meaning of the request and are not signed. A caller without a key costs
// no more than that: not a byte of the body is read, and no memory is taken for it.
// The body then takes its memory on the account of the key and the address that claim
// it ([claim.owner]), so that a caller who sends slowly or much uses up its own share.
//
// If the headers describe the body (X-Amz-Content-Sha256), the signature covers that
// description and is checked in claim too. Otherwise, as with most JSON protocols, the
// signature covers the hash of the body itself, and verify checks it after reading.
// Where both are there, verify still compares the description with the body: a
// signature over the hash of another body is not a signature over this one.
//
// A signature that is valid may be an old one. The text that is signed has no counter,
// only a time, so a request that was recorded on its way can be sent again while its
// time is current: five minutes, or as long as a presigned one lasts. For operations
// that change something, first refuses the second time:
//
//   - Within a run, replays remembers the signatures that have come until they expire.
//     SDKs that sign with a time to the second make equal signatures for equal calls;
//     these are distinguished by their invocation ids (replay.go).
//   - After a restart that memory is empty. What was signed before the server started
//     ([Authorizer.Since]) is therefore refused with a status that SDKs retry, and the
//     retry is signed again, with a new time. No signature needs to be kept for this.
//   - Two kinds outlive that rule: presigned requests, which last up to days, and
//     signatures whose time lies ahead of the clock, by up to the five minutes of skew.
//     Of these [Memory] keeps durably, before the operation begins, each presigned
//     signature and the latest time that each key has signed for.
//
// Without keys there is nothing to check. A request is believed, and its scope only
// selects account and region, as development tools expect it.

// Key is what a caller signs with.
type Key struct {
	ID, Secret string
	// Account is the caller's.
	Account string
	// Regions are those it may sign for; none: all that the server has.
	Regions []string
}

// clockSkew is how far a signature's time may be from the server's.
const clockSkew = 5 * time.Minute

// Authorizer decides whose a request is. Keys, when there are any, must have
// signed it, for the service that it is sent to.
type Authorizer struct {
	// Keys are what callers sign with. Without any, a request is believed: its
	// credential scope names account (an access key of twelve digits) and region.
	Keys []Key
	// Account and Region stand where a request names none.
	Account, Region string
	// Regions are those that signatures may be for; none: any.
	Regions []string
	// Since refuses what changes something and was signed before: what was
	// received then is not known.
	Since time.Time
	// Memory keeps what is needed after a restart; nil: nothing is kept.
	Memory Memory
	// Clock returns the time; time.Now when nil.
	Clock func() time.Time

	once   sync.Once
	byID   map[string]*Key
	keys   signingKeys
	replay replays
}

// Memory keeps signatures of requests that change something, and are good for
// longer than the server may run. What it has answered is durable.
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
	keyID, scope, ok := sigv4.ScopeOf(r)
	if !ok {
		return c
	}
	c.keyID = keyID
	if isAccount(keyID) {
		c.account = keyID
	}
	if scope.Region != a.Region && isRegion(scope.Region) { // the server's own costs no match
		c.region = scope.Region
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
// be known without its body.
type claim struct {
	signature *sigv4.Signature // nil where nothing is signed
	key       []byte           // that it was signed with
	// described is what the request says of its body, "" for nothing: the signature
	// was checked with it.
	described string
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

// claim looks at the headers of a request to a service, before a byte of its body
// is read. The signature is checked here if they describe the body, else by verify.
// streams reports whether the body may be described otherwise than by its hash.
func (a *Authorizer) claim(r *http.Request, service string, streams bool) (*claim, error) {
	a.once.Do(a.init)
	if len(a.Keys) == 0 {
		return &claim{caller: a.believe(r)}, nil
	}
	s, err := sigv4.Parse(r)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return nil, Fail("MissingAuthenticationTokenException", "Missing Authentication Token")
	}
	if err := a.current(s); err != nil {
		return nil, err
	}
	key := a.byID[s.KeyID]
	if key == nil {
		return nil, Fail("UnrecognizedClientException", "The security token included in the request is invalid.")
	}
	if err := a.scope(s, key, service); err != nil {
		return nil, err
	}
	if !s.Covers("host") {
		return nil, mismatch("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
	}
	// What decides the meaning of a request must be signed where it is there.
	for name := range r.Header {
		if name = strings.ToLower(name); strings.HasPrefix(name, "x-amz-") && name != "x-amz-security-token" && !slices.Contains(s.Headers, name) {
			return nil, mismatch("The header '" + name + "' must be a 'SignedHeader' in the AWS Authorization.")
		}
	}
	c := &claim{signature: s, key: a.keys.get(key, s.Scope), caller: caller{key.Account, s.Region, key.ID}}
	if c.described, err = sigv4.Described(r, s); err != nil || c.described == "" {
		return c, err
	}
	if !streams && !sigv4.IsHash(c.described) {
		return nil, mismatch("The header '" + contentHash + "' must be the SHA-256 of the body, in hexadecimal digits.")
	}
	return c, s.Verify(r, c.key, c.described)
}

// verify holds the body of a request against its claim. once reports that the
// request must not be sent a second time.
func (a *Authorizer) verify(c *claim, r *http.Request, body []byte, once bool) error {
	if c.signature == nil {
		return nil
	}
	hash := sigv4.Hash(body)
	switch {
	case c.described == "":
		if err := c.signature.Verify(r, c.key, hash); err != nil {
			return err
		}
	case c.described != hash:
		return mismatch("The provided '" + contentHash + "' header does not match what was computed.")
	}
	if once {
		return a.first(c.signature, r)
	}
	return nil
}

// contentHash is the header that describes the body.
const contentHash = "x-amz-content-sha256"

// first refuses a request that was received before.
func (a *Authorizer) first(s *sigv4.Signature, r *http.Request) error {
	now := a.now()
	if s.Expires == 0 && s.At.Before(a.Since) {
		return &Exception{
			Type: "ServiceUnavailable", Status: http.StatusServiceUnavailable,
			Message: "The request was signed before the server started, which cannot tell whether it was received then: sign it again.",
		}
	}
	again := mismatch("Signature expired: the request was received before.")
	ok, new := a.replay.first(s.Value, invocation(s, r), r.RemoteAddr, now, ends(s))
	if !ok {
		return again
	}
	if a.Memory == nil || !new || s.Expires == 0 && !s.At.After(now) {
		return nil
	}
	var (
		kept bool
		err  error
	)
	if s.Expires > 0 {
		kept, err = a.Memory.Presigned(r.Context(), s.Value, ends(s))
	} else {
		kept, err = a.Memory.Ahead(r.Context(), s.KeyID, s.At)
	}
	if err == nil && !kept {
		err = again
	}
	return err
}

// ends is when a signature is good no more.
func ends(s *sigv4.Signature) time.Time {
	if s.Expires > 0 {
		return s.At.Add(s.Expires)
	}
	return s.At.Add(clockSkew)
}

// current checks the time of a signature.
func (a *Authorizer) current(s *sigv4.Signature) error {
	now := a.now().UTC()
	life := clockSkew
	if s.Expires > 0 {
		life = s.Expires
	}
	format := func(t time.Time) string { return t.UTC().Format(sigv4.TimeFormat) }
	switch {
	case s.Day != s.At.UTC().Format(sigv4.DayFormat):
		return mismatch("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '" + s.Day + "' != '" +
			s.At.UTC().Format(sigv4.DayFormat) + "', from '" + format(s.At) + "'.")
	case now.Sub(s.At) > life:
		return mismatch("Signature expired: " + format(s.At) + " is now earlier than " + format(now.Add(-life)) + " (" + format(now) + " - " + minutes(life) + ".)")
	case s.At.Sub(now) > clockSkew:
		return mismatch("Signature not yet current: " + format(s.At) + " is still later than " + format(now.Add(clockSkew)) + " (" + format(now) + " + 5 min.)")
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
func (a *Authorizer) scope(s *sigv4.Signature, key *Key, service string) error {
	if s.Service != service {
		return mismatch("Credential should be scoped to correct service: '" + service + "'. ")
	}
	allowed := key.Regions
	if len(allowed) == 0 {
		allowed = a.Regions
	}
	if len(allowed) == 0 && s.Region != a.Region && !isRegion(s.Region) || len(allowed) > 0 && !slices.Contains(allowed, s.Region) {
		return mismatch("Credential should be scoped to a valid region, not '" + s.Region + "'. ")
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

func (k *signingKeys) get(key *Key, scope sigv4.Scope) []byte {
	name := key.ID + "/" + scope.String()
	k.mu.Lock()
	defer k.mu.Unlock()
	if derived, ok := k.last[name]; ok {
		return derived
	}
	if k.last == nil || len(k.last) >= maxSigningKeys {
		k.last = make(map[string][]byte)
	}
	derived := sigv4.DeriveKey(key.Secret, scope)
	k.last[name] = derived
	return derived
}
