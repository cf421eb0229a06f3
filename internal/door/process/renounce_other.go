//go:build !linux

package process

// Renounce does nothing here: it takes what only Linux can take.
func Renounce(bool) error { return nil }
