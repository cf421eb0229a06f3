// Package outcome tells the ways a command can end apart: done, broken, wrong
// usage, refused by policy, pending.
//
// A policy "no" and waiting are not failures of the machine, and a registry
// that does not answer is never a "no": scripts and workflows branch on the
// difference, so it travels with the error and becomes the exit code once, in
// main.
package outcome

import "fmt"

// Exit codes of every Waybill command.
const (
	Done    = 0 // what was asked for holds
	Broken  = 1 // something failed that should have worked; running again may help
	Usage   = 2 // the call itself is wrong: unknown flag, application, environment, a tag for a digest
	Refused = 3 // policy says no, with reasons
	Pending = 4 // policy says not yet: soak, freeze, approval
)

// Error carries how a command ended beside the reason.
type Error struct {
	Code  int
	Cause error
}

func (e *Error) Error() string { return e.Cause.Error() }

// Unwrap keeps the cause reachable.
func (e *Error) Unwrap() error { return e.Cause }

// Usagef reports a call that can never work as it stands.
func Usagef(format string, args ...any) error {
	return &Error{Code: Usage, Cause: fmt.Errorf(format, args...)}
}

// Refusedf reports a policy "no". The text gives a reason per rule.
func Refusedf(format string, args ...any) error {
	return &Error{Code: Refused, Cause: fmt.Errorf(format, args...)}
}

// Pendingf reports a policy "not yet". The text says until when, or for whom.
func Pendingf(format string, args ...any) error {
	return &Error{Code: Pending, Cause: fmt.Errorf(format, args...)}
}

// Code is the exit code for err: Done for nil, Broken for an error that carries
// no outcome of its own. Where several errors are joined, the one that decides
// among them is the answer, whatever their order; see Worse.
func Code(err error) int {
	switch e := err.(type) {
	case nil:
		return Done
	case *Error:
		return e.Code
	case interface{ Unwrap() []error }:
		code := Done
		for _, one := range e.Unwrap() {
			code = Worse(code, Code(one))
		}
		return code
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			return Code(inner)
		}
	}
	return Broken
}
