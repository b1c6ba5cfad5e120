package door

import (
	"errors"
	"net/http"
	"time"
)

const (
	// FreeAnswer is how much of an answer is written without asking its budget.
	FreeAnswer = 64 << 10
	// pieceBytes and pieceTime bound how slowly an answer may be read.
	pieceBytes = 32 << 10
	pieceTime  = 10 * time.Second
)

// WriteAnswer writes an answer. Who does not take a piece of a large one within
// some seconds is cut off, and sooner when others wait for what the hold holds.
func WriteAnswer(w http.ResponseWriter, answer []byte, h *Hold) error {
	if len(answer) <= FreeAnswer {
		_, err := w.Write(answer)
		return err
	}
	control := http.NewResponseController(w)
	h.Wait()
	defer h.Done()
	for len(answer) > 0 {
		if !h.extend(control) {
			return errCut
		}
		n, err := w.Write(answer[:min(len(answer), pieceBytes)])
		h.Moved(n)
		if err != nil {
			return err
		}
		answer = answer[n:]
	}
	if err := control.Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	_ = control.SetWriteDeadline(time.Time{}) // it is for this answer only
	return nil
}

// extend gives the other side time for the next piece, unless it was cut.
func (h *Hold) extend(control *http.ResponseController) bool {
	h.budget.mu.Lock()
	defer h.budget.mu.Unlock()
	if h.wasCut {
		return false
	}
	_ = control.SetWriteDeadline(time.Now().Add(pieceTime))
	return true
}
