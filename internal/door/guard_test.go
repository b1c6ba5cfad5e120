package door

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestGuard has pages, programs and names of all kinds call.
func TestGuard(t *testing.T) {
	const page, own = "https://evil.example", "http://127.0.0.1:8083"
	type header = map[string]string
	tests := []struct {
		name, method, host, path string
		header                   header
		want                     int
		signed                   int // where all requests must be signed, if it is another
	}{
		{name: "a program", want: 200},
		{name: "a program, by name", host: "localhost:8083", want: 200},
		{name: "in capitals, with a dot", host: "LocalHost.:8083", want: 200},
		{name: "IPv6", host: "[::1]:8083", want: 200},
		{name: "IPv4 in IPv6", host: "[::ffff:127.0.0.1]:8083", want: 200},
		{name: "another loopback address", host: "127.8.9.10", want: 200},
		{name: "the address that it came in at", host: "192.0.2.7:8083", want: 200},
		{name: "an SDK's prefix", host: "sync-localhost:8083", want: 200},
		{name: "an SDK's prefix before an address", host: "sync-127.0.0.1:8083", want: 200},
		{name: "an allowed host", host: "steppe.internal:8083", want: 200},
		{name: "an allowed host behind the prefix", host: "sync-steppe.internal", want: 200},
		{name: "a page's own name", host: "evil.example:8083", want: 403, signed: 200},
		{name: "a name with localhost in it", host: "localhost.evil.example:8083", want: 403, signed: 200},
		{name: "a name with an address in it", host: "127.0.0.1.evil.example", want: 403, signed: 200},
		{name: "all addresses", host: "0.0.0.0:8083", want: 403, signed: 200},
		{name: "another address", host: "192.0.2.8:8083", want: 403, signed: 200},
		{name: "an address as a number", host: "2130706433", want: 403, signed: 200},
		{name: "no host", host: " ", want: 403, signed: 200},
		{name: "two prefixes", host: "sync-sync-localhost", want: 403, signed: 200},
		{name: "rebound", host: "evil.example:8083", header: header{"Origin": "http://evil.example:8083", "Sec-Fetch-Site": "same-origin"}, want: 403, signed: 200},

		{name: "its own page", header: header{"Content-Type": "application/json", "Origin": own, "Sec-Fetch-Site": "same-origin"}, want: 200},
		{name: "typed by the user", method: "GET", header: header{"Sec-Fetch-Site": "none"}, want: 200},
		{name: "another page", header: header{"Origin": page, "Sec-Fetch-Site": "cross-site"}, want: 403},
		{name: "another page, in an old browser", header: header{"Origin": page}, want: 403},
		{name: "another page, by a picture", method: "GET", header: header{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, want: 403},
		{name: "another port of this machine", header: header{"Origin": "http://127.0.0.1:3000", "Sec-Fetch-Site": "same-site"}, want: 403},
		{name: "by a name of this machine", header: header{"Origin": "http://localhost:8083", "Sec-Fetch-Site": "cross-site"}, want: 403},
		{name: "another scheme", header: header{"Origin": "https://127.0.0.1:8083"}, want: 403},
		{name: "a page without an origin", header: header{"Origin": "null"}, want: 403},
		{name: "an empty origin", header: header{"Origin": ""}, want: 403},
		{name: "an unknown site", header: header{"Sec-Fetch-Site": "somewhere"}, want: 403},
		{name: "a question before", method: "OPTIONS", header: header{"Origin": page, "Access-Control-Request-Method": "POST"}, want: 403},
		{name: "an allowed page", header: header{"Origin": "https://console.example", "Sec-Fetch-Site": "cross-site", "Content-Type": "application/x-amz-json-1.0"}, want: 200},
		{name: "an allowed page's question", method: "OPTIONS", header: header{"Origin": "https://console.example", "Access-Control-Request-Method": "POST"}, want: 204},
		{name: "an allowed page's form", header: header{"Origin": "https://console.example", "Content-Type": "text/plain"}, want: 415},

		{name: "a form of its own page", header: header{"Origin": own, "Content-Type": "text/plain"}, want: 415},
		{name: "text by a program", header: header{"Content-Type": "text/plain"}, want: 200},
		{name: "JSON of a resource", path: "/api/v1/forks", header: header{"Content-Type": "application/json; charset=utf-8"}, want: 200},
		{name: "AWS JSON of a resource", path: "/api/v1/forks", header: header{"Content-Type": "application/x-amz-json-1.1"}, want: 200},
		{name: "a resource without a type", path: "/api/v1/forks", header: header{"Content-Type": ""}, want: 415},
		{name: "a resource without any header", path: "/api/v1/forks", want: 415, signed: 200},
		{name: "a form of a resource", path: "/api/v1/forks", header: header{"Content-Type": "text/plain"}, want: 415},
		{name: "another form", path: "/api/v1/forks", header: header{"Content-Type": "multipart/form-data; boundary=application/json"}, want: 415},
		{name: "a type that looks like another", path: "/api/v1/forks", header: header{"Content-Type": "text/plain; application/json"}, want: 415},
	}
	for _, signed := range []bool{false, true} {
		g, err := NewGuard(Guard{Hosts: []string{"steppe.internal"}, Origins: []string{"https://console.example"}, Signed: signed, Prefixes: []string{"/hooks/", "/api/"}}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		h := g.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		for _, tt := range tests {
			method, host, path, want := tt.method, tt.host, tt.path, tt.want
			if method == "" {
				method = http.MethodPost
			}
			if host == "" {
				host = "127.0.0.1:8083"
			}
			if signed && tt.signed != 0 {
				want = tt.signed
			}
			r := httptest.NewRequest(method, "/"+strings.TrimPrefix(path, "/"), nil)
			r.Host = strings.TrimSpace(host)
			for name, v := range tt.header {
				r.Header.Set(name, v)
			}
			local := &net.TCPAddr{IP: net.ParseIP("192.0.2.7"), Port: 8083}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, net.Addr(local))))
			if w.Code != want {
				t.Errorf("%s (signed %v): %d %s, want %d", tt.name, signed, w.Code, w.Body, want)
			}
			if w.Header().Get("X-Content-Type-Options") != "nosniff" || w.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("%s: %v", tt.name, w.Header())
			}
			if allowed := w.Header().Get("Access-Control-Allow-Origin"); (allowed != "") != (want < 300 && tt.header["Origin"] == "https://console.example") && want != 415 {
				t.Errorf("%s: the page of %q may read the answer", tt.name, allowed)
			}
		}
	}
}

// TestGuardTells: of many refused requests there are few lines, and they are short.
func TestGuardTells(t *testing.T) {
	var out bytes.Buffer
	g, err := NewGuard(Guard{}, slog.New(slog.NewTextHandler(&out, nil)))
	if err != nil {
		t.Fatal(err)
	}
	h := g.Handler(http.NotFoundHandler())
	for i := range 1000 {
		r := httptest.NewRequest(http.MethodPost, "http://evil.example/", nil)
		if i > 500 {
			r.Host = strings.Repeat("x", i*10) + ".example\r\nlevel=ERROR"
		}
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	if n := strings.Count(out.String(), "\n"); n == 0 || n > maxLines || out.Len() > maxLines*500 {
		t.Errorf("%d lines, %d bytes", n, out.Len())
	}
	for _, wrong := range []Guard{{Origins: []string{"*"}}, {Origins: []string{"https://a.example/"}}, {Origins: []string{"a.example"}}, {Hosts: []string{""}}, {Hosts: []string{"http://a"}}} {
		if _, err := NewGuard(wrong, slog.Default()); err == nil {
			t.Errorf("%+v is taken", wrong)
		}
	}
}
