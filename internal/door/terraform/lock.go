package terraform

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/waybill-dev/waybill/internal/outcome"
)

// Reasons that are about the state's lock, beside Locked.
const (
	// LockLost is a lock that could not be given back: it was broken, or the
	// backend could not be reached.
	LockLost Reason = "lock-lost"
	// Unsaved is a state that the backend did not take, perhaps because the lock
	// was lost. terraform leaves it in ErroredState.
	Unsaved Reason = "unsaved"
)

// ErroredState is the file, in the root's directory, that terraform leaves a
// state in that it could not save. It holds every value in the clear.
const ErroredState = "errored.tfstate"

// Lock is who holds a state's lock, as far as terraform says it.
type Lock struct{ ID, Who, Created string }

// lockedBy finds the ID of the lock that exists, as the http backend reports it.
// The rest of that report describes the lock that could not be had.
var lockedBy = regexp.MustCompile(`already locked: ID=(\S+)`)

var lockInfo = regexp.MustCompile(`(?m)^\s*(ID|Who|Created):\s*(\S.*?)\s*$`)

// LockOf finds in an error who holds the lock.
func LockOf(err error) (Lock, bool) {
	var e *Error
	if !errors.As(err, &e) {
		return Lock{}, false
	}
	if m := lockedBy.FindStringSubmatch(e.Words); m != nil {
		return Lock{ID: m[1]}, true
	}
	_, info, ok := strings.Cut(e.Words, "Lock Info:")
	if !ok {
		return Lock{}, false
	}
	var lock Lock
	for _, m := range lockInfo.FindAllStringSubmatch(info, -1) {
		switch m[1] {
		case "ID":
			lock.ID = m[2]
		case "Who":
			lock.Who = m[2]
		case "Created":
			lock.Created = m[2]
		}
	}
	return lock, lock.ID != ""
}

// String says who holds it since when.
func (l Lock) String() string {
	if l.Who == "" {
		return "lock " + l.ID
	}
	return l.Who + " since " + l.Created + " (lock " + l.ID + ")"
}

// Held is the lock that stands on the state; is is false if none does. It takes the lock
// itself to see that, and changes nothing.
func (r *Root) Held(ctx context.Context) (lock Lock, is bool, err error) {
	_, err = r.output(ctx, "untaint", "-allow-missing", "-no-color", "-lock-timeout=0s", "waybill.none")
	switch {
	case err == nil:
		return lock, false, nil
	case !IsReason(err, Locked):
		return lock, false, fmt.Errorf("see who holds the lock: %w", err)
	}
	if lock, is = LockOf(err); !is {
		err = fmt.Errorf("see who holds the lock: terraform does not say it: %w", err)
		return lock, false, err
	}
	return lock, true, nil
}

// ofLivingProcess is what terraform and OpenTofu say of the lock of a local state.
var ofLivingProcess = regexp.MustCompile(`LocalState not locked|Local state cannot be unlocked`)

// ForceUnlock ends the state's lock. Callers must know that it is this one, because not
// every backend compares the id, and that who holds it is dead.
func (r *Root) ForceUnlock(ctx context.Context, lock Lock) error {
	_, err := r.output(ctx, "force-unlock", "-force", "--", lock.ID)
	switch {
	case err != nil && ofLivingProcess.MatchString(err.Error()):
		return outcome.Refusedf("the lock of a local state ends with the process that holds it, so that one still runs: wait for it, or " +
			"cancel its job")
	case err != nil:
		return fmt.Errorf("unlock the state: %w", err)
	}
	return nil
}
