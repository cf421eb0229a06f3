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

// endGroup kills what is left of a child's group. Where nothing is, there is no such group.
func endGroup(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
