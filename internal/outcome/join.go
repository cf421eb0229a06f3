package outcome

import (
	"errors"
	"slices"
)

// severity is the order of outcomes that meet, the one that decides first.
// Trouble decides over everything: what could not be found out is never a
// refusal, and never an approval. A wrong call comes next, then what policy
// says for good, then what policy says for now.
var severity = []int{Broken, Usage, Refused, Pending, Done}

// Worse is the one of two codes that decides for both. A code that is not known
// counts as Broken.
func Worse(a, b int) int {
	rank := func(code int) int { return max(slices.Index(severity, code), 0) }
	if rank(b) < rank(a) {
		a = b
	}
	return severity[rank(a)]
}

// Join makes one error of several, as errors.Join does. The result has the code
// that decides among theirs. Errors that are nil are left out; without any
// other, the result is nil.
func Join(errs ...error) error {
	joined := errors.Join(errs...)
	if joined == nil {
		return nil
	}
	return &Error{Code: Code(joined), Cause: joined}
}
