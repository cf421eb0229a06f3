// Package early keeps garbage from being collected while a program starts. Thousands of
// packages make their tables then, of which nearly all stays: four collections of them
// took a quarter of the time of a start.
//
// A program imports it for its init alone. It has no more imports than it needs, because
// Go initialises a package once all that it imports is ready, in the order of their paths
// (https://go.dev/ref/spec#Program_initialization): it comes before those with most of
// the tables. limit.CollectLess takes over in main.
package early

import "runtime/debug"

const (
	// grows is by how many percent the heap may grow meanwhile. A heap of less than 4 MiB
	// counts as one of 4 MiB, so that nothing is collected up to 20 MiB.
	grows = 400
	usual = 100 // Go's own: anything else was set by GOGC, and stays
)

func init() {
	if before := debug.SetGCPercent(grows); before != usual {
		debug.SetGCPercent(before)
	}
}
