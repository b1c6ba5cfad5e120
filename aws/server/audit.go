package server

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"slices"
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

	mu      sync.Mutex
	second  int64 // of the last line without a known key
	unknown int   // lines without a known key in it
	untold  int   // since the last line
}

// NewAuditLog makes a log that writes to w: one Write for each line. What
// cannot be written is reported to log.
func NewAuditLog(w io.Writer, log *slog.Logger) *AuditLog {
	return &AuditLog{w: w, log: log, clock: time.Now}
}

// auditLine is what a line holds.
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

// untoldLine counts the requests that no known key had signed and that have no line.
type untoldLine struct {
	Time      string `json:"time"`
	Operation string `json:"operation"`
	Count     int    `json:"count"`
}

const (
	// maxText bounds a field of a line, in bytes, and maxResources the ARNs.
	maxText      = 512
	maxResources = 8
	// maxUnknown bounds the lines in a second of requests that no known key has signed.
	maxUnknown = 10
)

// clip is as much of a text as a line holds.
func clip(s string) string {
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "") + "…"
	}
	return s
}

// Write adds the line of a request. Of those without a known key only some are
// written, and of the others how many they were.
func (l *AuditLog) Write(r *Request, failed error) {
	now := l.clock()
	if r.Account == "" && !l.admit(now) {
		return
	}
	host, _, err := net.SplitHostPort(r.HTTP.RemoteAddr)
	if err != nil {
		host = r.HTTP.RemoteAddr
	}
	line := auditLine{
		Time: now.UTC().Format(time.RFC3339Nano), RequestID: r.ID, Operation: clip(r.Operation),
		AccessKeyID: clip(r.KeyID), Account: clip(r.Account), Region: clip(r.Region), SourceIP: clip(host), UserAgent: clip(r.HTTP.UserAgent()),
		Name: clip(r.Str("name")), Resources: r.arns(),
	}
	if r.Named != "" {
		line.Name = clip(r.Named)
	}
	if failed != nil {
		line.Error = "InternalFailure"
		if e := exception(failed); e != nil {
			line.Error = e.Type
		}
	}
	l.write(line)
}

// admit reports whether one more line without a known key may be written in this second.
func (l *AuditLog) admit(now time.Time) bool {
	l.mu.Lock()
	if now.Unix() != l.second {
		l.second, l.unknown = now.Unix(), 0
	}
	l.unknown++
	admitted := l.unknown <= maxUnknown
	if !admitted {
		l.untold++
	}
	l.mu.Unlock()
	return admitted
}

// write writes a line, and before it how many were not.
func (l *AuditLog) write(line auditLine) {
	text, err := json.Marshal(line)
	if err == nil {
		l.mu.Lock()
		err = errors.Join(l.tell(), l.add(text))
		l.mu.Unlock()
	}
	if err != nil {
		l.log.Error("write the audit log", slog.Any("error", err), slog.String("request", line.RequestID))
	}
}

// tell writes how many lines were not written.
func (l *AuditLog) tell() error {
	if l.untold == 0 {
		return nil
	}
	n := l.untold
	l.untold = 0
	text, err := json.Marshal(untoldLine{l.clock().UTC().Format(time.RFC3339Nano), "refused", n})
	return errors.Join(err, l.add(text))
}

func (l *AuditLog) add(text []byte) error {
	_, err := l.w.Write(append(text, '\n'))
	return err
}

// Close writes what is not written yet, and closes what is written to if it can
// be.
func (l *AuditLog) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	err := l.tell()
	if c, ok := l.w.(io.Closer); ok {
		err = errors.Join(err, c.Close())
	}
	return err
}

// arns are the ARNs that the request names, or is about.
func (r *Request) arns() []string {
	var found []string
	for i, name := range r.Input.Names() {
		if v := r.Input.At(i); strings.HasSuffix(name, "Arn") && v.Kind() == value.String && name != "roleArn" {
			found = append(found, clip(v.Str()))
		}
	}
	for _, arn := range r.About {
		if !slices.Contains(found, arn) {
			found = append(found, clip(arn))
		}
	}
	return found[:min(len(found), maxResources)]
}
