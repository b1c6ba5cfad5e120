package conformance

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/steppehq/steppe/aws/sigv4"
)

// TestSignatures verifies what AWS's SDK for Go has signed, in headers and in
// queries, for S3 and for others: paths, queries and headers of all kinds of
// characters, as a server receives them.
func TestSignatures(t *testing.T) {
	random := rand.New(rand.NewPCG(4, 2))
	pieces := []string{"a", "B", "7", "-", "_", ".", "~", "%20", "%2B", "+", "%C3%BC", "%25", "%2F", "%3D", "(", "!", "*", "'", "//", "/./", "/../", "/"}
	text := func(n int) string {
		var b strings.Builder
		for range random.IntN(n) {
			b.WriteString(pieces[random.IntN(len(pieces))])
		}
		return b.String()
	}
	signer := v4.NewSigner()
	given := aws.Credentials{AccessKeyID: keyID, SecretAccessKey: "secret", SessionToken: "token"}
	for i := range 2000 {
		service := []string{"states", "s3", "lambda"}[i%3]
		body := strings.Repeat("x", random.IntN(3))
		url := "http://localhost:8083/" + text(8)
		if i%2 == 0 {
			url += "?b=" + strings.ReplaceAll(text(5), "+", "") + "&a=" + fmt.Sprint(i) + "&c"
		}
		r, err := http.NewRequest(http.MethodPost, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Amz-Meta-Words", "  of  "+strings.Repeat(" ", random.IntN(3))+"some ")
		r.Header.Set("Content-Type", "text/plain")
		at := time.Now()
		single := func(o *v4.SignerOptions) { o.DisableURIPathEscaping = service == "s3" }
		if i%5 == 0 {
			r.URL.RawQuery += "&X-Amz-Expires=60"
			signed, headers, err := signer.PresignHTTP(context.Background(), given, r, sigv4.Hash([]byte(body)), service, "us-east-1", at, single)
			if err != nil {
				t.Fatal(err)
			}
			if r, err = http.NewRequest(http.MethodPost, signed, strings.NewReader(body)); err != nil {
				t.Fatal(err)
			}
			for name, v := range headers {
				r.Header[http.CanonicalHeaderKey(name)] = v
			}
		} else if err := signer.SignHTTP(context.Background(), given, r, sigv4.Hash([]byte(body)), service, "us-east-1", at, single); err != nil {
			t.Fatal(err)
		}
		received := httptest.NewRequest(r.Method, "http://localhost:8083"+r.URL.RequestURI(), strings.NewReader(body))
		received.Header, received.Host = r.Header, "localhost:8083"
		s, err := sigv4.Parse(received)
		if err != nil || s == nil {
			t.Fatalf("%s: %v, %v", r.URL, s, err)
		}
		if err := s.Verify(received, sigv4.DeriveKey("secret", s.Scope), sigv4.Hash([]byte(body))); err != nil {
			t.Errorf("%s %s: %v", service, r.URL, err)
		}
		if err := s.Verify(received, sigv4.DeriveKey("guess", s.Scope), sigv4.Hash([]byte(body))); err == nil {
			t.Errorf("%s %s: another secret is believed", service, r.URL)
		}
	}
}
