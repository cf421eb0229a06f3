// Package layout holds the tests that keep the shape of the repository: which
// package may import what, which binary links what, and who reads the
// environment. It has no code of its own.
package layout
