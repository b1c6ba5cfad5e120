package storetest

import (
	"bytes"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/steppehq/steppe/store"
)

func manyAtOnce(_ *testing.T, f *fixture) {
	h := f.acquire(0)
	const executions, steps = 100, 10
	ids := make([]store.ExecutionID, executions)
	for i := range ids {
		ids[i] = f.id(0)
	}
	errs := make(chan error, executions)
	var wg sync.WaitGroup
	for i, id := range ids {
		first := f.start(id, 1, store.Running)
		first.New.Start = start.Add(time.Duration(i) * time.Second)
		wg.Go(func() {
			err := h.Commit(f.ctx, first)
			for n := int64(1); err == nil && n < steps; n++ {
				status := store.Running
				if n == steps-1 {
					status = store.Succeeded
				}
				err = h.Commit(f.ctx, f.next(id, 2*n, status))
			}
			errs <- err
		})
	}
	wg.Wait()
	for range ids {
		f.must(<-errs)
	}
	for _, id := range ids {
		v := f.view(id)
		f.same(int64(2*steps), v.Record.Last)
		f.same(steps, len(v.Chunks))
	}
	f.same(executions, len(f.list(paged(of(1, store.Succeeded), 13))))
}

// oneNameAtOnce starts executions of one name at the same time: one wins.
func oneNameAtOnce(t *testing.T, f *fixture) {
	h := f.acquire(0)
	for range 20 {
		const rivals = 8
		name := key(f.id(0))
		errs := make(chan error, rivals)
		for range rivals {
			first := f.start(f.id(0), 1, store.Running)
			first.New.Key = name
			go func() { errs <- h.Commit(f.ctx, first) }()
		}
		won := 0
		for range rivals {
			switch err := <-errs; {
			case err == nil:
				won++
			case !errors.Is(err, store.ErrExists):
				t.Fatal(err)
			}
		}
		f.same(1, won)
	}
}

// model runs random operations against the store and a map.
func model(_ *testing.T, f *fixture) {
	type known struct {
		Last   int64
		Status store.Status
	}
	const shards = 3
	var handles [shards]store.Shard
	for i := range handles {
		handles[i] = f.acquire(store.ShardID(i))
	}
	executions := make(map[store.ExecutionID]known)
	var ids []store.ExecutionID
	for range 3000 {
		shard := f.rand.IntN(shards)
		status := store.Running
		if f.rand.IntN(3) == 0 {
			status = store.Status(f.rand.IntN(4)) + store.Succeeded
		}
		switch f.rand.IntN(10) {
		case 0:
			handles[shard] = f.acquire(store.ShardID(shard))
		case 1, 2, 3:
			id := f.id(store.ShardID(shard))
			f.commit(handles[shard], f.start(id, uint32(1+f.rand.IntN(3)), status), nil)
			executions[id] = known{2, status}
			ids = append(ids, id)
		default:
			if len(ids) == 0 {
				continue
			}
			id := ids[f.rand.IntN(len(ids))]
			x := executions[id]
			if x.Status != store.Running {
				continue
			}
			f.commit(handles[id.Shard()], f.next(id, x.Last, status), nil)
			executions[id] = known{x.Last + 2, status}
		}
	}
	for id, want := range executions {
		v := f.view(id)
		f.same(want, known{v.Record.Last, v.Record.Status})
		var all []byte
		for last := int64(2); last <= want.Last; last += 2 {
			all = append(all, chunk(last-1, last).Data...)
		}
		var got []byte
		for _, c := range v.Chunks {
			got = append(got, c.Data...)
		}
		if !bytes.Equal(all, got) {
			f.t.Errorf("%x: the history is not whole", id)
		}
	}
	listed := 0
	for group := uint32(1); group <= 3; group++ {
		listed += len(f.list(paged(of(group), 17)))
	}
	f.same(len(executions), listed)
}

func closed(t *testing.T, f *fixture) {
	h := f.acquire(0)
	f.must(f.Close())
	for name, err := range map[string]error{
		"commit":    h.Commit(f.ctx, f.start(f.id(0), 1, store.Running)),
		"put":       f.Put(f.ctx, store.Edit{Key: "a", Value: []byte("x")}),
		"acquire":   second(f.Acquire(f.ctx, 0, store.Owner{})),
		"execution": second(f.Execution(f.ctx, f.id(0))),
		"retain":    second(f.Retain(f.ctx, start, 1)),
	} {
		if !errors.Is(err, store.ErrClosed) {
			t.Errorf("%s of a closed store: %v", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }
