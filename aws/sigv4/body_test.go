package sigv4

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// published is an example of an upload in chunks in the S3 API reference: 65 KiB of
// the letter a, in chunks of 64 KiB.
type published struct {
	described, headers, seed string
	chunks                   [3]string
	trailer                  string
}

var (
	// "Transferring Payload in Multiple Chunks".
	publishedChunks = published{
		described: streaming, headers: "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class",
		seed: "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
		chunks: [3]string{
			"ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
			"0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
			"b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
		},
	}
	// "Signature calculations for trailing headers".
	publishedTrailer = published{
		described: streamingTrail, headers: "content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class;x-amz-trailer",
		seed: "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
		chunks: [3]string{
			"b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
			"1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
			"2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
		},
		trailer: "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435",
	}
)

var letters = strings.Repeat("a", 65<<10)

// body frames the payload as the reference does.
func (p *published) body() string {
	text := "10000" + chunkName + p.chunks[0] + "\r\n" + letters[:chunkSize] + "\r\n400" + chunkName + p.chunks[1] + "\r\n" +
		letters[chunkSize:] + "\r\n0" + chunkName + p.chunks[2] + "\r\n"
	if p.trailer != "" {
		text += "x-amz-checksum-crc32c:sOO8/Q==\r\n" + trailerSignature + ":" + p.trailer + "\r\n"
	}
	return text + "\r\n"
}

func (p *published) request(body string) *http.Request {
	r := httptest.NewRequest(http.MethodPut, "https://s3.amazonaws.com/examplebucket/chunkObject.txt", strings.NewReader(body))
	r.Header.Set("X-Amz-Date", "20130524T000000Z")
	r.Header.Set("X-Amz-Storage-Class", "REDUCED_REDUNDANCY")
	r.Header.Set("X-Amz-Content-Sha256", p.described)
	r.Header.Set("Content-Encoding", "aws-chunked")
	r.Header.Set("X-Amz-Decoded-Content-Length", "66560")
	r.Header.Set("Content-Length", "66824")
	if p.trailer != "" {
		r.Header.Set("X-Amz-Trailer", "x-amz-checksum-crc32c")
	}
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, SignedHeaders="+p.headers+", Signature="+p.seed)
	return r
}

// open verifies the headers of a request and returns its body.
func open(r *http.Request, secret string) (*Body, error) {
	s, err := Parse(r)
	if err != nil || s == nil {
		return nil, errors.Join(err, errors.New("no signature"))
	}
	described, err := Described(r, s)
	if err != nil {
		return nil, err
	}
	key := DeriveKey(secret, s.Scope)
	if err := s.Verify(r, key, described); err != nil {
		return nil, err
	}
	return NewBody(r, s, key)
}

// TestPublishedChunks verifies the published uploads, however their bytes arrive,
// and makes the same signatures.
func TestPublishedChunks(t *testing.T) {
	for _, p := range []published{publishedChunks, publishedTrailer} {
		for name, arrives := range map[string]func(io.Reader) io.Reader{
			"at once": func(r io.Reader) io.Reader { return r }, "by halves": iotest.HalfReader, "with the end": iotest.DataErrReader,
		} {
			r := p.request("")
			r.Body = io.NopCloser(arrives(strings.NewReader(p.body())))
			b, err := open(r, s3Secret)
			if err != nil {
				t.Fatalf("%s, %s: %v", p.described, name, err)
			}
			got, err := io.ReadAll(b)
			if err != nil || string(got) != letters || b.Length != int64(len(letters)) {
				t.Errorf("%s, %s: %d bytes of %d, %v", p.described, name, len(got), b.Length, err)
			}
			if p.trailer != "" && b.Trailer.Get("X-Amz-Checksum-Crc32c") != "sOO8/Q==" {
				t.Errorf("%s, %s: trailing headers %v", p.described, name, b.Trailer)
			}
		}
		c := &chunker{payload: io.NopCloser(strings.NewReader(letters)), left: int64(len(letters))}
		if p.trailer != "" {
			c.trailer = &Trailer{"x-amz-checksum-crc32c", 8, func() string { return "sOO8/Q==" }}
		}
		s, err := Parse(p.request(""))
		if err != nil {
			t.Fatal(err)
		}
		c.chain = &chain{s, DeriveKey(s3Secret, s.Scope), s.Value}
		length := c.encodedLength()
		made, err := io.ReadAll(iotest.HalfReader(c))
		if err != nil || string(made) != p.body() || length != int64(len(made)) {
			t.Errorf("%s: made %d bytes, said %d, want %d, %v", p.described, len(made), length, len(p.body()), err)
		}
	}
}

