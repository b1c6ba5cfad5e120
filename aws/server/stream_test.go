package server

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/steppehq/steppe/aws/sigv4"
)

var signer = sigv4.Signer{Credentials: sigv4.Credentials{KeyID: example.ID, Secret: example.Secret}, Region: "us-east-1", Service: "s3"}

// store is a service that keeps what is put to it, as S3 does: piece by piece, and
// only when the whole of it is known to be what was sent.
type store struct {
	*Server
	kept map[string]string
}

func newStore(keys ...Key) *store {
	s := &store{Server: echoServer(keys...), kept: make(map[string]string)}
	s.Service, s.Protocol = "s3", RESTXML
	return s
}

func (s *store) ServeHTTP(w http.ResponseWriter, hr *http.Request) {
	switch hr.Method {
	case http.MethodPut:
		s.ServeStream(w, hr, "PutObject", false, func(_ context.Context, _ http.ResponseWriter, r *Request, body *sigv4.Body) error {
			content, err := io.ReadAll(body)
			if err == nil {
				s.kept[r.HTTP.URL.Path] = string(content)
			}
			return err
		})
	case http.MethodGet:
		s.ServeStream(w, hr, "GetObject", true, func(_ context.Context, w http.ResponseWriter, r *Request, _ *sigv4.Body) error {
			content, ok := s.kept[r.HTTP.URL.Path]
			if !ok {
				return &Exception{Type: "NoSuchKey", Status: http.StatusNotFound, Message: "The specified key does not exist."}
			}
			for len(content) > 0 {
				n := min(len(content), 1000)
				if _, err := io.WriteString(w, content[:n]); err != nil {
					return err
				}
				content = content[n:]
			}
			if r.HTTP.URL.RawQuery == "broken" {
				return errors.New("the disk is gone")
			}
			return nil
		})
	}
}

// put is a request that stores a content.
func put(t *testing.T, url string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, url, body)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestStreams: bodies of every kind are taken as they come, and kept only when
// they are what was signed.
func TestStreams(t *testing.T) {
	content := strings.Repeat("0123456789", 100_000) // beyond what the server's buffers hold
	chunked := func(r *http.Request) { signer.SignChunked(r, int64(len(content)), nil, time.Now()) }
	for _, tt := range []struct {
		name string
		sign func(*http.Request)
		want string // of the answer; "" where the content is kept
	}{
		{"chunked", chunked, ""},
		{"chunked, with a trailing header", func(r *http.Request) {
			signer.SignChunked(r, int64(len(content)), &sigv4.Trailer{Name: "x-amz-checksum-crc32", Size: 8, Value: func() string { return "AAAAAA==" }}, time.Now())
		}, ""},
		{"with its hash", func(r *http.Request) { signer.Sign(r, sigv4.Hash([]byte(content)), time.Now()) }, ""},
		{"unsigned", func(r *http.Request) { signer.Sign(r, sigv4.UnsignedPayload, time.Now()) }, ""},
		{"presigned", func(r *http.Request) { signer.Presign(r, sigv4.UnsignedPayload, time.Now(), time.Minute) }, ""},
		{"with another hash", func(r *http.Request) { signer.Sign(r, sigv4.Hash(nil), time.Now()) }, "does not match what was computed"},
		{"a changed chunk", func(r *http.Request) {
			chunked(r)
			r.Body = io.NopCloser(&changed{r.Body, 900_000})
		}, "The chunk signature we calculated"},
		{"for another service", func(r *http.Request) {
			sigv4.Signer{Credentials: signer.Credentials, Region: "us-east-1", Service: "states"}.Sign(r, sigv4.UnsignedPayload, time.Now())
		}, "scoped to correct service: &#39;s3&#39;"},
		{"not signed", func(*http.Request) {}, "MissingAuthenticationTokenException"},
	} {
		s := newStore(example)
		web := httptest.NewServer(s)
		r := put(t, web.URL+"/bucket/key", strings.NewReader(content))
		tt.sign(r)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		text, err := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		web.Close()
		if good := s.kept["/bucket/key"] == content; err != nil || good != (tt.want == "") || good != (answer.StatusCode == http.StatusOK) ||
			!strings.Contains(string(text), tt.want) || answer.Header.Get("Content-Type") != "application/xml" {
			t.Errorf("%s: %s %s, %v; %d bytes are kept", tt.name, answer.Status, text, err, len(s.kept["/bucket/key"]))
		}
	}
}

