package sigv4

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
)

// A body is checked while it is read, with no more of it in memory than the
// reader's buffer. What Read has returned is therefore to be believed only when
// Read returns io.EOF: a service that stores a body makes it visible after that, and
// throws it away when Read returns an error.
//
// A body in chunks (Content-Encoding: aws-chunked) looks like this; the parts in
// brackets stand in those with signatures, the lines with T: in those with
// trailing headers:
//
//	      10000[;chunk-signature=SIGNATURE]\r\n
//	      65536 bytes\r\n
//	      0[;chunk-signature=SIGNATURE]\r\n
//	T:    x-amz-checksum-crc32c:sOO8/Q==\r\n
//	T:    [x-amz-trailer-signature:SIGNATURE\r\n]
//	      \r\n
//
// The signature of a chunk is that of the text
//
//	AWS4-HMAC-SHA256-PAYLOAD \n TIME \n SCOPE \n SIGNATURE BEFORE \n HASH OF "" \n HASH OF THE CHUNK
//
// and the one of trailing headers that of
//
//	AWS4-HMAC-SHA256-TRAILER \n TIME \n SCOPE \n SIGNATURE BEFORE \n HASH OF THE LINES
//
// where each line ends in \n alone, and the signature before the first chunk is
// that of the request ("Signature Calculations for the Authorization Header:
// Transferring Payload in Multiple Chunks", "Signature calculations for trailing
// headers" in the S3 API reference).

// Body is the body of a request. Read returns the payload without the framing of
// chunks, and at its end io.EOF if the payload is the one that was signed, an
// *[Error] if it is not.
type Body struct {
	// Length is how many bytes the payload has; -1 where the request does not say.
	Length int64
	// Trailer holds the headers behind the last chunk, once Read has returned io.EOF;
	// nil of a body without.
	Trailer http.Header

	src  io.Reader
	hash hash.Hash // of the body, or of the chunk; nil where nothing is checked
	want string    // the hash of the whole body
	err  error

	// Of a body in chunks.
	chunks   *bufio.Reader
	chain    *chain // nil where chunks are not signed
	signed   string // the signature of this chunk
	left     int64  // of this chunk
	read     int64
	trailers []string // the names that may come, in lower case; nil for none
}

// NewBody returns the body of a request whose signature was verified with a key;
// for a nil signature nothing is checked but the framing of chunks. A request that
// says nothing of its body is refused: its signature can be verified only when the
// whole body has been read.
func NewBody(r *http.Request, s *Signature, key []byte) (*Body, error) {
	described, err := Described(r, s)
	if err != nil {
		return nil, err
	}
	b := &Body{Length: r.ContentLength, src: r.Body}
	if b.src == nil {
		b.src = http.NoBody
	}
	switch described {
	case "":
		if s != nil {
			return nil, invalid("Missing required header for this request: " + strings.ToLower(ContentHash))
		}
	case UnsignedPayload:
	case streaming, streamingTrail, unsignedTrail:
		return b, b.chunked(r, s, key, described)
	default:
		if s != nil {
			b.hash, b.want = sha256.New(), described
		}
	}
	return b, nil
}

// maxLine bounds a line between chunks, and maxTrailer all trailing headers.
const (
	maxLine    = 4 << 10
	maxTrailer = 8 << 10
)

// chunked prepares a body that comes in chunks.
func (b *Body) chunked(r *http.Request, s *Signature, key []byte, described string) error {
	length, err := strconv.ParseInt(r.Header.Get("X-Amz-Decoded-Content-Length"), 10, 64)
	if err != nil || length < 0 {
		return invalid("The header 'x-amz-decoded-content-length' must be the length of the payload of a body in chunks.")
	}
	b.Length, b.chunks = length, bufio.NewReaderSize(b.src, maxLine)
	if s != nil && described != unsignedTrail {
		b.chain, b.hash = &chain{signature: s, key: key, before: s.Value}, sha256.New()
	}
	if described != streaming {
		b.trailers = []string{}
		for _, names := range r.Header.Values("X-Amz-Trailer") {
			for name := range strings.SplitSeq(names, ",") {
				b.trailers = append(b.trailers, strings.ToLower(strings.TrimSpace(name)))
			}
		}
	}
	return nil
}

// Read reads the payload.
func (b *Body) Read(p []byte) (n int, err error) {
	switch {
	case b.err != nil:
		return 0, b.err
	case len(p) == 0:
		return 0, nil
	case b.chunks != nil:
		n, err = b.readChunk(p)
	default:
		if n, err = b.src.Read(p); b.hash != nil {
			b.hash.Write(p[:n])
			if errors.Is(err, io.EOF) && hex.EncodeToString(b.hash.Sum(nil)) != b.want {
				err = invalid("The provided '" + strings.ToLower(ContentHash) + "' header does not match what was computed.")
			}
		}
	}
	b.err = err
	return n, err
}

// readChunk reads of the chunk that has come, or of the next one.
func (b *Body) readChunk(p []byte) (int, error) {
	if b.left == 0 {
		if err := b.next(); err != nil {
			return 0, err
		}
	}
	n, err := b.chunks.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	b.read += int64(n)
	if b.hash != nil {
		b.hash.Write(p[:n])
	}
	if err != nil {
		return n, cut(err)
	}
	if b.left == 0 {
		if err = b.check(); err == nil {
			err = b.end()
		}
	}
	return n, err
}