// TestChangedChunks: whatever is changed on the way is seen before io.EOF.
func TestChangedChunks(t *testing.T) {
	replaced := func(from, to string) func(string) string {
		return func(body string) string { return strings.Replace(body, from, to, 1) }
	}
	p := &publishedTrailer
	for name, change := range map[string]func(string) string{
		"a byte of the first chunk":  replaced("aaaa", "aaba"),
		"a byte of the second chunk": func(s string) string { return s[:66000] + "b" + s[66001:] },
		"a signature":                replaced(p.chunks[1], p.chunks[0]),
		"no signature":               replaced(chunkName+p.chunks[1], ""),
		"a chunk left out": func(s string) string {
			return s[:strings.Index(s, "400;")] + s[strings.Index(s, "0;chunk-signature=2ca"):]
		},
		"the end left out":          func(s string) string { return s[:strings.Index(s, "0;chunk-signature=2ca")] },
		"cut in a chunk":            func(s string) string { return s[:1000] },
		"the trailing headers cut":  func(s string) string { return s[:strings.Index(s, "x-amz-checksum")] },
		"the trailer's signature":   replaced(p.trailer, p.chunks[0]),
		"no trailer signature":      func(s string) string { return s[:strings.Index(s, trailerSignature)] },
		"another checksum":          replaced("sOO8/Q==", "AAAAAA=="),
		"another trailing header":   replaced("x-amz-checksum-crc32c", "x-amz-meta-more"),
		"one more trailing header":  replaced(trailerSignature, "x-amz-meta-more:1\r\n"+trailerSignature),
		"something behind":          func(s string) string { return s + "more" },
		"something far behind":      func(s string) string { return s + "\r\n\r\n\r\nmore" },
		"a size that is none":       replaced("10000;", "zz;"),
		"a negative size":           replaced("10000;", "-1;"),
		"a size of many digits":     replaced("10000;", "ffffffffffffffff;"),
		"a chunk beyond the length": replaced("10000;", "100000;"),
		"a line without an end":     func(string) string { return strings.Repeat("1", 100<<10) },
		"nothing":                   func(string) string { return "" },
	} {
		body := change(p.body())
		if body == p.body() {
			t.Fatalf("%s: it is not changed", name)
		}
		b, err := open(p.request(body), s3Secret)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(b)
		if err == nil {
			t.Errorf("%s: %d bytes are believed", name, len(got))
		}
		if _, again := b.Read(make([]byte, 1)); again == nil || errors.Is(again, io.EOF) {
			t.Errorf("%s: %v, and then %v", name, err, again)
		}
	}
	short := p.request(p.body())
	short.Header.Set("X-Amz-Decoded-Content-Length", "many")
	if _, err := NewBody(short, nil, nil); err == nil {
		t.Error("a length that is none is believed")
	}
}

