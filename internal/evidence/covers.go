package evidence

// Covers reports whether every signer that other trusts is trusted by s.
// A * never spans a slash on either side, so patterns can be compared as text.
func (s SignerRule) Covers(other SignerRule) bool {
	if s.Issuer != other.Issuer || !matchGlob(s.Workflow, other.Workflow) {
		return false
	}
	for _, runner := range []string{RunnerHosted, RunnerSelf} {
		if other.takes(runner) && !s.takes(runner) {
			return false
		}
	}
	return s.Source == "" || other.Source != "" && matchGlob(s.Source, other.Source)
}
