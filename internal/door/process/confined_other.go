//go:build !linux

package process

import "os/exec"

// Confines reports whether this machine can confine a child; only Linux can.
func Confines() bool { return false }

func (c *Confinement) start(cmd *exec.Cmd) error { return cmd.Start() }
