package lambda

// Sweep removes what dead servers have left under a directory.
var Sweep = sweep
