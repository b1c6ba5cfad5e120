package store

import "context"

// Tables is what a store keeps beside executions and the catalogue: sorted parts,
// each of which belongs to one service, the only one that reads and writes it.
type Tables interface {
	// Table returns the part of that name: 1 to 32 of [a-z0-9-]. It is empty until
	// something is written into it, and has the same rows whenever it is asked for.
	Table(name string) Table
}

// Table is a sorted part of a store. All methods may be called from any goroutine.
// What is read is durable: a write whose fsync has not ended is waited for.
type Table interface {
	// Get reads a row. ErrNotFound.
	Get(ctx context.Context, key string) (Entry, error)
	// Scan reads up to limit (0: all) rows with from <= key < to in byte order of
	// their keys, the last ones first when reverse. "" is no bound. It is of one
	// moment: of each write it sees all rows or none.
	Scan(ctx context.Context, from, to string, limit int, reverse bool) ([]Entry, error)
	// Write writes rows, all or none, durably. Each edit names the version that its
	// row must have, 0 for one that must not exist yet; [Blind] edits do not care,
	// and are the cheapest: the store need not read the row. No two edits may be of
	// one row.
	//
	// It returns the version that all rows which it wrote have then, at least 1. The
	// versions of a table only grow: of two writes of which one began when the other
	// had returned, the later has the greater version, also where one of them deletes,
	// and after a restart. So a version is never that of two writes, and an edit never
	// takes a row that was deleted and written again for the one that was read. There
	// are gaps between versions.
	//
	// It is called by thousands of goroutines at once: the store makes one batch and
	// one fsync of those that wait. The store does not keep edits or what they hold
	// after it returned. ErrVersion, ErrUnknown, ErrFull.
	Write(ctx context.Context, edits ...Edit) (version uint64, err error)
}

// Blind is the version of an edit of a table's row that may have any version, or
// not exist.
const Blind = ^uint64(0)