// TestRoundTrip signs uploads of many sizes and verifies them.
func TestRoundTrip(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a test that can be repeated
	signer := Signer{Credentials{KeyID: "AKID", Secret: "secret", Session: "token"}, "eu-west-1", "s3"}
	sizes := []int{0, 1, chunkSize - 1, chunkSize, chunkSize + 1, 3 * chunkSize}
	for range 20 {
		sizes = append(sizes, random.IntN(4*chunkSize))
	}
	for i, size := range sizes {
		payload := make([]byte, size)
		for j := range payload {
			payload[j] = byte(random.Uint32())
		}
		r := httptest.NewRequest(http.MethodPut, "http://localhost/bucket/a%20b+c/%C3%BC?x-id=PutObject", nil)
		var want string
		var trailer *Trailer
		if i%2 == 1 {
			want = fmt.Sprintf("%08d", i)
			trailer = &Trailer{"x-amz-checksum-crc32", len(want), func() string { return want }}
		}
		r.Body = io.NopCloser(bytes.NewReader(payload))
		signer.SignChunked(r, int64(size), trailer, time.Now())
		sent, err := io.ReadAll(r.Body)
		if err != nil || int64(len(sent)) != r.ContentLength {
			t.Fatalf("%d bytes: %d are sent, %d announced, %v", size, len(sent), r.ContentLength, err)
		}
		for _, known := range []bool{true, false} {
			r.Body = io.NopCloser(bytes.NewReader(sent))
			b, err := open(r, "secret")
			if !known {
				b, err = NewBody(r, nil, nil)
			}
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(b)
			if err != nil || !bytes.Equal(got, payload) || b.Trailer.Get("X-Amz-Checksum-Crc32") != want {
				t.Errorf("%d bytes, signature known %v: %d, %v, %v", size, known, len(got), b.Trailer, err)
			}
		}
	}
	r := httptest.NewRequest(http.MethodPut, "http://localhost/", strings.NewReader("short"))
	signer.SignChunked(r, 10, nil, time.Now())
	if _, err := io.ReadAll(r.Body); err == nil {
		t.Error("a payload that is too short is sent")
	}
}

// TestHashedBody: a body whose hash was signed is checked at its end.
func TestHashedBody(t *testing.T) {
	signer := Signer{Credentials{KeyID: "AKID", Secret: "secret"}, "eu-west-1", "s3"}
	for _, tt := range []struct {
		described, body string
		good            bool
	}{
		{Hash([]byte("text")), "text", true},
		{Hash([]byte("text")), "test", false},
		{Hash([]byte("text")), "", false},
		{UnsignedPayload, "anything", true},
	} {
		r := httptest.NewRequest(http.MethodPut, "http://localhost/key", strings.NewReader(tt.body))
		signer.Sign(r, tt.described, time.Now())
		b, err := open(r, "secret")
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(b)
		if (err == nil) != tt.good || string(got) != tt.body {
			t.Errorf("%.12s %s: %q, %v", tt.described, tt.body, got, err)
		}
	}
	r := httptest.NewRequest(http.MethodPut, "http://localhost/key", strings.NewReader("x"))
	if _, err := NewBody(r, &Signature{}, nil); err == nil {
		t.Error("a body that nothing describes is believed")
	}
	if described, err := Described(r, nil); described != "" || err != nil {
		t.Errorf("%q, %v", described, err)
	}
	r.Header.Set(ContentHash, "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD")
	if _, err := Described(r, nil); err == nil {
		t.Error("a description that is not known is believed")
	}
}

// FuzzBody reads whatever comes as chunks: never a panic, never more bytes than
// were announced, and with signatures no byte that was not signed.
func FuzzBody(f *testing.F) {
	f.Add([]byte("4\r\nabcd\r\n0\r\n\r\n"), 4)
	f.Add([]byte("4;chunk-signature=00\r\nabcd\r\n0;chunk-signature=00\r\nx-amz-checksum-crc32:AAAA\r\nx-amz-trailer-signature:00\r\n\r\n"), 4)
	f.Add([]byte("0\r\n\r\nx-amz-checksum-crc32:AAAA\r\n\r\n"), 0)
	f.Add([]byte(";\n\n"), -1)
	f.Fuzz(func(t *testing.T, body []byte, length int) {
		for _, described := range []string{streaming, streamingTrail, unsignedTrail} {
			for _, s := range []*Signature{nil, {Value: "00"}} {
				r := httptest.NewRequest(http.MethodPut, "http://localhost/key", bytes.NewReader(body))
				r.Header.Set(ContentHash, described)
				r.Header.Set("X-Amz-Decoded-Content-Length", fmt.Sprint(length))
				r.Header.Set("X-Amz-Trailer", "x-amz-checksum-crc32")
				b, err := NewBody(r, s, []byte("key"))
				if err != nil {
					continue
				}
				got, err := io.ReadAll(b)
				if len(got) > length || err == nil && (len(got) != length || s != nil && described != unsignedTrail) {
					t.Errorf("%s: %d bytes of %d, %v", described, len(got), length, err)
				}
			}
		}
	})
}
