package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/steppehq/steppe/aws/sigv4"
	"github.com/steppehq/steppe/catalogue"
)

// serverFlags are those of commands that ask a server.
type serverFlags struct {
	Endpoint string `help:"URL of the server." default:"http://127.0.0.1:8083" env:"STEPPE_ENDPOINT" placeholder:"URL"`
	Region   string `help:"Region to ask for, where no ARN tells it." default:"us-east-1" env:"AWS_REGION,AWS_DEFAULT_REGION" placeholder:"REGION"`
}

// client is a client of the tenant that has a resource: of an ARN, or where
// that is "" of the region of the flags and, without credentials, of the server's own
// account. It signs with the credentials of AWS's variables.
func (f *serverFlags) client(arn string) client {
	c := client{endpoint: f.Endpoint, tenant: catalogue.Tenant{Region: f.Region}}
	if name, ok := catalogue.ParseARN(arn); ok {
		c.tenant = name.Tenant
	}
	return c
}

// client calls the API of a server.
type client struct {
	endpoint string
	tenant   catalogue.Tenant
}

// sign signs a request, if there are credentials. A server without keys is
// told whose the request is all the same.
func (c client) sign(req *http.Request, body []byte) {
	c.signer("states").Sign(req, sigv4.Hash(body), time.Now())
}

// noAccount is an access key that tells no account: whose the caller is, a server
// without keys says.
const noAccount = "none"

// signer is what signs requests to a service.
func (c client) signer(service string) sigv4.Signer {
	credentials := sigv4.Credentials{KeyID: os.Getenv("AWS_ACCESS_KEY_ID"), Secret: os.Getenv("AWS_SECRET_ACCESS_KEY")}
	if credentials.KeyID == "" || credentials.Secret == "" {
		credentials = sigv4.Credentials{KeyID: cmp.Or(c.tenant.Account, noAccount)}
	}
	credentials.Session = os.Getenv("AWS_SESSION_TOKEN")
	return sigv4.Signer{Credentials: credentials, Region: c.tenant.Region, Service: service}
}

// unreachable reports what to do about a server that does not answer.
func unreachable(err error) error {
	if errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("%w (is a server running there? start one with steppe serve, or name it with --endpoint or STEPPE_ENDPOINT)", err)
	}
	return err
}

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
	return c.do(req, body, operation, out)
}

// get reads a resource of /api/v1/.
func (c client) get(resource string, query url.Values, out any) error {
	req, err := http.NewRequest(http.MethodGet, strings.TrimSuffix(c.endpoint, "/")+"/api/v1/"+resource+"?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	return c.do(req, nil, "GET "+resource, out)
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
	return c.do(req, body, "POST "+resource, out)
}

// remove ends a resource of /api/v1/.
func (c client) remove(resource string, out any) error {
	req, err := http.NewRequest(http.MethodDelete, strings.TrimSuffix(c.endpoint, "/")+"/api/v1/"+resource, nil)
	if err != nil {
		return err
	}
	return c.do(req, nil, "DELETE "+resource, out)
}

// do sends a request. what names it in errors.
func (c client) do(req *http.Request, body []byte, what string, out any) error {
	c.sign(req, body)
	response, err := (&http.Client{Timeout: 90 * time.Second}).Do(req)
	if err != nil {
		return unreachable(err)
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
