package api

import (
	"context"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/steppehq/steppe/internal/awsjson"
)

// other is what answers a request for another service: with one operation of STS,
// which deploy tools begin with, and a refusal in the protocol of the caller.
func (f *front) other(service string, r *http.Request) http.Handler {
	switch {
	case service == "sts":
		return f.identity
	case service == "ec2":
		return f.others[awsjson.EC2Query]
	case slices.Contains(xmlServices, service):
		return f.others[awsjson.RESTXML]
	case r.Header.Get("X-Amz-Target") != "":
		return f.others[awsjson.JSON11]
	case slices.Contains(queryServices, service), isForm(r):
		return f.others[awsjson.Query]
	}
	return f.others[awsjson.RESTJSON]
}

func isForm(r *http.Request) bool {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && kind == formType
}

const onlyStepFunctions = "This is Steppe. It answers Step Functions (and GetCallerIdentity of STS) only: " +
	"point only that service here (AWS_ENDPOINT_URL_SFN instead of AWS_ENDPOINT_URL)."

// refusals has for each protocol the exception that its callers get.
func (a *api) refusals(server func(service string, wire *awsjson.Wire) *awsjson.Server) map[*awsjson.Wire]http.Handler {
	unknown := map[*awsjson.Wire]*awsjson.Exception{
		awsjson.Query:    {Type: "InvalidAction", Message: onlyStepFunctions},
		awsjson.EC2Query: {Type: "InvalidAction", Message: onlyStepFunctions},
		awsjson.RESTXML:  {Type: "NotImplemented", Message: onlyStepFunctions, Status: http.StatusNotImplemented},
		awsjson.JSON11:   {Type: "UnknownOperationException", Message: onlyStepFunctions},
		awsjson.RESTJSON: {Type: "UnknownOperationException", Message: onlyStepFunctions},
	}
	handlers := make(map[*awsjson.Wire]http.Handler, len(unknown))
	for wire, e := range unknown {
		handlers[wire] = server("", wire).Refuse(e)
	}
	return handlers
}

// callerIdentity answers STS's GetCallerIdentity (API reference, version
// 2011-06-15): whose the credentials are.
func (a *api) callerIdentity(_ context.Context, r *awsjson.Request) ([]byte, error) {
	form, err := url.ParseQuery(string(r.Body))
	action := form.Get("Action")
	if action == "" {
		action = r.HTTP.URL.Query().Get("Action")
	}
	if err != nil || action != "GetCallerIdentity" {
		return nil, awsjson.Fail("InvalidAction", onlyStepFunctions)
	}
	arn, id := "arn:aws:iam::"+r.Account+":root", r.Account
	if r.KeyID != "" && r.KeyID != r.Account {
		arn, id = "arn:aws:iam::"+r.Account+":user/"+r.KeyID, r.KeyID
	}
	return []byte(strings.NewReplacer("{arn}", awsjson.XMLText(arn), "{id}", awsjson.XMLText(id), "{account}", awsjson.XMLText(r.Account), "{request}", r.ID).Replace(
		`<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Arn>{arn}</Arn><UserId>{id}</UserId>` +
			`<Account>{account}</Account></GetCallerIdentityResult><ResponseMetadata><RequestId>{request}</RequestId></ResponseMetadata></GetCallerIdentityResponse>`)), nil
}