// cut returns the error of a body that ends too early.
func cut(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func malformed(what string) error {
	return &Error{"IncompleteSignatureException", "The body in chunks cannot be read: " + what + "."}
}

// next reads the line before a chunk. After the last one it reads what follows,
// and returns io.EOF.
func (b *Body) next() error {
	line, err := b.line()
	if err != nil {
		return err
	}
	size, extension, _ := strings.Cut(line, ";")
	n, err := strconv.ParseUint(size, 16, 63)
	if err != nil {
		return malformed("a chunk begins with its size in hexadecimal digits")
	}
	b.left = int64(n) //nolint:gosec // of 63 bits
	if b.left > b.Length-b.read {
		return malformed("the payload is longer than x-amz-decoded-content-length says")
	}
	if b.chain != nil {
		signed, ok := strings.CutPrefix(strings.TrimSpace(extension), "chunk-signature=")
		if !ok {
			return malformed("a chunk has no chunk-signature")
		}
		b.signed = signed
	}
	if b.left > 0 {
		return nil
	}
	if err := b.check(); err != nil {
		return err
	}
	return b.last()
}

// line reads a line without its end, which the end of the body is, too.
func (b *Body) line() (string, error) {
	line, err := b.chunks.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return "", malformed("a line between chunks is too long")
	}
	if err != nil && len(line) == 0 {
		return "", cut(err)
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(line), "\n"), "\r"), nil
}

// end reads the end of the line after a chunk.
func (b *Body) end() error {
	line, err := b.line()
	if err == nil && line != "" {
		err = malformed("a chunk is longer than its size")
	}
	return err
}

// check holds the chunk that has been read against its signature.
func (b *Body) check() error {
	if b.chain == nil {
		return nil
	}
	sum := b.hash.Sum(nil)
	b.hash.Reset()
	return b.chain.check(payloadText, hex.EncodeToString(sum), b.signed)
}

// last reads what follows the last chunk.
func (b *Body) last() error {
	if b.read != b.Length {
		return malformed("the payload is shorter than x-amz-decoded-content-length says")
	}
	if b.trailers != nil {
		if err := b.readTrailer(); err != nil {
			return err
		}
	}
	for range 2 { // clients differ in how many empty lines end the body
		switch line, err := b.line(); {
		case errors.Is(err, io.ErrUnexpectedEOF):
			return io.EOF
		case err != nil:
			return err
		case line != "":
			return malformed("something follows its end")
		}
	}
	if _, err := b.chunks.ReadByte(); !errors.Is(err, io.EOF) {
		return malformed("something follows its end")
	}
	return io.EOF
}

// trailerSignature is the name of the header that signs the trailing ones.
const trailerSignature = "x-amz-trailer-signature"

// readTrailer reads the trailing headers and their signature. A client may send
// an empty line before them.
func (b *Body) readTrailer() error {
	b.Trailer = make(http.Header)
	var text strings.Builder
	signed, empty := false, false
	for {
		line, err := b.line()
		name, v, ok := strings.Cut(line, ":")
		name, v = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(v)
		switch ended := errors.Is(err, io.ErrUnexpectedEOF); {
		case err != nil && !ended:
			return err
		case line == "" && len(b.Trailer) == 0 && !ended && !empty:
			empty = true
		case line == "":
			if !signed && b.chain != nil {
				return malformed("its trailing headers have no " + trailerSignature)
			}
			return nil
		case !ok:
			return malformed("a trailing header has no colon")
		case name == trailerSignature && !signed:
			if b.chain != nil {
				if err := b.chain.check(trailerText, Hash([]byte(text.String())), v); err != nil {
					return err
				}
			}
			signed = true
		case signed || !slices.Contains(b.trailers, name):
			return malformed("the trailing header '" + name + "' is not among those of x-amz-trailer")
		default:
			b.Trailer.Add(textproto.CanonicalMIMEHeaderKey(name), v)
			text.WriteString(name + ":" + v + "\n")
			if text.Len() > maxTrailer {
				return malformed("its trailing headers are too long")
			}
		}
	}
}

// chain follows the signatures of chunks.
type chain struct {
	signature *Signature
	key       []byte
	before    string
}

const (
	payloadText = algorithm + "-PAYLOAD"
	trailerText = algorithm + "-TRAILER"
)

// emptyHash is the hash of no bytes.
const emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// sign returns the next signature, over a chunk or the trailing headers of that
// hash.
func (c *chain) sign(kind, sum string) string {
	text := kind + "\n" + c.signature.At.UTC().Format(TimeFormat) + "\n" + c.signature.Scope.String() + "\n" + c.before + "\n"
	if kind == payloadText {
		text += emptyHash + "\n"
	}
	c.before = hex.EncodeToString(mac(c.key, text+sum))
	return c.before
}

func (c *chain) check(kind, sum, signed string) error {
	if !hmac.Equal([]byte(c.sign(kind, sum)), []byte(signed)) {
		return invalid("The chunk signature we calculated does not match the signature you provided.")
	}
	return nil
}
