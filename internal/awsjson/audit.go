package awsjson

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/steppehq/steppe/value"
)

// AuditLog writes a line of JSON for each request that changes something.
type AuditLog struct {
	w     io.Writer
	log   *slog.Logger
	clock func() time.Time

	mu sync.Mutex
}

// NewAuditLog makes a log that writes to w: one Write for each line. What
// cannot be written is told to log.
func NewAuditLog(w io.Writer, log *slog.Logger) *AuditLog {
	return &AuditLog{w: w, log: log, clock: time.Now}
}

// auditLine is what a line tells.
type auditLine struct {
	Time        string   `json:"time"`
	RequestID   string   `json:"requestId"`
	Operation   string   `json:"operation"`
	AccessKeyID string   `json:"accessKeyId,omitempty"`
	Account     string   `json:"account,omitempty"`
	Region      string   `json:"region,omitempty"`
	SourceIP    string   `json:"sourceIp"`
	UserAgent   string   `json:"userAgent,omitempty"`
	Name        string   `json:"name,omitempty"`
	Resources   []string `json:"resources,omitempty"`
	Error       string   `json:"error,omitempty"`
}

// Write adds the line of a request.
func (l *AuditLog) Write(r *Request, failed error) {
	host, _, err := net.SplitHostPort(r.HTTP.RemoteAddr)
	if err != nil {
		host = r.HTTP.RemoteAddr
	}
	line := auditLine{
		Time: l.clock().UTC().Format(time.RFC3339Nano), RequestID: r.ID, Operation: r.Operation,
		AccessKeyID: r.KeyID, Account: r.Account, Region: r.Region, SourceIP: host, UserAgent: r.HTTP.UserAgent(),
		Name: r.Str("name"), Resources: r.arns(),
	}
	if failed != nil {
		line.Error = "InternalFailure"
		if e, ok := errors.AsType[*Exception](failed); ok {
			line.Error = e.Type
		}
	}
	text, err := json.Marshal(line)
	if err == nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		_, err = l.w.Write(append(text, '\n'))
	}
	if err != nil {
		l.log.Error("write the audit log", slog.Any("error", err), slog.String("request", r.ID))
	}
}

// arns are the ARNs that the request names.
func (r *Request) arns() []string {
	var found []string
	for i, name := range r.Input.Names() {
		if v := r.Input.At(i); strings.HasSuffix(name, "Arn") && v.Kind() == value.String && name != "roleArn" {
			found = append(found, v.Str())
		}
	}
	return found
}
