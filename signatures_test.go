package steppe

import (
	"testing"
	"time"

	"github.com/steppehq/steppe/aws/server"
	"github.com/steppehq/steppe/store/memory"
)

// TestSignatures keeps what must be known after a restart, and no longer than it
// must.
func TestSignatures(t *testing.T) {
	db := memory.New(memory.Options{})
	now := time.Now()
	open := func() *signatures {
		g, err := openSignatures(t.Context(), db)
		if err != nil {
			t.Fatal(err)
		}
		g.clock = func() time.Time { return now }
		return g
	}
	took := func(want bool, what string) func(bool, error) {
		return func(got bool, err error) {
			t.Helper()
			if got != want || err != nil {
				t.Errorf("%s: %v, %v", what, got, err)
			}
		}
	}
	g := open()
	took(true, "presigned")(g.Presigned(t.Context(), "aa", time.Now().Add(time.Hour)))
	took(true, "another one")(g.Presigned(t.Context(), "bb", time.Now().Add(2*time.Hour)))
	took(false, "again")(g.Presigned(t.Context(), "aa", time.Now().Add(time.Hour)))
	took(true, "ahead")(g.Ahead(t.Context(), "key", now.Add(time.Minute)))
	took(true, "ahead, in the same second")(g.Ahead(t.Context(), "key", now.Add(time.Minute)))
	took(true, "less ahead")(g.Ahead(t.Context(), "key", now.Add(time.Second)))
	took(true, "more ahead")(g.Ahead(t.Context(), "key", now.Add(2*time.Minute)))
	g = open()
	took(false, "presigned, after a restart")(g.Presigned(t.Context(), "aa", time.Now().Add(time.Hour)))
	took(false, "ahead, after a restart")(g.Ahead(t.Context(), "key", now.Add(2*time.Minute)))
	took(true, "more ahead, after a restart")(g.Ahead(t.Context(), "key", now.Add(2*time.Minute+time.Second)))
	took(true, "another key")(g.Ahead(t.Context(), "other", now.Add(time.Minute)))
	if g.presigned != 2 {
		t.Errorf("%d are counted", g.presigned)
	}
	now = now.Add(90 * time.Minute)
	took(true, "after an hour")(g.Presigned(t.Context(), "cc", now.Add(time.Hour)))
	if entries, err := db.Scan(t.Context(), presignedPrefix, "", 0); err != nil || len(entries) != 2 || g.presigned != 2 {
		t.Errorf("%d entries, %d counted, %v", len(entries), g.presigned, err)
	}
	g.presigned = maxPresigned
	if _, err := g.Presigned(t.Context(), "dd", now.Add(time.Hour)); err == nil || err.Error() == "" {
		t.Error("there is no bound")
	}
	var _ server.Memory = g
}
