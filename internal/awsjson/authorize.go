package awsjson

import (
	"crypto/hmac"
	"net/http"
	"slices"
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
	// Clock gives the time; time.Now when nil.
	Clock func() time.Time

	once   sync.Once
	byID   map[string]*Key
	keys   signingKeys
	replay replays
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
	if region := parts[2]; region != "" && len(region) <= 64 {
		c.region = region
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

func mismatch(message string) error { return Fail("InvalidSignatureException", message) }

// authorize checks the signature of a request whose body was read. once tells
// that the request must not be sent a second time.
func (a *Authorizer) authorize(r *http.Request, body []byte, once bool) (caller, error) {
	a.once.Do(a.init)
	if len(a.Keys) == 0 {
		return a.believe(r), nil
	}
	s, err := signed(r)
	if err != nil {
		return caller{}, err
	}
	if s == nil {
		return caller{}, Fail("MissingAuthenticationTokenException", "Missing Authentication Token")
	}
	if err := a.current(s); err != nil {
		return caller{}, err
	}
	key := a.byID[s.keyID]
	if key == nil {
		return caller{}, Fail("UnrecognizedClientException", "The security token included in the request is invalid.")
	}
	if err := a.scope(s, key); err != nil {
		return caller{}, err
	}
	if !s.covers("host") {
		return caller{}, mismatch("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.")
	}
	// What decides the meaning of a request must be signed where it is there.
	for name := range r.Header {
		if name = strings.ToLower(name); strings.HasPrefix(name, "x-amz-") && name != "x-amz-security-token" && !slices.Contains(s.headers, name) {
			return caller{}, mismatch("The header '" + name + "' must be a 'SignedHeader' in the AWS Authorization.")
		}
	}
	want := s.compute(a.keys.get(key, s), r, body)
	if !hmac.Equal([]byte(want), []byte(s.value)) {
		return caller{}, mismatch("The request signature we calculated does not match the signature you provided. " +
			"Check your AWS Secret Access Key and signing method. Consult the service documentation for details.")
	}
	if once && !a.replay.first(want, s.invocation(r), a.now(), s.at.Add(max(clockSkew, s.expires))) {
		return caller{}, mismatch("Signature expired: the request was received before.")
	}
	return caller{key.Account, s.region, key.ID}, nil
}

// current checks the time of a signature.
func (a *Authorizer) current(s *signature) error {
	now := a.now().UTC()
	life := max(clockSkew, s.expires)
	format := func(t time.Time) string { return t.UTC().Format(amzTime) }
	switch {
	case s.day != s.at.UTC().Format(amzDay):
		return mismatch("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '" + s.day + "' != '" +
			s.at.UTC().Format(amzDay) + "', from '" + format(s.at) + "'.")
	case now.Sub(s.at) > life:
		return mismatch("Signature expired: " + format(s.at) + " is now earlier than " + format(now.Add(-life)) + " (" + format(now) + " - " + minutes(life) + " min.)")
	case s.at.Sub(now) > clockSkew:
		return mismatch("Signature not yet current: " + format(s.at) + " is still later than " + format(now.Add(clockSkew)) + " (" + format(now) + " + 5 min.)")
	}
	return nil
}

func minutes(d time.Duration) string {
	return strings.TrimSuffix(d.Round(time.Minute).String(), "m0s")
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
	if s.region == "" || len(s.region) > 64 || len(allowed) > 0 && !slices.Contains(allowed, s.region) {
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
