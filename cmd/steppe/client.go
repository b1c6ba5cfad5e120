package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
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
			return fmt.Errorf("%s answered %s to %s", c.endpoint, response.Status, operation)
		}
		return fmt.Errorf("%s: %s", exception.Type, exception.Message)
	}
	return json.Unmarshal(answer, out)
}
