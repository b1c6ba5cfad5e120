package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/steppehq/steppe/aws/sigv4"
	"github.com/steppehq/steppe/internal/door"
)

// echoServer answers with what it was asked, who signs with the key of the
// example.
func echoServer(keys ...Key) *Server {
	budget := func() *door.Budget {
		return &door.Budget{Bytes: 128 << 20, Patience: 50 * time.Millisecond, Stall: time.Millisecond}
	}
	port := NewPort(&Authorizer{Keys: keys, Account: "000000000000", Region: "us-east-1"}, 0, slog.New(slog.DiscardHandler))
	port.Bodies, port.Answers = budget(), budget()
	return &Server{
		Port: port, Service: "states", Prefix: "Test.", Model: Model{"Echo": ParseShape("a:1..10 list:l"), "Look": nil}, MaxBody: 4 << 20,
		Operations: map[string]Handler{"Echo": echo, "Look": echo}, Reads: func(op string) bool { return op == "Look" },
	}
}

// unread is a body that counts what is read of it.
type unread struct {
	io.Reader
	n int
}

func (u *unread) Read(p []byte) (int, error) {
	n, err := u.Reader.Read(p)
	u.n += n
	return n, err
}

func (*unread) Close() error { return nil }

// TestHeadersFirst: not a byte of a body is read for who cannot have signed it.
func TestHeadersFirst(t *testing.T) {
	now := time.Now()
	const body = `{"a":"x"}`
	wrongHash := func(r *http.Request) {
		r.Header.Set(contentHash, sigv4.Hash([]byte("{}")))
		sign(r, []byte(body), example, "us-east-1", "states", now)
	}
	tests := []struct {
		name, want string
		key        Key
		region     string
		at         time.Time
		change     func(*http.Request)
		read       bool
	}{
		{name: "signed", key: example, read: true},
		{name: "signed with the hash", key: example, read: true, change: func(r *http.Request) {
			r.Header.Set(contentHash, sigv4.Hash([]byte(body)))
			sign(r, []byte(body), example, "us-east-1", "states", now)
		}},
		{name: "not signed", want: "MissingAuthenticationTokenException", key: example, change: func(r *http.Request) { r.Header.Del("Authorization") }},
		{name: "unknown key", want: "UnrecognizedClientException", key: Key{ID: "AKIDNOBODY", Secret: "x"}},
		{name: "too old", want: "InvalidSignatureException: Signature expired", key: example, at: now.Add(-time.Hour)},
		{name: "a text that is no region", want: "InvalidSignatureException: Credential should be scoped to a valid region", key: example, region: "us-east-1:222222222222:stateMachine"},
		{name: "another region's text", want: "InvalidSignatureException: Credential should be scoped to a valid region", key: example, region: ".."},
		{name: "a header that is not signed", want: "InvalidSignatureException: The header", key: example, change: func(r *http.Request) { r.Header.Set("X-Amz-More", "x") }},
		{name: "the hash of another body", want: "InvalidSignatureException: The request signature", key: example, change: wrongHash},
		{name: "no hash", want: "InvalidSignatureException: The header 'x-amz-content-sha256'", key: example, change: func(r *http.Request) {
			r.Header.Set(contentHash, "UNSIGNED-PAYLOAD")
			sign(r, []byte(body), example, "us-east-1", "states", now)
		}},
		{name: "a wrong secret, by the hash", want: "InvalidSignatureException: The request signature", key: example, change: func(r *http.Request) {
			r.Header.Set(contentHash, sigv4.Hash([]byte(body)))
			sign(r, []byte(body), Key{ID: example.ID, Secret: "guess"}, "us-east-1", "states", now)
		}},
		{name: "a query that cannot be read", want: "IncompleteSignatureException: The query string", key: example, change: func(r *http.Request) { r.URL.RawQuery = "limit=%zz" }},
		{name: "a signature in the query, too", want: "IncompleteSignatureException: The query string", key: example, change: func(r *http.Request) { r.URL.RawQuery = "X-Amz-Signature=00" }},
	}
	for _, tt := range tests {
		at, region := tt.at, tt.region
		if at.IsZero() {
			at = now
		}
		if region == "" {
			region = "us-east-1"
		}
		r := signedCall(body, tt.key, region, "states", at)
		sent := &unread{Reader: strings.NewReader(body)}
		r.Body = sent
		if tt.change != nil {
			tt.change(r)
		}
		w := httptest.NewRecorder()
		echoServer(example).ServeHTTP(w, r)
		var got struct {
			Type    string `json:"__type"`
			Message string `json:"message"`
		}
		_ = json.Unmarshal(w.Body.Bytes(), &got)
		if text := got.Type + ": " + got.Message; tt.want == "" && w.Code != http.StatusOK || !strings.HasPrefix(text, tt.want) {
			t.Errorf("%s: %d %s", tt.name, w.Code, w.Body)
		}
		if (sent.n > 0) != tt.read {
			t.Errorf("%s: %d bytes of the body were read", tt.name, sent.n)
		}
	}
}