// changed is a body of which one byte is another one on the way.
type changed struct {
	io.Reader
	left int
}

func (c *changed) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if c.left -= n; c.left < 0 && c.left+n >= 0 {
		p[c.left+n] ^= 1
	}
	return n, err
}

// TestStreamsBelieve: without keys a body in chunks is taken without its framing.
func TestStreamsBelieve(t *testing.T) {
	s := newStore()
	r := httptest.NewRequest(http.MethodPut, "http://localhost/key", strings.NewReader("content"))
	signer.SignChunked(r, 7, nil, time.Now())
	w := httptest.NewRecorder()
	if s.ServeHTTP(w, r); w.Code != http.StatusOK || s.kept["/key"] != "content" {
		t.Errorf("%d %s, %q is kept", w.Code, w.Body, s.kept["/key"])
	}
}

// TestStreamsRefuse: who cannot have signed a request is not listened to, one that
// is too large is not read, and one that came before is not taken.
func TestStreamsRefuse(t *testing.T) {
	var audit bytes.Buffer
	s := newStore(example)
	s.MaxBody = 100
	s.Audit = NewAuditLog(&audit, slog.New(slog.DiscardHandler)).Write
	send := func(r *http.Request, body string) (string, int) {
		sent := &unread{Reader: strings.NewReader(body)}
		r.Body = sent
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w.Body.String(), sent.n
	}
	signed := func(path string, size int) *http.Request {
		r := httptest.NewRequest(http.MethodPut, "http://localhost"+path, strings.NewReader(strings.Repeat("x", size)))
		signer.Sign(r, sigv4.UnsignedPayload, time.Now())
		return r
	}
	forged := signed("/key", 10)
	forged.URL.Path = "/other"
	if text, n := send(forged, "0123456789"); n > 0 || !strings.Contains(text, "InvalidSignatureException") {
		t.Errorf("forged: %s, %d bytes were read", text, n)
	}
	if text, _ := send(signed("/large", 101), strings.Repeat("x", 101)); !strings.Contains(text, "RequestEntityTooLargeException") || len(s.kept) > 0 {
		t.Errorf("too large: %s", text)
	}
	endless := signed("/endless", 0)
	endless.ContentLength = -1
	if text, n := send(endless, strings.Repeat("x", 1<<20)); !strings.Contains(text, "RequestEntityTooLargeException") || len(s.kept) > 0 || n > 1<<16 {
		t.Errorf("endless: %s, %d bytes were read", text, n)
	}
	once := signed("/key", 10)
	if text, _ := send(once, "0123456789"); text != "" || s.kept["/key"] != "0123456789" {
		t.Errorf("%s, %v", text, s.kept)
	}
	if text, n := send(once, "0123456789"); n > 0 || !strings.Contains(text, "the request was received before") {
		t.Errorf("again: %s, %d bytes were read", text, n)
	}
	if lines := strings.Count(audit.String(), `"operation":"PutObject"`); lines != 5 {
		t.Errorf("the audit has %d lines: %s", lines, audit.String())
	}
}

// TestStreamsAnswer: an answer comes in pieces, and one that cannot be finished
// does not look finished.
func TestStreamsAnswer(t *testing.T) {
	s := newStore()
	s.kept["/key"] = strings.Repeat("x", 300_000)
	web := httptest.NewServer(s)
	defer web.Close()
	get := func(path string) (int, string, error) {
		answer, err := http.Get(web.URL + path)
		if err != nil {
			return 0, "", err
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		return answer.StatusCode, string(text), err
	}
	if status, text, err := get("/key"); status != 200 || text != s.kept["/key"] || err != nil {
		t.Errorf("%d, %d bytes, %v", status, len(text), err)
	}
	if status, text, err := get("/nothing"); status != 404 || !strings.Contains(text, "<Code>NoSuchKey</Code>") || err != nil {
		t.Errorf("%d %s %v", status, text, err)
	}
	if _, text, err := get("/key?broken"); err == nil {
		t.Errorf("%d bytes of a broken answer are taken for the whole", len(text))
	}
}
