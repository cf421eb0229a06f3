package evidence

import "slices"

// Covers reports whether every signer that other trusts is trusted by s.
// A * never spans a slash on either side, so patterns can be compared as text.
func (s SignerRule) Covers(other SignerRule) bool {
	if s.Issuer != other.Issuer || !matchGlob(s.Subject(), other.Subject()) {
		return false
	}
	for _, runner := range []string{RunnerHosted, RunnerSelf, "of another system"} {
		if other.takes(runner) && !s.takes(runner) {
			return false
		}
	}
	if len(s.Refs) > 0 && (len(other.Refs) == 0 || !allMatch(s.Refs, other.Refs)) || !s.coversEvents(other) {
		return false
	}
	return s.Source == "" || other.Source != "" && matchGlob(s.Source, other.Source)
}

func (s SignerRule) coversEvents(other SignerRule) bool {
	if len(s.Events) == 0 {
		return !slices.ContainsFunc(other.Events, func(event string) bool { return ofPullRequest(Signer{Trigger: event}) })
	}
	return len(other.Events) > 0 &&
		!slices.ContainsFunc(other.Events, func(event string) bool { return !slices.Contains(s.Events, event) })
}

func allMatch(globs, texts []string) bool {
	return !slices.ContainsFunc(texts, func(text string) bool { return !matchesOne(globs, text) })
}