// TestHashOfAnotherBody: a signature is good for the body whose hash it covers.
func TestHashOfAnotherBody(t *testing.T) {
	r := signedCall(`{"a":"x"}`, example, "us-east-1", "states", time.Now())
	r.Header.Set(contentHash, sigv4.Hash([]byte(`{"a":"x"}`)))
	sign(r, []byte(`{"a":"x"}`), example, "us-east-1", "states", time.Now())
	r.Body = io.NopCloser(strings.NewReader(`{"a":"y"}`))
	w := httptest.NewRecorder()
	if echoServer(example).ServeHTTP(w, r); !strings.Contains(w.Body.String(), "does not match what was computed") {
		t.Error(w.Body)
	}
}

// TestPresignedLife: it is exact, however short.
func TestPresignedLife(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		age, expires time.Duration
		good         bool
	}{
		{0, time.Second, true},
		{time.Second, time.Second, true},
		{2 * time.Second, time.Second, false},
		{200 * time.Second, time.Minute, false},
		{290 * time.Second, time.Second, false},
		{59 * time.Minute, time.Hour, true},
		{61 * time.Minute, time.Hour, false},
		{-4 * time.Minute, time.Second, true},
		{-6 * time.Minute, time.Hour, false},
	} {
		a := &Authorizer{Keys: []Key{example}, Clock: func() time.Time { return now }}
		_, err := authorize(a, presign(example, now.Add(-tt.age), fmt.Sprint(int(tt.expires/time.Second))), []byte("{}"), true)
		if (err == nil) != tt.good {
			t.Errorf("%v old, good for %v: %v", tt.age, tt.expires, err)
		}
	}
}

// remembered is a memory that outlives servers.
type remembered struct {
	presigned map[string]bool
	ahead     map[string]time.Time
	earlier   map[string]time.Time
}

func (m *remembered) Presigned(_ context.Context, signature string, _ time.Time) (bool, error) {
	again := m.presigned[signature]
	m.presigned[signature] = true
	return !again, nil
}

func (m *remembered) Ahead(_ context.Context, keyID string, at time.Time) (bool, error) {
	m.ahead[keyID] = at
	return at.After(m.earlier[keyID]), nil
}

