package hostile

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/steppehq/steppe/aws/sigv4"
)

// Client calls a server with an account's key.
type Client struct {
	Endpoint string
	Key      sigv4.Credentials
	// Region is the one that is called, us-east-1 when it is empty.
	Region string
	HTTP   http.Client
}

// Exception is an error of the API.
type Exception struct {
	Status  int
	Type    string `json:"__type"`
	Message string `json:"message"`
}

// Error returns type and message.
func (e *Exception) Error() string { return fmt.Sprintf("%d %s: %.300s", e.Status, e.Type, e.Message) }

// Call performs an operation. The error of the API is an [*Exception].
func (c *Client) Call(ctx context.Context, operation string, in any) (map[string]any, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	answer, err := c.send(ctx, operation, body)
	if err != nil {
		return nil, err
	}
	defer answer.Close() //nolint:errcheck // it was read
	var out map[string]any
	return out, json.NewDecoder(answer).Decode(&out)
}

// Ask is Call by a body that was made before, for who asks often: nothing is done
// with the answer.
func (c *Client) Ask(ctx context.Context, operation string, body []byte) error {
	answer, err := c.send(ctx, operation, body)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, answer)
	return errors.Join(err, answer.Close())
}

func (c *Client) send(ctx context.Context, operation string, body []byte) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.Endpoint, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("X-Amz-Target", "AWSStepFunctions."+operation)
	req.Header.Set("Content-Type", "application/x-amz-json-1.0")
	// Equal calls of one second are told apart.
	req.Header.Set("Amz-Sdk-Invocation-Id", fmt.Sprint(time.Now().UnixNano()))
	sigv4.Signer{Credentials: c.Key, Region: cmp.Or(c.Region, "us-east-1"), Service: "states"}.Sign(req, sigv4.Hash(body), time.Now())
	response, err := c.HTTP.Do(req)
	if err != nil {
		return nil, err
	}
	if response.StatusCode == http.StatusOK {
		return response.Body, nil
	}
	defer response.Body.Close() //nolint:errcheck // it was read
	refused := &Exception{Status: response.StatusCode}
	_ = json.NewDecoder(response.Body).Decode(refused) // the status tells enough
	return nil, refused
}
