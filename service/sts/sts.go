// Package sts is the Security Token Service, of which it has one operation, with
// which deploy tools and the AWS CLI begin: whose the credentials are.
//
// Stability: may move in any minor release.
package sts

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/steppehq/steppe/aws/server"
)

// Service is STS at a port.
type Service struct{ http.Handler }

const (
	operation = "GetCallerIdentity"
	// maxBody bounds a request in bytes, and maxAction what a message shows of an
	// operation that is not known.
	maxBody   = 64 << 10
	maxAction = 100
)

// New returns the service at a port.
func New(port *server.Port) Service {
	s := &server.Server{Port: port, Service: "sts", Protocol: server.Query, MaxBody: maxBody}
	return Service{s.Operation(operation, callerIdentity)}
}

// Name returns the service that signatures must be for.
func (Service) Name() string { return "sts" }

// Target returns "": the query protocol knows no targets.
func (Service) Target() string { return "" }

// callerIdentity answers STS's GetCallerIdentity (API reference, version
// 2011-06-15): whose the credentials are.
func callerIdentity(_ context.Context, r *server.Request) ([]byte, error) {
	form, err := url.ParseQuery(string(r.Body))
	action := form.Get("Action")
	if action == "" {
		action = r.HTTP.URL.Query().Get("Action")
	}
	if err != nil || action != operation {
		return nil, server.Fail("InvalidAction", "This is Steppe. Of STS it answers GetCallerIdentity only, not '"+server.Bounded(action, maxAction)+"'.")
	}
	arn, id := "arn:aws:iam::"+r.Account+":root", r.Account
	if r.KeyID != "" && r.KeyID != r.Account {
		arn, id = "arn:aws:iam::"+r.Account+":user/"+r.KeyID, r.KeyID
	}
	return []byte(strings.NewReplacer("{arn}", server.XMLText(arn), "{id}", server.XMLText(id), "{account}", server.XMLText(r.Account), "{request}", r.ID).Replace(
		`<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Arn>{arn}</Arn><UserId>{id}</UserId>` +
			`<Account>{account}</Account></GetCallerIdentityResult><ResponseMetadata><RequestId>{request}</RequestId></ResponseMetadata></GetCallerIdentityResponse>`)), nil
}
