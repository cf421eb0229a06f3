//go:build unix

package process

import (
	"os/exec"
	"syscall"
)

// inGroup lets a child have a process group of its own, so that interrupt reaches
// what it has started too.
func inGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func interrupt(cmd *exec.Cmd) error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
