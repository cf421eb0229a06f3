package cli

import (
	"bytes"
	"os"
	"testing"
)

func TestVerdictsAreColoured(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"refused: backend may not\n  scan       refused  2 high\n  signature  ok  x\n": "\x1b[31mrefused\x1b[0m: backend may not\n  " +
			"scan       \x1b[31mrefused\x1b[0m  2 high\n  signature  \x1b[32mok\x1b[0m  x\n",
		"pending: soak\n":         "\x1b[33mpending\x1b[0m: soak\n",
		"bumped   f: a → b\n":     "\x1b[32mbumped\x1b[0m   f: a → b\n",
		"the digest is refused\n": "the digest is refused\n",
		"okay\n":                  "okay\n",
		"Name of the app? ":       "Name of the app? ",
	} {
		var out bytes.Buffer
		if n, err := (painter{&out}).Write([]byte(text)); n != len(text) || err != nil || out.String() != want {
			t.Errorf("%q: %q, %d, %v", text, out.String(), n, err)
		}
	}
}

// A pipe, a file and a buffer get the bytes as they are; so does a terminal
// whose user, or whose runner, wants none.
func TestOnlyTerminalsAreColoured(t *testing.T) {
	t.Parallel()
	none := func(string) string { return "" }
	if w := new(bytes.Buffer); coloured(w, none) != w {
		t.Error("a buffer is coloured")
	}
	f, err := os.Create(t.TempDir() + "/f")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if coloured(f, none) != f {
		t.Error("a file is coloured")
	}
	if !wantsColour(none) {
		t.Error("colour is wanted where nothing speaks against it")
	}
	for name, value := range map[string]string{"NO_COLOR": "1", "TERM": "dumb", "GITHUB_ACTIONS": "true"} {
		if wantsColour(func(n string) string {
			if n == name {
				return value
			}
			return ""
		}) {
			t.Errorf("%s=%s is not heard", name, value)
		}
	}
}