// TestReplayAfterRestart: what one server took, the next one takes not again.
func TestReplayAfterRestart(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	memory := &remembered{map[string]bool{}, map[string]time.Time{}, map[string]time.Time{}}
	start := func(since time.Time) *Authorizer {
		return &Authorizer{Keys: []Key{example}, Clock: func() time.Time { return now }, Memory: memory, Since: since}
	}
	signed := signedCall("{}", example, "eu-west-1", "states", now)
	ahead := signedCall("{}", example, "eu-west-1", "states", now.Add(3*time.Minute))
	life := presign(example, now, "604800")
	requests := []*http.Request{signed, ahead, life}
	first := start(now.Add(-time.Minute))
	for i, r := range requests {
		if _, err := authorize(first, r, []byte("{}"), true); err != nil {
			t.Fatalf("request %d: %v", i, err)
		}
	}
	memory.earlier, memory.ahead = memory.ahead, map[string]time.Time{}
	now = now.Add(time.Second)
	second := start(now)
	for i, r := range requests {
		_, err := authorize(second, r, []byte("{}"), true)
		e, ok := errors.AsType[*Exception](err)
		if !ok || i == 0 && e.Status != http.StatusServiceUnavailable || i > 0 && e.Type != "InvalidSignatureException" {
			t.Errorf("request %d again: %v", i, err)
		}
		if _, err := authorize(second, r, []byte("{}"), false); err != nil {
			t.Errorf("request %d, reading: %v", i, err)
		}
	}
	if _, err := authorize(second, signedCall(`{"a":1}`, example, "eu-west-1", "states", now), []byte(`{"a":1}`), true); err != nil {
		t.Errorf("signed after the start: %v", err)
	}
}

// TestInvocationsElsewhere: an id that nobody signed tells few calls of other
// connections from each other.
func TestInvocationsElsewhere(t *testing.T) {
	var r replays
	now := time.Unix(1_700_000_000, 0)
	took := map[string]int{}
	for i := range 100 {
		for _, connection := range []string{"own", fmt.Sprint("other", i)} {
			if ok, _ := r.first("signature", fmt.Sprint(connection, i), connection, now, now.Add(5*time.Minute)); ok {
				took[connection[:3]]++
			}
		}
	}
	if took["own"] != 100 || took["oth"] != elsewhere {
		t.Errorf("%v", took)
	}
}

// TestAuditIsBounded: whatever comes in, lines are short, and few of nobody.
func TestAuditIsBounded(t *testing.T) {
	var out bytes.Buffer
	s := echoServer(example)
	log := NewAuditLog(&out, slog.New(slog.DiscardHandler))
	at := time.Unix(1_700_000_000, 0)
	log.clock = func() time.Time { return at }
	s.Audit = log.Write
	s.Model["Echo"] = ParseShape("name:1..80 resourceArn:1..256")
	long := strings.Repeat("é", 100_000)
	body := `{"name":"` + long + `","resourceArn":"` + long + `","a":"` + long + `"}`
	send := func(key Key) {
		r := signedCall(body, key, "us-east-1", "states", time.Now())
		r.Header.Set("User-Agent", long)
		s.ServeHTTP(httptest.NewRecorder(), r)
	}
	send(example)
	for range 1000 {
		send(Key{ID: "AKIDNOBODY"})
	}
	at = at.Add(time.Second)
	send(Key{ID: "AKIDNOBODY"})
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 1+maxUnknown+2 || out.Len() > len(lines)*4*maxText {
		t.Errorf("%d lines of %d bytes", len(lines), out.Len())
	}
	if last := lines[len(lines)-2]; !strings.Contains(last, `"operation":"refused","count":990`) {
		t.Errorf("the rest is not told: %s", last)
	}
	for _, line := range lines {
		if !json.Valid([]byte(line)) {
			t.Errorf("no JSON: %.100s", line)
		}
	}
}

