//go:build !linux

package process

// Renounce does nothing here: it takes what only Linux can take.
func Renounce() error { return nil }
