package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// client calls the API of a server.
type client struct{ endpoint string }

// call performs an operation. An exception is an error with its message.
func (c client) call(operation string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequest(http.MethodPost, c.endpoint, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.0")
	req.Header.Set("X-Amz-Target", "AWSStepFunctions."+operation)
	return c.do(req, operation, out)
}

// get reads a resource of /api/v1/.
func (c client) get(resource string, query url.Values, out any) error {
	req, err := http.NewRequest(http.MethodGet, strings.TrimSuffix(c.endpoint, "/")+"/api/v1/"+resource+"?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	return c.do(req, "GET "+resource, out)
}

// post makes a resource of /api/v1/.
func (c client) post(resource string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequest(http.MethodPost, strings.TrimSuffix(c.endpoint, "/")+"/api/v1/"+resource, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	return c.do(req, "POST "+resource, out)
}

// do sends a request. what names it in errors.
func (c client) do(req *http.Request, what string, out any) error {
	response, err := (&http.Client{Timeout: 90 * time.Second}).Do(req)
	if err != nil {
		return fmt.Errorf("%w (is a server running? try: steppe serve)", err)
	}
	defer response.Body.Close() //nolint:errcheck // it was read
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		var exception struct {
			Type    string `json:"__type"`
			Message string `json:"message"`
		}
		if json.Unmarshal(answer, &exception) != nil || exception.Type == "" {
			return fmt.Errorf("%s answered %s to %s", c.endpoint, response.Status, what)
		}
		return fmt.Errorf("%s: %s", exception.Type, exception.Message)
	}
	return json.Unmarshal(answer, out)
}
