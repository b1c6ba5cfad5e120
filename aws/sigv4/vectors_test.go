package sigv4

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

const (
	exampleSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
	s3Secret      = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
)

// vector is a request of one of AWS's published suites, and its signature.
type vector struct {
	name, method, target string
	headers              []string // names and values
	body, signed, want   string
}

// suite2015 is AWS's Signature Version 4 test suite (20150830, service
// "service"), but for requests that HTTP cannot carry: header lines that are
// folded, and query strings with spaces and bare percent signs.
var suite2015 = []vector{
	{name: "get-vanilla", method: "GET", target: "/", want: "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{name: "get-vanilla-empty-query-key", method: "GET", target: "/?Param1=value1", want: "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"},
	{name: "get-vanilla-query-order-key-case", method: "GET", target: "/?Param2=value2&Param1=value1", want: "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
	{name: "get-vanilla-query-unreserved", method: "GET", target: "/?" + unreserved + "=" + unreserved, want: "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"},
	{name: "get-vanilla-utf8-query", method: "GET", target: "/?%E1%88%B4=bar", want: "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"},
	{name: "get-unreserved", method: "GET", target: "/" + unreserved, want: "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
	{name: "get-utf8", method: "GET", target: "/ሴ", want: "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
	{
		name: "get-header-key-duplicate", method: "GET", target: "/", headers: []string{"My-Header1", "value2", "My-Header1", "value2", "My-Header1", "value1"},
		signed: "host;my-header1;x-amz-date", want: "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea",
	},
	{
		name: "get-header-value-order", method: "GET", target: "/", headers: []string{"My-Header1", "value4", "My-Header1", "value1", "My-Header1", "value3", "My-Header1", "value2"},
		signed: "host;my-header1;x-amz-date", want: "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01",
	},
	{
		name: "get-header-value-trim", method: "GET", target: "/", headers: []string{"My-Header1", " value1", "My-Header2", ` "a   b   c"`},
		signed: "host;my-header1;my-header2;x-amz-date", want: "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
	},
	{name: "post-vanilla", method: "POST", target: "/", want: "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
	{name: "post-vanilla-query", method: "POST", target: "/?Param1=value1", want: "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"},
	{
		name: "post-header-key-sort", method: "POST", target: "/", headers: []string{"My-Header1", "value1"},
		signed: "host;my-header1;x-amz-date", want: "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c",
	},
	{
		name: "post-header-value-case", method: "POST", target: "/", headers: []string{"My-Header1", "VALUE1"},
		signed: "host;my-header1;x-amz-date", want: "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d",
	},
	{
		name: "post-x-www-form-urlencoded", method: "POST", target: "/", headers: []string{"Content-Type", "application/x-www-form-urlencoded"}, body: "Param1=value1",
		signed: "content-type;host;x-amz-date", want: "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
	},
	{
		name: "post-x-www-form-urlencoded-parameters", method: "POST", target: "/", headers: []string{"Content-Type", "application/x-www-form-urlencoded; charset=utf8"}, body: "Param1=value1",
		signed: "content-type;host;x-amz-date", want: "1a72ec8f64bd914b0e42e42607c7fbce7fb2c7465f63e3092b3b0d39fa77a6fe",
	},
}

const unreserved = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// suite2011 are those of its first edition (20110909, service "host") whose paths
// must be normalized.
var suite2011 = []vector{
	{name: "get-vanilla", target: "/", want: "b27ccfbfa7df52a200ff74193ca6e32d4b48b8856fab7ebf1c595d0670a7e470"},
	{name: "get-relative-relative", target: "/foo/bar/../..", want: "b27ccfbfa7df52a200ff74193ca6e32d4b48b8856fab7ebf1c595d0670a7e470"},
	{name: "get-slash-dot-slash", target: "/./", want: "b27ccfbfa7df52a200ff74193ca6e32d4b48b8856fab7ebf1c595d0670a7e470"},
	{name: "get-slash", target: "//", want: "b27ccfbfa7df52a200ff74193ca6e32d4b48b8856fab7ebf1c595d0670a7e470"},
	{name: "get-slashes", target: "//foo//", want: "b00392262853cfe3201e47ccf945601079e9b8a7f51ee4c3d9ee4f187aa9bf19"},
	{name: "get-slash-pointless-dot", target: "/./foo", want: "910e4d6c9abafaf87898e1eb4c929135782ea25bb0279703146455745391e63a"},
	{name: "get-vanilla-query-order-value", target: "/?foo=b&foo=a", want: "feb926e49e382bec75c9d7dcb2a1b6dc8aa50ca43c25d2bc51143768c0875acc"},
}

// suiteS3 are the examples of the S3 API reference, "Signature Calculations for
// the Authorization Header: Transferring Payload in a Single Chunk".
var suiteS3 = []vector{
	{
		name: "get object", method: "GET", target: "/test.txt", headers: []string{"Range", "bytes=0-9", "X-Amz-Content-Sha256", emptyHash},
		signed: "host;range;x-amz-content-sha256;x-amz-date", want: "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
	},
	{
		name: "put object", method: "PUT", target: "/test%24file.text", body: "Welcome to Amazon S3.",
		headers: []string{"Date", "Fri, 24 May 2013 00:00:00 GMT", "X-Amz-Storage-Class", "REDUCED_REDUNDANCY", "X-Amz-Content-Sha256", "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"},
		signed:  "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class", want: "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
	},
	{
		name: "get bucket lifecycle", method: "GET", target: "/?lifecycle", headers: []string{"X-Amz-Content-Sha256", emptyHash},
		signed: "host;x-amz-content-sha256;x-amz-date", want: "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
	},
	{
		name: "list objects", method: "GET", target: "/?max-keys=2&prefix=J", headers: []string{"X-Amz-Content-Sha256", emptyHash},
		signed: "host;x-amz-content-sha256;x-amz-date", want: "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
	},
}

// request makes the request of a vector.
func (v *vector) request(host, date string) *http.Request {
	r := httptest.NewRequest(v.method, "https://"+host+"/", strings.NewReader(v.body))
	u, err := url.ParseRequestURI("https://" + host + v.target)
	if err != nil {
		panic(err)
	}
	r.URL = u
	if date != "" {
		r.Header.Set("X-Amz-Date", date)
	}
	for i := 0; i < len(v.headers); i += 2 {
		r.Header.Add(v.headers[i], v.headers[i+1])
	}
	return r
}

// verify checks the published signature, and that no other one is taken.
func (v *vector) verify(t *testing.T, r *http.Request, keyID, secret string, scope Scope) {
	t.Helper()
	for _, value := range []string{v.want, strings.Repeat("0", 64)} {
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+keyID+"/"+scope.String()+", SignedHeaders="+v.signed+", Signature="+value)
		s, err := Parse(r)
		if err != nil {
			t.Fatal(err)
		}
		if err = s.Verify(r, DeriveKey(secret, s.Scope), Hash([]byte(v.body))); (err == nil) != (value == v.want) {
			t.Errorf("%s: %v", v.name, err)
		}
	}
}

// sign checks that signing makes the published signature.
func (v *vector) sign(t *testing.T, r *http.Request, s Signer, at time.Time) {
	t.Helper()
	r.Header.Del("Authorization")
	s.Sign(r, Hash([]byte(v.body)), at)
	if got := r.Header.Get("Authorization"); !strings.HasSuffix(got, "Signature="+v.want) {
		t.Errorf("%s, signed: %s", v.name, got)
	}
}

// TestVectors verifies and signs the requests of AWS's published suites.
func TestVectors(t *testing.T) {
	at := time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)
	for _, v := range suite2015 {
		if v.signed == "" {
			v.signed = "host;x-amz-date"
		}
		r := v.request("example.amazonaws.com", "20150830T123600Z")
		v.verify(t, r, "AKIDEXAMPLE", exampleSecret, Scope{"20150830", "us-east-1", "service"})
		if v.name != "get-utf8" { // an HTTP client sends such a path escaped
			v.sign(t, r, Signer{Credentials{KeyID: "AKIDEXAMPLE", Secret: exampleSecret}, "us-east-1", "service"}, at)
		}
	}
	for _, v := range suite2011 {
		v.method, v.signed = "GET", "date;host"
		r := v.request("host.foo.com", "")
		r.Header.Set("Date", "Mon, 09 Sep 2011 23:36:00 GMT")
		v.verify(t, r, "AKIDEXAMPLE", exampleSecret, Scope{"20110909", "us-east-1", "host"})
	}
	at = time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC)
	for _, v := range suiteS3 {
		r := v.request("examplebucket.s3.amazonaws.com", "20130524T000000Z")
		v.verify(t, r, "AKIAIOSFODNN7EXAMPLE", s3Secret, Scope{"20130524", "us-east-1", "s3"})
		v.sign(t, r, Signer{Credentials{KeyID: "AKIAIOSFODNN7EXAMPLE", Secret: s3Secret}, "us-east-1", "s3"}, at)
	}
}

// TestPresignedVector is the example of "Authenticating Requests: Using Query
// Parameters" in the S3 API reference.
func TestPresignedVector(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, "https://examplebucket.s3.amazonaws.com/test.txt", nil)
	at := time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC)
	signer := Signer{Credentials{KeyID: "AKIAIOSFODNN7EXAMPLE", Secret: s3Secret}, "us-east-1", "s3"}
	signer.Presign(r, UnsignedPayload, at, 24*time.Hour)
	if got := r.URL.Query().Get("X-Amz-Signature"); got != "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404" {
		t.Error(got)
	}
	s, err := Parse(r)
	if err != nil || s.Expires != 24*time.Hour || !s.At.Equal(at) {
		t.Fatalf("%+v, %v", s, err)
	}
	described, err := Described(r, s)
	if err != nil || described != UnsignedPayload {
		t.Errorf("%q, %v", described, err)
	}
	if err := s.Verify(r, DeriveKey(s3Secret, s.Scope), described); err != nil {
		t.Error(err)
	}
	r.URL.Path = "/other.txt"
	if err := s.Verify(r, DeriveKey(s3Secret, s.Scope), described); err == nil {
		t.Error("it is taken for another object")
	}
}

