package runner

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestPlain(t *testing.T) {
	t.Parallel()
	for words, want := range map[string]string{
		"a\nb::c": "a\nb::c", "::error::x\n  ::add-mask::y\nrefused: ::z": ": :error::x\n  : :add-mask::y\nrefused: ::z",
		"x ##[error]y": "x # #[error]y", "": "",
		"a\r::add-mask::b": "a\r: :add-mask::b", "a\n\u00a0\v::error::b": "a\n\u00a0\v: :error::b", "\u2028::x": "\u2028: :x",
	} {
		if got := Plain(words); got != want {
			t.Errorf("%q: %q, want %q", words, got, want)
		}
	}
}

// A command that comes in pieces is none either, and words that are none stay
// as they are.
func TestPlainWriterHoldsPieces(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"x ##[add-mask]app\n", "##[error]x", "###[error]x", "::add-mask::x\n", "a\n  ::error::x\n", "a\r::error::x\n",
		"a::b ##\n[x] c #[d]\n", "docker.io/a@sha256:00\n",
	} {
		for i := range len(text) {
			for j := i; j <= len(text); j++ {
				var out bytes.Buffer
				w := &PlainWriter{W: &out}
				for _, piece := range []string{text[:i], text[i:j], text[j:]} {
					if n, err := w.Write([]byte(piece)); n != len(piece) || err != nil {
						t.Fatalf("%q: %d, %v", piece, n, err)
					}
				}
				got := out.String()
				if Plain(got) != got {
					t.Errorf("%q in the pieces %d and %d has a command: %q", text, i, j, got)
				}
				if Plain(text) == text && got != text || strings.ReplaceAll(got, " ", "") != strings.ReplaceAll(text, " ", "") {
					t.Errorf("%q in the pieces %d and %d became %q", text, i, j, got)
				}
			}
		}
	}
}

// A document means the same as before.
func TestPlainWriterKeepsDocuments(t *testing.T) {
	t.Parallel()
	want := map[string]string{"package": "x ##[add-mask]app", "a": "###[", "b": "::x"}
	document, err := json.MarshalIndent(want, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if _, err := (&PlainWriter{W: &out, JSON: true}).Write(document); err != nil {
		t.Fatal(err)
	}
	var got map[string]string
	if err := json.Unmarshal(out.Bytes(), &got); err != nil || got["package"] != want["package"] || got["a"] != want["a"] ||
		got["b"] != want["b"] {
		t.Errorf("got %q, %v", got, err)
	}
	if strings.Contains(out.String(), "##[") {
		t.Errorf("the document holds a command: %s", out.String())
	}
}

// Annotations and groups carry no command of the older form.
func TestAnnotationsCarryNoOldCommand(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	r := New(func(n string) string { return map[string]string{"GITHUB_ACTIONS": "true"}[n] }, &out)
	if err := r.Annotate(Annotation{Level: Failure, File: "a##[b", Title: "c ##[error]", Message: "x ##[add-mask]app"}); err != nil {
		t.Fatal(err)
	}
	r.Group("d ##[group]e")()
	if strings.Contains(out.String(), "##[") || !strings.Contains(out.String(), "x # #[add-mask]app") {
		t.Errorf("got %q", out.String())
	}
}
