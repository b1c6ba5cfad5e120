//go:build invariants

package interpreter

// invariants has the guarantees of live executions checked after each step.
const invariants = true
