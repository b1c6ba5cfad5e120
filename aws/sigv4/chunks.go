package sigv4

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// chunkSize is how large the chunks are that are sent, in bytes; AWS takes no
// smaller ones than 8 KiB but the last.
const chunkSize = 64 << 10

// Trailer is a header that is sent behind the last chunk, such as a checksum of
// the payload.
type Trailer struct {
	// Name is that of the header, in lower case: "x-amz-checksum-crc32c".
	Name string
	// Size is the length of its value, which must be known before: in bytes.
	Size int
	// Value returns it when the payload has been read.
	Value func() string
}

// SignChunked signs a request whose body is sent in chunks, each with its
// signature, so that a payload need not be read before it is sent. r.Body is the
// payload, of which there must be size bytes; it is replaced by the chunks, and
// r.ContentLength set. trailer may be nil.
func (s Signer) SignChunked(r *http.Request, size int64, trailer *Trailer, at time.Time) {
	described := streaming
	c := &chunker{payload: r.Body, left: size, trailer: trailer}
	r.ContentLength = c.encodedLength()
	r.Header.Set("Content-Encoding", strings.Join(append([]string{"aws-chunked"}, r.Header.Values("Content-Encoding")...), ","))
	r.Header.Set("X-Amz-Decoded-Content-Length", strconv.FormatInt(size, 10))
	if trailer != nil {
		described = streamingTrail
		r.Header.Set("X-Amz-Trailer", trailer.Name)
	}
	g, key := s.sign(r, described, at)
	c.chain = &chain{signature: g, key: key, before: g.Value}
	r.Body = c
}

// chunker reads a payload as signed chunks.
type chunker struct {
	payload io.ReadCloser
	left    int64 // of the payload
	trailer *Trailer
	chain   *chain
	buffer  []byte
	out     []byte // the chunk that is being read, and how much was read of it
	sent    int
	done    bool
}

const (
	chunkName = ";chunk-signature="
	// signatureSize is the length of a signature.
	signatureSize = 64
)

// encodedLength returns the length of all chunks.
func (c *chunker) encodedLength() int64 {
	line := func(size int64) int64 {
		return int64(len(strconv.FormatInt(size, 16)) + len(chunkName) + signatureSize + 2)
	}
	n := c.left/chunkSize*(line(chunkSize)+chunkSize+2) + line(0) + 2
	if rest := c.left % chunkSize; rest > 0 {
		n += line(rest) + rest + 2
	}
	if c.trailer != nil {
		n += int64(len(c.trailer.Name) + 1 + c.trailer.Size + 2 + len(trailerSignature) + 1 + signatureSize + 2)
	}
	return n
}

// Read reads of the chunks.
func (c *chunker) Read(p []byte) (int, error) {
	if c.sent == len(c.out) {
		if c.done {
			return 0, io.EOF
		}
		if err := c.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, c.out[c.sent:])
	c.sent += n
	return n, nil
}

// next makes the next chunk; the last one is empty, and followed by the trailing
// header.
func (c *chunker) next() error {
	if c.buffer == nil {
		c.buffer = make([]byte, min(chunkSize, c.left))
	}
	data := c.buffer[:min(int64(len(c.buffer)), c.left)]
	if _, err := io.ReadFull(c.payload, data); err != nil {
		return errors.Join(errors.New("sigv4: the payload is shorter than it was said to be"), err)
	}
	c.left -= int64(len(data))
	c.sent, c.out = 0, append(c.out[:0], strconv.FormatInt(int64(len(data)), 16)+chunkName+c.chain.sign(payloadText, Hash(data))+"\r\n"...)
	if len(data) > 0 {
		c.out = append(append(c.out, data...), "\r\n"...)
		return nil
	}
	c.done = true
	if t := c.trailer; t != nil {
		v := t.Value()
		if len(v) != t.Size {
			return errors.New("sigv4: the trailing header " + t.Name + " has " + strconv.Itoa(len(v)) + " bytes, and was said to have " + strconv.Itoa(t.Size))
		}
		c.out = append(c.out, t.Name+":"+v+"\r\n"+trailerSignature+":"+c.chain.sign(trailerText, Hash([]byte(t.Name+":"+v+"\n")))+"\r\n"...)
	}
	c.out = append(c.out, "\r\n"...)
	return nil
}

// Close closes the payload.
func (c *chunker) Close() error {
	if c.payload == nil {
		return nil
	}
	return c.payload.Close()
}
