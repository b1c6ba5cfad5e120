package store_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/steppehq/steppe/store"
	"github.com/steppehq/steppe/store/memory"
)

// A service keeps what it has in a table of the store. It writes rows that belong
// together in one batch, under the versions that it has read: if another goroutine was
// faster, nothing is written, and it reads again.
func ExampleTable() {
	ctx := context.Background()
	db := memory.New(memory.Options{})
	defer db.Close()
	queue := db.Table("queue")

	_, err := queue.Write(ctx,
		store.Edit{Key: "message/1", Value: []byte("hello")},
		store.Edit{Key: "count", Value: []byte("1")},
	)
	if err != nil {
		panic(err)
	}

	count, err := queue.Get(ctx, "count")
	if err != nil {
		panic(err)
	}
	receive := []store.Edit{
		{Key: "message/1", Version: store.Blind}, // no value: the row is deleted
		{Key: "count", Version: count.Version, Value: []byte("0")},
	}
	_, err = queue.Write(ctx, receive...)
	fmt.Println("first:", err)

	_, err = queue.Write(ctx, receive...)
	fmt.Println("second:", err, errors.Is(err, store.ErrVersion))

	rows, err := queue.Scan(ctx, "", "", 0, false)
	if err != nil {
		panic(err)
	}
	for _, row := range rows {
		fmt.Printf("%s = %s, version %d\n", row.Key, row.Value, row.Version)
	}
	// Output:
	// first: <nil>
	// second: store: version conflict true
	// count = 0, version 2
}
