package door

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

// taker is a request that waits for its other side until it is cut.
type taker struct {
	Hold
	cut chan struct{}
}

func open(b *Budget, owner string) *taker {
	t := &taker{cut: make(chan struct{})}
	t.Hold = b.Open(httptest.NewRecorder(), func(*http.ResponseController, time.Time) error {
		close(t.cut)
		return nil
	})
	t.Owner = owner
	return t
}

// TestBudget: what stands still is cut for who wants its part, whoever holds most
// first; who moves is not, and not for who holds more himself.
func TestBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &Budget{Bytes: 100, Patience: 5 * time.Second, Stall: time.Second}
		hold := func(owner string, n int64) *taker {
			h := open(b, owner)
			if err := h.Take(t.Context(), n); err != nil {
				t.Fatal(err)
			}
			h.Wait()
			go func() {
				<-h.cut
				h.Close()
			}()
			return h
		}
		isCut := func(h *taker) bool {
			select {
			case <-h.cut:
				return true
			default:
				return false
			}
		}
		much := []*taker{hold("a", 20), hold("a", 20)}
		little := hold("b", 30)
		time.Sleep(100 * time.Millisecond)
		much[1].Moved(progress)
		// Nothing has stood still for a second yet, but a holds most.
		mine, now := open(b, "c"), time.Now()
		if err := mine.Take(t.Context(), 31); err != nil || time.Since(now) > b.Stall {
			t.Errorf("%v after %v", err, time.Since(now))
		}
		if !isCut(much[0]) || isCut(much[1]) || isCut(little) {
			t.Errorf("cut: %v, %v of who holds most, %v", isCut(much[0]), isCut(much[1]), isCut(little))
		}
		mine.Close()
		// An owner has half at most, and waits for its own.
		own := open(b, "a")
		began := time.Now()
		if err := own.Take(t.Context(), 45); err != nil || !isCut(much[1]) || isCut(little) {
			t.Errorf("the own one was not cut: %v", err)
		}
		if time.Since(began) > 2*time.Second {
			t.Errorf("took %v", time.Since(began))
		}
		own.Done()
		// What does not wait for the other side is not cut: patience ends.
		began = time.Now()
		if err := open(b, "a").Take(t.Context(), 10); !errors.Is(err, ErrBudget) || time.Since(began) != b.Patience {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := open(b, "a").Take(ctx, 10); !errors.Is(err, ErrBudget) {
			t.Error(err)
		}
		own.Close()
		little.Close()
		if b.Used() != 0 || len(b.owners) != 0 || len(b.holds) != 0 {
			t.Errorf("%d bytes are held, by %v", b.Used(), b.owners)
		}
		close(little.cut) // ends its goroutine
		synctest.Wait()
	})
}
