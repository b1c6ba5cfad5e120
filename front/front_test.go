package front_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/steppehq/steppe/aws/server"
	"github.com/steppehq/steppe/aws/sigv4"
	"github.com/steppehq/steppe/front"
)

// service answers every operation with its name and its caller.
func service(port *server.Port, name, prefix string) *server.Server {
	answer := func(_ context.Context, r *server.Request) ([]byte, error) {
		return []byte(`"` + name + " " + r.Operation + " " + r.Account + " " + r.Region + `"`), nil
	}
	return &server.Server{
		Port: port, Service: name, Prefix: prefix, MaxBody: 1 << 10, Model: server.Model{"Act": nil},
		Operations: map[string]server.Handler{"Act": answer}, Reads: func(string) bool { return false },
	}
}

// files is a service without targets, as S3: its operations are its paths.
type files struct{ *server.Server }

func (f files) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.Resource(func(_ context.Context, r *server.Request) ([]byte, error) {
		return []byte("files " + r.Operation + " " + r.Account), nil
	}).ServeHTTP(w, r)
}

// serve makes a front with three services that only here exist.
func serve(t *testing.T, ready func() error, keys ...server.Key) http.Handler {
	t.Helper()
	port := server.NewPort(&server.Authorizer{Keys: keys, Account: "000000000000", Region: "us-east-1"}, 0, slog.New(slog.DiscardHandler))
	first := service(port, "first", "First.")
	h, err := front.New(front.Config{
		Port: port, Services: []front.Service{first, service(port, "second", "Second_2020."), files{service(port, "files", "")}},
		Resources: map[string]http.Handler{"/api/v1/": first.Resource(func(context.Context, *server.Request) ([]byte, error) { return []byte(`"resource"`), nil })},
		Ready:     ready, Hosts: []string{"*"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// call is a request as the SDK of a service sends it, "" for a program without one.
type call struct{ service, method, target, path, host, contentType string }

func (c call) send(h http.Handler) *httptest.ResponseRecorder {
	r := httptest.NewRequest(c.method, "http://localhost:8083"+c.path, strings.NewReader("{}"))
	if c.host != "" {
		r.Host = c.host
	}
	if c.service != "" {
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=111111111111/20260301/eu-west-1/"+c.service+"/aws4_request, SignedHeaders=host, Signature=00")
	}
	if c.target != "" {
		r.Header.Set("X-Amz-Target", c.target)
	}
	if c.contentType != "" {
		r.Header.Set("Content-Type", c.contentType)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// TestServices: a request finds its service by target, scope and host, in that
// order.
func TestServices(t *testing.T) {
	h := serve(t, nil)
	for _, tt := range []struct {
		call
		want string
	}{
		{call{service: "first", method: "POST", target: "First.Act", path: "/"}, `"first Act 111111111111 eu-west-1"`},
		{call{service: "second", method: "POST", target: "Second_2020.Act", path: "/"}, `"second Act 111111111111 eu-west-1"`},
		{call{method: "POST", target: "Second_2020.Act", path: "/"}, `"second Act 000000000000 us-east-1"`},
		{call{service: "first", method: "POST", target: "Second_2020.Act", path: "//"}, `"second Act 111111111111 eu-west-1"`},
		{call{service: "second", method: "POST", target: "First.Act", path: "/"}, `"first Act 111111111111 eu-west-1"`},
		{call{service: "files", method: "PUT", path: "/bucket/key"}, "files PUT /bucket/key 111111111111"},
		{call{service: "files", method: "GET", path: "/healthz"}, "files GET /healthz 111111111111"},
		{call{method: "GET", path: "/bucket/key?X-Amz-Credential=222222222222%2F20260301%2Feu-west-1%2Ffiles%2Faws4_request"}, "files GET /bucket/key 222222222222"},
		{call{method: "GET", path: "/key", host: "second.files.eu-west-1.localhost:8083"}, "files GET /key 000000000000"},
		{call{method: "PUT", path: "/key", host: "FILES.localhost"}, "files PUT /key 000000000000"},
		{call{method: "POST", target: "Act", path: "/", host: "sync-second.eu-west-1.localhost"}, "The operation 'Act' is not known to this service."},
		{call{method: "POST", target: "Other.Act", path: "/"}, "The operation 'Other.Act' is not known to this service."},
		{call{method: "GET", path: "/nothing"}, "AWS JSON is spoken with POST, not GET."},
		{call{service: "second", method: "GET", path: "/api/v1/any"}, `"resource"`},
	} {
		if w := tt.send(h); !strings.Contains(w.Body.String(), tt.want) {
			t.Errorf("%+v: %d %s", tt.call, w.Code, w.Body)
		}
	}
}

// TestRefusals: whoever asks for a service that is not served is told so in its
// own protocol, by name.
func TestRefusals(t *testing.T) {
	h := serve(t, nil)
	const form = "application/x-www-form-urlencoded; charset=utf-8"
	const says = "This is Steppe. It answers "
	for _, tt := range []struct {
		call
		status     int
		kind, want string
	}{
		{call{service: "iam", method: "POST", path: "/", contentType: form}, 400, "text/xml", "<ErrorResponse><Error><Type>Sender</Type><Code>InvalidAction</Code><Message>" + says},
		{call{service: "notknown", method: "POST", path: "/", contentType: form}, 400, "text/xml", "not &#39;notknown&#39;"},
		{call{method: "POST", path: "/", contentType: form}, 400, "text/xml", "names none of them"},
		{call{service: "ec2", method: "POST", path: "/", contentType: form}, 400, "text/xml", "<Response><Errors><Error><Code>InvalidAction</Code>"},
		{call{service: "s3", method: "GET", path: "/bucket?list-type=2"}, 501, "application/xml", "<Error><Code>NotImplemented</Code>"},
		{call{service: "s3", method: "GET", path: "/"}, 501, "application/xml", "<Error><Code>NotImplemented</Code>"},
		{call{service: "lambda", method: "GET", path: "/2015-03-31/functions/"}, 400, "application/json", `"message":"` + says + "'first', 'second', 'files' only, not 'lambda': "},
		{call{service: "lambda", method: "POST", path: "/2015-03-31/functions/f/invocations", contentType: "application/json"}, 400, "application/json", `"__type":"UnknownOperationException"`},
		{call{service: "logs", method: "POST", target: "Logs_20140328.DescribeLogGroups", path: "/"}, 400, "application/x-amz-json-1.1", says},
		{call{service: strings.Repeat("x", 10_000), method: "POST", path: "/"}, 400, "application/json", "9900 bytes more"},
	} {
		if w := tt.send(h); w.Code != tt.status || w.Header().Get("Content-Type") != tt.kind || !strings.Contains(w.Body.String(), tt.want) {
			t.Errorf("%.100v: %d %s %s", tt.call, w.Code, w.Header().Get("Content-Type"), w.Body)
		}
	}
}

// TestScopes: a signature for one service is not good for another, whatever leads a
// request there, and a request is taken once by all of them together.
func TestScopes(t *testing.T) {
	key := server.Key{ID: "AKID", Secret: "secret", Account: "111111111111"}
	h := serve(t, nil, key)
	ask := func(signed, target, path string) *http.Request {
		r := httptest.NewRequest(http.MethodPost, "http://localhost"+path, strings.NewReader("{}"))
		if target != "" {
			r.Header.Set("X-Amz-Target", target)
		}
		sigv4.Signer{Credentials: sigv4.Credentials{KeyID: key.ID, Secret: key.Secret}, Region: "us-east-1", Service: signed}.Sign(r, sigv4.Hash([]byte("{}")), time.Now())
		return r
	}
	for _, tt := range []struct{ signed, target, path, want string }{
		{"first", "First.Act", "/", `"first Act 111111111111 us-east-1"`},
		{"second", "Second_2020.Act", "/", `"second Act 111111111111 us-east-1"`},
		{"files", "", "/key", "files POST /key 111111111111"},
		{"first", "Second_2020.Act", "/", "Credential should be scoped to correct service: 'second'. "},
		{"second", "First.Act", "/", "Credential should be scoped to correct service: 'first'. "},
		{"second", "", "/api/v1/any", "Credential should be scoped to correct service: 'first'. "},
		{"other", "", "/", "not 'other'"},
	} {
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, ask(tt.signed, tt.target, tt.path)); !strings.Contains(w.Body.String(), tt.want) {
			t.Errorf("%+v: %d %s", tt, w.Code, w.Body)
		}
	}
	w := httptest.NewRecorder()
	if h.ServeHTTP(w, call{method: "POST", target: "Second_2020.Act", path: "/"}.request()); !strings.Contains(w.Body.String(), "MissingAuthenticationTokenException") {
		t.Errorf("not signed: %s", w.Body)
	}
}

func (c call) request() *http.Request {
	r := httptest.NewRequest(c.method, "http://localhost"+c.path, strings.NewReader("{}"))
	r.Header.Set("X-Amz-Target", c.target)
	return r
}

// TestMonitors: a server says that it is there, and whether it should get work.
func TestMonitors(t *testing.T) {
	var full error
	h := serve(t, func() error { return full })
	check := func(path string, want int, text string) {
		t.Helper()
		if w := (call{method: "GET", path: path}).send(h); w.Code != want || !strings.Contains(w.Body.String(), text) {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	check("/healthz", 200, `{"status":"ok"}`)
	check("/readyz", 200, `{"status":"ok"}`)
	full = errors.New("no space")
	check("/healthz", 200, `{"status":"ok"}`)
	check("/readyz", 503, `{"reason":"no space","status":"unavailable"}`)
	check("/nothing", 405, "UnknownOperationException")
}

// TestWelcome: whoever looks with a browser is told what this is.
func TestWelcome(t *testing.T) {
	h := serve(t, nil)
	look := func(host, accept string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:8083/", nil)
		r.Host = host
		r.Header.Set("Accept", accept)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	w := look("127.0.0.1:8083", "text/html,*/*")
	if w.Code != 200 || w.Header().Get("Content-Type") != "text/html; charset=utf-8" || !strings.Contains(w.Body.String(), "--endpoint-url http://127.0.0.1:8083") || !strings.Contains(w.Body.String(), "<pre>This is Steppe.") {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	if w := look("127.0.0.1:8083", ""); w.Code != 200 || w.Header().Get("Content-Type") != "text/plain; charset=utf-8" || !strings.HasPrefix(w.Body.String(), "This is Steppe.") {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	if w := look("127.0.0.1:8083\"<script>", "text/html"); strings.Contains(w.Body.String(), "<script>") {
		t.Error(w.Body.String())
	}
}

// TestHosts: an origin or a host that is none is refused when the server starts.
func TestHosts(t *testing.T) {
	port := server.NewPort(&server.Authorizer{}, 0, slog.New(slog.DiscardHandler))
	for _, cfg := range []front.Config{{Origins: []string{"console.example"}}, {Hosts: []string{"a/b"}}} {
		cfg.Port, cfg.Services = port, []front.Service{service(port, "first", "First.")}
		if _, err := front.New(cfg); err == nil {
			t.Errorf("%v %v are taken", cfg.Origins, cfg.Hosts)
		}
	}
}