// TestMessagesAreBounded: of much that is wrong, a message tells the beginning.
func TestMessagesAreBounded(t *testing.T) {
	s := echoServer()
	s.Model["Echo"] = ParseShape("a:1..10 list:l").Nest("list", ParseShape("key*:1..10"))
	s.Operations["Look"] = func(context.Context, *Request) ([]byte, error) {
		return nil, Fail("InvalidDefinition", strings.Repeat("é wrong; ", 1_000_000))
	}
	for _, tt := range []struct{ operation, body string }{
		{"Echo", `{"a":"` + strings.Repeat("x", 3<<20) + `"}`},
		{"Echo", `{"list":[` + strings.Repeat(`{},`, 100_000) + `{}]}`},
		{"Look", `{}`},
		{strings.Repeat("x", 60_000), `{}`},
	} {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(tt.body))
		r.Header.Set("X-Amz-Target", "Test."+tt.operation)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != http.StatusBadRequest || w.Body.Len() > 40<<10 || !json.Valid(w.Body.Bytes()) {
			t.Errorf("%.20s: %d, %d bytes: %.200s", tt.operation, w.Code, w.Body.Len(), w.Body)
		}
		if tt.operation == "Echo" && strings.Contains(tt.body, "list") && !strings.Contains(w.Body.String(), "100001 validation errors detected") {
			t.Errorf("%.200s", w.Body)
		}
	}
}

// TestPartsAreBounded: JSON of many parts is refused before it is made.
func TestPartsAreBounded(t *testing.T) {
	for _, body := range []string{
		`{"x":[` + strings.Repeat("0,", 1_000_000) + `0]}`,
		`{"x":` + strings.Repeat("[", 2_000_000),
	} {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		r.Header.Set("X-Amz-Target", "Test.Echo")
		w := httptest.NewRecorder()
		s := echoServer()
		s.ServeHTTP(w, r)
		if !strings.Contains(w.Body.String(), "members and items") || s.Bodies.Used() != 0 {
			t.Errorf("%d %.200s, %d bytes are held", w.Code, w.Body, s.Bodies.Used())
		}
	}
}

// TestUnknownMembersAreForgotten: a large input holds what its operation knows,
// and nothing else while it is performed.
func TestUnknownMembersAreForgotten(t *testing.T) {
	s := echoServer()
	var got *Request
	s.Operations["Echo"] = func(_ context.Context, r *Request) ([]byte, error) {
		got = r
		return []byte("{}"), nil
	}
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(`{"a":"x","junk":[`+strings.Repeat("0,", 10_000)+`0]}`))
	r.Header.Set("X-Amz-Target", "Test.Echo")
	if s.ServeHTTP(httptest.NewRecorder(), r); got.Input.String() != `{"a":"x"}` || got.Body != nil {
		t.Errorf("it holds %.100s, and a body of %d bytes", got.Input.String(), len(got.Body))
	}
}

// TestUnderWay: a tenant has not more requests under way than it may.
func TestUnderWay(t *testing.T) {
	s := echoServer()
	s.UnderWay.Most = 3
	var status []int
	var ask func(account string)
	s.Operations["Echo"] = func(_ context.Context, r *Request) ([]byte, error) {
		if len(status) == 0 { // each asks once more before it is answered
			ask(r.Account)
		}
		return []byte("{}"), nil
	}
	ask = func(account string) {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("{}"))
		r.Header.Set("X-Amz-Target", "Test.Echo")
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+account+"/20260101/us-east-1/states/aws4_request, SignedHeaders=host, Signature=0")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		status = append(status, w.Code)
	}
	ask("111111111111")
	ask("111111111111")
	if fmt.Sprint(status) != "[400 200 200 200 200]" {
		t.Error(status)
	}
}

// TestBelievedRegions: who is believed may not make up a region.
func TestBelievedRegions(t *testing.T) {
	a := &Authorizer{Account: "000000000000", Region: "us-east-1"}
	for said, want := range map[string]string{
		"eu-central-1": "eu-central-1", "us-gov-west-1": "us-gov-west-1", "eu-isoe-west-1": "eu-isoe-west-1",
		"us-east-1:222222222222:stateMachine": "us-east-1", "*": "us-east-1", "..": "us-east-1", "": "us-east-1", "us-east-1 ": "us-east-1", "US-EAST-1": "us-east-1",
	} {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=111111111111/20260101/"+said+"/states/aws4_request, SignedHeaders=host, Signature=0")
		if c := a.believe(r); c.region != want {
			t.Errorf("%q: %q", said, c.region)
		}
	}
}
