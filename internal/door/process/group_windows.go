package process

import "os/exec"

// Windows has no signal that reaches a group: the child is ended.
func inGroup(*exec.Cmd) {}

func interrupt(cmd *exec.Cmd) error { return cmd.Process.Kill() }

func kill(*exec.Cmd) {}
