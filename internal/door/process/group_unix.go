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

// kill ends what is left of the group, if anything is: as long as one of it lives, no other
// group has its number.
func kill(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
