package lambda

import (
	"encoding/base64"
	"fmt"
	"math"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// maxTail is how many bytes of the end of a log an invocation gives (Lambda API,
// Invoke: "the last 4 KB of the execution log").
const maxTail = 4096

// tail is the end of a log.
type tail struct{ last []byte }

func (t *tail) add(line string) {
	t.last = append(append(t.last, line...), '\n')
	if len(t.last) > 2*maxTail { // what is cut is moved once for each maxTail that are printed
		t.last = append([]byte(nil), t.last[len(t.last)-maxTail:]...)
	}
}

// tailLog gives a response the end of the invocation's log, as Invoke has it for
// LogType Tail: what was printed, between the lines START, END and REPORT.
func (r *Response) tailLog(took time.Duration) {
	var log strings.Builder
	fmt.Fprintf(&log, "START RequestId: %s Version: %s\n", r.RequestID, r.Version)
	log.Write(r.printed)
	ms := float64(took) / float64(time.Millisecond)
	fmt.Fprintf(&log, "END RequestId: %s\nREPORT RequestId: %s\tDuration: %.2f ms\tBilled Duration: %.0f ms", r.RequestID, r.RequestID, ms, math.Ceil(ms))
	if r.maxMemory > 0 {
		fmt.Fprintf(&log, "\tMemory Size: %s MB\tMax Memory Used: %d MB", memorySize, r.maxMemory)
	}
	log.WriteString("\t\n")
	if r.timeout > 0 {
		fmt.Fprintf(&log, "%s %s Task timed out after %s seconds\n\n", time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), r.RequestID, seconds(r.timeout))
	}
	text := log.String()
	r.LogResult = base64.StdEncoding.EncodeToString([]byte(text[max(0, len(text)-maxTail):]))
	if r.Header == nil {
		r.Header = make(http.Header)
	}
	r.Header["X-Amz-Log-Result"] = []string{r.LogResult}
}

// maxMemory is the most memory that the process has held, in MB; 0 where the
// system does not tell.
func (w *worker) maxMemory() int {
	status, err := os.ReadFile("/proc/" + strconv.Itoa(w.cmd.Process.Pid) + "/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if text, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kB, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(text), " kB"))
			return (kB + 1023) / 1024
		}
	}
	return 0
}
