package main

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/steppehq/steppe/aws/sigv4"
)

// execution returns the ARN of the execution that an argument names: an ARN, or
// MACHINE/NAME as ls shows it, of the caller's account and the region of the flags.
func (f *serverFlags) execution(name string) (string, error) {
	machine, execution, ok := strings.Cut(name, "/")
	if strings.HasPrefix(name, "arn:") {
		return name, nil
	}
	if !ok || machine == "" || execution == "" || strings.ContainsAny(name, ": ") {
		return "", fmt.Errorf("'%s' names no execution: give MACHINE/NAME, as steppe ls shows it, or its ARN", name)
	}
	return f.arn("execution", machine+":"+execution)
}

// arn is the ARN of something of the caller's.
func (f *serverFlags) arn(kind, name string) (string, error) {
	c := f.client("")
	account, err := c.account()
	if err != nil {
		return "", err
	}
	c.tenant.Account = account
	return c.tenant.ARN(kind, name), nil
}

// account is whose the caller is, which the server knows.
func (c client) account() (string, error) {
	const body = "Action=GetCallerIdentity&Version=2011-06-15"
	req, err := http.NewRequest(http.MethodPost, c.endpoint, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	c.signer("sts").Sign(req, sigv4.Hash([]byte(body)), time.Now())
	response, err := (&http.Client{Timeout: 30 * time.Second}).Do(req)
	if err != nil {
		return "", unreachable(err)
	}
	defer response.Body.Close() //nolint:errcheck // it was read
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return "", err
	}
	var answer struct {
		Account string `xml:"GetCallerIdentityResult>Account"`
		Code    string `xml:"Error>Code"`
		Message string `xml:"Error>Message"`
	}
	switch err := xml.Unmarshal(text, &answer); {
	case answer.Code != "":
		return "", errors.New(answer.Code + ": " + answer.Message)
	case err != nil || answer.Account == "":
		return "", fmt.Errorf("%s answered %s when it was asked whose the credentials are; give the ARN", c.endpoint, response.Status)
	}
	return answer.Account, nil
}
