package door

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"
)

// FreeBody is how much of a request's body is read without asking its budget.
const FreeBody = 16 << 10

// ErrTooLarge reports that a body is larger than it may be.
var ErrTooLarge = errors.New("door: the body is too large")

// ReadBody reads a body of at most limit bytes. What it takes beyond [FreeBody]
// is held, as it comes and not as it is announced; the caller closes the hold.
func ReadBody(ctx context.Context, w http.ResponseWriter, r *http.Request, limit int64, h *Hold) ([]byte, error) {
	if r.Body == nil || r.ContentLength == 0 {
		return nil, nil
	}
	if r.ContentLength > limit {
		return nil, ErrTooLarge
	}
	first := r.ContentLength + 1 // to see the end without growing
	if r.ContentLength < 0 || first > FreeBody {
		first = min(FreeBody, max(first, 4<<10))
	}
	buf := make([]byte, 0, first)
	for {
		if len(buf) == cap(buf) {
			grown, err := grow(ctx, buf, limit, r.ContentLength, h)
			if err != nil {
				return nil, err
			}
			buf = grown
		}
		n, err := r.Body.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if cap(buf) > FreeBody {
			h.Moved(n)
		}
		switch {
		case int64(len(buf)) > limit:
			return nil, ErrTooLarge
		case err == io.EOF:
			if cap(buf) > FreeBody && !h.Done() {
				return nil, errCut
			}
			// A server's deadline for reading would end what takes longer: from here on
			// nothing is read but that the caller has gone.
			_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
			return buf, nil
		case err != nil:
			return nil, err
		}
	}
}

// grow makes room for more of a body, in the budget first.
func grow(ctx context.Context, buf []byte, limit, announced int64, h *Hold) ([]byte, error) {
	size := min(2*int64(cap(buf)), limit+1)
	if announced >= 0 {
		size = min(size, announced+1)
	}
	if size > FreeBody {
		if err := h.Take(ctx, size-max(int64(cap(buf)), FreeBody)); err != nil {
			return nil, err
		}
		h.Wait()
	}
	return append(make([]byte, 0, size), buf...), nil
}

const (
	// drainBytes and drainTime bound what is read and thrown away of a body that
	// is too large, so that who sends it sees the answer.
	drainBytes = 32 << 20
	drainTime  = 5 * time.Second
	// leaveTime bounds how long is waited for the rest of a request that is refused
	// before anybody is known.
	leaveTime = 300 * time.Millisecond
)

// Leave has the connection closed after the answer, which is still to be
// written; the rest of the request is not waited for.
func Leave(w http.ResponseWriter) {
	w.Header().Set("Connection", "close")
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(leaveTime))
}

// Drain reads a bounded part of what a caller still sends after the answer was
// written, so that it does not lose it with the connection.
func Drain(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	if control.Flush() != nil || control.SetReadDeadline(time.Now().Add(drainTime)) != nil {
		return
	}
	_, _ = io.CopyN(io.Discard, r.Body, drainBytes) // the answer is under way whatever comes
}
