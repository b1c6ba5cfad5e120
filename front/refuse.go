package front

import (
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/steppehq/steppe/aws/server"
)

// queryServices speak AWS's query protocol, and xmlServices REST with XML; the
// others speak JSON.
var (
	queryServices = []string{
		"autoscaling", "cloudformation", "cloudsearch", "elasticache", "elasticbeanstalk", "elasticloadbalancing", "email", "iam", "monitoring",
		"rds", "redshift", "sdb", "sns", "sts",
	}
	xmlServices = []string{"cloudfront", "route53", "s3", "s3-control", "s3express"}
)

const formType = "application/x-www-form-urlencoded"

// refuse answers a request for a service that is not served, "" where it does not
// say which, in the protocol of its caller.
func (f *front) refuse(w http.ResponseWriter, r *http.Request, service string) {
	e := &server.Exception{Type: "UnknownOperationException", Message: f.unknown(service)}
	protocol := protocolOf(service, r)
	switch protocol {
	case server.Query, server.EC2Query:
		e.Type = "InvalidAction"
	case server.RESTXML:
		e.Type, e.Status = "NotImplemented", http.StatusNotImplemented
	}
	(&server.Server{Port: f.Port, Service: service, Protocol: protocol}).Refuse(w, r, e)
}

// protocolOf is the protocol that callers of a service speak, as far as it can be
// known without its model.
func protocolOf(service string, r *http.Request) *server.Protocol {
	switch {
	case service == "ec2":
		return server.EC2Query
	case slices.Contains(xmlServices, service):
		return server.RESTXML
	case r.Header.Get("X-Amz-Target") != "":
		return server.JSON11
	case slices.Contains(queryServices, service), isForm(r):
		return server.Query
	}
	return server.RESTJSON
}

func isForm(r *http.Request) bool {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && kind == formType
}

// unknown says which services there are, and how to send them only what is theirs.
func (f *front) unknown(service string) string {
	names := make([]string, len(f.Services))
	for i, s := range f.Services {
		names[i] = "'" + s.Name() + "'"
	}
	asked := "and this request names none of them"
	if service != "" {
		asked = "not '" + server.Bounded(service, 100) + "'"
	}
	return "This is Steppe. It answers " + strings.Join(names, ", ") + " only, " + asked +
		": point only those services here (AWS_ENDPOINT_URL_SFN instead of AWS_ENDPOINT_URL)."
}
