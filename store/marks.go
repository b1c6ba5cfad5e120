package store

// MarkSlots is how many slots [Marks] has.
const MarkSlots = 256

// Marks remembers, across the death of a process, what it was at work on. It is
// not fsynced: a power cut may lose it.
type Marks interface {
	// Set puts an execution into a slot, from 0 on below [MarkSlots].
	Set(slot int, id ExecutionID) error
	// Clear empties a slot.
	Clear(slot int) error
	// Left are the executions that the run before left in slots.
	Left() []ExecutionID
}
