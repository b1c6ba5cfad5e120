// Package history is the record of an execution: the API's event types and
// their details, the private facts that ride on them, and their stored form.
//
// An execution is what its events add up to; there is no second record of
// truth. What AWS's history does not say but a replay needs (the branch of an
// event, when a retry is due) stands in private fields of the public events, so
// that ids equal AWS's. The API leaves the private fields out.
//
// Three forms of an event lead to each other: the Go value ([Event]), the stored form
// ([Encode], [Decode]), and the wire form of the API ([Event.AppendJSON], and whole, with
// the private fields, [Event.AppendWhole] and [Reader]). Payloads are documents
// ([value.Doc]) in all of them: their bytes are copied, not decoded.
//
// The package knows neither states nor stores. Stability: promised after 1.0.
package history

import (
	"fmt"
	"time"

	"github.com/steppehq/steppe/value"
)

// Type is the type of an event.
type Type uint8

// String returns the type's name in the API model.
func (t Type) String() string {
	if int(t) < len(vocabulary) && t > 0 {
		return vocabulary[t].name
	}
	return fmt.Sprintf("Type(%d)", uint8(t))
}

// Types returns all event types.
func Types() []Type {
	all := make([]Type, 0, len(vocabulary)-1)
	for t := range vocabulary[1:] {
		all = append(all, Type(t+1))
	}
	return all
}

// ErrorOutput is an Error Output: an Error Name and a cause, either of which
// may be absent.
type ErrorOutput struct {
	Error, Cause *string
}

// Variable is a variable that a state assigned.
type Variable struct {
	Name  string
	Value *value.Doc
}

// Event is one entry of an execution's history. These hold of each event of a history that
// the interpreter has recorded:
//
//  1. ID is one more than that of the event before, and 1 of the first, which is
//     ExecutionStarted.
//  2. Previous is smaller than ID, and is the event of the same thread of the execution that
//     led to this one. It is 0 in the first event, in the first state's Entered, and in
//     the events that end the execution from outside.
//  3. Millis is not smaller than that of the event before.
//  4. Which fields of the API's an event has depends on its Type alone, as in the API
//     model (the table anatomy in read.go); all others are zero. Fields of Private may ride on any
//     type; each says on which they do.
//  5. After ExecutionSucceeded, Failed, TimedOut or Aborted comes ExecutionRedriven, or
//     nothing.
//  6. A task has one Scheduled event. The events that follow it, each linked to the one before,
//     are at most one Started, at most one TaskSubmitted, and one that ends the
//     task, unless what is around the state ends before.
//  7. An event does not change after it was recorded, and neither do the documents that it has.
//
// Histories that AWS recorded keep these too, but have nothing of Private.
type Event struct {
	// ID counts from 1 without a gap. Previous is smaller; 0 where AWS has 0.
	ID, Previous int64
	// Millis is the time of the event in milliseconds since 1970 (UTC).
	Millis int64
	Type   Type

	// Name is the name of a state, or for iterations of their Map state.
	Name string
	// Input is the input of an execution, state, function or activity, or the
	// parameters of a task. Output is what one of them gave.
	Input, Output *value.Doc
	Failure       ErrorOutput
	// Resource names an integration's action, function or activity.
	Resource, ResourceType, Region string
	// Timeout and Heartbeat are in seconds, 0 where a task has none.
	Timeout, Heartbeat int64
	// Index numbers an iteration from 0. Length is the number of a Map's items.
	Index, Length int64
	// Assigned holds the variables in the order AWS shows them.
	Assigned []Variable
	// Location is the field whose expression failed.
	Location  string
	Worker    string
	MapRunArn string
	// RoleArn, VersionArn and AliasArn are those of the state machine.
	RoleArn, VersionArn, AliasArn string
	RedriveCount                  int64
	// Credentials are a task's, as it was scheduled with.
	Credentials *value.Doc

	Private
}

// Private holds the facts that a replay needs and the API leaves out.
type Private struct {
	// Branch numbers the branch the event belongs to: 0 is the top level.
	Branch int64
	// Due is when a Wait state ends or an execution times out: milliseconds
	// since 1970, 0 for never.
	Due int64
	// Retry is set on the last event of a failure that will be tried again.
	Retry *Retry
	// Next names the state that an Exited event leads to where that is not
	// the state's own Next: a Choice, or a failure that was caught.
	Next string
	// Items is what a Map iterates over, or the input of a Parallel's branches
	// or of an iteration.
	Items *value.Doc
	// Limit is how many iterations of a Map may run at once, 0 for no limit.
	Limit int64
	// Fork is set where an execution continues from the events of another one,
	// which are the first of its own history.
	Fork *Fork
	// Token is the client token of a redrive.
	Token string
}

// Fork says where an execution comes from.
type Fork struct {
	ExecutionArn string
	Event        int64 // the last event that both have
}

// Retry says that a state failed and will be tried again.
type Retry struct {
	Branch   int64 // the branch whose state is tried again
	Retrier  int64 // the number of the retrier that decided it, from 0
	Due      int64 // when, in milliseconds since 1970
	Previous int64 // the event that the next attempt's first event links to
}

// Time is the time of the event, to the millisecond.
func (ev *Event) Time() time.Time { return time.UnixMilli(ev.Millis).UTC() }

// Entered reports whether t says that a state was entered.
func (t Type) Entered() bool { return t != 0 && vocabulary[t].shape == enteredShape }

// Exited reports whether t says that a state was left.
func (t Type) Exited() bool { return t != 0 && vocabulary[t].shape == exitedShape }

// Scheduled reports whether t says that a task was scheduled.
func (t Type) Scheduled() bool {
	return t == TaskScheduled || t == LambdaFunctionScheduled || t == ActivityScheduled
}
