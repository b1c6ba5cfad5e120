package engine

import (
	"context"
	"errors"
	"testing"

	"github.com/steppehq/steppe/catalogue"
)

func share(account string) catalogue.Tenant { return catalogue.Tenant{Account: account, Region: "r"} }

// waiter takes a share, and says so on a channel.
func waiter(s *shares, ctx context.Context, t catalogue.Tenant, got chan<- string) {
	before := s.waiting.Load()
	go func() {
		if s.take(ctx, t) == nil {
			got <- t.Account
		} else {
			got <- "left"
		}
	}()
	for s.waiting.Load() == before { //nolint:revive // it has joined the line soon
	}
}

// TestSharesTakeTurns: who comes with one wish need not wait for all of those of
// somebody who came before.
func TestSharesTakeTurns(t *testing.T) {
	s := newShares(func() (int, int) { return 1, 1 })
	if err := s.take(t.Context(), share("a")); err != nil {
		t.Fatal(err)
	}
	got := make(chan string, 1)
	for _, account := range []string{"a", "a", "a", "b", "a", "c"} {
		waiter(s, t.Context(), share(account), got)
	}
	order := ""
	last := "a"
	for range 6 {
		s.give(share(last))
		last = <-got
		order += last
	}
	if order != "abcaaa" {
		t.Errorf("the turns were %s", order)
	}
	s.give(share(last))
	if s.all != 0 || len(s.taken) != 0 || s.wanted() {
		t.Errorf("%d shares are still taken: %v", s.all, s.taken)
	}
}

// TestSharesOfOne: one tenant cannot take all shares.
func TestSharesOfOne(t *testing.T) {
	s := newShares(func() (int, int) { return 3, 2 })
	for range 2 {
		if err := s.take(t.Context(), share("a")); err != nil {
			t.Fatal(err)
		}
	}
	got := make(chan string, 1)
	waiter(s, t.Context(), share("a"), got)
	if err := s.take(t.Context(), share("b")); err != nil { // it does not wait behind a
		t.Fatal(err)
	}
	s.give(share("a"))
	if <-got != "a" {
		t.Error("somebody else has the share of a")
	}
}

// TestSharesLeft: who leaves the line takes no share along.
func TestSharesLeft(t *testing.T) {
	s := newShares(func() (int, int) { return 1, 1 })
	if err := s.take(t.Context(), share("a")); err != nil {
		t.Fatal(err)
	}
	ctx, leave := context.WithCancelCause(t.Context())
	got := make(chan string, 1)
	waiter(s, ctx, share("b"), got)
	why := errors.New("enough")
	leave(why)
	if <-got != "left" {
		t.Fatal("there was a share")
	}
	if err := s.take(ctx, share("b")); !errors.Is(err, why) {
		t.Errorf("the error is %v, not the reason to leave", err)
	}
	s.give(share("a"))
	if err := s.take(t.Context(), share("c")); err != nil || s.all != 1 {
		t.Errorf("%v, %d shares are taken", err, s.all)
	}
}
