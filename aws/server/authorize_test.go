package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/steppehq/steppe/aws/sigv4"
)

var example = Key{ID: "AKIDEXAMPLE", Secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", Account: "111122223333"}

// sign signs a request.
func sign(r *http.Request, body []byte, key Key, region, service string, at time.Time) {
	sigv4.Signer{Credentials: sigv4.Credentials{KeyID: key.ID, Secret: key.Secret}, Region: region, Service: service}.Sign(r, sigv4.Hash(body), at)
}

// signedCall is a call that its key signed.
func signedCall(body string, key Key, region, service string, at time.Time) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "http://steppe.test/", strings.NewReader(body))
	r.Header["Content-Type"] = JSON10.contentType
	r.Header.Set("X-Amz-Target", "Test.Echo")
	sign(r, []byte(body), key, region, service, at)
	return r
}

// presign makes a call whose signature is in its query, good for so many seconds.
func presign(key Key, at time.Time, expires string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "http://steppe.test/", strings.NewReader("{}"))
	r.Header.Set("X-Amz-Target", "Test.Echo")
	seconds, err := strconv.Atoi(expires)
	if err != nil {
		panic(err)
	}
	signer := sigv4.Signer{Credentials: sigv4.Credentials{KeyID: key.ID, Secret: key.Secret}, Region: "eu-west-1", Service: "states"}
	signer.Presign(r, sigv4.Hash([]byte("{}")), at, time.Duration(seconds)*time.Second)
	return r
}

// authorize finds out whose a request is, as a server does.
func authorize(a *Authorizer, r *http.Request, body []byte, once bool) (caller, error) {
	c, err := a.claim(r, "states", false)
	if err == nil {
		err = a.verify(c, r, body, once)
	}
	if err != nil {
		return caller{}, err
	}
	return c.caller, nil
}

// TestAuthorize sends good and bad signatures and holds the answers against
// AWS's exceptions.
func TestAuthorize(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	good := func() *http.Request { return signedCall(`{"a":1}`, example, "eu-west-1", "states", now) }
	tests := []struct {
		name, want string
		request    func() *http.Request
	}{
		{"signed", "", good},
		{"signed four minutes ago", "", func() *http.Request { return signedCall(`{}`, example, "eu-west-1", "states", now.Add(-4*time.Minute)) }},
		{"presigned", "", func() *http.Request { return presign(example, now.Add(-50*time.Minute), "3600") }},
		{"signed with the id of its invocation", "", func() *http.Request {
			r := good()
			r.Header.Set(invocationID, "f9ff3e1c-0c0a-4a8b-9f0e-0d6f4f4f7f10")
			sign(r, []byte(`{"a":1}`), example, "eu-west-1", "states", now)
			return r
		}},
		{"not signed", "MissingAuthenticationTokenException", func() *http.Request {
			r := good()
			r.Header.Del("Authorization")
			return r
		}},
		{"signed six minutes ago", "InvalidSignatureException: Signature expired: 20260301T115400Z is now earlier than 20260301T115500Z (20260301T120000Z - 5 min.)", func() *http.Request {
			return signedCall(`{}`, example, "eu-west-1", "states", now.Add(-6*time.Minute))
		}},
		{"signed in six minutes", "InvalidSignatureException: Signature not yet current", func() *http.Request {
			return signedCall(`{}`, example, "eu-west-1", "states", now.Add(6*time.Minute))
		}},
		{"presigned too long ago", "InvalidSignatureException: Signature expired", func() *http.Request {
			return presign(example, now.Add(-70*time.Minute), "3600")
		}},
		{"presigned for ever", "IncompleteSignatureException: X-Amz-Expires", func() *http.Request { return presign(example, now, "604801") }},
		{"unknown key", "UnrecognizedClientException: The security token included in the request is invalid.", func() *http.Request {
			return signedCall(`{}`, Key{ID: "AKIDNOBODY", Secret: example.Secret}, "eu-west-1", "states", now)
		}},
		{"wrong secret", "InvalidSignatureException: The request signature we calculated does not match", func() *http.Request {
			return signedCall(`{}`, Key{ID: example.ID, Secret: "guess"}, "eu-west-1", "states", now)
		}},
		{"another body", "InvalidSignatureException: The request signature we calculated", func() *http.Request {
			r := good()
			r.Body = io.NopCloser(strings.NewReader(`{"a":2}`))
			return r
		}},
		{"another target", "InvalidSignatureException: The request signature we calculated", func() *http.Request {
			r := good()
			r.Header.Set("X-Amz-Target", "Test.Other")
			return r
		}},
		{"another host", "InvalidSignatureException: The request signature we calculated", func() *http.Request {
			r := good()
			r.Host = "other.test"
			return r
		}},
		{"a header that is not signed", "InvalidSignatureException: The header 'x-amz-more'", func() *http.Request {
			r := good()
			r.Header.Set("X-Amz-More", "x")
			return r
		}},
		{"wrong region", "InvalidSignatureException: Credential should be scoped to a valid region, not 'us-east-1'. ", func() *http.Request {
			return signedCall(`{}`, example, "us-east-1", "states", now)
		}},
		{"wrong service", "InvalidSignatureException: Credential should be scoped to correct service: 'states'. ", func() *http.Request {
			return signedCall(`{}`, example, "eu-west-1", "s3", now)
		}},
		{"another day", "InvalidSignatureException: Date in Credential scope does not match", func() *http.Request {
			r := good()
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "20260301", "20260228", 1))
			return r
		}},
		{"half a header", "IncompleteSignatureException: Authorization header requires 'Signature' parameter.", func() *http.Request {
			r := good()
			auth, _, _ := strings.Cut(r.Header.Get("Authorization"), ", Signature")
			r.Header.Set("Authorization", auth)
			return r
		}},
		{"half a credential", "IncompleteSignatureException: Credential must have at least 5", func() *http.Request {
			r := good()
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "/aws4_request", "", 1))
			return r
		}},
		{"basic", "IncompleteSignatureException: Unsupported AWS 'algorithm': 'Basic'", func() *http.Request {
			r := good()
			r.SetBasicAuth("a", "b")
			return r
		}},
		{"no host signed", "InvalidSignatureException: 'Host'", func() *http.Request {
			r := good()
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), ";host", "", 1))
			return r
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := &Authorizer{Keys: []Key{example}, Regions: []string{"eu-west-1"}, Clock: func() time.Time { return now }}
			r := tt.request()
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Fatal(err)
			}
			c, err := authorize(a, r, body, true)
			if tt.want == "" {
				if err != nil || c != (caller{"111122223333", "eu-west-1", "AKIDEXAMPLE"}) {
					t.Fatalf("%+v, %v", c, err)
				}
				if _, err := authorize(a, r, body, false); err != nil {
					t.Errorf("a second time, reading: %v", err)
				}
				_, err := authorize(a, r, body, true)
				if e, ok := errors.AsType[*Exception](err); !ok || e.Type != "InvalidSignatureException" {
					t.Errorf("replayed: %v", err)
				}
				return
			}
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("%v, want %s", err, tt.want)
			}
		})
	}
}

