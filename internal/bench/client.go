package bench

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
)

// Client speaks HTTP with as little of its own as a load generator may: what it
// costs is taken from the server beside it. It is for one goroutine.
type Client struct {
	conn net.Conn
	in   *textproto.Reader
	host string
	body []byte
}

// Dial connects to a server.
func Dial(address string) (*Client, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	return &Client{conn: conn, in: textproto.NewReader(bufio.NewReaderSize(conn, 4096)), host: address}, nil
}

// Refusal is an answer other than 200.
type Refusal struct{ What, Answer string }

// Error returns what was asked and the whole answer.
func (e *Refusal) Error() string { return e.What + " answers " + e.Answer }

// Type is the exception that was answered, "" when it is none.
func (e *Refusal) Type() string {
	var exception struct {
		Type string `json:"__type"`
	}
	_ = json.Unmarshal([]byte(e.Answer), &exception) // what is no JSON is no exception
	return exception.Type
}

// Close ends the connection.
func (c *Client) Close() error { return c.conn.Close() }

// Call performs an operation of the API and returns the body of the answer, which
// is good until the next call.
func (c *Client) Call(operation, body string) ([]byte, error) {
	return c.post("/", operation, body)
}

func (c *Client) post(path, operation, body string) ([]byte, error) {
	_, err := fmt.Fprintf(c.conn, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/x-amz-json-1.0\r\nX-Amz-Target: AWSStepFunctions.%s\r\n"+
		"Authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/states/aws4_request, SignedHeaders=host, Signature=0\r\nContent-Length: %d\r\n\r\n%s",
		path, c.host, operation, len(body), body)
	if err != nil {
		return nil, err
	}
	return c.answer(operation)
}

// Get reads a path.
func (c *Client) Get(path string) ([]byte, error) {
	if _, err := fmt.Fprintf(c.conn, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, c.host); err != nil {
		return nil, err
	}
	return c.answer(path)
}

func (c *Client) answer(what string) ([]byte, error) {
	status, err := c.in.ReadLineBytes()
	if err != nil {
		return nil, err
	}
	failed := !strings.HasPrefix(string(status), "HTTP/1.1 200 ")
	length := 0
	for {
		line, err := c.in.ReadLineBytes()
		if err != nil {
			return nil, err
		}
		if len(line) == 0 {
			break
		}
		if name, text, _ := strings.Cut(string(line), ": "); name == "Content-Length" {
			if length, err = strconv.Atoi(text); err != nil {
				return nil, err
			}
		}
	}
	c.body = slices.Grow(c.body[:0], length)[:length]
	if _, err := io.ReadFull(c.in.R, c.body); err != nil {
		return nil, err
	}
	if failed {
		return nil, &Refusal{what, string(c.body)}
	}
	return c.body, nil
}
