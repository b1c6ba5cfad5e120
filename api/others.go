package api

import (
	"context"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/steppehq/steppe/aws/server"
)

// other is what answers a request for another service: with one operation of STS,
// which deploy tools begin with, and a refusal in the protocol of the caller.
func (f *front) other(service string, r *http.Request) http.Handler {
	switch {
	case service == "sts":
		return f.identity
	case service == "ec2":
		return f.others[server.EC2Query]
	case slices.Contains(xmlServices, service):
		return f.others[server.RESTXML]
	case r.Header.Get("X-Amz-Target") != "":
		return f.others[server.JSON11]
	case slices.Contains(queryServices, service), isForm(r):
		return f.others[server.Query]
	}
	return f.others[server.RESTJSON]
}

func isForm(r *http.Request) bool {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && kind == formType
}

const onlyStepFunctions = "This is Steppe. It answers Step Functions (and GetCallerIdentity of STS) only: " +
	"point only that service here (AWS_ENDPOINT_URL_SFN instead of AWS_ENDPOINT_URL)."

// refusals has for each protocol the exception that its callers get.
func (a *api) refusals(serverOf func(service string, wire *server.Wire) *server.Server) map[*server.Wire]http.Handler {
	unknown := map[*server.Wire]*server.Exception{
		server.Query:    {Type: "InvalidAction", Message: onlyStepFunctions},
		server.EC2Query: {Type: "InvalidAction", Message: onlyStepFunctions},
		server.RESTXML:  {Type: "NotImplemented", Message: onlyStepFunctions, Status: http.StatusNotImplemented},
		server.JSON11:   {Type: "UnknownOperationException", Message: onlyStepFunctions},
		server.RESTJSON: {Type: "UnknownOperationException", Message: onlyStepFunctions},
	}
	handlers := make(map[*server.Wire]http.Handler, len(unknown))
	for wire, e := range unknown {
		handlers[wire] = serverOf("", wire).Refuse(e)
	}
	return handlers
}

// callerIdentity answers STS's GetCallerIdentity (API reference, version
// 2011-06-15): whose the credentials are.
func (a *api) callerIdentity(_ context.Context, r *server.Request) ([]byte, error) {
	form, err := url.ParseQuery(string(r.Body))
	action := form.Get("Action")
	if action == "" {
		action = r.HTTP.URL.Query().Get("Action")
	}
	if err != nil || action != "GetCallerIdentity" {
		return nil, server.Fail("InvalidAction", onlyStepFunctions)
	}
	arn, id := "arn:aws:iam::"+r.Account+":root", r.Account
	if r.KeyID != "" && r.KeyID != r.Account {
		arn, id = "arn:aws:iam::"+r.Account+":user/"+r.KeyID, r.KeyID
	}
	return []byte(strings.NewReplacer("{arn}", server.XMLText(arn), "{id}", server.XMLText(id), "{account}", server.XMLText(r.Account), "{request}", r.ID).Replace(
		`<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Arn>{arn}</Arn><UserId>{id}</UserId>` +
			`<Account>{account}</Account></GetCallerIdentityResult><ResponseMetadata><RequestId>{request}</RequestId></ResponseMetadata></GetCallerIdentityResponse>`)), nil
}
