package runner

import "testing"

func TestPlain(t *testing.T) {
	t.Parallel()
	for words, want := range map[string]string{
		"a\nb::c": "a\nb::c", "::error::x\n  ::add-mask::y\nrefused: ::z": ": :error::x\n  : :add-mask::y\nrefused: ::z", "x ##[error]y": "x # #[error]y", "": "",
	} {
		if got := Plain(words); got != want {
			t.Errorf("%q: %q, want %q", words, got, want)
		}
	}
}