// TestPathsOfS3: a path is signed as it is sent, or escaped by AWS's rules, and
// never normalized.
func TestPathsOfS3(t *testing.T) {
	sign := func(canonical string) *http.Request {
		r := httptest.NewRequest(http.MethodGet, "http://localhost/bucket/a+b//c/../d", nil)
		r.Header.Set("X-Amz-Date", "20130524T000000Z")
		s := &Signature{KeyID: "K", Scope: Scope{"20130524", "us-east-1", "s3"}, Headers: []string{"host", "x-amz-date"}, At: time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC)}
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=K/"+s.Scope.String()+", SignedHeaders=host;x-amz-date, Signature="+
			s.compute(DeriveKey("secret", s.Scope), r, canonical, emptyHash))
		return r
	}
	for canonical, good := range map[string]bool{
		"/bucket/a+b//c/../d": true, "/bucket/a%2Bb//c/../d": true, "/bucket/a+b/d": false, "/bucket/a%252Bb//c/../d": false,
	} {
		r := sign(canonical)
		s, err := Parse(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Verify(r, DeriveKey("secret", s.Scope), emptyHash); (err == nil) != good {
			t.Errorf("%s: %v", canonical, err)
		}
	}
}

// TestScopeOf: the scope is that of the header, or of the query.
func TestScopeOf(t *testing.T) {
	for _, tt := range []struct{ header, query, want string }{
		{"AWS4-HMAC-SHA256 Credential=AKID/20260301/eu-west-1/sqs/aws4_request, SignedHeaders=host, Signature=0", "", "AKID 20260301/eu-west-1/sqs/aws4_request true"},
		{"", "?X-Amz-Credential=AKID%2F20260301%2Feu-west-1%2Fs3%2Faws4_request", "AKID 20260301/eu-west-1/s3/aws4_request true"},
		{"AWS4-HMAC-SHA256 Credential=a/b/20260301/eu-west-1/sqs/aws4_request", "", "a/b 20260301/eu-west-1/sqs/aws4_request true"},
		{"AWS4-HMAC-SHA256 Credential=AKID", "", "false"},
		{"Basic YTpi", "?a=b", "false"},
	} {
		r := httptest.NewRequest(http.MethodGet, "http://localhost/"+tt.query, nil)
		if tt.header != "" {
			r.Header.Set("Authorization", tt.header)
		}
		keyID, scope, ok := ScopeOf(r)
		got := "false"
		if ok {
			got = keyID + " " + scope.String() + " true"
		}
		if got != tt.want {
			t.Errorf("%q %q: %s", tt.header, tt.query, got)
		}
	}
}