// TestReplaysForget: signatures are remembered while they are valid, and no
// longer.
func TestReplaysForget(t *testing.T) {
	var r replays
	now := time.Unix(1_700_000_000, 0)
	for i := range 100 {
		at := now.Add(time.Duration(i) * time.Minute)
		if ok, _ := r.first(strings.Repeat("ab", 31)+string("0123456789"[i%10])+"f", "", "c", at, at.Add(5*time.Minute)); !ok {
			t.Errorf("minute %d: seen before", i)
		}
	}
	if len(r.buckets) > 7 {
		t.Errorf("%d buckets are kept", len(r.buckets))
	}
}

// TestInvocations: one signature with several calls, as boto3 makes in one
// second.
func TestInvocations(t *testing.T) {
	var r replays
	now := time.Unix(1_700_000_000, 0)
	for i, tt := range []struct {
		invocation string
		after      time.Duration
		want       bool
	}{
		{"a attempt=1", 0, true},
		{"a attempt=1", 0, false},
		{"b attempt=1", 300 * time.Millisecond, true},
		{"a attempt=2; max=5", 400 * time.Millisecond, true},
		{"b attempt=1", time.Second, false},
		{"", time.Second, false}, // without what told the others apart
		{"c attempt=1", 2 * time.Second, true},
		{"d attempt=1", 3 * time.Second, false}, // nobody signs with an old time
	} {
		if got, _ := r.first("signature", tt.invocation, "c", now.Add(tt.after), now.Add(5*time.Minute)); got != tt.want {
			t.Errorf("%d: %v", i, got)
		}
	}
}

// echo answers with what it was asked.
func echo(_ context.Context, r *Request) ([]byte, error) { return r.Body, nil }

// TestAudit: what changes something leaves a line, whoever tried.
func TestAudit(t *testing.T) {
	var out bytes.Buffer
	port := NewPort(&Authorizer{Keys: []Key{example}}, 0, slog.New(slog.DiscardHandler))
	port.Audit = NewAuditLog(&out, slog.New(slog.DiscardHandler)).Write
	s := &Server{
		Port: port, Service: "states", Prefix: "Test.", Model: Model{"Echo": nil, "Look": nil}, MaxBody: 1000,
		Operations: map[string]Handler{"Echo": echo, "Look": echo}, Reads: func(op string) bool { return op == "Look" },
	}
	const body = `{"name":"n","stateMachineArn":"arn:x","roleArn":"arn:role"}`
	signed := signedCall(body, example, "us-east-1", "states", time.Now())
	look := signedCall(body, example, "us-east-1", "states", time.Now())
	look.Header.Set("X-Amz-Target", "Test.Look")
	sign(look, []byte(body), example, "us-east-1", "states", time.Now())
	unsigned := signedCall(body, Key{ID: "AKIDNOBODY"}, "us-east-1", "states", time.Now())
	for _, r := range []*http.Request{signed, look, unsigned} {
		s.ServeHTTP(httptest.NewRecorder(), r)
	}
	var lines []auditLine
	for line := range strings.Lines(out.String()) {
		var l auditLine
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, l)
	}
	if len(lines) != 2 || lines[0].Operation != "Echo" || lines[0].AccessKeyID != example.ID || lines[0].Account != example.Account ||
		lines[0].Name != "n" || len(lines[0].Resources) != 1 || lines[0].Resources[0] != "arn:x" || lines[0].Error != "" || lines[1].Error != "UnrecognizedClientException" {
		t.Errorf("%+v", lines)
	}
}
