package process

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Private closes this process's environment and memory to other processes of the
// same user, its children among them: a provider that terraform starts could
// otherwise read the job's secrets in /proc/PID/environ. Processes of root see
// everything. Children that are started later are ordinary again.
func Private() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("close this process to others: %w", err)
	}
	return nil
}
